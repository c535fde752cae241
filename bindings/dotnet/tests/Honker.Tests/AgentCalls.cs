using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Honker.Tests
{
    /// <summary>The calls, by the kind of their object.</summary>
    internal sealed partial class Agent
    {
        private static async Task<object?> OfDatabaseAsync(Database db, Call call, CancellationToken cancellation)
        {
            switch (call.Name)
            {
                case "close":
                    db.Dispose();
                    return null;
                case "sql":
                    return Cell(call.Transaction?.Query(call.Text("sql")!) ?? db.Query(call.Text("sql")!));
                case "begin":
                    return Begin(db);
                case "queue":
                    return db.Queue(call.Text("name")!, new QueueOptions(
                        call.Number("visibility_timeout_s") ?? 300, (int)(call.Number("max_attempts") ?? 3)));
                case "stream":
                    return db.Stream(call.Text("name")!);
                case "scheduler":
                    return db.Scheduler;
                case "outbox":
                    return new Delivering(db, call);
                case "notify":
                    return db.Notify(call.Text("channel")!, call.Json("payload"), call.Transaction);
                case "listen":
                    return new Reading<Notification>(db.Listen(call.Text("channel")!));
                case "try_lock":
                    object? held = db.TryLock(call.Text("name")!, call.Text("owner")!, call.Number("ttl_s")!.Value);
                    return held ?? false;
                case "try_rate_limit":
                    return db.TryRateLimit(call.Text("name")!, call.Long("limit"), call.Number("per_s")!.Value);
                default:
                    return await OfResultAsync(db.Queue("results"), call, cancellation).ConfigureAwait(false);
            }
        }

        private static HonkerTransaction Begin(Database db)
        {
            // In a flow of control of its own: the agent makes calls beside the transaction, too.
            return Task.Run(db.BeginTransaction).GetAwaiter().GetResult();
        }

        private static async Task<object?> OfResultAsync(Queue queue, Call call, CancellationToken cancellation)
        {
            long id = call.Long("job_id");
            switch (call.Name)
            {
                case "save_result":
                    queue.SaveResult(id, JsonDocument.Parse(call.Text("value")).RootElement, call.Number("ttl_s") ?? 0);
                    return null;
                case "get_result":
                    (bool isFound, JsonElement value) = queue.GetResult(id);
                    return isFound ? value.GetRawText() : null;
                case "wait_result":
                    double? seconds = call.Number("timeout_s");
                    TimeSpan? timeout = seconds == null ? (TimeSpan?)null : TimeSpan.FromSeconds(seconds.Value);
                    JsonElement result = await queue.WaitResult(id, timeout, cancellation).ConfigureAwait(false);
                    return result.GetRawText();
                default:
                    throw new NotSupportedException(call.Name);
            }
        }

        private static Dictionary<string, object?>? Cell(List<Dictionary<string, object?>> rows)
        {
            if (rows.Count == 0)
            {
                return null;
            }
            object? value = rows[0].Values.First();
            string type = value switch
            {
                null => "null",
                long _ => "integer",
                double _ => "real",
                byte[] _ => "blob",
                _ => "text",
            };
            object? plain = value is byte[] bytes
                ? BitConverter.ToString(bytes).Replace("-", "").ToLowerInvariant() : value;
            return new Dictionary<string, object?> { ["type"] = type, ["value"] = plain };
        }

        private static object? OfTransaction(HonkerTransaction transaction, Call call)
        {
            switch (call.Name)
            {
                case "execute":
                    transaction.Execute(call.Text("sql")!);
                    break;
                case "commit":
                    transaction.Commit();
                    break;
                default:
                    transaction.Rollback();
                    break;
            }
            return null;
        }

        private static async Task<object?> OfQueueAsync(Queue queue, Call call, CancellationToken cancellation)
        {
            switch (call.Name)
            {
                case "enqueue":
                    var options = new EnqueueOptions(
                        call.Number("run_at"), call.Number("delay"), call.Has("priority") ? call.Long("priority") : 0,
                        ExpiresSeconds: call.Number("expires"));
                    return queue.Enqueue(call.Json("payload"), options, call.Transaction);
                case "claim_one":
                    return queue.ClaimOne(call.Text("worker")!);
                case "claim_batch":
                    return queue.ClaimBatch(call.Text("worker")!, (int)call.Long("n"));
                case "next_job":
                    return await NextAsync(queue, call, cancellation).ConfigureAwait(false);
                case "ack_batch":
                    IEnumerable<long> ids = call.Json("ids").EnumerateArray().Select(id => id.GetInt64());
                    return queue.AckBatch(ids, call.Text("worker")!);
                case "cancel_job":
                    return queue.Cancel(call.Long("id"));
                case "get_job":
                    return queue.GetJob(call.Long("id"));
                case "sweep_expired":
                    return queue.SweepExpired();
                case "work":
                    return await WorkAsync(queue, call, cancellation).ConfigureAwait(false);
                default:
                    throw new NotSupportedException(call.Name);
            }
        }

        private static async Task<object?> NextAsync(Queue queue, Call call, CancellationToken cancellation)
        {
            IAsyncEnumerable<Job> jobs = queue.ClaimAsync(call.Text("worker")!, Timeout.InfiniteTimeSpan, cancellation);
            await foreach (Job job in jobs.ConfigureAwait(false))
            {
                return job;
            }
            return null;
        }

        private static async Task<object?> WorkAsync(Queue queue, Call call, CancellationToken cancellation)
        {
            // Claims and acknowledgements are synchronous; the next line is read meanwhile.
            await Task.Yield();
            var done = new List<long>();
            IAsyncEnumerable<Job> jobs = queue.ClaimAsync(call.Text("worker")!, Timeout.InfiniteTimeSpan, cancellation);
            try
            {
                await foreach (Job job in jobs.ConfigureAwait(false))
                {
                    if (job.Ack())
                    {
                        done.Add(job.Id);
                    }
                }
            }
            catch (OperationCanceledException)
            {
            }
            return new Cancelled(done);
        }

        private static bool OfJob(Job job, Call call)
        {
            switch (call.Name)
            {
                case "ack":
                    return job.Ack();
                case "retry":
                    return job.Retry(call.Number("delay_s")!.Value, call.Text("error"));
                case "fail":
                    return job.Fail(call.Text("error"));
                case "heartbeat":
                    return job.Heartbeat(call.Number("extend_s"));
                default:
                    throw new NotSupportedException(call.Name);
            }
        }

        private static object? OfStream(Stream stream, Call call)
        {
            switch (call.Name)
            {
                case "publish":
                    return stream.Publish(call.Json("payload"), call.Text("key"), call.Transaction);
                case "read_since":
                    return stream.ReadSince(call.Long("offset"), (int)call.Long("limit"));
                case "read_from_consumer":
                    return stream.ReadFromConsumer(call.Text("consumer")!, (int)call.Long("limit"));
                case "save_offset":
                    return stream.SaveOffset(call.Text("consumer")!, call.Long("offset"), call.Transaction);
                case "get_offset":
                    return stream.GetOffset(call.Text("consumer")!);
                case "subscribe":
                    int every = (int)(call.Number("save_every_n") ?? 1000);
                    return new Reading<Event>(stream.Subscribe(call.Text("consumer"), null, every, 0));
                default:
                    throw new NotSupportedException(call.Name);
            }
        }

        private static async Task<object?> OfSchedulerAsync(
            Scheduler scheduler, Call call, CancellationToken cancellation)
        {
            string name = call.Text("name") ?? "";
            switch (call.Name)
            {
                case "add":
                    scheduler.Add(new ScheduledTask(
                        name, call.Text("queue")!, call.Json("payload"), call.Text("schedule"),
                        Priority: (long)(call.Number("priority") ?? 0), ExpiresSeconds: (long?)call.Number("expires_s"),
                        MaxAttempts: (int)(call.Number("max_attempts") ?? 3)));
                    return null;
                case "remove":
                    return scheduler.Remove(name);
                case "pause":
                    return scheduler.Pause(name);
                case "resume":
                    return scheduler.Resume(name);
                case "update":
                    return scheduler.Update(name, Changes(call));
                case "list":
                    return scheduler.List();
                case "tick":
                    return scheduler.Tick().Count;
                case "soonest":
                    return scheduler.Soonest();
                case "run":
                    await scheduler.RunAsync(call.Text("owner")!, cancellation).ConfigureAwait(false);
                    return new Cancelled(null);
                default:
                    throw new NotSupportedException(call.Name);
            }
        }

        private static ScheduleUpdate Changes(Call call)
        {
            var update = new ScheduleUpdate();
            if (call.Text("schedule") is string expression)
            {
                update.WithCron(expression);
            }
            if (call.Has("payload"))
            {
                update.WithPayload(call.Json("payload"));
            }
            if (call.Has("priority"))
            {
                update.WithPriority(call.Long("priority"));
            }
            if (call.Has("expires_s"))
            {
                update.WithExpiresSeconds(call.Long("expires_s"));
            }
            if (call.Has("max_attempts"))
            {
                update.WithMaxAttempts((int)call.Long("max_attempts"));
            }
            return update;
        }

        private static async Task<object?> OfOutboxAsync(
            Delivering outbox, Call call, CancellationToken cancellation)
        {
            switch (call.Name)
            {
                case "enqueue":
                    return outbox.Made.Enqueue(call.Json("payload"), call.Transaction);
                case "run":
                    await outbox.Made.RunWorker(call.Text("worker")!, cancellation).ConfigureAwait(false);
                    return new Cancelled(null);
                default:
                    return outbox.Delivered();
            }
        }

        /// <summary>An outbox that keeps the payloads that it delivers.</summary>
        private sealed class Delivering
        {
            private readonly List<object> delivered = new List<object>();

            internal Delivering(Database db, Call call)
            {
                var options = new OutboxOptions
                {
                    MaxAttempts = (int)(call.Number("max_attempts") ?? 3),
                    BaseBackoffSeconds = call.Number("base_backoff_s") ?? 30,
                };
                Made = db.Outbox(call.Text("name")!, Deliver, options);
            }

            internal Outbox Made { get; }

            internal List<object> Delivered()
            {
                lock (delivered)
                {
                    return new List<object>(delivered);
                }
            }

            private void Deliver(JsonElement payload)
            {
                bool isObject = payload.ValueKind == JsonValueKind.Object;
                if (isObject && payload.TryGetProperty("refuse", out JsonElement refuse) && refuse.GetBoolean())
                {
                    throw new InvalidOperationException("refused");
                }
                lock (delivered)
                {
                    delivered.Add(payload);
                }
            }
        }
    }
}
