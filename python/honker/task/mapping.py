"""One call of a task for each of many values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from honker.arguments import TransactionLike
from honker.task.call import TaskCall
from honker.task.plan import Plan, Value
from honker.task.result import TaskResult
from honker.task.workflow_result import enqueued, enqueued_async

R = TypeVar("R")


def mapped(calls: Iterable[TaskCall[R]], options: dict[str, Any], tx: TransactionLike) -> list[TaskResult[R]]:
    """Enqueue calls that do not wait for each other, all with these options."""
    plan = _plan_of(calls, options)
    if not plan.jobs:
        return []
    result = enqueued(plan, Value(None), tx)
    return [result[name] for name in result.ids]


async def amapped(calls: Iterable[TaskCall[R]], options: dict[str, Any], tx: TransactionLike) -> list[TaskResult[R]]:
    """Like `mapped`, without blocking the event loop."""
    plan = _plan_of(calls, options)
    if not plan.jobs:
        return []
    result = await enqueued_async(plan, Value(None), tx)
    return [result[name] for name in result.ids]


def _plan_of(calls: Iterable[TaskCall[Any]], options: dict[str, Any]) -> Plan:
    plan = Plan()
    for position, call in enumerate(calls):
        (call.options(**options) if options else call).plan_into(plan, f"{position}", ())
    return plan
