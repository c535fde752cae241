"""Dead letters that are requeued and pruned in several sessions at once."""

import json

import pytest

from .waiting_sessions import open_sessions


@pytest.fixture
def sessions(url):
    with open_sessions(url, 2) as opened:
        yield opened


def bury(session, **options):
    """Add a job that dies."""
    job = session.one("SELECT honker_enqueue('q', '{}', %s)", json.dumps(options))
    session.one("SELECT honker_claim_batch('q', 'w', 1, 60)")
    assert session.one("SELECT honker_fail(%s, 'w', 'broken')", job) == 1
    return job


def dead(session):
    return [row[0] for row in session.conn.execute("SELECT id FROM dead ORDER BY id")]


def prune(session, max_keep):
    return session.one("SELECT honker_dead_prune('q', NULL, %s)", max_keep)


def test_a_prune_passes_over_a_letter_that_is_being_requeued(sessions):
    first, second = sessions
    letters = [bury(first) for _ in range(3)]
    first.one("BEGIN")
    assert first.one("SELECT honker_requeue(%s)", letters[0]) == 1
    assert prune(second, 0) == 2
    first.one("COMMIT")
    assert dead(second) == []
    assert second.one("SELECT count(*) FROM live") == 1


def test_a_job_that_waits_for_a_requeue_dies_with_the_pruned_letter(sessions):
    session = sessions[0]
    letter = bury(session)
    options = {"after": [letter], "on_parent_failure": "wait"}
    child = session.one("SELECT honker_enqueue('children', '{}', %s)", json.dumps(options))
    assert prune(session, 0) == 1
    assert session.json("SELECT honker_job_outcome(%s)", child) == {
        "state": "dead",
        "error": f"parent {letter} failed: broken",
    }
    assert session.json("SELECT honker_flow_violations(10)") == []


def test_the_line_of_a_key_goes_on_when_its_dead_head_is_pruned(sessions):
    session = sessions[0]
    session.one("SELECT honker_queue_configure('q', %s)", '{"ordered": true}')
    bury(session, key="k")
    behind = session.one("SELECT honker_enqueue('q', '{}', %s)", '{"key": "k"}')
    assert session.json("SELECT honker_claim_batch('q', 'w', 1, 60)") == []
    assert prune(session, 0) == 1
    assert session.one("SELECT state FROM live WHERE id = %s", behind) == "pending"


def test_new_dead_letters_keep_a_queue_near_its_policy(sessions):
    session = sessions[0]
    session.one("INSERT INTO retention (kind, name, max_keep) VALUES ('dead', 'q', 10)")
    jobs = session.json("SELECT honker_enqueue_many('q', %s, NULL, NULL, 0, 3, -1)", json.dumps([0] * 600))
    assert session.one("SELECT honker_sweep_expired('q')") == 600
    assert 10 <= len(dead(session)) < 400
    assert dead(session)[-1] == jobs[-1]


def test_attempts_of_a_pruned_letter_go_with_it(sessions):
    session = sessions[0]
    letter = bury(session)
    assert len(session.json("SELECT honker_job_attempts(%s)", letter)) == 1
    assert prune(session, 0) == 1
    assert session.json("SELECT honker_job_attempts(%s)", letter) == []
