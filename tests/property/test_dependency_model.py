"""Dependencies against a model that settles edges by recursion, where the engine uses counts and the effects of a call.

After each step every job has the state of the model, every job with parents is told what the model says, and no
invariant of the tables is violated. So nothing is left behind either: an edge or an end of a parent that no job needs
is a violation.
"""

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ..sql.database import call, call_json, claim, rows, value
from .places import refused
from .profiles import explore

pytestmark = pytest.mark.timeout(600)  # time to shrink a failing example

ENDED = {"done", "cancelled"}


@dataclass
class Edge:
    """A parent of a job, what its failure does, and how it ended."""

    parent: int
    policy: str
    outcome: str | None = None

    @property
    def cancels(self):
        return self.policy == "cancel" and self.outcome in {"dead", "cancelled"}


@dataclass
class Job:
    """A job of the model. It has no parents any more once it has ended."""

    state: str
    edges: list = field(default_factory=list)


class Model:
    """Jobs by id."""

    def __init__(self):
        self.jobs = {}

    def within(self, *states):
        return sorted(job for job, model in self.jobs.items() if model.state in states)

    def children(self, parent):
        """Edges that name the parent, with their children, by child."""
        return [(child, edge) for child in self.jobs.values() for edge in child.edges if edge.parent == parent]

    def is_known(self, job_id):
        """A success leaves no trace but with a child that has not ended; a cancellation is remembered."""
        job = self.jobs.get(job_id)
        return job is not None and (job.state != "done" or bool(self.children(job_id)))

    def add(self, job_id, parents, policy):
        child = self.jobs[job_id] = Job("pending" if not parents else "waiting")
        child.edges = [Edge(parent, policy) for parent in parents]
        for edge in child.edges:
            state = self.jobs[edge.parent].state
            if state in {"done", "cancelled", "dead"}:
                self.tell(child, edge, state)
        self.follow(job_id)

    def tell(self, child, edge, outcome):
        """Give an edge its outcome. True if the child may have changed."""
        if edge.policy == "wait" and outcome == "dead":
            return False
        was_open, edge.outcome = edge.outcome is None, outcome
        if edge.policy == "wait" and outcome == "cancelled":
            edge.policy = "cancel"
        return was_open and child.state == "waiting"

    def follow(self, job_id):
        """Move a waiting job that its parents let go or cancel."""
        job = self.jobs[job_id]
        if job.state != "waiting":
            return
        if any(edge.cancels for edge in job.edges):
            job.state = "dead"
            self.settle(job_id, "dead")
        elif all(edge.outcome is not None for edge in job.edges):
            job.state = "pending"

    def settle(self, parent, outcome):
        for job_id, child in list(self.jobs.items()):
            for edge in child.edges:
                if edge.parent == parent and self.tell(child, edge, outcome):
                    self.follow(job_id)

    def detach(self, job_id):
        for edge in self.jobs[job_id].edges:
            if edge.outcome != "done":
                edge.policy = "run"

    def end(self, job_id, state):
        job = self.jobs[job_id]
        job.state = state
        if state == "dead":
            self.detach(job_id)
        else:
            job.edges = []
        self.settle(job_id, state)

    def requeue(self, job_id):
        self.detach(job_id)
        self.jobs[job_id].state = "pending"
        self.revive(job_id)

    def revive(self, parent):
        reopened = []
        for job_id, child in self.jobs.items():
            for edge in child.edges:
                if edge.parent == parent and edge.policy == "cancel" and edge.outcome == "dead":
                    edge.outcome = None
                    reopened.append(job_id)
        for job_id in reopened:
            job = self.jobs[job_id]
            if job.state == "dead" and not any(edge.cancels for edge in job.edges):
                job.state = "waiting"
                self.revive(job_id)


class Dependencies(RuleBasedStateMachine):
    lay = None

    def __init__(self):
        super().__init__()
        # The clock stands still, so that the order of claims is the same when Hypothesis repeats an example.
        self.place = self.lay()
        self.conn = self.place.connect()
        self.model = Model()

    def teardown(self):
        self.conn.close()
        self.place.close()

    def one_of(self, data, *states):
        return data.draw(st.sampled_from(self.model.within(*states)))

    @rule(data=st.data(), policy=st.sampled_from(["cancel", "cancel", "run", "wait"]))
    def enqueue(self, data, policy):
        # Recent jobs are chosen often, so that graphs become deep.
        ids = sorted(self.model.jobs, reverse=True)
        parents = data.draw(st.lists(st.sampled_from(ids), max_size=3, unique=True)) if ids else []
        options = {"after": parents} | ({"on_parent_failure": policy} if parents else {})
        if all(self.model.is_known(parent) for parent in parents):
            self.model.add(call(self.conn, "honker_enqueue", "q", "{}", json.dumps(options)), parents, policy)
        else:
            with refused("HONKER_UNKNOWN_PARENT"):
                call(self.conn, "honker_enqueue", "q", "{}", json.dumps(options))

    @rule(n=st.integers(1, 3))
    def claim(self, n):
        ready = self.model.within("pending")
        claimed = [job["id"] for job in claim(self.conn, n=n)]
        assert set(claimed) <= set(ready)
        assert len(claimed) == min(n, len(ready))
        for job_id in claimed:
            self.model.jobs[job_id].state = "processing"

    @precondition(lambda self: self.model.within("processing"))
    @rule(data=st.data(), how=st.sampled_from(["ack", "ack", "fail", "retry", "release"]))
    def settle(self, data, how):
        job_id = self.one_of(data, "processing")
        more = {"fail": ("broken",), "retry": (0, "again")}.get(how, ())
        assert call(self.conn, f"honker_{how}", job_id, "w", *more) == 1
        if how == "fail" or (how == "retry" and self.is_dead(job_id)):
            self.model.end(job_id, "dead")
        elif how == "ack":
            self.model.end(job_id, "done")
        else:
            self.model.jobs[job_id].state = "pending"

    def is_dead(self, job_id):
        """A retry of the last attempt is a death."""
        return value(self.conn, "SELECT count(*) FROM _honker_dead WHERE id = ?", job_id) == 1

    @precondition(lambda self: len(self.model.within("processing")) > 1)
    @rule()
    def ack_all(self):
        ids = self.model.within("processing")
        assert call(self.conn, "honker_ack_batch", json.dumps(ids), "w") == len(ids)
        for job_id in ids:
            self.model.end(job_id, "done")

    @precondition(lambda self: self.model.within("pending", "processing", "waiting"))
    @rule(data=st.data())
    def cancel(self, data):
        job_id = self.one_of(data, "pending", "processing", "waiting")
        assert call(self.conn, "honker_cancel", job_id) == 1
        self.model.end(job_id, "cancelled")

    @precondition(lambda self: self.model.within("pending", "waiting"))
    @rule(data=st.data())
    def expire(self, data):
        job_id = self.one_of(data, "pending", "waiting")
        self.conn.execute("UPDATE _honker_live SET expires_at = 1 WHERE id = ?", (job_id,))
        assert call(self.conn, "honker_sweep_expired", "q") == 1
        self.model.end(job_id, "dead")

    @precondition(lambda self: self.model.within("dead"))
    @rule(data=st.data())
    def requeue(self, data):
        job_id = self.one_of(data, "dead")
        assert call(self.conn, "honker_requeue", job_id) == 1
        self.model.requeue(job_id)

    @invariant()
    def states_are_those_of_the_model(self):
        states = dict(rows(self.conn, "SELECT id, state FROM _honker_jobs"))
        assert states == {job: model.state for job, model in self.model.jobs.items() if model.state not in ENDED}

    @invariant()
    def parents_are_told(self):
        for job_id, job in self.model.jobs.items():
            told = [
                (parent["job_id"], parent["state"]) for parent in call_json(self.conn, "honker_job_parents", job_id)
            ]
            assert told == [(edge.parent, edge.outcome) for edge in job.edges]

    @invariant()
    def nothing_is_violated(self):
        assert call_json(self.conn, "honker_flow_violations", 10) == []


@pytest.mark.torture(short_s=4, share=1)
def test_dependencies_follow_their_model(lay, torture):
    explore(Dependencies, lay, torture, examples=60)
