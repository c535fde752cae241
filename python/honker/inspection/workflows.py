"""Workflows with the states of their jobs: a method of `honker.Database`, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from honker.arguments import whole
from honker.engine import Handle
from honker.inspection.listing import cursor
from honker.records import Record

_LIST: Final = "SELECT honker_workflow_list(?, ?)"


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkflowJob(Record):
    """A job of a workflow.

    Attributes:
        name: Its name in the workflow.
        job_id: Its id.
        state: As in `JobSummary`; ``"done"`` if it left no trace.
    """

    name: str
    job_id: int
    state: str


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkflowInfo(Record):
    """A workflow.

    Attributes:
        id: The id that `Database.workflow_result` takes.
        name: Its name; may be empty.
        created_at: Unix seconds at which it was enqueued.
        count: The number of its jobs.
        states: The number of ``jobs`` by state.
        jobs: Its first 200 jobs, parents before their children.
    """

    id: int
    name: str
    created_at: float
    count: int
    states: dict[str, int]
    jobs: list[WorkflowJob]


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkflowPage(Record):
    """A page of a list of workflows.

    Attributes:
        workflows: The workflows, the last one first.
        next: Pass it as ``after`` to get the next page; None if there is none.
    """

    workflows: list[WorkflowInfo]
    next: str | None


def workflows(self: Handle, *, after: str | None = None, limit: int = 50) -> WorkflowPage:
    """List the recorded workflows, the last one first, with the states of their jobs.

    Records are kept as `Database.workflow_result` describes. A page may have fewer than ``limit`` workflows and a
    ``next``: a call looks at up to 50,000 rows, for about 28 ms.

    Args:
        after: The ``next`` of the page before.
        limit: The largest number of workflows, up to 500.

    Raises:
        InvalidArgumentError: A value is outside its range.

    Cost: a read by key for each job of the page.
    Source: SQL ``honker_workflow_list``.
    """
    return _page(self.engine.ask(_LIST, cursor(after), whole(limit, "limit")))


async def aworkflows(self: Handle, *, after: str | None = None, limit: int = 50) -> WorkflowPage:
    """Like `workflows`, without blocking the event loop."""
    return _page(await self.engine.aask(_LIST, cursor(after), whole(limit, "limit")))


def _page(text: str) -> WorkflowPage:
    answer: dict[str, Any] = json.loads(text)
    after = answer["next"]
    return WorkflowPage(
        workflows=[_workflow(row) for row in answer["workflows"]], next=None if after is None else str(after)
    )


def _workflow(row: dict[str, Any]) -> WorkflowInfo:
    return WorkflowInfo.of({**row, "jobs": [WorkflowJob.of(each) for each in row["jobs"]]})
