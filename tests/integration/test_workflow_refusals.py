"""Workflows that are refused, and workflows in transactions."""

import honker
import pytest
from honker import chain, chord, group

from ..support.locking import ask
from ..support.workflows import every_shape, jobs, rolled_back, value  # noqa: F401 - a fixture among them

# ------------------------------------------------------------------------------------------------------------ refusals


def refuses(build, error, text):
    with pytest.raises(error, match=text):
        build()


def test_unknown_names_and_circles_are_refused_before_anything_is_written(db, path, tasks):
    unknown = db.workflow().add("a", tasks.one.s(1)).add("b", tasks.one.s(), after=["a", "c"])
    refuses(
        unknown.enqueue, honker.InvalidArgumentError, "after of 'b' names 'c', which is no step; the steps are 'a', 'b'"
    )
    circle = db.workflow().add("a", tasks.one.s(), after="c").add("b", tasks.one.s(), after="a")
    circle.add("c", tasks.one.s(), after="b")
    refuses(circle.enqueue, honker.InvalidArgumentError, "in a circle: . -> . -> . -> .; remove one")
    itself = db.workflow().add("a", tasks.one.s(), after="a")
    refuses(itself.enqueue, honker.InvalidArgumentError, "in a circle: a -> a")
    assert jobs(path) == 0


def test_arguments_that_do_not_fit_are_refused_before_anything_is_written(db, path, tasks):
    refuses(chain(tasks.one.s(1), tasks.nothing.s()).enqueue, honker.InvalidCallError, "call of task 'nothing'")
    refuses(chain(tasks.one.s()).enqueue, honker.InvalidCallError, "missing a required argument")
    refuses(tasks.one.si, honker.InvalidCallError, "missing a required argument")
    refuses(chain(tasks.one.s(1), tasks.one.si(object())).enqueue, honker.InvalidPayloadError, "JSON")
    refuses(lambda: tasks.nothing.map([1]), honker.InvalidCallError, "call of task 'nothing'")
    assert jobs(path) == 0


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda db, t: chain(), "chain has no steps"),
        (lambda db, t: chain(t.one), "chain: the step at position 0 is <honker.Task 'one'.*task.s"),
        (lambda db, t: chain([t.one.s(1)]), "position 0"),
        (lambda db, t: group(t.one.s(1), 5), "group: the step at position 1 is 5"),
        (lambda db, t: group(5), "group: the step is 5"),
        (lambda db, t: chord([t.one.s(1)], t.total), "position 1 is <honker.Task 'total'"),
        (lambda db, t: group([]).enqueue(), "has no jobs"),
        (lambda db, t: db.workflow().enqueue(), "has no jobs"),
        (lambda db, t: db.workflow().add("", t.one.s(1)), "name is ''"),
        (lambda db, t: db.workflow().add(1, t.one.s(1)), "name is 1"),
        (lambda db, t: db.workflow().add("a", t.one.s(1)).add("a", t.one.s(1)), "name 'a' is taken"),
        (lambda db, t: db.workflow().add("a", group(t.one.s(1))).add("a.0", t.one.s(1)).enqueue(), "'a.0' is taken"),
        (lambda db, t: db.workflow().add("a", t.one), "step of 'a' is <honker.Task"),
        (lambda db, t: db.workflow().add("a", t.one.s(), after=["b", "b"]), "name each step once"),
        (lambda db, t: db.workflow().add("a", t.one.s(1), on_parent_failure="go"), "'cancel', 'run' or 'wait'"),
        (lambda db, t: db.workflow().add("a", t.one.s(1), on_parent_failure="run").enqueue(), "it has no parents"),
        (lambda db, t: t.one.s(1).options(on_parent_failure="go"), "'cancel', 'run' or 'wait'"),
        (lambda db, t: t.one.s(1).options(on_parent_failure="run").enqueue(), "it has no parents"),
        (lambda db, t: t.one.s(1).options(priority=0.5), "priority is 0.5"),
        (lambda db, t: t.one.s(1).options(unique_for_s="x"), "unique_for_s is 'x'"),
        (lambda db, t: t.one.s(1).options(expires="x"), "expires must be a number of seconds"),
        (lambda db, t: chain(t.one.s(1), t.one.s().options(key="")).enqueue(), "key"),
        (lambda db, t: db.workflow().on_success(t.one), "on_success is <honker.Task"),
        (lambda db, t: db.workflow().on_success(t.one.s()).on_success(t.one.s()), "already"),
        (lambda db, t: db.workflow().on_finish(t.one.s().options(on_parent_failure="run")), "the event decides"),
    ],
)  # fmt: skip
def test_a_wrong_workflow_is_refused(db, path, tasks, build, text):
    refuses(lambda: build(db, tasks), honker.InvalidArgumentError, text)
    assert jobs(path) == 0


def test_a_workflow_of_two_databases_is_refused(db, path, tasks, tmp_path):
    with honker.open(tmp_path / "other.db") as other:

        @other.queue("q").task(name="other")
        def foreign(): ...

        refuses(chain(tasks.one.s(1), foreign.si()).enqueue, honker.InvalidArgumentError, "belong to 2 databases")
        refuses(db.workflow().add("a", foreign.s()).enqueue, honker.InvalidArgumentError, "other.db', and the workflow")
    assert jobs(path) == 0


def test_an_error_of_the_engine_leaves_no_part_of_a_workflow(db, path, tasks):
    group(tasks.one.s(1).options(unique_key="u")).enqueue()
    taken = tasks.one.s().options(unique_key="u", on_conflict="raise")
    with pytest.raises(honker.errors.UniqueKeyTakenError):
        chain(tasks.one.s(1), taken).enqueue()
    assert jobs(path) == 1


def test_two_parents_that_are_one_job_are_refused(db, path, tasks):
    same = tasks.one.s(1).options(unique_key="u")
    refuses(
        chord([same, same], tasks.total.s()).enqueue, honker.InvalidArgumentError, "are one job, by their unique_key"
    )
    assert jobs(path) == 0


# -------------------------------------------------------------------------------------------------------- transactions


def test_a_workflow_exists_if_and_only_if_its_transaction_commits(db, path, tasks):
    lost = rolled_back(db, chain(tasks.one.s(1), tasks.one.s()).enqueue)
    assert set(lost.ids) == {"0", "1"}
    assert jobs(path) == 0
    with pytest.raises(honker.ResultGoneError, match="rolled back"):
        lost.get(5)
    with pytest.raises(honker.ResultGoneError, match="rolled back"):
        lost.join(5)
    with db.transaction() as tx:
        kept = chain(tasks.one.s(1), tasks.one.s()).enqueue(tx=tx)
        mapped = tasks.one.map([7], tx=tx)
        with pytest.raises(honker.DeadlockError):
            kept.get(1)
    assert value(db, kept) == 1
    assert mapped[0].get(5) == 7


@pytest.mark.sqlite_only("a connection of sqlite3")
def test_the_transaction_of_another_driver_carries_a_workflow(db, path, tasks):
    conn = honker.connect(path)
    result = chain(tasks.one.s(1), tasks.add.s(1)).enqueue(tx=conn)
    assert set(result.states().values()) == {"unknown"}
    conn.commit()
    conn.close()
    assert value(db, result) == 2


def test_options_belong_to_the_job_of_the_call(db, path, tasks):
    call = tasks.one.s(1).options(priority=5).options(delay=60, expires=3600, key="k")
    job = db.get_job(group(call).enqueue().ids["0"])
    assert (job.priority, job.max_attempts) == (5, 3)
    assert 3600 <= job.expires_at - job.created_at < 3602
    assert 60 <= job.run_at - job.created_at < 62
    assert ask(path, "SELECT key FROM _honker_live") == [("k",)]
    assert tasks.one.s(1).enqueue().id == job.id + 1


def test_the_keys_of_a_task_are_those_of_its_calls_in_a_workflow(db, path, queue, tasks):
    @queue.task(name="keyed", key=lambda customer, _: customer, unique_key=str.__add__)
    def keyed(customer, order): ...

    group(keyed.s("a", "1"), keyed.s("a", "2"), keyed.s("b", "1").options(key="c")).enqueue()
    assert ask(path, "SELECT key, unique_key FROM _honker_live ORDER BY id") == [("a", "a1"), ("a", "a2"), ("c", "b1")]
    after_result = chain(tasks.one.s("a"), keyed.s("1"))
    refuses(after_result.enqueue, honker.InvalidArgumentError, "key of task .keyed. is a function of its arg")
    named = keyed.s("1").options(key="k", unique_key="u")
    chain(tasks.one.s("a"), named).enqueue()
    assert ask(path, "SELECT key, unique_key FROM _honker_live ORDER BY id DESC LIMIT 1") == [("k", "u")]


def test_a_map_of_a_unique_task_adds_no_duplicates(db, path, queue, tasks):
    @queue.task(name="once", unique_key=str)
    def once(number): ...

    first, second, again = once.map([1, 2, 1])
    assert again.id == first.id != second.id
    assert jobs(path) == 2


def test_keys_made_from_arguments_hold_for_calls_of_every_kind(path, queue, tasks):
    @queue.task(name="keyed", key=lambda n: f"k{n}", unique_key=lambda n: None if n == 0 else f"u{n}")
    def keyed(n):
        return n

    def key_of(result):
        return key_of_id(result.id)

    def key_of_id(job_id):
        return ask(path, f"SELECT key FROM _honker_live WHERE id = {job_id}")[0][0]

    first = keyed.s(1).enqueue()
    assert key_of(first) == "k1"
    assert keyed.si(1).enqueue().is_duplicate
    ids = chain(tasks.one.s(1), keyed.si(2)).enqueue().ids
    assert key_of_id(ids["1"]) == "k2"
    assert [key_of(result) for result in keyed.map([0, 0, 3])] == ["k0", "k0", "k3"]
    other = keyed.s(4).options(key="other", unique_key=lambda n: f"v{n}").enqueue()
    assert key_of(other) == "other"
    assert not keyed.s(4).enqueue().is_duplicate
    with pytest.raises(honker.InvalidArgumentError, match=r"^key of task 'keyed' is a function of its arguments"):
        chain(tasks.one.s(1), keyed.s()).enqueue()
