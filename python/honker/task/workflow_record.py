"""Records of workflows: events of a topic, from which any process finds the jobs of a workflow by its id.

The record is an event because it is written in the transaction of the jobs, has an id that is never used again, can be
listed, and is kept as long as the policy of the topic says. Its id is the offset of the event. Only `Workflow` is
recorded: chains, groups and chords have no name to list them by, and may be as many as jobs.
"""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from honker import serialization
from honker.arguments import Call, TransactionLike, whole
from honker.engine import Engine, Handle
from honker.task.parents import Shape
from honker.task.plan import Value
from honker.task.workflow_result import WorkflowResult

#: The topic of the records. The key of an event is the name of its workflow.
TOPIC: Final = "_workflows"
#: The policy of the topic, set by the first workflow: seconds and events. Events without a policy would stay.
_KEPT_S: Final = 30 * 24 * 3600
_KEPT: Final = 100_000
#: The most parents of a record, over all of its jobs. They are only shown.
_SHOWN_PARENTS: Final = 10_000

_PUBLISH: Final = "SELECT honker_stream_publish(?, ?, ?)"
_READ: Final = "SELECT honker_stream_read_since(?, ?, 1)"
_POLICIES: Final = "SELECT honker_retention_list()"
_RETAIN: Final = "SELECT honker_retention_set('stream', ?, ?, ?)"


class Record(NamedTuple):
    """The facts about a workflow that another process needs.

    Attributes:
        name: The name of the workflow; may be empty.
        ids: The ids of its jobs by name, each after its parents.
        value: Its value.
        parents: For each job the positions of its parents in ``ids``: the engine forgets these when they have ended.
            Empty if there are too many, or if an older version wrote the record.
    """

    name: str
    ids: dict[str, int]
    value: Value
    parents: Sequence[Sequence[int]] = ()

    def publish_call(self) -> Call:
        """The call that writes the record and returns its id."""
        fields: dict[str, Any] = {
            "name": self.name,
            "jobs": self.ids,
            "shape": self.value.shape,
            "filled_by": list(self.value.jobs),
        }
        if sum(map(len, self.parents)) <= _SHOWN_PARENTS:
            fields["parents"] = self.parents
        return _PUBLISH, TOPIC, self.name or None, serialization.encode(fields)


def save(engine: Engine, record: Record, tx: TransactionLike) -> int:
    """Write a record in a transaction, and return its id."""
    if _lacks_policy(engine.call(_POLICIES, tx=tx)):
        engine.call(_RETAIN, TOPIC, _KEPT_S, _KEPT, tx=tx)
    record_id: int = engine.call(*record.publish_call(), tx=tx)
    return record_id


async def asave(engine: Engine, record: Record, tx: TransactionLike) -> int:
    """Like `save`, without blocking the event loop."""
    if _lacks_policy(await engine.acall(_POLICIES, tx=tx)):
        await engine.acall(_RETAIN, TOPIC, _KEPT_S, _KEPT, tx=tx)
    record_id: int = await engine.acall(*record.publish_call(), tx=tx)
    return record_id


def workflow_result(self: Handle, workflow_id: int) -> WorkflowResult[Any] | None:
    """Find an enqueued workflow by its id, in any process.

    Workflows are recorded as events of the topic ``_workflows``, for 30 days and the last 100,000 of them.
    ``db.stream("_workflows").retain(...)`` changes that. Each event has the name of its workflow as key, and as payload
    a dict of ``name``, ``jobs``, ``shape``, ``filled_by`` and ``parents``.

    Args:
        workflow_id: The ``id`` of the `honker.WorkflowResult` that `Workflow.enqueue` returned.

    Returns:
        The workflow; None if there is no such id, its transaction has not committed, or its record is pruned.

    Raises:
        InvalidArgumentError: The id is no whole number.

    Cost: one read.
    Source: SQL ``honker_stream_read_since``.
    """
    number = whole(workflow_id, "workflow_id")
    return _result(self.engine, self.engine.ask(_READ, TOPIC, number - 1), number)


async def aworkflow_result(self: Handle, workflow_id: int) -> WorkflowResult[Any] | None:
    """Like `workflow_result`, without blocking the event loop."""
    number = whole(workflow_id, "workflow_id")
    return _result(self.engine, await self.engine.aask(_READ, TOPIC, number - 1), number)


def _lacks_policy(policies: str) -> bool:
    return not any(row["kind"] == "stream" and row["name"] == TOPIC for row in serialization.read(policies))


def _result(engine: Engine, events: str, workflow_id: int) -> WorkflowResult[Any] | None:
    for event in serialization.read(events):
        fields = serialization.read(event["payload"])
        if event["offset"] == workflow_id and (record := _read(fields)) is not None:
            names, ids = list(record.ids), list(record.ids.values())
            return WorkflowResult(engine, names, ids, record.value, None, workflow_id=workflow_id, name=record.name)
    return None


def _read(fields: Any) -> Record | None:
    """The record in a payload; None if an application has published something else under the topic."""
    try:
        shape: Shape = fields["shape"]
        return Record(fields["name"], dict(fields["jobs"]), Value(shape, tuple(fields["filled_by"])))
    except (TypeError, KeyError, ValueError):
        return None
