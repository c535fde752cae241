"""Two languages on one file: A enqueues and B claims, in every pair; tasks for Python; how soon B is woken."""

import asyncio
import itertools
import json
import statistics

import honker
import pytest

from .agent import Agent
from .conftest import BINDINGS, check_programs
from .scenario import Play

PAYLOAD = {"to": "ann", "text": "ä€😀", "n": [1, 2.5, None, True]}
WAKES = 100
# A wake takes a fraction of a millisecond; the bound leaves room for a busy machine, and none for a poll.
WAKE_MEDIAN_MS = 20

PAIRS = [pytest.param(pair, id=f"{pair[0].name}-{pair[1].name}") for pair in itertools.product(BINDINGS, repeat=2)]


@pytest.fixture(scope="module")
def agents():
    """A running agent for each binding, started at its first use."""
    running = {}

    def start(binding):
        check_programs(binding)
        if binding.name not in running:
            running[binding.name] = Agent(binding).__enter__()
        return running[binding.name]

    yield start
    for each in running.values():
        each.__exit__(None, None, None)


@pytest.mark.parametrize("pair", PAIRS)
def test_one_language_enqueues_and_the_other_claims(agents, tmp_path, pair):
    producer, consumer = (agents(each) for each in pair)
    play = Play(tmp_path / "app.db", {"a": producer, "b": consumer})
    play.play(
        [
            {"by": "a", "call": "open", "as": "adb"},
            {"by": "b", "call": "open", "as": "bdb"},
            {"by": "a", "call": "queue", "of": "adb", "as": "aq", "name": "q"},
            {"by": "b", "call": "queue", "of": "bdb", "as": "bq", "name": "q"},
            {"start": {"by": "b", "call": "next_job", "of": "bq", "as": "job", "worker": "w"}, "named": "claim"},
            {"waits": "claim"},
            {"by": "a", "call": "enqueue", "of": "aq", "payload": PAYLOAD},
            {"finish": "claim", "has": {"payload": PAYLOAD}},
            {"by": "b", "call": "ack", "of": "job", "gives": True},
            {"by": "a", "call": "close", "of": "adb"},
            {"by": "b", "call": "close", "of": "bdb"},
        ]
    )


@pytest.mark.parametrize("producer", BINDINGS, ids=lambda each: each.name)
def test_a_worker_of_python_runs_the_task_of_another_language(agents, tmp_path, producer):
    agent, path = agents(producer), str(tmp_path / "app.db")
    agent.call("open", store_as="db", path=path)
    agent.call("queue", on="db", store_as="q", name="mails")
    call = {"task": "send", "args": ["ann"], "kwargs": {"subject": "ä€😀"}}
    job_id = agent.call("enqueue", on="q", payload={"__honker_task__": call})
    with honker.open(path) as db:
        db.queue("mails").task(name="send")(lambda to, subject: f"{subject} to {to}")
        asyncio.run(work_until_result(db, job_id))
    assert json.loads(agent.call("get_result", on="db", job_id=job_id)) == "ä€😀 to ann"
    agent.call("close", on="db")


async def work_until_result(db, job_id):
    stop = asyncio.Event()
    working = asyncio.ensure_future(db.run_workers("mails", concurrency=1, stop_event=stop))
    await db.queue("mails").wait_result(job_id, timeout=10)
    stop.set()
    await working


@pytest.mark.parametrize("consumer", BINDINGS, ids=lambda each: each.name)
def test_an_idle_worker_is_woken_at_once(agents, tmp_path, consumer, record_property):
    """From Python's commit to the job in a process of the other language, with a claim between them."""
    check_programs(consumer)
    with Agent(consumer) as worker:
        times_ms = wake_times_ms(agents(BINDINGS[0]), worker, str(tmp_path / "app.db"))
    median, p99 = statistics.median(times_ms), statistics.quantiles(times_ms, n=100)[-1]
    record_property("wake", json.dumps({"median_ms": round(median, 2), "p99_ms": round(p99, 2)}))
    print(f"{consumer.title}: woken in {median:.2f} ms (median), {p99:.2f} ms (p99)")
    assert median < WAKE_MEDIAN_MS


def wake_times_ms(producer, worker, path):
    for agent, name in ((producer, "p"), (worker, "w")):
        agent.call("open", store_as=name, path=path)
        agent.call("queue", on=name, store_as=f"{name}q", name="q")
    times_ms = []
    for number in range(WAKES):
        claim = worker.send("next_job", on="wq", store_as="job", background=True, worker="w")
        producer.call("sql", on="p", sql="SELECT 1")  # a moment in which the worker begins to wait
        sent = producer.send("enqueue", on="pq", payload=number).answer()
        times_ms.append((claim.answer()["at"] - sent["at"]) / 1000)
        worker.call("ack", on="job")
    for agent, name in ((producer, "p"), (worker, "w")):
        agent.call("close", on=name)
    return times_ms
