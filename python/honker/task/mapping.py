"""One call of a task for each of many values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from honker.arguments import TransactionLike
from honker.task.call import TaskCall
from honker.task.plan import Plan, Value
from honker.task.result import TaskResult
from honker.task.workflow_result import enqueued, enqueued_async


def mapped(calls: Iterable[TaskCall], options: dict[str, Any], tx: TransactionLike) -> list[TaskResult]:
    """Enqueue calls that do not wait for each other, all with these options."""
    plan = _plan_of(calls, options)
    if not plan.jobs:
        return []
    result = enqueued(plan, Value(None), tx)
    return [result[name] for name in result.ids]


async def amapped(calls: Iterable[TaskCall], options: dict[str, Any], tx: TransactionLike) -> list[TaskResult]:
    """Like `mapped`, without blocking the event loop."""
    plan = _plan_of(calls, options)
    if not plan.jobs:
        return []
    result = await enqueued_async(plan, Value(None), tx)
    return [result[name] for name in result.ids]


def _plan_of(calls: Iterable[TaskCall], options: dict[str, Any]) -> Plan:
    plan = Plan()
    for position, call in enumerate(calls):
        (call.options(**options) if options else call).plan_into(plan, f"{position}", ())
    return plan
