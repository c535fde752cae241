"""Names used by applications and tests of the reference, including private ones, have the same meaning here."""

import asyncio
import contextlib
import importlib
import inspect
import threading

import honker
import pytest

EXPORTS = [
    "CronSchedule",
    "Database",
    "Event",
    "Job",
    "LeadershipLost",
    "Listener",
    "LockHeld",
    "Notification",
    "Outbox",
    "Queue",
    "Retryable",
    "Scheduler",
    "Stream",
    "TaskResult",
    "UnknownTaskError",
    "EXTENSION_ENTRYPOINT",
    "crontab",
    "every_s",
    "extension_info",
    "load_extension",
    "open",
    "registry",
    "run_workers",
]

SUBMODULES = {
    "honker._honker": EXPORTS,
    "honker._scheduler": ["CronSchedule", "LeadershipLost", "Scheduler", "crontab", "every_s"],
    "honker._tasks": ["TaskRegistry", "TaskResult", "TaskSpec", "UnknownTaskError", "registry", "run_workers"],
}

# Arguments as callers of the reference pass them, by position or by name.
SIGNATURES = {
    "open": "path max_readers watcher_backend watcher_poll_interval_ms",
    "run_workers": "db queue concurrency registry_ stop_event",
    "Database.listen": "self channel fallback_poll_s",
    "Database.lock": "self name ttl owner",
    "Database.outbox": "self name delivery max_attempts base_backoff_s visibility_timeout_s",
    "Database.periodic_task": "self schedule queue",
    "Database.prune_notifications": "self older_than_s max_keep",
    "Database.query": "self sql params",
    "Database.queue": "self name visibility_timeout_s max_attempts",
    "Database.run_workers": "self queue concurrency stop_event",
    "Database.sweep_rate_limits": "self older_than_s",
    "Database.task": "self queue",
    "Database.try_rate_limit": "self name limit per",
    "Job.fail": "self error",
    "Job.heartbeat": "self extend_s",
    "Job.retry": "self delay_s error",
    "Outbox": "db name delivery max_attempts base_backoff_s visibility_timeout_s",
    "Outbox.enqueue": "self payload tx priority delay run_at expires",
    "Outbox.run_worker": "self worker_id",
    "Queue": "db name visibility_timeout_s max_attempts",
    "Queue.ack": "self job_id worker_id",
    "Queue.ack_batch": "self job_ids worker_id",
    "Queue.claim": "self worker_id idle_poll_s",
    "Queue.claim_batch": "self worker_id n",
    "Queue.enqueue": "self payload tx run_at delay priority expires max_attempts",
    "Queue.fail": "self job_id worker_id error",
    "Queue.heartbeat": "self job_id worker_id extend_s",
    "Queue.retry": "self job_id worker_id delay_s error",
    "Queue.save_result": "self job_id value ttl tx",
    "Queue.task": ("self name retries retry_delay_s timeout_s priority expires_s store_result result_ttl_s"),
    "Queue.periodic_task": "self schedule name scheduler_name expires_s priority store_result result_ttl_s",
    "Queue.wait_result": "self job_id timeout",
    "Retryable": "message delay_s",
    "Scheduler": "db lock_name",
    "Scheduler.add": "self name queue schedule payload priority expires max_attempts",
    "Scheduler.run": "self stop_event",
    "Scheduler.update": "self name schedule payload priority expires max_attempts",
    "Stream.get_offset": "self consumer",
    "Stream.publish": "self payload key tx",
    "Stream.save_offset": "self consumer offset",
    "Stream.subscribe": "self consumer from_offset save_every_n save_every_s",
    "TaskResult.aget": "self timeout",
    "TaskResult.get": "self timeout",
    "TaskSpec": "name fn queue_name retries retry_delay_s timeout_s priority expires_s store_result result_ttl_s",
}


@pytest.mark.parametrize("name", EXPORTS)
def test_every_export_of_the_reference_is_one_of_ours(name):
    assert name in honker.__all__
    assert hasattr(honker, name)


@pytest.mark.parametrize("module", SUBMODULES)
def test_a_submodule_of_the_reference_has_its_names(module):
    imported = importlib.import_module(module)
    for name in SUBMODULES[module]:
        expected = getattr(honker, name)
        assert getattr(imported, name) is expected
        assert name in imported.__all__


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_callable_takes_what_callers_of_the_reference_pass(name):
    """Each parameter of the reference exists; its positional ones are in the same order."""
    member = honker
    for part in name.split("."):
        member = getattr(member, part)
    parameters = inspect.signature(member).parameters
    wanted = SIGNATURES[name].split()
    assert set(wanted) <= set(parameters)
    by_position = [
        each
        for each in parameters
        if each in wanted and parameters[each].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert by_position == [each for each in wanted if each in by_position]


DEFAULTS = {
    "Queue": {"visibility_timeout_s": 300, "max_attempts": 3},
    "Queue.claim": {"idle_poll_s": 5.0},
    "Queue.task": {
        "retries": None,
        "retry_delay_s": 60,
        "timeout_s": None,
        "priority": 0,
        "expires_s": None,
        "store_result": True,
        "result_ttl_s": 3600,
    },
    "Queue.periodic_task": {"store_result": False, "result_ttl_s": 3600, "priority": 0},
    "Database.outbox": {"max_attempts": 5, "base_backoff_s": 5, "visibility_timeout_s": 60},
    "Database.lock": {"ttl": 60, "owner": None},
    "Database.listen": {"fallback_poll_s": 15.0},
    "Database.sweep_rate_limits": {"older_than_s": 3600},
    "Job.retry": {"delay_s": 60, "error": ""},
    "Retryable": {"message": "", "delay_s": 60},
    "Stream.subscribe": {"save_every_n": 1000, "save_every_s": 1.0},
    "TaskSpec": {"retries": 3, "retry_delay_s": 60, "store_result": True, "result_ttl_s": 3600},
    "Scheduler.add": {"payload": None, "priority": 0, "expires": None, "max_attempts": 3},
    "open": {"max_readers": 8, "watcher_backend": None, "watcher_poll_interval_ms": None},
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_is_that_of_the_reference(name):
    member = honker
    for part in name.split("."):
        member = getattr(member, part)
    parameters = inspect.signature(member).parameters
    assert {each: parameters[each].default for each in DEFAULTS[name]} == DEFAULTS[name]


# -------------------------------------------------------------------------------------------------------- private names


def test_the_inner_database_can_be_closed(db):
    db._inner.close()
    with pytest.raises(RuntimeError, match="Database is closed"):
        db.query("SELECT 1")


def test_the_handles_of_a_database_can_be_counted(db):
    db.queue("q")
    db.outbox("o", print)
    assert list(db._queues) == ["q"]
    assert list(db._outboxes) == ["o"]


def test_the_depth_of_a_transaction_is_that_of_the_thread(db):
    seen = []
    assert db._tx_depth == 0
    with pytest.raises(ZeroDivisionError), db.transaction():  # noqa: PT012
        assert db._tx_depth == 1
        thread = threading.Thread(target=lambda: seen.append(db._tx_depth))
        thread.start()
        thread.join()
        raise ZeroDivisionError
    assert db._tx_depth == 0
    assert seen == [0]


def test_an_iterator_of_jobs_tells_which_file_it_watches(db, queue):
    with queue.claim("w") as jobs:
        assert jobs._updates is not None
        assert jobs._updates.path == db.path == db.update_events().path


def test_the_next_claim_of_an_empty_queue_is_at_zero(queue):
    assert queue._next_claim_at() == 0
    queue.enqueue(1, run_at=2_000_000_000)
    assert queue._next_claim_at() == 2_000_000_000


def test_a_stream_is_read_in_rows(db):
    stream = db.stream("s")
    stream.publish({"n": 1}, key="k")
    ((row),) = stream._read_since(0, 10)
    assert (row["offset"], row["topic"], row["key"], row["payload"]) == (1, "s", "k", '{"n": 1}')
    assert stream._read_since(1) == []


def test_the_registry_can_be_emptied(queue):
    queue.task(name="t")(lambda: None)
    honker.registry()._by_name.clear()
    assert honker.registry().names() == []


def test_a_scheduler_remembers_what_it_added(db):
    scheduler = honker.Scheduler(db)
    scheduler.add(name="s", queue="q", schedule=honker.every_s(60))
    assert scheduler._registered == {"s"}
    scheduler.remove("s")
    assert scheduler._registered == set()


class Spy:
    """A transaction that records its statements."""

    def __init__(self, transaction):
        self._transaction = transaction
        self.statements = []

    def __enter__(self):
        self._tx = self._transaction.__enter__()
        return self

    def __exit__(self, *error):
        return self._transaction.__exit__(*error)

    def query(self, sql, params=None):
        self.statements.append(sql)
        return self._tx.query(sql, params)

    execute = query


@pytest.mark.sqlite_only("replaces the method transaction, as users of the reference do")
def test_notifications_are_pruned_in_the_transaction_of_the_handle(db, monkeypatch):
    """One statement in it, which checks and deletes."""
    for number in range(5):
        db.notify("c", number)
    spies, transaction = [], db.transaction
    monkeypatch.setattr(db, "transaction", lambda: spies.append(Spy(transaction())) or spies[-1])
    assert db.prune_notifications(max_keep=2) == 3
    assert [len(spy.statements) for spy in spies] == [1]


def test_notifications_can_be_pruned_within_a_transaction(db):
    db.notify("c", 1)
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
        assert db.prune_notifications(max_keep=0, tx=tx) == 1
        with pytest.raises(RuntimeError, match=r"nested db.transaction\(\)"):
            db.prune_notifications(max_keep=0)
        raise ZeroDivisionError
    assert db.prune_notifications(older_than_s=1000) == 0
    assert db.prune_notifications(max_keep=0) == 1


def test_update_events_may_be_asked_for_by_attribute_and_closed(db):
    events = db.update_events()
    db.notify("c", 1)
    assert asyncio.run(asyncio.wait_for(anext(events), 10)) is None
    events.close()
    events.close()


def test_attributes_and_errors_have_the_names_of_the_reference(db):
    with contextlib.closing(db.listen("c", fallback_poll_s=3.0)) as listener:
        assert (listener.db, listener.channel, listener.fallback_poll_s) == (db, "c", 3.0)
    assert issubclass(honker.ExtensionLoadingUnsupported, RuntimeError)
