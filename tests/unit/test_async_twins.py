"""Every method that may wait has a twin that does not block the event loop, with the same parameters."""

import ast
import inspect
from pathlib import Path

import honker
import pytest

CLASSES = [
    honker.App,
    honker.Database,
    honker.Queue,
    honker.Job,
    honker.Stream,
    honker.StreamSubscription,
    honker.Listener,
    honker.Lock,
    honker.TokenBucket,
    honker.Outbox,
    honker.Scheduler,
    honker.TaskResult,
    honker.Task,
    honker.TaskCall,
    honker.Workflow,
    honker.WorkflowResult,
]

# Methods without a twin, and why none is needed.
NEVER_WAITS = {
    "App.include": "runs no SQL",
    "App.lifespan": "is for `async with`",
    "App.middleware": "runs no SQL",
    "App.on_start": "runs no SQL",
    "App.on_stop": "runs no SQL",
    "App.periodic_task": "runs no SQL",
    "App.queue": "runs no SQL",
    "App.stream": "runs no SQL",
    "App.task": "runs no SQL",
    "App.using": "opens nothing; closes the file of a test",
    "App.worker": "opens the database at the start of a worker",
    "Database.queue": "runs no SQL",
    "Database.stream": "runs no SQL",
    "Database.outbox": "runs no SQL",
    "Database.lock": "runs no SQL",
    "Database.token_bucket": "runs no SQL",
    "Database.task": "runs no SQL",
    "Database.workflow": "runs no SQL",
    "Database.periodic_task": "runs no SQL",
    "Database.transaction": "begins with `async with`, too",
    "Database.update_events": "opens a descriptor",
    "Job.note_cancelled": "runs no SQL",
    "Job.note_ended": "runs no SQL",
    "Queue.task": "runs no SQL",
    "Queue.periodic_task": "runs no SQL",
    "Queue.claim": "opens a descriptor; `async for` works on what it returns",
    "Queue.claim_now": "fails instead of waiting",
    "Task.enqueue_with": "runs no SQL",
    "Task.s": "runs no SQL",
    "Task.si": "runs no SQL",
    "TaskCall.check": "runs no SQL",
    "TaskCall.flow_options": "runs no SQL",
    "TaskCall.headers": "runs no SQL",
    "TaskCall.options": "runs no SQL",
    "TaskCall.plan_into": "runs no SQL",
    "Workflow.add": "runs no SQL",
    "Workflow.on_failure": "runs no SQL",
    "Workflow.on_finish": "runs no SQL",
    "Workflow.on_success": "runs no SQL",
}


def methods(kind):
    return {name: method for name, method in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def parameters(method):
    return [(each.name, each.kind, each.default) for each in inspect.signature(method).parameters.values()]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_method_that_may_wait_has_an_async_twin_with_its_parameters(kind):
    found = methods(kind)
    for name, method in found.items():
        if inspect.iscoroutinefunction(method):
            continue
        qualified = f"{kind.__name__}.{name}"
        twin = found.get(f"a{name}")
        if qualified in NEVER_WAITS:
            assert twin is None, f"{qualified} has a twin: take it off the list"
            continue
        assert twin is not None, f"{qualified} has no twin a{name}"
        assert inspect.iscoroutinefunction(twin)
        assert parameters(twin) == parameters(method), f"a{name} takes other parameters than {name}"


def test_the_list_of_methods_without_a_twin_names_only_methods_that_exist():
    existing = {f"{kind.__name__}.{name}" for kind in CLASSES for name in methods(kind)}
    assert NEVER_WAITS.keys() <= existing


# Attributes of an engine whose call blocks the thread.
BLOCKING = {"ask", "call", "query"}
PACKAGE = Path(honker.__file__).parent
ROOMS = sorted(path for path in PACKAGE.rglob("*.py") if not {"sqlite", "cli"} & set(path.relative_to(PACKAGE).parts))


# Parsed while tests are collected: CPython 3.11 may fail in `ast.parse` when the garbage collector runs code meanwhile.
TREES = {path: ast.parse(path.read_text("utf-8")) for path in ROOMS}


def blocking_calls(coroutine):
    """The calls in a coroutine function, but not in functions within it, that block on the engine."""
    for node in ast.walk(coroutine):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        receiver = ast.unparse(node.func.value)
        if node.func.attr in BLOCKING and receiver.endswith("engine"):
            yield node


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_coroutine_calls_a_blocking_function_of_the_engine(path):
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.AsyncFunctionDef):
            found = [f"{path.name}:{each.lineno}" for each in blocking_calls(node)]
            assert not found, f"{node.name} blocks the event loop in {found}"
