"""The ranges that the package checks are those of the engine."""

import json
from dataclasses import asdict

import honker
import pytest
from honker.engine.limits import LIMITS, Limits
from honker.task import options as task_options
from honker.worker.runner import Runner


def test_the_limits_of_the_package_are_those_of_the_engine(tmp_path):
    with honker.open(tmp_path / "app.db") as db:
        answer = json.loads(db.engine.ask("SELECT honker_limits()"))
        assert db.engine.limits == LIMITS
    assert {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(LIMITS).items()} == answer


def test_limits_that_a_later_engine_adds_are_left_out(tmp_path):
    with honker.open(tmp_path / "app.db") as db:
        answer = json.loads(db.engine.ask("SELECT honker_limits()"))
    assert Limits.of(json.dumps(answer | {"colours": [1, 2], "name_max_bytes": 99})).name_max_bytes == 99


def test_decorators_check_the_ranges_of_the_engine():
    assert (LIMITS.name_max_bytes, LIMITS.span_max_s) == (task_options.NAME_MAX_BYTES, task_options.SPAN_MAX_S)
    assert LIMITS.max_attempts == (1, task_options.MAX_ATTEMPTS)
    assert LIMITS.priority == (-task_options.PRIORITY_MAX, task_options.PRIORITY_MAX)


def test_a_runner_claims_as_many_jobs_as_the_engine_hands_out(tmp_path):
    with honker.open(tmp_path / "app.db") as db:
        most = db.engine.limits.claim_batch[1]
        Runner(db.queue("q"), "w", lambda job: None, concurrency=most)
        with pytest.raises(honker.InvalidArgumentError, match=f"1 to {most}"):
            Runner(db.queue("q"), "w", lambda job: None, concurrency=most + 1)
