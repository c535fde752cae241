"""Values of generated nested types come back from JSON with their types."""

import dataclasses
import json
import typing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from uuid import UUID

from honker.codec.task_types import TaskTypes
from hypothesis import HealthCheck, assume, given, settings, strategies as st


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


INTEGERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
#: Types that can be the key of a dict or an item of a set, and their values.
HASHABLE = [
    (int, INTEGERS),
    (str, TEXTS),
    (bool, st.booleans()),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (datetime, st.datetimes()),
    (datetime, st.datetimes(timezones=st.just(UTC))),
    (date, st.dates()),
    (time, st.times()),
    (timedelta, st.timedeltas()),
    (Decimal, st.decimals(allow_nan=False)),
    (UUID, st.uuids()),
    (bytes, st.binary(max_size=8)),
    (PurePosixPath, st.builds(PurePosixPath, st.text("abc/.", max_size=8))),
    (Color, st.sampled_from(Color)),
    (Level, st.sampled_from(Level)),
    (typing.Literal["a", "b"], st.sampled_from(["a", "b"])),
]
#: Keys of several plain types become text, as they always have.
OTHERS = [
    (typing.Literal["a", 1, None], st.sampled_from(["a", 1, None])),
    (datetime | int | None, st.one_of(st.datetimes(), INTEGERS, st.none())),
]


def composed(children, hashable):
    """A strategy of types that are made of others, each with the strategy of its values."""

    @st.composite
    def dataclasses_of(draw):
        fields = draw(st.lists(children, min_size=1, max_size=3))
        made = dataclasses.make_dataclass("Made", [(f"f{n}", hint) for n, (hint, _) in enumerate(fields)])
        return made, st.builds(made, *(values for _, values in fields))

    @st.composite
    def named_tuples(draw):
        fields = draw(st.lists(children, min_size=1, max_size=3))
        made = typing.NamedTuple("Made", [(f"f{n}", hint) for n, (hint, _) in enumerate(fields)])
        return made, st.builds(made, *(values for _, values in fields))

    @st.composite
    def typed_dicts(draw):
        fields = draw(st.lists(children, min_size=1, max_size=3))
        names = {f"f{n}": field for n, field in enumerate(fields)}
        optional = {name for name in names if draw(st.booleans())}
        made = typing.TypedDict(
            "Made", {n: typing.NotRequired[hint] if n in optional else hint for n, (hint, _) in names.items()}
        )
        required = {n: values for n, (_, values) in names.items() if n not in optional}
        return made, st.fixed_dictionaries(required, optional={n: names[n][1] for n in optional})

    @st.composite
    def fixed_tuples(draw):
        items = draw(st.lists(children, max_size=3))
        return tuple[tuple(hint for hint, _ in items)] if items else tuple[()], st.tuples(*(v for _, v in items))

    return st.one_of(
        children.map(lambda it: (list[it[0]], st.lists(it[1], max_size=3))),
        children.map(lambda it: (tuple[it[0], ...], st.lists(it[1], max_size=3).map(tuple))),
        children.map(lambda it: (typing.Optional[it[0]], st.none() | it[1])),  # noqa: UP045 - of a variable
        hashable.map(lambda it: (set[it[0]], st.sets(it[1], max_size=3))),
        hashable.map(lambda it: (frozenset[it[0]], st.frozensets(it[1], max_size=3))),
        st.tuples(hashable, children).map(
            lambda pair: (dict[pair[0][0], pair[1][0]], st.dictionaries(pair[0][1], pair[1][1], max_size=3))
        ),
        dataclasses_of(),
        named_tuples(),
        typed_dicts(),
        fixed_tuples(),
    )


SCALARS = st.sampled_from(HASHABLE)
TYPES = st.recursive(st.sampled_from([*HASHABLE, *OTHERS]), lambda children: composed(children, SCALARS), max_leaves=6)


def same(one, other):
    """Equal, with equal types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        pairs = zip(sorted(one.items(), key=repr), sorted(other.items(), key=repr), strict=False)
        return len(one) == len(other) and all(same(a, b) for pair in pairs for a, b in zip(*pair, strict=True))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    return one == other


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_value_of_any_type_comes_back_from_json(data):
    hint, values = data.draw(TYPES)
    value = data.draw(values)

    def task(it): ...

    task.__annotations__ = {"it": hint, "return": hint}
    types = TaskTypes("task", task)
    args, kwargs = types.encode((value,), {"it": value})
    stored, named = json.loads(json.dumps([list(args), dict(kwargs)], allow_nan=False))
    read, read_named = types.decode(stored, named)
    assert same(read[0], value)
    assert same(read_named["it"], value)
    assert same(types.decode_result(json.loads(json.dumps(types.encode_result(value)))), value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_plain_json_values_are_written_as_by_the_json_module(data):
    leaves = st.sampled_from([(int, INTEGERS), (str, TEXTS), (bool, st.booleans()), (type(None), st.none())])
    hint, value = data.draw(
        st.recursive(
            leaves,
            lambda inner: st.one_of(
                inner.map(lambda it: (list[it[0]], st.lists(it[1], max_size=3))),
                inner.map(lambda it: (dict[str, it[0]], st.dictionaries(TEXTS, it[1], max_size=3))),
                inner.map(lambda it: (dict[int, it[0]], st.dictionaries(INTEGERS, it[1], max_size=3))),
            ),
            max_leaves=3,
        )
    )
    value = data.draw(value)
    assume(value is not None)

    def task(it): ...

    task.__annotations__ = {"it": hint}
    assert json.dumps(list(TaskTypes("task", task).encode((value,), {})[0])) == json.dumps([value])
