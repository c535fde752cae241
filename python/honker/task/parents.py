"""The arguments that a call takes from the jobs it waits for.

The message of the call tells how the outcomes of its parents, in declared order, become its first arguments. An
argument has a shape: None stands for one parent, a whole number for a list of so many, a list for a list of shapes, and
a dict for a dict of shapes. Parents that no shape takes are only waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast, get_args

from honker import serialization
from honker.codec import Codec, sealing
from honker.errors import InvalidCallError

#: The shape of an argument.
Shape: TypeAlias = "int | list[Shape] | dict[str, Shape] | None"

#: The values that a call takes: results, outcomes of failed parents too, the first failure, or none.
Given: TypeAlias = Literal["results", "outcomes", "failure", "nothing"]

#: The most jobs that a number in a shape may stand for: a message by hand must not allocate more.
_RUN_MAX: Final = 100_000


def listed(shapes: Sequence[Shape]) -> Shape:
    """The shape of a list of these."""
    return len(shapes) if all(shape is None for shape in shapes) else list(shapes)


def filled(shape: Shape, values: Iterator[Any]) -> Any:
    """The argument of a shape, from as many values as it has places."""
    if shape is None:
        return next(values)
    if isinstance(shape, int):
        return [next(values) for _ in range(shape)]
    if isinstance(shape, list):
        return [filled(each, values) for each in shape]
    return {name: filled(each, values) for name, each in shape.items()}


def places(shape: Shape) -> int:
    """The number of values that a shape takes."""
    if shape is None:
        return 1
    if isinstance(shape, int):
        return shape
    return sum(map(places, shape if isinstance(shape, list) else shape.values()))


def names_in(shape: Shape) -> list[str]:
    """The names of the parents in a shape that is a dict of single ones."""
    return list(shape) if isinstance(shape, dict) else []


class Parent(NamedTuple):
    """A parent of a job, as its child sees it.

    Attributes:
        job_id: Its id.
        state: ``done``, ``dead`` or ``cancelled``; None while it runs again after a requeue.
        result: Its result, decoded.
        error: Its error, if it is dead.
    """

    job_id: int
    state: str | None
    result: Any
    error: str | None

    @property
    def is_dead(self) -> bool:
        """True if it is a dead letter."""
        return self.state == "dead"


def read_parents(text: str, codec: Codec | None = None) -> list[Parent]:
    """The parents in an answer of ``honker_job_parents``.

    Raises:
        UnreadablePayloadError: A result is not JSON, or not written by the codec.
    """
    return [
        Parent(row["job_id"], row["state"], _read_result(row["job_id"], row["result"], codec), row["error"])
        for row in serialization.read(text)
    ]


def _read_result(job_id: int, text: str | None, codec: Codec | None) -> Any:
    value = serialization.decode(text)
    return value if text is None else sealing.open_result(codec, job_id, value)


@dataclass(frozen=True, slots=True)
class FromParents:
    """The first arguments of a call, taken from its parents.

    Attributes:
        given: The kind of value that stands for each parent.
        shapes: The shapes of the arguments.
        only_if_failed: True if the call runs only if a parent is dead.
    """

    given: Given
    shapes: Sequence[Shape]
    only_if_failed: bool = False

    def as_json(self) -> dict[str, Any]:
        """The field of the message."""
        fields: dict[str, Any] = {"give": self.given, "args": list(self.shapes)}
        if self.only_if_failed:
            fields["if"] = "failed"
        return fields

    @classmethod
    def read(cls, fields: Any) -> FromParents | None:
        """The instruction in a message; None if it is none."""
        if not isinstance(fields, dict):
            return None
        found = cast("dict[str, Any]", fields)
        given, shapes, condition = found.get("give"), found.get("args"), found.get("if")
        if given not in get_args(Given) or condition not in {None, "failed"}:
            return None
        if not isinstance(shapes, list) or not all(map(_is_shape, cast("list[Any]", shapes))):
            return None
        return cls(cast("Given", given), cast("list[Shape]", shapes), condition is not None)

    def applies(self, parents: Sequence[Parent]) -> bool:
        """True if the call runs at all."""
        return not self.only_if_failed or any(parent.is_dead for parent in parents)

    def arguments(self, parents: Sequence[Parent]) -> list[Any]:
        """The arguments.

        Raises:
            InvalidCallError: The call takes results, and a parent has none or is not known any more.
        """
        if self.given == "nothing":
            return []
        taken = sum(map(places, self.shapes))
        if taken > len(parents):
            raise InvalidCallError(f"the call takes the outcomes of {taken} parents, and {len(parents)} are known")
        if self.given == "failure":
            return [_first_failure(names_in(shape), parents) for shape in self.shapes]
        values = map(_result if self.given == "results" else _outcome, parents)
        return [filled(shape, values) for shape in self.shapes]


def _result(parent: Parent) -> Any:
    if parent.state != "done":
        raise InvalidCallError(
            f"parent {parent.job_id} has no result, since it is {parent.state or 'not done'}; requeue the parent"
        )
    return parent.result


def _outcome(parent: Parent) -> dict[str, Any]:
    return parent._asdict()


def _first_failure(names: Sequence[str], parents: Sequence[Parent]) -> dict[str, Any] | None:
    named = zip(names, parents, strict=False)
    failed = next(((name, parent) for name, parent in named if parent.is_dead), None)
    if failed is None:
        return None
    return {"name": failed[0], "job_id": failed[1].job_id, "error": failed[1].error}


def _is_shape(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, int):
        return not isinstance(value, bool) and 0 <= value <= _RUN_MAX
    if isinstance(value, list):
        return all(map(_is_shape, cast("list[Any]", value)))
    return isinstance(value, dict) and all(map(_is_shape, cast("dict[str, Any]", value).values()))
