"""The processes of an application, killed again and again while the others continue.

A producer makes orders, each with a task, a delivery and an event in one transaction. A worker, a deliverer, a consumer
and a scheduler process them, each in a separate process. One after the other is killed, at a random instant or, on
SQLite, at a random statement boundary, and started again. At the end every acknowledged order exists, and had its
effect exactly once or is a dead letter. Each order was consumed exactly once and delivered at least once, every second
fired exactly once, and no job remains.

Seen to fail when a task's transaction committed its effects separately from the end of its job, and when the consumer
saved its offset separately from its effect.
"""

import json
from collections import Counter

import honker
import pytest
from honker.task.message import read_envelope

from ..support.locking import ask, is_sound
from ..support.waiting import wait_until
from . import flows
from .zygote import acknowledged

QUEUES = {"work": "work", "deliver": "_outbox:mail"}
CONSUMERS = ("work", "deliver", "consume", "schedule")


class Application:
    """The processes, and their acknowledged effects."""

    def __init__(self, zygote, path, log, rng):
        self.zygote, self.path, self.log, self.rng = zygote, path, log, rng
        self.running = {}
        with honker.open(path) as db:
            with db.transaction() as tx:
                for table in ("orders", "effects", "consumed"):
                    tx.execute(f"CREATE TABLE {table} (number INTEGER PRIMARY KEY)")
            honker.Scheduler(db).add(name="beat", queue="beats", schedule=honker.every_s(1))
        ((self.first_beat,),) = ask(path, "SELECT next_fire_at FROM _honker_scheduler_tasks")

    def start(self, flow, failpoint=0):
        arguments = [self.orders()] if flow == "produce" else []
        self.running[flow] = self.zygote.start(self.log, flow, self.path, *arguments, failpoint=failpoint)

    def orders(self):
        ((number,),) = ask(self.path, "SELECT coalesce(max(number) + 1, 1) FROM orders")
        return number

    def kill(self, flow, after_s=0.0):
        """Kill a process and release its claims, as if its leases or its lock had expired."""
        self.zygote.kill(self.running.pop(flow), after_s)
        if flow in QUEUES:
            leases = "UPDATE _honker_live SET claim_expires_at = 1000 WHERE state = 'processing' AND queue = ?"
            ask(self.path, leases, QUEUES[flow])
        elif flow == "schedule":
            ask(self.path, "UPDATE _honker_locks SET expires_at = 1000")

    def kill_one(self):
        flow = self.rng.choice(sorted(self.running))
        self.kill(flow, after_s=self.rng.uniform(0, 0.1))
        self.start(flow, failpoint=self.rng.choice([0, self.rng.randrange(1, 400)]))

    def is_drained(self):
        """True if every order has been fully processed."""
        ((jobs,),) = ask(self.path, "SELECT count(*) FROM _honker_live WHERE queue != 'beats'")
        ((unread,),) = ask(
            self.path,
            "SELECT (SELECT max(offset) FROM _honker_stream) - (SELECT max(offset) FROM _honker_stream_consumers)",
        )
        return jobs == 0 and unread == 0

    def check(self):
        assert is_sound(self.path)
        orders = self.numbers("orders")
        told = acknowledged(self.log)
        assert {int(number) for word, number in told if word == "ordered"} <= set(orders)
        dead = [
            read_envelope(json.loads(payload)).args[0]
            for (payload,) in ask(self.path, "SELECT payload FROM _honker_dead WHERE queue = 'work'")
        ]
        assert sorted(dead + self.numbers("effects")) == orders
        assert all(number % flows.HOPELESS == 0 for number in dead)
        assert self.numbers("consumed") == orders
        delivered = Counter(int(number) for word, number in told if word == "delivered")
        assert delivered.keys() == set(orders)
        ((beats, next_beat),) = ask(
            self.path,
            "SELECT (SELECT count(*) FROM _honker_live WHERE queue = 'beats'), next_fire_at "
            "FROM _honker_scheduler_tasks",
        )
        assert beats == next_beat - self.first_beat

    def numbers(self, table):
        return [number for (number,) in ask(self.path, f"SELECT number FROM {table} ORDER BY number")]


@pytest.mark.torture(short_s=3, share=4)
def test_an_application_whose_processes_are_killed_over_and_over_loses_no_order_and_repeats_no_effect(
    torture, zygote, path, tmp_path
):
    application = Application(zygote, path, tmp_path / "acknowledged.log", torture.random)
    for flow in ("produce", *CONSUMERS):
        application.start(flow)
    for _ in torture.rounds(at_least=20):
        application.kill_one()
        torture.count("processes of applications killed")
    for flow in list(application.running):
        application.kill(flow)
    for flow in CONSUMERS:
        application.start(flow)
    wait_until(application.is_drained, timeout_s=40)
    for flow in CONSUMERS:
        application.kill(flow)
    application.check()
    torture.count("orders", len(application.numbers("orders")))
