"""The payloads of a task's calls and its results, by the annotations of its function and the codec of its registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from honker.codec import Codec, sealing
from honker.engine import Handle
from honker.job.headers import ENVELOPE
from honker.task.message import envelope, sealed
from honker.task.parents import FromParents
from honker.task.registry import TaskSpec, registry_of


class TaskPayloads:
    """Writes the payloads of a task's calls, and reads its results.

    Args:
        spec: The task.
        db: Its database, of whose registry the codec counts; a blueprint gets another when it is included.
    """

    def __init__(self, spec: TaskSpec, db: Handle) -> None:
        self.name = spec.name
        self._types = spec.types
        #: Types of positional arguments that need no look, see `TaskTypes.valid_calls`.
        self.valid_calls = spec.types.valid_calls
        self._db = db

    @property
    def codec(self) -> Codec | None:
        """The codec of the registry; None for plain JSON."""
        return registry_of(self._db).codec

    def of_valid_call(self, args: tuple[Any, ...], headers: dict[str, Any] | None = None) -> dict[str, Any]:
        """The payload of a call with positional arguments whose types are in `valid_calls`."""
        codec = registry_of(self._db).codec
        call: dict[str, Any] = {"task": self.name, "args": args, "kwargs": {}}
        if headers:
            call["headers"] = headers
        payload: dict[str, Any] = {ENVELOPE: call}
        return payload if codec is None else sealed(codec, payload)

    def of_call(
        self,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        from_parents: FromParents | None = None,
        offset: int = 0,
        first: Sequence[Any] = (),
        *,
        headers: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The payload of a call.

        Args:
            args: Its own positional arguments.
            kwargs: Its keyword arguments.
            from_parents: The arguments that its parents give.
            offset: The number of arguments that precede its own.
            first: Those of them that are known already, as JSON values.
            headers: The headers that middleware has added; None for none.

        Raises:
            InvalidValueError: An argument is not of the type of its parameter.
            InvalidPayloadError: The codec cannot write it.
        """
        encoded, named = self._types.encode(args, kwargs, offset)
        payload = envelope(self.name, [*first, *encoded] if first else encoded, named, from_parents, headers)
        codec = registry_of(self._db).codec
        return payload if codec is None else sealed(codec, payload)

    def read_result(self, job_id: int, value: Any) -> Any:
        """The result of a job, from its JSON value.

        Raises:
            PayloadMismatchError: It is not of the annotated type, or the codec refuses it.
        """
        return self._types.decode_result(sealing.open_result(self.codec, job_id, value))
