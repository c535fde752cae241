"""The agent of the Python package; README.md has the protocol."""

import asyncio
import dataclasses
import json
import sys
import threading
import time
from typing import Any

import honker

TYPES = {int: "integer", float: "real", str: "text", bytes: "blob", type(None): "null"}
REFUSED = "refused"


class Waiting:
    """The event loop on which calls wait."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.calls: dict[int, Any] = {}
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def start(self, waiting):
        return asyncio.run_coroutine_threadsafe(waiting, self.loop)

    def cancel(self, number):
        self.calls[number].cancel()


class Agent:
    """The stored objects, and a method for each call, named after the kind of its object."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.waiting = Waiting()
        self.connections: dict[honker.Database, Any] = {}
        self.claims: dict[tuple[honker.Queue, str], honker.Claims] = {}

    def handle(self, request):
        """Make the call. Returns the answer, or None if it comes later."""
        target = self.objects.get(request.get("on"))
        prefix = "" if "on" not in request else f"{kind_of(target)}_"
        made = getattr(self, prefix + request["call"])(target, request["args"])
        if not asyncio.iscoroutine(made):
            return self.store(request, made)
        waiting = self.waiting.start(self.later(request, made))
        if not request.get("background"):
            return waiting.result()
        self.waiting.calls[request["id"]] = waiting
        return None

    async def later(self, request, made):
        try:
            answer = self.store(request, await made)
        except BaseException as error:
            answer = describe(error)
        if not request.get("background"):
            return answer
        write(request["id"], answer)
        return None

    def store(self, request, made):
        if isinstance(made, Cancelled):
            return {"value": made.value, "cancelled": True}
        name = request.get("as")
        if name is not None:
            self.objects[name] = made
            if isinstance(made, list):
                self.objects.update({f"{name}.{index}": each for index, each in enumerate(made)})
        return {"value": plain(made)}

    def tx(self, args):
        return {"tx": self.objects[args["tx"]]} if "tx" in args else {}

    # ------------------------------------------------------------------------------------------------------ database

    def open(self, _, args):
        return honker.open(args["path"])

    def database_close(self, db, _):
        if db in self.connections:
            self.connections.pop(db).close()
        db.close()

    def database_sql(self, db, args):
        if "tx" in args:
            rows = [tuple(row.values()) for row in self.objects[args["tx"]].query(args["sql"])]
        else:
            rows = self.connection(db).execute(args["sql"]).fetchall()
        if not rows:
            return None
        value = rows[0][0]
        return {"type": TYPES[type(value)], "value": value.hex() if isinstance(value, bytes) else value}

    def connection(self, db):
        """A connection of sqlite3 beside the handle, on which every statement commits by itself."""
        if db not in self.connections:
            self.connections[db] = honker.connect(db.path)
        return self.connections[db]

    def one(self, db, sql):
        return self.connection(db).execute(sql).fetchone()[0]

    def database_begin(self, db, _):
        tx = db.transaction()
        tx.__enter__()
        return tx

    def database_queue(self, db, args):
        return db.queue(args["name"], args.get("visibility_timeout_s", 300), args.get("max_attempts", 3))

    def database_stream(self, db, args):
        return db.stream(args["name"])

    def database_scheduler(self, db, _):
        return honker.Scheduler(db)

    def database_outbox(self, db, args):
        return Outbox(db, args)

    def database_notify(self, db, args):
        return db.notify(args["channel"], args["payload"], **self.tx(args))

    def database_listen(self, db, args):
        return asyncio.run_coroutine_threadsafe(db.alisten(args["channel"]), self.waiting.loop).result()

    def database_try_lock(self, db, args):
        lock = db.lock(args["name"], args["ttl_s"], args["owner"])
        try:
            return lock.__enter__()
        except honker.LockHeld:
            return False

    def database_try_rate_limit(self, db, args):
        return db.try_rate_limit(args["name"], args["limit"], args["per_s"])

    def database_save_result(self, db, args):
        db.queue("results").save_result(args["job_id"], json.loads(args["value"]), args.get("ttl_s"))

    def database_get_result(self, db, args):
        is_found, value = db.queue("results").get_result(args["job_id"])
        return json.dumps(value) if is_found else None

    async def database_wait_result(self, db, args):
        return json.dumps(await db.queue("results").wait_result(args["job_id"], args.get("timeout_s")))

    # --------------------------------------------------------------------------------------------------- transaction

    def transaction_execute(self, tx, args):
        tx.execute(args["sql"])

    def transaction_commit(self, tx, _):
        tx.__exit__(None, None, None)

    def transaction_rollback(self, tx, _):
        tx.__exit__(RollBack, RollBack(), None)

    # --------------------------------------------------------------------------------------------------------- queue

    def queue_enqueue(self, queue, args):
        return queue.enqueue(**{name: value for name, value in args.items() if name != "tx"}, **self.tx(args))

    def queue_claim_one(self, queue, args):
        return queue.claim_one(args["worker"])

    def queue_claim_batch(self, queue, args):
        return queue.claim_batch(args["worker"], args["n"])

    async def queue_next_job(self, queue, args):
        # One iterator for all jobs of a worker, as in a program: each one begins to watch the file.
        key = queue, args["worker"]
        if key not in self.claims:
            self.claims[key] = queue.claim(args["worker"], idle_poll_s=None)
        return await anext(self.claims[key])

    def queue_ack_batch(self, queue, args):
        return queue.ack_batch(args["ids"], args["worker"])

    def queue_cancel_job(self, queue, args):
        return queue.cancel(args["id"])

    def queue_get_job(self, queue, args):
        return queue.get_job(args["id"])

    def queue_sweep_expired(self, queue, _):
        return queue.sweep_expired()

    async def queue_work(self, queue, args):
        done: list[int] = []
        try:
            async for job in queue.claim(args["worker"], idle_poll_s=None):
                if job.ack():
                    done.append(job.id)
        except asyncio.CancelledError:
            pass
        return Cancelled(done)

    def job_ack(self, job, _):
        return job.ack()

    def job_retry(self, job, args):
        return job.retry(args["delay_s"], args["error"])

    def job_fail(self, job, args):
        return job.fail(args["error"])

    def job_heartbeat(self, job, args):
        return job.heartbeat(args["extend_s"])

    def lock_release(self, lock, _):
        held = lock.renew()
        lock.__exit__(None, None, None)
        return held

    def lock_heartbeat(self, lock, args):
        return lock.renew(args["ttl_s"])

    # -------------------------------------------------------------------------------------------- streams, listeners

    def stream_publish(self, stream, args):
        return stream.publish(args["payload"], args.get("key"), **self.tx(args))

    def stream_read_since(self, stream, args):
        return stream.read_since(args["offset"], args["limit"])

    def stream_read_from_consumer(self, stream, args):
        return stream.read_since(stream.get_offset(args["consumer"]), args["limit"])

    def stream_save_offset(self, stream, args):
        return stream.save_offset(args["consumer"], args["offset"], **self.tx(args))

    def stream_get_offset(self, stream, args):
        return stream.get_offset(args["consumer"])

    def stream_subscribe(self, stream, args):
        made = stream.asubscribe(args["consumer"], save_every_n=args.get("save_every_n", 1000), save_every_s=0)
        return asyncio.run_coroutine_threadsafe(made, self.waiting.loop).result()

    async def waiting_next(self, waiting, _):
        return await anext(waiting)

    def waiting_close(self, waiting, _):
        async def close() -> None:
            waiting.close()

        asyncio.run_coroutine_threadsafe(close(), self.waiting.loop).result()

    # ----------------------------------------------------------------------------------------------------- schedules

    def scheduler_add(self, scheduler, args):
        scheduler.add(**{**args, "schedule": schedule(args["schedule"])})

    def scheduler_remove(self, scheduler, args):
        return scheduler.remove(args["name"])

    def scheduler_pause(self, scheduler, args):
        return scheduler.pause(args["name"])

    def scheduler_resume(self, scheduler, args):
        return scheduler.resume(args["name"])

    def scheduler_update(self, scheduler, args):
        changes = {**args, "schedule": schedule(args["schedule"])} if "schedule" in args else args
        return scheduler.update(**changes)

    def scheduler_list(self, scheduler, _):
        return scheduler.list()

    def scheduler_tick(self, scheduler, _):
        return len(json.loads(self.one(scheduler.db, "SELECT honker_scheduler_tick(honker_clock())")))

    def scheduler_soonest(self, scheduler, _):
        return self.one(scheduler.db, "SELECT honker_scheduler_soonest()")

    async def scheduler_run(self, scheduler, _):
        await scheduler.run(standby=True)

    def outbox_enqueue(self, outbox, args):
        return outbox.made.enqueue(args["payload"], **self.tx(args))

    async def outbox_run(self, outbox, args):
        await outbox.made.run_worker(args["worker"])

    def outbox_delivered(self, outbox, _):
        return outbox.delivered

    def cancel(self, _, args):
        self.waiting.cancel(args["call"])


@dataclasses.dataclass
class Cancelled:
    """The value of a call that was cancelled."""

    value: Any


class RollBack(Exception):
    """Rolls a transaction back."""


def schedule(expression):
    if expression.startswith("@every "):
        return honker.every_s(int(expression.removeprefix("@every ").removesuffix("s")))
    return honker.crontab(expression)


class Outbox:
    """An outbox with the list of its deliveries."""

    def __init__(self, db, args):
        self.delivered: list[Any] = []
        self.made = db.outbox(args["name"], self.deliver, args.get("max_attempts", 5), args.get("base_backoff_s", 5))

    def deliver(self, payload):
        if isinstance(payload, dict) and payload.get("refuse"):
            raise ValueError(REFUSED)
        self.delivered.append(payload)


KINDS = (
    (honker.Database, "database"), (honker.Transaction, "transaction"), (honker.Queue, "queue"), (honker.Job, "job"),
    (honker.Lock, "lock"), (honker.Stream, "stream"), (honker.Scheduler, "scheduler"), (Outbox, "outbox"),
)  # fmt: skip


def kind_of(thing):
    return next((name for kind, name in KINDS if isinstance(thing, kind)), "waiting")


def plain(value):
    """The value as JSON has it."""
    if isinstance(value, honker.Job):
        return {"id": value.id, "queue": value.queue_name, "payload": value.payload, "worker_id": value.worker_id,
                "attempts": value.attempts}  # fmt: skip
    if isinstance(value, honker.Event | honker.Notification):
        return {name: getattr(value, name) for name in FIELDS[type(value)]}
    if isinstance(value, honker.ScheduleInfo):
        return {name: getattr(value, name) for name in ("name", "queue", "cron_expr", "enabled")}
    if isinstance(value, honker.JobInfo):
        return {name: value[name] for name in value}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value if isinstance(value, dict | str | int | float | None) else True


FIELDS = {
    honker.Event: ("offset", "topic", "key", "payload", "created_at"),
    honker.Notification: ("id", "channel", "payload"),
}


def describe(error):
    match error:
        case asyncio.CancelledError():
            return {"value": None, "cancelled": True}
        case honker.InvalidArgumentError():
            code = "HONKER_INVALID_ARGUMENT"
        case TimeoutError():
            code = "TIMEOUT"
        case _:
            code = getattr(error, "code", type(error).__name__)
    return {"error": {"code": code, "message": str(error)}}


OUTPUT = threading.Lock()


def write(number, answer):
    line = json.dumps({"id": number, **answer, "at": time.time_ns() // 1000})
    with OUTPUT:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def main():
    agent = Agent()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = agent.handle(request)
        except Exception as error:
            answer = describe(error)
        if answer is not None:
            write(request["id"], answer)


if __name__ == "__main__":
    main()
