using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Honker.Tests
{
    /// <summary>The agent of the conformance suite; conformance/README.md has its protocol.</summary>
    internal sealed partial class Agent
    {
        private readonly ConcurrentDictionary<string, object?> objects = new ConcurrentDictionary<string, object?>();

        private readonly ConcurrentDictionary<long, CancellationTokenSource> running =
            new ConcurrentDictionary<long, CancellationTokenSource>();

        private readonly TextWriter output =
            new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true };

        internal static async Task RunAsync()
        {
            var agent = new Agent();
            using (var input = new StreamReader(Console.OpenStandardInput()))
            {
                string? line;
                while ((line = await input.ReadLineAsync().ConfigureAwait(false)) != null)
                {
                    await agent.HandleAsync(JsonDocument.Parse(line).RootElement).ConfigureAwait(false);
                }
            }
        }

        private async Task HandleAsync(JsonElement request)
        {
            long id = request.GetProperty("id").GetInt64();
            var call = new Call(this, request);
            if (!request.TryGetProperty("background", out _))
            {
                Write(id, await AnswerAsync(call, default).ConfigureAwait(false));
                return;
            }
            var cancellation = new CancellationTokenSource();
            running[id] = cancellation;
            // No Task.Run: the call begins before the next line is read.
            _ = LaterAsync(id, call, cancellation.Token);
        }

        private async Task LaterAsync(long id, Call call, CancellationToken cancellation)
        {
            Write(id, await AnswerAsync(call, cancellation).ConfigureAwait(false));
        }

        private async Task<Dictionary<string, object?>> AnswerAsync(Call call, CancellationToken cancellation)
        {
            try
            {
                object? made = await MakeAsync(call, cancellation).ConfigureAwait(false);
                if (made is Cancelled ended)
                {
                    return new Dictionary<string, object?> { ["value"] = ended.Value, ["cancelled"] = true };
                }
                Store(call, made);
                return new Dictionary<string, object?> { ["value"] = Plain(made) };
            }
            catch (OperationCanceledException)
            {
                return new Dictionary<string, object?> { ["value"] = null, ["cancelled"] = true };
            }
            catch (Exception error)
            {
                string code = error is HonkerException typed ? typed.Code
                    : error is TimeoutException ? "TIMEOUT"
                    : error is NotSupportedException ? "UNSUPPORTED" : error.GetType().Name;
                var described = new Dictionary<string, object?> { ["code"] = code, ["message"] = error.Message };
                return new Dictionary<string, object?> { ["error"] = described };
            }
        }

        private Task<object?> MakeAsync(Call call, CancellationToken cancellation)
        {
            switch (call.Target)
            {
                case null:
                    return Task.FromResult(OfAgent(call));
                case Database db:
                    return OfDatabaseAsync(db, call, cancellation);
                case HonkerTransaction transaction:
                    return Task.FromResult(OfTransaction(transaction, call));
                case Queue queue:
                    return OfQueueAsync(queue, call, cancellation);
                case Job job:
                    return Task.FromResult<object?>(OfJob(job, call));
                case LockHandle held:
                    return Task.FromResult<object?>(
                        call.Name == "release" ? held.Release() : held.Heartbeat(call.Number("ttl_s")));
                case Stream stream:
                    return Task.FromResult(OfStream(stream, call));
                case Scheduler scheduler:
                    return OfSchedulerAsync(scheduler, call, cancellation);
                case Delivering outbox:
                    return OfOutboxAsync(outbox, call, cancellation);
                case IReading reading:
                    return reading.MakeAsync(call.Name);
                default:
                    throw new InvalidOperationException($"no call {call.Name} on {call.Target}");
            }
        }

        private object? OfAgent(Call call)
        {
            if (call.Name == "cancel")
            {
                running[call.Long("call")].Cancel();
                return null;
            }
            return Database.Open(call.Text("path")!);
        }

        private void Store(Call call, object? made)
        {
            if (call.StoreAs == null)
            {
                return;
            }
            objects[call.StoreAs] = made;
            if (made is List<Job> jobs)
            {
                for (int index = 0; index < jobs.Count; index++)
                {
                    objects[$"{call.StoreAs}.{index}"] = jobs[index];
                }
            }
        }

        private void Write(long id, Dictionary<string, object?> answer)
        {
            answer["id"] = id;
            answer["at"] = (DateTime.UtcNow - DateTime.UnixEpoch).Ticks / 10;
            string line = JsonSerializer.Serialize(answer);
            lock (output)
            {
                output.WriteLine(line);
            }
        }

        private static object? Plain(object? made)
        {
            switch (made)
            {
                case null:
                case bool _:
                case long _:
                case int _:
                case string _:
                case JsonElement _:
                case Dictionary<string, object?> _:
                    return made;
                case Job job:
                    return new { id = job.Id, queue = job.QueueName, payload = job.Payload, worker_id = job.WorkerId,
                        attempts = job.Attempts };
                case JobRow row:
                    return new { id = row.Id, queue = row.QueueName, state = row.State, priority = row.Priority,
                        attempts = row.Attempts, max_attempts = row.MaxAttempts };
                case Event each:
                    return new { offset = each.Offset, topic = each.Topic, key = each.Key, payload = each.Payload,
                        created_at = each.CreatedAt };
                case Notification each:
                    return new { id = each.Id, channel = each.Channel, payload = each.Payload };
                case ScheduleRow row:
                    return new { name = row.Name, queue = row.Queue, cron_expr = row.CronExpr, enabled = row.Enabled };
                case System.Collections.IEnumerable list:
                    return list.Cast<object?>().Select(Plain).ToList();
                default:
                    return true;
            }
        }

        /// <summary>A request.</summary>
        private sealed class Call
        {
            private readonly JsonElement args;

            internal Call(Agent agent, JsonElement request)
            {
                Agent = agent;
                Name = request.GetProperty("call").GetString();
                args = request.GetProperty("args");
                StoreAs = request.TryGetProperty("as", out JsonElement name) ? name.GetString() : null;
                Target = request.TryGetProperty("on", out JsonElement on) ? agent.objects[on.GetString()] : null;
            }

            internal Agent Agent { get; }

            internal string Name { get; }

            internal string? StoreAs { get; }

            internal object? Target { get; }

            internal HonkerTransaction? Transaction =>
                Text("tx") is string name ? (HonkerTransaction)Agent.objects[name]! : null;

            internal bool Has(string name)
            {
                return args.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null;
            }

            internal JsonElement Json(string name)
            {
                return args.GetProperty(name);
            }

            internal string? Text(string name)
            {
                return Has(name) ? args.GetProperty(name).GetString() : null;
            }

            internal long Long(string name)
            {
                return args.GetProperty(name).GetInt64();
            }

            internal double? Number(string name)
            {
                return Has(name) ? args.GetProperty(name).GetDouble() : (double?)null;
            }
        }

        /// <summary>The value of a call that was cancelled.</summary>
        private sealed class Cancelled
        {
            internal Cancelled(object? value)
            {
                Value = value;
            }

            internal object? Value { get; }
        }

        private interface IReading
        {
            Task<object?> MakeAsync(string call);
        }

        /// <summary>A listener or a subscription.</summary>
        private sealed class Reading<T> : IReading
        {
            private readonly IAsyncEnumerator<T> rows;

            internal Reading(IAsyncEnumerable<T> source)
            {
                rows = source.GetAsyncEnumerator();
            }

            public async Task<object?> MakeAsync(string call)
            {
                if (call == "close")
                {
                    await rows.DisposeAsync().ConfigureAwait(false);
                    return null;
                }
                await rows.MoveNextAsync().ConfigureAwait(false);
                return rows.Current;
            }
        }
    }
}
