"""Arguments and results of tasks, converted by the annotations of their functions."""

import collections
import dataclasses
import enum
import ipaddress
import json
import sys
import typing
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, Optional, Required, TypedDict

import msgspec
import pydantic
import pytest
from honker import InvalidArgumentError, InvalidPayloadError, InvalidTaskError, PayloadMismatchError
from honker.codec.task_types import TaskTypes

from .converting import through_json

MOMENT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
T = typing.TypeVar("T")
Bound = typing.TypeVar("Bound", bound=date)
Either = typing.TypeVar("Either", int, datetime)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Mixed(enum.Enum):
    ONE = 1
    TEXT = "text"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 9


class Word(enum.StrEnum):
    YES = "yes"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    article: str
    price: Decimal
    tags: frozenset[str] = frozenset()


@dataclasses.dataclass
class Order:
    id: uuid.UUID
    at: datetime
    lines: list[Line]
    parent: "Order | None" = None
    total: Decimal = dataclasses.field(init=False, default=Decimal(0))

    def __post_init__(self):
        self.total = sum((line.price for line in self.lines), Decimal(0))


@dataclasses.dataclass
class Circle:
    kind: Literal["circle"]
    radius: Decimal


@dataclasses.dataclass
class Square:
    kind: Literal["square"]
    side: Decimal


@dataclasses.dataclass
class Box(Generic[T]):
    item: T
    others: list[T]


@dataclasses.dataclass
class DateBox(Box[date]):
    name: str = ""


class Address(TypedDict):
    street: str
    since: NotRequired[date]


class Partial(TypedDict, total=False):
    name: Required[str]
    born: date


class Point(NamedTuple):
    x: Decimal
    y: Decimal = Decimal(0)


class User(pydantic.BaseModel):
    name: str = pydantic.Field(alias="userName")
    born: date
    scores: set[int] = set()


class Strict(pydantic.BaseModel, strict=True):
    at: datetime


class TwoNames(pydantic.BaseModel):
    name: str = pydantic.Field(validation_alias="in", serialization_alias="out")


class Page(pydantic.BaseModel, Generic[T]):
    items: list[T]


class Names(pydantic.RootModel[list[str]]):
    pass


class Event(msgspec.Struct, tag=True):
    at: datetime
    body: bytes


class Other(msgspec.Struct, tag=True):
    n: int


class Packed(msgspec.Struct, array_like=True):
    a: int
    b: date


UserId = NewType("UserId", uuid.UUID)
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
ID = uuid.UUID(int=7)
ORDER = Order(ID, MOMENT, [Line("pen", Decimal("1.50"), frozenset({"b", "a"}))])


def types_of(hint):
    """The types of a task with one parameter of this annotation, whose names are looked up in this module."""

    def task(it): ...

    task.__annotations__ = {"it": hint, "return": hint}
    return TaskTypes("task", task)


VALUES = [
    (datetime, MOMENT, "2026-03-29T01:30:00+00:00"),
    (datetime, datetime(2026, 3, 29, 1, 30, 0, 5), "2026-03-29T01:30:00.000005"),
    (date, date(2026, 3, 29), "2026-03-29"),
    (time, time(1, 2, 3, 4), "01:02:03.000004"),
    (time, time(1, 2, tzinfo=timezone(timedelta(hours=-3))), "01:02:00-03:00"),
    (timedelta, timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=5), "P1DT2H3M4.000005S"),
    (timedelta, timedelta(seconds=-1), "-PT1S"),
    (timedelta, timedelta(0), "P0D"),
    (timedelta, timedelta.min, "P-999999999D"),
    (timedelta, timedelta.max, "P999999999DT23H59M59.999999S"),
    (Decimal, Decimal("1.50"), "1.50"),
    (uuid.UUID, ID, "00000000-0000-0000-0000-000000000007"),
    (bytes, b"\x00\xff", "AP8="),
    (bytearray, bytearray(b"a"), "YQ=="),
    (Path, Path("/tmp/a"), "/tmp/a"),
    (PurePosixPath, PurePosixPath("a/b"), "a/b"),
    (Color, Color.RED, "red"),
    (Mixed, Mixed.TEXT, "TEXT"),
    (Level, Level.HIGH, 9),
    (Word, Word.YES, "yes"),
    (Access, Access.READ | Access.WRITE, 3),
    (Literal["a", 1, True, None], True, True),
    (Literal[Color.RED, 5], Color.RED, "red"),
    (set[int], {3, 1, 2}, [1, 2, 3]),
    (set, {1}, [1]),
    (frozenset[Color], frozenset({Color.RED, Color.BLUE}), ["blue", "red"]),
    (set[int | str], {1}, [1]),
    (tuple[int, date], (1, date(2026, 1, 1)), [1, "2026-01-01"]),
    (tuple[Decimal, ...], (Decimal(1), Decimal(2)), ["1", "2"]),
    (tuple[()], (), []),
    (tuple, (1, "a"), [1, "a"]),
    (list[date], [date(2026, 1, 1)], ["2026-01-01"]),
    (Sequence[date], [date(2026, 1, 1)], ["2026-01-01"]),
    (Collection[date], [], []),
    (dict[str, date], {"a": date(2026, 1, 1)}, {"a": "2026-01-01"}),
    (Mapping[date, int], {date(2026, 1, 1): 1}, {"2026-01-01": 1}),
    (dict[int, str], {1: "a", -2: "b"}, {"1": "a", "-2": "b"}),
    (dict[float, int], {1.5: 1}, {"1.5": 1}),
    (dict[bool, int], {True: 1}, {"true": 1}),
    (dict[Level, int], {Level.LOW: 1}, {"1": 1}),
    (dict[Color, list[bytes]], {Color.RED: [b"a"]}, {"red": ["YQ=="]}),
    (dict[tuple[int, date], str], {(1, date(2026, 1, 1)): "x"}, [[[1, "2026-01-01"], "x"]]),
    (Optional[datetime], None, None),  # noqa: UP045
    (datetime | int | None, 3, 3),
    (list[date] | dict[str, date] | Decimal, {"a": date(2026, 1, 1)}, {"a": "2026-01-01"}),
    (Circle | Square, Square("square", Decimal(2)), {"kind": "square", "side": "2"}),
    (Line, Line("pen", Decimal("1.5")), {"article": "pen", "price": "1.5", "tags": []}),
    (Box[date], Box(date(2026, 1, 1), []), {"item": "2026-01-01", "others": []}),
    (Box[Box[Decimal]], Box(Box(Decimal(1), []), []), {"item": {"item": "1", "others": []}, "others": []}),
    (DateBox, DateBox(date(2026, 1, 1), [], "n"), {"item": "2026-01-01", "others": [], "name": "n"}),
    (Address, {"street": "s", "since": date(2026, 1, 1)}, {"street": "s", "since": "2026-01-01"}),
    (Address, {"street": "s"}, {"street": "s"}),
    (Partial, {"name": "n"}, {"name": "n"}),
    (Point, Point(Decimal(1)), ["1", "0"]),
    (
        User,
        User(userName="a", born=date(2000, 1, 1), scores={1}),
        {"userName": "a", "born": "2000-01-01", "scores": [1]},
    ),
    (Strict, Strict(at=MOMENT), {"at": "2026-03-29T01:30:00Z"}),
    (TwoNames, TwoNames.model_validate({"in": "a"}), {"name": "a"}),
    (Page[date], Page[date](items=[date(2026, 1, 1)]), {"items": ["2026-01-01"]}),
    (Names, Names(["a"]), ["a"]),
    (list[User], [User(userName="a", born=date(2000, 1, 1))], [{"userName": "a", "born": "2000-01-01", "scores": []}]),
    (Event, Event(MOMENT, b"a"), {"type": "Event", "at": "2026-03-29T01:30:00Z", "body": "YQ=="}),
    (Event | Other, Other(3), {"type": "Other", "n": 3}),
    (Packed, Packed(1, date(2026, 1, 1)), [1, "2026-01-01"]),
    (UserId, UserId(ID), str(ID)),
    (Annotated[date, "a note"], date(2026, 1, 1), "2026-01-01"),
    (Bound, date(2026, 1, 1), "2026-01-01"),
    (Either, MOMENT, "2026-03-29T01:30:00+00:00"),
    ("Optional[Decimal]", Decimal(1), "1"),
    (Json, {"a": [1, None, {"b": 2.5}]}, {"a": [1, None, {"b": 2.5}]}),
    (Any, {"a": [1]}, {"a": [1]}),
]


@pytest.mark.parametrize(
    ("hint", "value", "stored"), VALUES, ids=[f"{n}-{row[0]}"[:40] for n, row in enumerate(VALUES)]
)
def test_a_value_is_readable_json_and_comes_back_with_its_type(hint, value, stored):
    found, read = through_json(types_of(hint), value)
    assert found == stored
    assert read == value
    assert type(read) is type(value)


def test_nested_objects_come_back_whole():
    order = Order(ID, MOMENT, [], parent=ORDER)
    stored, read = through_json(types_of(Order), order)
    assert read == order
    assert read.parent.total == Decimal("1.50")
    assert stored["parent"]["lines"] == [{"article": "pen", "price": "1.50", "tags": ["a", "b"]}]
    assert "total" not in stored


def test_a_result_is_converted_like_an_argument():
    found = types_of(list[Line])
    assert found.decode_result(json.loads(json.dumps(found.encode_result(ORDER.lines)))) == ORDER.lines


def test_the_result_of_a_function_that_returns_an_awaitable_is_that_of_awaiting_it():
    def task() -> typing.Awaitable[date]: ...

    assert TaskTypes("task", task).encode_result(date(2026, 1, 1)) == "2026-01-01"


WRONG = [
    (int, "7", "int"),
    (int, 1.5, "int"),
    (str, 1, "str"),
    (bool, 1, "bool"),
    (float, "1", "float"),
    (list[int], [1, "a"], r"at \[1\], is 'a' of type str; its annotation takes int"),
    (list[int], {1}, r"list\[int\]"),
    (dict[str, int], {"a": "b"}, r"at \['a'\], is 'b'"),
    (dict, [1], "dict"),
    (datetime, "2026-01-01", "datetime"),
    (date, MOMENT, r"pass value.date\(\)"),
    (Decimal, 1.5, "keeps every digit"),
    (bytes, "a", "bytes"),
    (Path, "a", "Path"),
    (uuid.UUID, str(ID), "UUID"),
    (Color, "red", "pass a member of Color"),
    (Literal["a", "b"], "c", "one of 'a', 'b'"),
    (Literal[1], True, "one of 1"),
    (Literal["a"], ["a"], "one of 'a'"),
    (set[int], [1], r"set\[int\]"),
    (set, {(1, 2)}, r"annotate its items, as in set\[tuple"),
    (frozenset[Any], frozenset({(1, 2)}), "annotate its items"),
    (dict[int | str, int], {1: 2, "1": 3}, "keys differ as text"),
    (dict[str | None, date], {None: date(2026, 1, 1), "null": date(2026, 1, 2)}, "keys differ as text"),
    (tuple[int, int], (1,), "of 2 items"),
    (Line, {"article": "a"}, "Line"),
    (Order, Order(ID, MOMENT, [Line("a", 1)]), r"at \.lines\[0\]\.price, is 1 of type int"),
    (Box[date], DateBox(date(2026, 1, 1), []), "Box itself; a subclass would come back without its own fields"),
    (Address, {"since": date(2026, 1, 1)}, "with the key 'street'"),
    (Address, {"street": "s", "city": "c"}, "has no key 'city'"),
    (Optional[Line], 5, r"Line \| None"),  # noqa: UP045
    (int | datetime, "x", r"int \| datetime"),
    (User, {"userName": "a"}, "User"),
    (Event, Event("x", b""), "msgspec"),
    (Json, {"a": {1, 2}}, "."),
]


@pytest.mark.parametrize(("hint", "value", "told"), WRONG, ids=[f"{n}-{row[0]}"[:40] for n, row in enumerate(WRONG)])
def test_a_value_that_the_annotation_does_not_allow_is_refused_at_the_call(hint, value, told):
    with pytest.raises(InvalidPayloadError, match=told) as caught:
        types_of(hint).encode((value,), {})
    assert isinstance(caught.value, InvalidArgumentError)
    assert isinstance(caught.value, TypeError)
    assert str(caught.value).startswith("argument 'it' of task 'task'")
    assert "change the annotation" in str(caught.value)


def test_the_message_names_the_keyword():
    def task(*, when: date, **others: date): ...

    found = TaskTypes("task", task)
    assert found.encode((), {"when": date(2026, 1, 1), "x": date(2026, 1, 2)})[1] == {
        "when": "2026-01-01",
        "x": "2026-01-02",
    }
    with pytest.raises(InvalidPayloadError, match="argument 'x' of task 'task'"):
        found.encode((), {"x": 1})


def test_further_positional_arguments_have_the_type_of_the_star():
    def task(first: int, *rest: date): ...

    found = TaskTypes("task", task)
    assert found.encode((1, date(2026, 1, 1)), {})[0] == [1, "2026-01-01"]
    assert found.decode([1, "2026-01-01"], {})[0] == [1, date(2026, 1, 1)]


def test_arguments_from_parents_come_first():
    def task(parent: date, own: Decimal): ...

    found = TaskTypes("task", task)
    assert found.encode((Decimal(1),), {}, offset=1)[0] == ["1"]
    assert found.decode(["2026-01-01", "1"], {})[0] == [date(2026, 1, 1), Decimal(1)]


def test_a_parameter_whose_default_is_none_takes_none():
    def task(when: date = None): ...  # noqa: RUF013 - as many write it

    assert TaskTypes("task", task).encode((None,), {})[0] == [None]


def test_parameters_without_annotation_are_left_to_json():
    def task(a, b=0): ...

    found = TaskTypes("task", task)
    args = (object(),)
    assert found.encode(args, {})[0] is args
    assert not found.is_checked


@pytest.mark.parametrize("hint", [collections.deque, ipaddress.IPv4Address, "NotDefined", typing.Callable[[], int]])
def test_other_annotations_are_left_to_json(hint):
    assert through_json(types_of(hint), {"a": [1]}) == ({"a": [1]}, {"a": [1]})


def test_a_name_that_only_type_checkers_know_is_told():
    with pytest.raises(InvalidPayloadError, match=r"plain JSON only; the annotation cannot be read .*NotDefined"):
        types_of("NotDefined").encode((MOMENT,), {})


def test_plain_values_are_passed_on_as_they_are():
    found = types_of(dict[str, list[int]])
    value = {"a": [1, 2]}
    assert found.encode((value,), {})[0][0] == value
    assert not found.is_typed
    stored = [value]
    assert found.decode(stored, {})[0] is stored


def test_the_json_of_plain_values_is_that_of_the_json_module():
    class Pair(NamedTuple):
        a: int
        b: str

    for hint, value in [
        (dict[int, str], {1: "a"}),
        (dict[float, str], {1.0: "a"}),
        (dict[bool, str], {True: "a"}),
        (dict[int | str, int], {1: 2, "b": 3}),
        (dict[str | None, int], {None: 2}),
        (tuple[int, str], (1, "a")),
        (list[int], (1, 2)),
        (Pair, Pair(1, "a")),
        (Level, Level.LOW),
        (Word, Word.YES),
    ]:
        assert json.dumps(types_of(hint).encode((value,), {})[0][0]) == json.dumps(value)


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        (datetime | str, "datetime and str are all written as a JSON string"),
        (Path | str, "Path and str"),
        (set[int] | list[int], "JSON array"),
        (Line | Order, "JSON object"),
        (Circle | Line, "JSON object"),
        (dict[str, Any] | Line, "JSON object"),
        (list[datetime | Decimal], "datetime and Decimal"),
        (Level | int, "Level and int"),
        (Any | datetime, "JSON string"),
        (User | Line, "JSON object"),
        (Literal[b"x"], "the Literal value b'x' is no value of JSON"),
    ],
)
def test_a_type_that_json_cannot_tell_apart_is_refused_where_it_is_declared(hint, told):
    with pytest.raises(InvalidTaskError, match="parameter 'it' of task 'task' cannot be carried: ") as caught:
        types_of(hint)
    assert told in str(caught.value)
    assert "Literal field" in str(caught.value)


def test_a_dataclass_that_forgets_arguments_is_refused_where_it_is_declared():
    @dataclasses.dataclass
    class Seeded:
        seed: dataclasses.InitVar[int]

    with pytest.raises(InvalidTaskError, match="InitVar"):
        types_of(Seeded)


STORED = [
    (datetime, "yesterday", "datetime as text"),
    (datetime, 5, "datetime as text"),
    (timedelta, "P", "PT0.5S"),
    (timedelta, "1 day", "P1DT2H30M"),
    (Decimal, "x", "Decimal"),
    (bytes, "*", "bytes"),
    (uuid.UUID, "x", "UUID"),
    (Color, "green", "one of the members of Color: 'red', 'blue'"),
    (Color, ["red"], "Color"),
    (Access, 64, "Access"),
    (Literal[Color.RED], "blue", "one of"),
    (set[int], 5, "as an array"),
    (set[list[int]], [[1]], "unhashable"),
    (dict[int, int], {"x": 1}, "a key of type int"),
    (dict[tuple[int], int], [[1]], "of 2 items"),
    (tuple[int, int], [1], "of 2 items"),
    (Line, {"article": "a"}, "with the field 'price'"),
    (Line, [], "as an object"),
    (Order, {"id": str(ID), "at": "x", "lines": []}, r"at \.at"),
    (Point, [], "at least 1 items"),
    (Circle | Square, {"kind": "line"}, "one of"),
    (Circle | Square, {"kind": ["circle"]}, "one of"),
    (datetime | int, [], r"datetime \| int"),
    (User, {"userName": "a", "born": "x"}, "pydantic"),
    (Event, {"type": "Event"}, "msgspec"),
]


@pytest.mark.parametrize(("hint", "stored", "told"), STORED, ids=[f"{n}-{row[0]}"[:40] for n, row in enumerate(STORED)])
def test_a_stored_value_of_another_type_is_unreadable(hint, stored, told):
    with pytest.raises(PayloadMismatchError, match=told) as caught:
        types_of(hint).decode([stored], {})
    assert str(caught.value).startswith("argument 'it' of task 'task'")
    with pytest.raises(PayloadMismatchError, match="the result of task 'task'"):
        types_of(hint).decode_result(stored)


def test_values_stay_out_of_the_message_when_they_are_secret():
    with pytest.raises(PayloadMismatchError, match="has a value of type str; its annotation takes datetime") as caught:
        types_of(datetime).decode(["secret"], {}, shows_values=False)
    assert "secret" not in str(caught.value)


def test_fields_that_a_newer_producer_added_are_left_out():
    stored = {"article": "a", "price": "1", "color": "red"}
    assert types_of(Line).decode([stored], {})[0] == [Line("a", Decimal(1))]


def test_a_constructor_that_refuses_the_stored_fields_makes_it_unreadable():
    @dataclasses.dataclass
    class Positive:
        n: int

        def __post_init__(self):
            if self.n < 0:
                raise LookupError("negative")

    with pytest.raises(PayloadMismatchError, match="its constructor raised LookupError: negative"):
        types_of(Positive).decode([{"n": -1}], {})


def test_a_value_that_holds_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(InvalidPayloadError, match="nested too deeply, or holds itself"):
        types_of(Json).encode((value,), {})
    order = Order(ID, MOMENT, [])
    order.parent = order
    with pytest.raises(InvalidPayloadError, match="holds itself"):
        types_of(Order).encode((order,), {})


def test_a_stored_value_that_is_nested_too_deeply_is_unreadable():
    stored = []
    for _ in range(4 * sys.getrecursionlimit()):
        stored = [stored]
    with pytest.raises(PayloadMismatchError, match="nested too deeply"):
        types_of(Json).decode([stored], {})
