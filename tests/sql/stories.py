"""Calls of every transition with several writes, each with a place where one of them can be refused."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Story:
    """A call with several writes, and the place where the last of them can be rejected."""

    call: str
    refused: str  # the inner write that fails: "verb table" or with a condition, "verb table WHEN ..."
    prepare: list = field(default_factory=list)
    age_s: int = 0


def sql_enqueue(queue="q", max_attempts=3, expires="NULL"):
    return f"SELECT honker_enqueue('{queue}', '{{}}', NULL, NULL, 0, {max_attempts}, {expires})"


CLAIM = "SELECT honker_claim_batch('q', 'w', 9, 60)"
KEEP = """SELECT honker_queue_configure('q', '{"keep_finished_s": 3600}')"""
PAUSE_KEY = "SELECT honker_key_pause('q', 'k')"
KEYED = """SELECT honker_enqueue('q', '{}', '{"key": "k"}')"""
BEAT = "SELECT honker_scheduler_register('beat', 'q', '@every 60s', '{}', 0, NULL)"
RUN_CLOCK = "SELECT honker_test_clock_run(0)"

REPORT = (
    '{"name": "w1", "started_at": 5, "host": "h", "pid": 7, "version": "1", "slots": 1, "busy": 0, "queues": [], '
    '"worker_ids": [], "running": []}'
)

# Its report and its claim are dated by a clock that was ahead, and no other report has come in a hundred seconds.
DEAD_WORKER = [
    sql_enqueue(),
    CLAIM,
    f"""SELECT honker_worker_report(json_set('{REPORT}', '$.name', 'dead', '$.queues', json('["q"]'),
       '$.worker_ids', json('["w"]')))""",
    "UPDATE _honker_live SET claim_expires_at = claim_expires_at + 3600",
    """UPDATE _honker_workers SET seen_at = unixepoch() + 3600, ahead_seen_at = unixepoch() + 3600,
       ahead_met_at = unixepoch() - 100""",
]

RECORD = """SELECT honker_file_configure('{"counters": true, "events": true}')"""

STORIES = {
    "file-configure": Story(
        """honker_file_configure('{"counters": true, "events": true}')""", "INSERT _honker_retention"
    ),
    "retry-counts": Story("honker_retry(1, 'w', 0, 'x')", "UPDATE _honker_counters", [RECORD, sql_enqueue(), CLAIM]),
    "retry-publishes": Story("honker_retry(1, 'w', 0, 'x')", "INSERT _honker_stream", [RECORD, sql_enqueue(), CLAIM]),
    "work-counts": Story(
        """honker_work('q', 'w', 1, 60, '[{"id":1,"attempt":1,"do":"ack","task":"t"}]')""",
        "INSERT _honker_counters WHEN NEW.task = 't'",
        [RECORD, sql_enqueue(), CLAIM, sql_enqueue()],
    ),
    "enqueue-many-publishes": Story(
        "honker_enqueue_many('q', '[1, 2]', NULL, NULL, 0, 3, NULL)", "INSERT _honker_stream", [RECORD]
    ),
    "cancel-publishes": Story("honker_cancel(1)", "INSERT _honker_stream", [RECORD, sql_enqueue()]),
    "worker-report": Story(
        f"honker_worker_report('{REPORT}')",
        "DELETE _honker_workers",
        [f"SELECT honker_worker_report('{REPORT.replace('w1', 'lost')}')"],
        age_s=3700,
    ),
    "worker-report-moves-leases": Story(
        f"honker_worker_report('{REPORT}')",
        "UPDATE _honker_workers WHEN OLD.name = 'dead' AND NEW.seen_at < OLD.seen_at",
        DEAD_WORKER,
    ),
    "work-reports": Story(
        f"""honker_work('q', 'w', 1, 60, '[{{"id":1,"attempt":1,"do":"ack"}}]', '{REPORT}')""",
        "INSERT _honker_workers",
        [sql_enqueue(), CLAIM, sql_enqueue()],
    ),
    "claim-leases": Story(
        "honker_claim_batch('q', 'w', 9, 60)", "UPDATE _honker_live WHEN NEW.id = 3", [sql_enqueue()] * 3
    ),
    "claim-requeues-and-leases": Story(
        "honker_claim_batch('q', 'w2', 9, 60)",
        "UPDATE _honker_live WHEN NEW.worker_id = 'w2'",
        [sql_enqueue(), CLAIM],
        age_s=62,
    ),
    "claim-dead-letters-exhausted": Story(
        "honker_claim_batch('q', 'w2', 9, 60)",
        "DELETE _honker_live",
        [sql_enqueue(), sql_enqueue(max_attempts=1), CLAIM],
        age_s=62,
    ),
    "claim-dead-letters-expired": Story(
        "honker_claim_batch('q', 'w', 9, 60)", "INSERT _honker_dead WHEN NEW.id = 2", [sql_enqueue(expires=-1)] * 2
    ),
    "ack-batch": Story(
        "honker_ack_batch('[1,2,3]', 'w')", "DELETE _honker_live WHEN OLD.id = 3", [sql_enqueue()] * 3 + [CLAIM]
    ),
    "heartbeat-batch": Story(
        "honker_heartbeat_batch('[[1,1],[2,1]]', 'w', 90)",
        "UPDATE _honker_live WHEN NEW.id = 2",
        [sql_enqueue()] * 2 + [CLAIM],
    ),
    "work": Story(
        """honker_work('q', 'w', 1, 60, '[{"id":1,"attempt":1,"do":"ack","result":"1"}]')""",
        "UPDATE _honker_live WHEN NEW.id = 2",
        [sql_enqueue(), CLAIM, sql_enqueue()],
    ),
    "cancel": Story("honker_cancel(1)", "INSERT _honker_results", [sql_enqueue()]),
    "retry-dead-letters": Story(
        "honker_retry(1, 'w', 0, 'x')", "DELETE _honker_live", [sql_enqueue(max_attempts=1), CLAIM]
    ),
    "retry-reschedules": Story(
        "honker_retry(1, 'w', 0, 'x')", "UPDATE _honker_live", [sql_enqueue(), CLAIM]
    ),
    "jobs-apply-cancels": Story(
        "honker_jobs_apply('cancel', NULL, NULL, 9)", "DELETE _honker_live WHEN OLD.id = 1", [sql_enqueue()] * 3
    ),
    "jobs-apply-requeues": Story(
        "honker_jobs_apply('requeue', NULL, NULL, 9)",
        "DELETE _honker_dead WHEN OLD.id = 1",
        [sql_enqueue(), sql_enqueue(), CLAIM, "SELECT honker_fail(1, 'w', 'x')", "SELECT honker_fail(2, 'w', 'x')"],
    ),
    "jobs-apply-deletes": Story(
        "honker_jobs_apply('delete', NULL, NULL, 9)",
        "DELETE _honker_attempts",
        [sql_enqueue(), CLAIM, "SELECT honker_fail(1, 'w', 'x')"],
    ),
    "jobs-apply-hastens": Story(
        "honker_jobs_apply('run_now', NULL, NULL, 9)",
        "UPDATE _honker_live WHEN NEW.id = 1",
        ["SELECT honker_enqueue('q', '{}', NULL, 600, 0, 3, NULL)"] * 2,
    ),
    "requeue": Story(
        "honker_requeue(1)", "DELETE _honker_dead", [sql_enqueue(), CLAIM, "SELECT honker_fail(1, 'w', 'x')"]
    ),
    "retry-records": Story("honker_retry(1, 'w', 0, 'x')", "INSERT _honker_attempts", [sql_enqueue(), CLAIM]),
    "fail-ties": Story("honker_fail(1, 'w', 'x')", "UPDATE _honker_live", [sql_enqueue(), CLAIM]),
    "claim-records-the-lost": Story(
        "honker_claim_batch('q', 'w2', 9, 60)",
        "UPDATE _honker_live WHEN NEW.worker_id IS NULL",
        [sql_enqueue(), CLAIM],
        age_s=62,
    ),
    "ack-keeps": Story("honker_ack_batch('[1]', 'w')", "DELETE _honker_live", [KEEP, sql_enqueue(), CLAIM]),
    "ack-forgets-finished": Story(
        "honker_ack_batch('[2]', 'w')",
        "DELETE _honker_finished",
        [
            KEEP, sql_enqueue(), sql_enqueue(), "SELECT honker_claim_batch('q', 'w', 9, 86400)",
            "SELECT honker_ack(1, 'w')",
        ],
        age_s=3700,
    ),
    "ack-forgets-attempts": Story(
        "honker_ack_batch('[1]', 'w')",
        "DELETE _honker_attempts",
        [sql_enqueue(), CLAIM, "SELECT honker_retry(1, 'w', 0, 'x')", CLAIM],
    ),
    "ack-forgets-progress": Story(
        "honker_ack_batch('[1]', 'w')",
        "DELETE _honker_progress",
        [sql_enqueue(), CLAIM, "SELECT honker_progress(1, 'w', 1)"],
    ),
    "snooze": Story("honker_snooze(1, 'w', 5)", "UPDATE _honker_live WHEN NEW.snoozes = 1", [sql_enqueue(), CLAIM]),
    "snooze-holds-queue": Story(
        """honker_work('q', 'w', 0, 60, '[{"id": 1, "attempt": 1, "do": "snooze", "delay_s": 5, "hold": "queue"}]')""",
        "INSERT _honker_queues",
        [sql_enqueue(), CLAIM],
    ),
    "snooze-holds-key": Story(
        """honker_work('q', 'w', 0, 60, '[{"id": 1, "attempt": 1, "do": "snooze", "delay_s": 5, "hold": "key"}]')""",
        "INSERT _honker_keys",
        [KEYED, CLAIM],
    ),
    "cancel-request": Story("honker_cancel_request(1)", "INSERT _honker_results", [sql_enqueue()]),
    "cancel-requested-ends": Story(
        "honker_retry(1, 'w', 0, 'x')",
        "INSERT _honker_results",
        [sql_enqueue(), CLAIM, "SELECT honker_cancel_request(1)"],
    ),
    "cancel-held": Story("honker_cancel_held(1, 'w')", "INSERT _honker_results", [sql_enqueue(), CLAIM]),
    "progress": Story("honker_progress(1, 'w', 1)", "UPDATE _honker_live", [sql_enqueue(), CLAIM]),
    "queue-configure": Story(
        """honker_queue_configure('q', '{"concurrency": 3}')""", "INSERT _honker_queues"
    ),
    "ack-promotes": Story(
        "honker_ack_batch('[1]', 'w')",
        "UPDATE _honker_live WHEN NEW.state = 'pending' AND OLD.state = 'blocked'",
        ["""SELECT honker_queue_configure('q', '{"concurrency_per_key": 1}')""", KEYED, KEYED, CLAIM],
    ),
    "queue-pause": Story("honker_queue_pause('q', unixepoch() + 60)", "INSERT _honker_queues"),
    "key-pause": Story("honker_key_pause('q', 'k')", "INSERT _honker_queues"),
    "key-resume": Story("honker_key_resume('q', 'k')", "UPDATE _honker_live", [PAUSE_KEY, KEYED]),
    "claim-ends-the-pause-of-a-key": Story(
        "honker_claim_batch('q', 'w', 9, 60)",
        "UPDATE _honker_live WHEN NEW.worker_id = 'w'",
        ["SELECT honker_key_pause('q', 'k', unixepoch() + 60)", KEYED],
        age_s=61,
    ),
    "dead-prune": Story(
        "honker_dead_prune('q', NULL, 0)",
        "DELETE _honker_dead",
        [sql_enqueue(), CLAIM, "SELECT honker_fail(1, 'w', 'x')"],
    ),
    "fail-prunes": Story(
        "honker_fail(2, 'w', 'x')",
        "DELETE _honker_dead",
        [
            sql_enqueue(), sql_enqueue(), "SELECT honker_retention_set('dead', 'q', 60, NULL)",
            "SELECT honker_claim_batch('q', 'w', 9, 86400)", "SELECT honker_fail(1, 'w', 'x')",
        ],
        age_s=3600,
    ),
    "fail": Story("honker_fail(1, 'w', 'x')", "DELETE _honker_live", [sql_enqueue(), CLAIM]),
    "fail-at-the-dead-letter": Story(
        "honker_fail(1, 'w', 'x')", "INSERT _honker_dead", [sql_enqueue(), CLAIM]
    ),
    "sweep": Story(
        "honker_sweep_expired('q')", "DELETE _honker_live WHEN OLD.id = 2", [sql_enqueue(expires=-1)] * 2
    ),
    "lock-taken": Story("honker_lock_acquire('l', 'a', 60)", "INSERT _honker_locks"),
    "lock-taken-over": Story(
        "honker_lock_acquire('l', 'b', 60)",
        "INSERT _honker_locks WHEN NEW.owner = 'b'",
        ["SELECT honker_lock_acquire('l', 'a', 60)"],
        age_s=61,
    ),
    "rate-limit": Story(
        "honker_rate_limit_try('r', 1, 600)",
        "DELETE _honker_rate_limits",
        ["SELECT honker_rate_limit_try('r', 1, 600)"],
        age_s=1200,
    ),
    "token-bucket": Story(
        "honker_token_bucket_take('new', 1, 1, 1)",
        "DELETE _honker_token_buckets",
        ["SELECT honker_token_bucket_take('old', 1, 1, 1)"],
        age_s=60,
    ),
    "result": Story(
        "honker_result_save(2, '2', 60)",
        "DELETE _honker_results",
        ["SELECT honker_result_save(1, '1', 60)"],
        age_s=61,
    ),
    "notify": Story(
        "notify('c', 'x')",
        "DELETE _honker_notifications",
        ["SELECT notify('c', 'x')"] * 63,
        age_s=90_000,
    ),
    "enqueue-many": Story(
        "honker_enqueue_many('q', '[1, 2, 3]', NULL, NULL, 0, 3, NULL)", "INSERT _honker_live WHEN NEW.payload = '3'"
    ),
    "enqueue-unique": Story(
        """honker_enqueue_unique('q', '{}', '{"unique_key": "k", "on_conflict": "rerun"}')""",
        "INSERT _honker_live WHEN NEW.state <> 'processing'",
        ["""SELECT honker_enqueue('q', '{}', '{"unique_key": "k"}')""", CLAIM],
    ),
    "publish-many": Story(
        "honker_stream_publish_many('t', '[[null, 1], [null, 2]]')", "INSERT _honker_stream WHEN NEW.payload = '2'"
    ),
    "tick": Story(
        "honker_scheduler_tick(unixepoch() + 300)",
        "INSERT _honker_live WHEN (SELECT count(*) FROM _honker_live) = 2",
        [BEAT],
    ),
    "tick-at-the-schedule": Story(
        "honker_scheduler_tick(unixepoch() + 300)", "UPDATE _honker_scheduler_tasks", [BEAT]
    ),
    "register": Story(
        "honker_scheduler_register('beat', 'q', '@every 90s', 'new', 5, NULL)", "UPDATE _honker_scheduler_tasks", [BEAT]
    ),
    "share": Story(
        "honker_file_share(1)",
        "UPDATE _honker_live",
        ["SELECT honker_enqueue('q', 'x', 1.5, NULL, 0, 3, NULL)"],
    ),
    "test-clock-run": Story("honker_test_clock_run(60)", "INSERT _honker_meta"),
    "test-clock-stop": Story("honker_test_clock_stop(1800000000)", "INSERT _honker_meta", [RUN_CLOCK]),
    "test-clock-advance": Story("honker_test_clock_advance(60)", "INSERT _honker_meta", [RUN_CLOCK]),
    "update": Story(
        "honker_scheduler_update('beat', '@every 90s', 'new', 5, NULL, 1)",
        "UPDATE _honker_scheduler_tasks",
        [BEAT],
    ),
}  # fmt: skip
