"""The row of a worker: a change while a report is written is in the next report."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from honker.worker import registration
from honker.worker.registration import Registration


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(registration, "FIRST_REPORT_S", 0)
    monkeypatch.setattr(registration, "PAUSE_S", 0.001)


def member():
    return SimpleNamespace(queue_name="q", worker_id="w", concurrency=1, is_stopping=False, runs=[])


def run(job_id):
    return SimpleNamespace(key=(job_id, 1), job=SimpleNamespace(id=job_id), name="task", since_s=0.0)


class EngineOfReports:
    """Keeps the reports; while the first one is written, a job begins."""

    def __init__(self, worker):
        self.worker = worker
        self.running = []
        self.is_enough = asyncio.Event()

    def clock(self):
        return 0.0

    async def aask(self, sql, *params):
        return json.dumps({"workers": [], "next": None})

    async def acall(self, sql, text):
        if "report" in sql:
            self.running.append([job["id"] for job in json.loads(text)["running"]])
            if len(self.running) == 1:
                self.worker.runs.append(run(7))
            else:
                self.is_enough.set()
        return 3600.0


def test_a_job_that_begins_while_a_report_is_written_is_in_the_next_one(monkeypatch):
    monkeypatch.setattr(registration, "ended_workers", lambda text: [])

    async def main():
        worker = member()
        engine = EngineOfReports(worker)
        row = Registration(engine)
        row.add(worker)
        await asyncio.wait_for(engine.is_enough.wait(), 10)
        await row.remove(worker)
        return engine.running

    assert asyncio.run(main()) == [[], [7]]


def test_a_job_of_another_queue_that_begins_while_a_round_carries_a_report_is_due():
    async def main():
        worker = member()
        row = Registration(EngineOfReports(worker))
        row.add(worker)
        row._due_s = 0.0
        report = row.due_report()
        worker.runs += [run(7), run(8)]  # the round has claimed the first, another queue's round the second
        row.note_report(report, [(7, 1)], 3600.0)
        row._written_s -= registration.PAUSE_S  # reports are not written more often
        told = row.due_report()
        await row.remove(worker)
        return told

    told = asyncio.run(main())
    assert told is not None
    assert [job["id"] for job in json.loads(told.text)["running"]] == [7, 8]
