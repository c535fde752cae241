"""The declared methods, held against the public names of the Python package."""

import inspect

import honker
import pytest

from ..sql.contract import functions, reference

# The class of each receiver.
PYTHON = {
    "database": honker.Database,
    "transaction": honker.Transaction,
    "queue": honker.Queue,
    "job": honker.Job,
    "stream": honker.Stream,
    "listener": honker.Listener,
    "lock": honker.Lock,
    "token_bucket": honker.TokenBucket,
    "scheduler": honker.Scheduler,
    "cron_schedule": honker.CronSchedule,
    "watcher": honker.UpdateEvents,
}
# Methods that the package keeps to itself or does not have: it opens files, iterates and runs workers instead.
ABSENT = {
    "database.bootstrap", "database.get_result", "database.has_additions", "database.limits", "database.save_result",
    "database.set_busy_timeout", "database.sweep_results", "job.release", "listener.last_id", "listener.read_since",
    "queue.heartbeat_batch", "queue.job_outcome", "queue.release", "queue.work", "scheduler.soonest", "scheduler.tick",
}  # fmt: skip
# Parameters that have another name in Python, or none.
OTHER_NAMES = {
    "cron_schedule.next_after": {"after": "dt"},
    "database.apply": {"filter": None, "after": None},
    "database.jobs": {"filter": None},
    "database.locks": {"after": None, "n": None},
    "database.streams": {"after": None, "n": None},
    "database.update_events": {"descriptor": None},
    "database.stats": {"after": None, "n": None},
    "database.configure": {"settings": None},
    "database.counter_totals": {"after_queue": None, "after_task": None, "n": None},
    "database.workers": {"after": None, "n": None},
    "lock.renew": {"ttl_s": "ttl"},
    "queue.ack_batch": {"attempts": None},
    "queue.configure": {"settings": None},
    "queue.enqueue_many": {"flow": None},
    "queue.enqueue_unique": {"options": None},
    "queue.finished": {"n": "limit"},
    "queue.save_result": {"ttl_s": "ttl"},
    "scheduler.add": {"expires_s": "expires", "time_zone": None},
    "scheduler.update": {"expires_s": "expires", "touch_expires": None, "touch_max_attempts": None, "time_zone": None},
    "watcher.wait": {"timeout_ms": "timeout_s"},
}
METHODS = {
    f"{method['receiver']}.{method['name']}": (function, method)
    for function in functions().values()
    for method in function["methods"]
}


def in_python(label):
    receiver, _, name = label.partition(".")
    return getattr(PYTHON[receiver], name, None)


def test_every_receiver_is_a_public_class():
    assert PYTHON.keys() == reference()["receivers"].keys()


@pytest.mark.parametrize("label", list(METHODS))
def test_python_has_the_method_unless_it_is_listed(label):
    assert (in_python(label) is None) == (label in ABSENT)


def test_each_exception_belongs_to_a_method():
    assert ABSENT | OTHER_NAMES.keys() <= METHODS.keys()


@pytest.mark.parametrize("label", [label for label in METHODS if callable(in_python(label))])
def test_python_takes_the_parameters_of_the_method(label):
    function, method = METHODS[label]
    signature = inspect.signature(in_python(label)).parameters
    supplied = method.get("binds", {}) | method.get("with", {})
    for parameter in function["parameters"]:
        if parameter["name"] in supplied:
            continue
        canonical = parameter.get("as", parameter["name"])
        name = OTHER_NAMES.get(label, {}).get(canonical, canonical)
        if name is None:
            assert canonical not in signature
            continue
        assert name in signature
        stated = signature[name].default
        if isinstance(stated, int | float | str) and name == canonical:
            assert stated == parameter["default"], name


# Receivers by name, made with their defaults. The others are made without a name, or from options that are not kept.
MADE = {
    "queue": lambda db: db.queue("n"),
    "stream": lambda db: db.stream("n"),
    "listener": lambda db: db.listen("n"),
    "lock": lambda db: db.lock("n"),
    "token_bucket": lambda db: db.token_bucket("n", 1, 1),
    "cron_schedule": lambda db: honker.crontab("* * * * *"),
}
OTHER_FIELDS = {("stream", "topic"): "name", ("lock", "ttl_s"): "ttl"}


@pytest.mark.parametrize("receiver", list(MADE))
def test_python_has_the_fields_and_their_defaults(db, receiver):
    made = MADE[receiver](db)
    for field, entry in reference()["receivers"][receiver]["fields"].items():
        value = getattr(made, OTHER_FIELDS.get((receiver, field), field))
        assert value == entry.get("default", value), field


def test_a_claimed_job_has_the_fields_of_its_receiver(queue):
    queue.enqueue({})
    job = queue.claim_one("w")
    fields = reference()["types"][reference()["receivers"]["job"]["type"]]["fields"]
    for field in fields.keys() - {"expires_at"}:
        assert hasattr(job, field), field
