package dev.honker.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.honker.CronSchedule;
import dev.honker.Database;
import dev.honker.EnqueueOptions;
import dev.honker.Honker;
import dev.honker.HonkerInterruptedException;
import dev.honker.Job;
import dev.honker.Listener;
import dev.honker.Lock;
import dev.honker.LockOptions;
import dev.honker.Outbox;
import dev.honker.OutboxOptions;
import dev.honker.Queue;
import dev.honker.QueueOptions;
import dev.honker.ResultOptions;
import dev.honker.Running;
import dev.honker.ScheduleOptions;
import dev.honker.ScheduleUpdate;
import dev.honker.Scheduler;
import dev.honker.SchedulerOptions;
import dev.honker.Stream;
import dev.honker.SubscribeOptions;
import dev.honker.Subscription;
import dev.honker.Transaction;
import dev.honker.WaitOptions;
import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.function.Function;
import java.util.function.Supplier;

/** The calls of the protocol, by the kind of their object. */
final class Calls {
    /** The value of a call that was cancelled. */
    record Cancelled(Object value) {}

    /** An outbox that keeps what it delivers. */
    private record Deliveries(Outbox outbox, List<JsonElement> delivered) {}

    private final Map<String, Object> objects;

    Calls(Map<String, Object> objects) {
        this.objects = objects;
    }

    Object make(Object target, JsonObject request) {
        String call = request.get("call").getAsString();
        Args args = new Args(request.getAsJsonObject("args"));
        if (target == null) {
            return Honker.open(args.text("path"));
        }
        if (target instanceof Database db) {
            return database(db, call, args);
        }
        if (target instanceof OpenTransaction tx) {
            return transaction(tx, call, args);
        }
        if (target instanceof Queue queue) {
            return queue(queue, call, args);
        }
        if (target instanceof Job job) {
            return job(job, call, args);
        }
        if (target instanceof Lock lock) {
            return "release".equals(call) ? lock.release() : lock.heartbeat(args.span("ttl_s"));
        }
        if (target instanceof Stream stream) {
            return stream(stream, call, args);
        }
        if (target instanceof Scheduler scheduler) {
            return scheduler(scheduler, call, args);
        }
        return target instanceof Deliveries outbox ? outbox(outbox, call, args) : waiting(target, call);
    }

    private Object database(Database db, String call, Args args) {
        return switch (call) {
            case "close" -> {
                db.close();
                yield null;
            }
            case "sql" -> Values.cell(inside(args, tx -> tx.query(args.text("sql")), () -> db.query(args.text("sql"))));
            case "begin" -> new OpenTransaction(db);
            case "queue" -> db.queue(args.text("name"), queueOptions(args));
            case "stream" -> db.stream(args.text("name"));
            case "scheduler" -> db.scheduler();
            case "outbox" -> deliveries(db, args);
            case "notify" ->
                inside(
                        args,
                        tx -> tx.notify(args.text("channel"), args.json("payload")),
                        () -> db.notify(args.text("channel"), args.json("payload")));
            case "listen" -> db.listen(args.text("channel"));
            case "try_lock" ->
                db.tryLock(args.text("name"), new LockOptions(args.span("ttl_s"), args.text("owner")))
                        .map(Object.class::cast)
                        .orElse(false);
            case "try_rate_limit" -> db.tryRateLimit(args.text("name"), args.integer("limit"), args.span("per_s"));
            default -> results(db.queue("results"), call, args);
        };
    }

    private static Object results(Queue queue, String call, Args args) {
        long id = args.integer("job_id");
        return switch (call) {
            case "save_result" -> {
                Duration ttl = args.has("ttl_s") ? args.span("ttl_s") : null;
                queue.saveResult(id, args.text("value"), new ResultOptions(ttl));
                yield null;
            }
            case "get_result" -> queue.getResult(id);
            case "wait_result" -> queue.waitResult(id, new WaitOptions(args.span("timeout_s")));
            default -> throw new IllegalArgumentException(call);
        };
    }

    private static QueueOptions queueOptions(Args args) {
        QueueOptions.Builder options = QueueOptions.builder();
        if (args.has("visibility_timeout_s")) {
            options.visibilityTimeout(args.span("visibility_timeout_s"));
        }
        if (args.has("max_attempts")) {
            options.maxAttempts((int) args.integer("max_attempts"));
        }
        return options.build();
    }

    private static Deliveries deliveries(Database db, Args args) {
        List<JsonElement> delivered = new CopyOnWriteArrayList<>();
        OutboxOptions.Builder options = OutboxOptions.builder();
        if (args.has("max_attempts")) {
            options.maxAttempts((int) args.integer("max_attempts"));
        }
        if (args.has("base_backoff_s")) {
            options.baseBackoff(args.span("base_backoff_s"));
        }
        Outbox outbox = db.outbox(
                args.text("name"),
                json -> {
                    JsonElement payload = JsonParser.parseString(json);
                    if (payload.isJsonObject() && payload.getAsJsonObject().has("refuse")) {
                        throw new IllegalStateException("refused");
                    }
                    delivered.add(payload);
                },
                options.build());
        return new Deliveries(outbox, delivered);
    }

    private Object transaction(OpenTransaction tx, String call, Args args) {
        switch (call) {
            case "execute" -> tx.call(each -> each.execute(args.text("sql")));
            case "commit" -> tx.commit();
            case "rollback" -> tx.rollback();
            default -> throw new IllegalArgumentException(call);
        }
        return null;
    }

    @SuppressWarnings("unchecked")
    private <T> T inside(Args args, Function<Transaction, T> inTransaction, Supplier<T> alone) {
        if (!args.has("tx")) {
            return alone.get();
        }
        OpenTransaction tx = (OpenTransaction) objects.get(args.text("tx"));
        return (T) tx.call(inTransaction::apply);
    }

    private Object queue(Queue queue, String call, Args args) {
        return switch (call) {
            case "enqueue" -> {
                EnqueueOptions options = enqueueOptions(args);
                String json = args.json("payload");
                yield inside(args, tx -> queue.enqueue(tx, json, options), () -> queue.enqueue(json, options));
            }
            case "claim_one" -> queue.claimOne(args.text("worker")).orElse(null);
            case "claim_batch" -> queue.claimBatch(args.text("worker"), (int) args.integer("n"));
            case "next_job" -> queue.claimNext(args.text("worker"));
            case "ack_batch" -> queue.ackBatch(args.integers("ids"), args.text("worker"));
            case "cancel_job" -> queue.cancel(args.integer("id"));
            case "get_job" -> queue.getJob(args.integer("id"));
            case "sweep_expired" -> queue.sweepExpired();
            case "work" -> work(queue, args.text("worker"));
            default -> throw new IllegalArgumentException(call);
        };
    }

    private static EnqueueOptions enqueueOptions(Args args) {
        return new EnqueueOptions(
                args.has("run_at") ? Instant.ofEpochSecond(args.integer("run_at")) : null,
                args.has("delay") ? args.span("delay") : null,
                args.has("priority") ? args.integer("priority") : 0,
                args.has("expires") ? args.span("expires") : null);
    }

    private static Cancelled work(Queue queue, String worker) {
        List<Long> done = new ArrayList<>();
        try {
            while (true) {
                Job job = queue.claimNext(worker);
                if (job.ack()) {
                    done.add(job.id());
                }
            }
        } catch (HonkerInterruptedException cancelled) {
            return new Cancelled(done);
        }
    }

    private static Object job(Job job, String call, Args args) {
        return switch (call) {
            case "ack" -> job.ack();
            case "retry" -> job.retry(args.span("delay_s"), args.text("error"));
            case "fail" -> job.fail(args.text("error"));
            case "heartbeat" -> job.heartbeat(args.span("extend_s"));
            default -> throw new IllegalArgumentException(call);
        };
    }

    private Object stream(Stream stream, String call, Args args) {
        return switch (call) {
            case "publish" -> {
                String key = args.has("key") ? args.text("key") : null;
                String json = args.json("payload");
                yield inside(args, tx -> stream.publish(tx, json, key), () -> stream.publish(json, key));
            }
            case "read_since" -> stream.readSince(args.integer("offset"), (int) args.integer("limit"));
            case "read_from_consumer" -> stream.readFromConsumer(args.text("consumer"), (int) args.integer("limit"));
            case "save_offset" ->
                inside(
                        args,
                        tx -> stream.saveOffset(tx, args.text("consumer"), args.integer("offset")),
                        () -> stream.saveOffset(args.text("consumer"), args.integer("offset")));
            case "get_offset" -> stream.getOffset(args.text("consumer"));
            case "subscribe" ->
                stream.subscription(SubscribeOptions.builder()
                        .consumer(args.text("consumer"))
                        .saveEveryN(args.has("save_every_n") ? (int) args.integer("save_every_n") : 1000)
                        .build());
            default -> throw new IllegalArgumentException(call);
        };
    }

    private static Object scheduler(Scheduler scheduler, String call, Args args) {
        return switch (call) {
            case "add" -> {
                ScheduleOptions.Builder options = ScheduleOptions.builder();
                if (args.has("priority")) {
                    options.priority(args.integer("priority"));
                }
                if (args.has("expires_s")) {
                    options.expires(args.span("expires_s"));
                }
                if (args.has("max_attempts")) {
                    options.maxAttempts((int) args.integer("max_attempts"));
                }
                CronSchedule schedule = new CronSchedule(args.text("schedule"));
                scheduler.add(args.text("name"), args.text("queue"), schedule, args.json("payload"), options.build());
                yield null;
            }
            case "remove" -> scheduler.remove(args.text("name"));
            case "pause" -> scheduler.pause(args.text("name"));
            case "resume" -> scheduler.resume(args.text("name"));
            case "update" -> scheduler.update(args.text("name"), changes(args));
            case "list" -> scheduler.list();
            case "tick" -> scheduler.tick();
            case "soonest" -> scheduler.soonest().map(Instant::getEpochSecond);
            case "run" ->
                untilCancelled(scheduler.run(
                        SchedulerOptions.builder().owner(args.text("owner")).build()));
            default -> throw new IllegalArgumentException(call);
        };
    }

    private static ScheduleUpdate changes(Args args) {
        ScheduleUpdate changes = new ScheduleUpdate();
        if (args.has("schedule")) {
            changes.schedule(new CronSchedule(args.text("schedule")));
        }
        if (args.has("payload")) {
            changes.payloadJson(args.json("payload"));
        }
        if (args.has("priority")) {
            changes.priority(args.integer("priority"));
        }
        if (args.has("expires_s")) {
            changes.expires(args.span("expires_s"));
        }
        if (args.has("max_attempts")) {
            changes.maxAttempts((int) args.integer("max_attempts"));
        }
        return changes;
    }

    private Object outbox(Deliveries on, String call, Args args) {
        return switch (call) {
            case "enqueue" -> {
                String json = args.json("payload");
                yield inside(args, tx -> on.outbox.enqueue(tx, json), () -> on.outbox.enqueue(json));
            }
            case "run" -> untilCancelled(on.outbox.worker(args.text("worker")));
            case "delivered" -> on.delivered;
            default -> throw new IllegalArgumentException(call);
        };
    }

    private static Cancelled untilCancelled(Running running) {
        try (running) {
            new CountDownLatch(1).await();
        } catch (InterruptedException cancelled) {
            running.throwIfFailed();
        }
        return new Cancelled(null);
    }

    private static Object waiting(Object target, String call) {
        if ("close".equals(call)) {
            if (target instanceof Listener listener) {
                listener.close();
            } else {
                ((Subscription) target).close();
            }
            return null;
        }
        return target instanceof Listener listener ? listener.next() : ((Subscription) target).next();
    }

    /** The arguments of a call. */
    private record Args(JsonObject values) {
        boolean has(String name) {
            return values.has(name) && !values.get(name).isJsonNull();
        }

        String text(String name) {
            return values.get(name).getAsString();
        }

        long integer(String name) {
            return values.get(name).getAsLong();
        }

        String json(String name) {
            return values.get(name).toString();
        }

        List<Long> integers(String name) {
            return values.getAsJsonArray(name).asList().stream()
                    .map(JsonElement::getAsLong)
                    .toList();
        }

        Duration span(String name) {
            BigDecimal seconds = values.get(name).getAsBigDecimal();
            return Duration.ofNanos(seconds.movePointRight(9).longValueExact());
        }
    }
}
