package dev.honker.kotlin.conformance

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import dev.honker.CronSchedule
import dev.honker.Database
import dev.honker.Job
import dev.honker.Listener
import dev.honker.Lock
import dev.honker.Outbox
import dev.honker.Queue
import dev.honker.ResultOptions
import dev.honker.Running
import dev.honker.ScheduleUpdate
import dev.honker.Scheduler
import dev.honker.Stream
import dev.honker.Subscription
import dev.honker.Transaction
import dev.honker.kotlin.asFlow
import dev.honker.kotlin.await
import dev.honker.kotlin.awaitResult
import dev.honker.kotlin.enqueueJson
import dev.honker.kotlin.enqueueOptions
import dev.honker.kotlin.honker
import dev.honker.kotlin.id
import dev.honker.kotlin.lockOptions
import dev.honker.kotlin.next
import dev.honker.kotlin.outboxOptions
import dev.honker.kotlin.queueOptions
import dev.honker.kotlin.scheduleOptions
import dev.honker.kotlin.schedulerOptions
import dev.honker.kotlin.subscribeOptions
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.awaitCancellation
import java.time.Instant
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.CopyOnWriteArrayList

/** An outbox that keeps what it delivers. */
class Deliveries(val outbox: Outbox, val delivered: List<JsonElement>)

/** The calls of the protocol, by the kind of their object. */
class Calls(private val objects: ConcurrentHashMap<String, Any>) {
    suspend fun make(target: Any?, request: JsonObject): Any? {
        val call = request["call"].asString
        val args = Args(request["args"].asJsonObject)
        return when (target) {
            null -> honker(args.text("path"))
            is Database -> database(target, call, args)
            is OpenTransaction -> transaction(target, call, args)
            is Queue -> queue(target, call, args)
            is Job -> job(target, call, args)
            is Lock -> if (call == "release") target.release() else target.heartbeat(args.span("ttl_s"))
            is Stream -> stream(target, call, args)
            is Scheduler -> scheduler(target, call, args)
            is Deliveries -> outbox(target, call, args)
            is Listener -> if (call == "close") target.close() else target.await()
            is Subscription -> if (call == "close") target.close() else target.await()
            else -> error("there is no $call of $target")
        }
    }

    private suspend fun database(db: Database, call: String, args: Args): Any? = when (call) {
        "close" -> db.close()

        "sql" -> {
            val sql = args.text("sql")
            inside(args, { cell(it.query(sql)) }) { cell(db.query(sql)) }
        }

        "begin" -> OpenTransaction(db)

        "queue" ->
            db.queue(
                args.text("name"),
                queueOptions {
                    args.ifGiven("visibility_timeout_s") { visibilityTimeout(args.span(it)) }
                    args.ifGiven("max_attempts") { maxAttempts(args.int(it)) }
                },
            )

        "stream" -> db.stream(args.text("name"))

        "scheduler" -> db.scheduler()

        "outbox" -> deliveries(db, args)

        "notify" -> {
            val (channel, json) = args.text("channel") to args.json("payload")
            inside(args, { it.notify(channel, json) }) { db.notify(channel, json) }
        }

        "listen" -> db.listen(args.text("channel"))

        "try_lock" -> {
            val options = lockOptions { ttl(args.span("ttl_s")).owner(args.text("owner")) }
            db.tryLock(args.text("name"), options).orElse(null) ?: false
        }

        "try_rate_limit" -> db.tryRateLimit(args.text("name"), args.integer("limit"), args.span("per_s"))

        else -> results(db.queue("results"), call, args)
    }

    private suspend fun results(queue: Queue, call: String, args: Args): Any? {
        val id = args.integer("job_id")
        return when (call) {
            "save_result" -> queue.saveResult(id, args.text("value"), ResultOptions(args.ifGiven("ttl_s", args::span)))
            "get_result" -> queue.getResult(id)
            "wait_result" -> queue.awaitResult(id, args.span("timeout_s"))
            else -> error("there is no $call of a database")
        }
    }

    private fun deliveries(db: Database, args: Args): Deliveries {
        val delivered = CopyOnWriteArrayList<JsonElement>()
        val options =
            outboxOptions {
                args.ifGiven("max_attempts") { maxAttempts(args.int(it)) }
                args.ifGiven("base_backoff_s") { baseBackoff(args.span(it)) }
            }
        val outbox =
            db.outbox(
                args.text("name"),
                { json ->
                    val payload = JsonParser.parseString(json)
                    check(!(payload.isJsonObject && payload.asJsonObject.has("refuse"))) { "refused" }
                    delivered.add(payload)
                },
                options,
            )
        return Deliveries(outbox, delivered)
    }

    private fun transaction(tx: OpenTransaction, call: String, args: Args) {
        when (call) {
            "execute" -> tx.call { it.execute(args.text("sql")) }
            "commit" -> tx.commit()
            "rollback" -> tx.rollback()
        }
    }

    private fun inside(args: Args, inTransaction: (Transaction) -> Any?, alone: () -> Any?): Any? =
        if (args.has("tx")) (objects[args.text("tx")] as OpenTransaction).call(inTransaction) else alone()

    private suspend fun queue(queue: Queue, call: String, args: Args): Any? = when (call) {
        "enqueue" -> {
            val options =
                enqueueOptions {
                    args.ifGiven("run_at") { runAt(Instant.ofEpochSecond(args.integer(it))) }
                    args.ifGiven("delay") { delay(args.span(it)) }
                    args.ifGiven("priority") { priority(args.integer(it)) }
                    args.ifGiven("expires") { expires(args.span(it)) }
                }
            val json = args.json("payload")
            inside(args, { queue.enqueue(it, json, options) }) { queue.enqueueJson(json, options) }
        }

        "claim_one" -> queue.claimOne(args.text("worker")).orElse(null)

        "claim_batch" -> queue.claimBatch(args.text("worker"), args.int("n"))

        "next_job" -> queue.next(args.text("worker"))

        "ack_batch" -> queue.ackBatch(args.integers("ids"), args.text("worker"))

        "cancel_job" -> queue.cancel(args.integer("id"))

        "get_job" -> queue.getJob(args.integer("id"))

        "sweep_expired" -> queue.sweepExpired()

        "work" -> work(queue, args.text("worker"))

        else -> error("there is no $call of a queue")
    }

    private suspend fun work(queue: Queue, worker: String): Cancelled {
        val done = mutableListOf<Long>()
        try {
            queue.asFlow(worker).collect { if (it.ack()) done += it.id }
        } catch (cancelled: CancellationException) {
            return Cancelled(done)
        }
        error("the flow has ended")
    }

    private fun job(job: Job, call: String, args: Args): Any? = when (call) {
        "ack" -> job.ack()
        "retry" -> job.retry(args.span("delay_s"), args.text("error"))
        "fail" -> job.fail(args.text("error"))
        "heartbeat" -> job.heartbeat(args.span("extend_s"))
        else -> error("there is no $call of a job")
    }

    private fun stream(stream: Stream, call: String, args: Args): Any? = when (call) {
        "publish" -> {
            val (json, key) = args.json("payload") to args.ifGiven("key", args::text)
            inside(args, { stream.publish(it, json, key) }) { stream.publish(json, key) }
        }

        "read_since" -> stream.readSince(args.integer("offset"), args.int("limit"))

        "read_from_consumer" -> stream.readFromConsumer(args.text("consumer"), args.int("limit"))

        "save_offset" -> {
            val (consumer, offset) = args.text("consumer") to args.integer("offset")
            inside(args, { stream.saveOffset(it, consumer, offset) }) { stream.saveOffset(consumer, offset) }
        }

        "get_offset" -> stream.getOffset(args.text("consumer"))

        "subscribe" ->
            stream.subscription(
                subscribeOptions {
                    consumer(args.text("consumer"))
                    args.ifGiven("save_every_n") { saveEveryN(args.int(it)) }
                },
            )

        else -> error("there is no $call of a stream")
    }

    private suspend fun scheduler(scheduler: Scheduler, call: String, args: Args): Any? = when (call) {
        "add" -> {
            val options =
                scheduleOptions {
                    args.ifGiven("priority") { priority(args.integer(it)) }
                    args.ifGiven("expires_s") { expires(args.span(it)) }
                    args.ifGiven("max_attempts") { maxAttempts(args.int(it)) }
                }
            val schedule = CronSchedule(args.text("schedule"))
            scheduler.add(args.text("name"), args.text("queue"), schedule, args.json("payload"), options)
        }

        "remove" -> scheduler.remove(args.text("name"))

        "pause" -> scheduler.pause(args.text("name"))

        "resume" -> scheduler.resume(args.text("name"))

        "update" -> scheduler.update(args.text("name"), changes(args))

        "list" -> scheduler.list()

        "tick" -> scheduler.tick()

        "soonest" -> scheduler.soonest().map(Instant::getEpochSecond)

        "run" -> untilCancelled(scheduler.run(schedulerOptions { owner(args.text("owner")) }))

        else -> error("there is no $call of a scheduler")
    }

    private fun changes(args: Args) = ScheduleUpdate().apply {
        args.ifGiven("schedule") { schedule(CronSchedule(args.text(it))) }
        args.ifGiven("payload") { payloadJson(args.json(it)) }
        args.ifGiven("priority") { priority(args.integer(it)) }
        args.ifGiven("expires_s") { expires(args.span(it)) }
        args.ifGiven("max_attempts") { maxAttempts(args.int(it)) }
    }

    private suspend fun outbox(on: Deliveries, call: String, args: Args): Any? = when (call) {
        "enqueue" -> {
            val json = args.json("payload")
            inside(args, { on.outbox.enqueue(it, json) }) { on.outbox.enqueue(json) }
        }

        "run" -> untilCancelled(on.outbox.worker(args.text("worker")))

        "delivered" -> on.delivered

        else -> error("there is no $call of an outbox")
    }

    private suspend fun untilCancelled(running: Running): Any? = running.use { awaitCancellation() }
}
