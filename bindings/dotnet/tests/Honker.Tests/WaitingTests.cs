using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Honker.Tests
{
    internal sealed class WaitingTests : Case
    {
        private static readonly TimeSpan NoPoll = Timeout.InfiniteTimeSpan;

        [Test]
        public async Task Cancelling_ends_a_wait_at_once_and_takes_no_job()
        {
            using var stop = new CancellationTokenSource();
            IAsyncEnumerator<Job> jobs = Db.Queue("q").ClaimAsync("w", NoPoll, stop.Token).GetAsyncEnumerator();
            Task<Job> next = NextAsync(jobs);
            await Task.Delay(30).ConfigureAwait(false);
            True(!next.IsCompleted);
            var clock = Stopwatch.StartNew();
            stop.Cancel();
            await ThrowsAsync<OperationCanceledException>(next).ConfigureAwait(false);
            True(clock.ElapsedMilliseconds < 500, "was slow");
            Db.Queue("q").Enqueue(1);
            Equal(1, Db.Queue("q").ClaimOne("w")!.Attempts);
        }

        [Test]
        public async Task The_token_of_WithCancellation_ends_a_wait_too()
        {
            using var stop = new CancellationTokenSource(30);
            Task loop = Task.Run(async () =>
            {
                await foreach (Job job in Db.Queue("q").ClaimAsync("w").WithCancellation(stop.Token))
                {
                    job.Ack();
                }
            });
            await ThrowsAsync<OperationCanceledException>(loop).ConfigureAwait(false);
        }

        [Test]
        public async Task Jobs_that_are_cancelled_in_the_moment_of_the_claim_are_not_lost()
        {
            Queue queue = Db.Queue("q");
            var seen = new HashSet<long>();
            for (int round = 0; round < 200; round++)
            {
                using var stop = new CancellationTokenSource();
                Task<Job> next = NextAsync(queue.ClaimAsync("w", NoPoll, stop.Token).GetAsyncEnumerator());
                Task cancelling = Task.Run(stop.Cancel);
                queue.Enqueue(round);
                await cancelling.ConfigureAwait(false);
                try
                {
                    seen.Add((await next.ConfigureAwait(false)).Id);
                }
                catch (OperationCanceledException)
                {
                    Job job = queue.ClaimOne("w")!;
                    Equal(1, job.Attempts);
                    seen.Add(job.Id);
                }
            }
            Equal(200, seen.Count);
        }

        [Test]
        public async Task Closing_ends_every_wait_with_the_typed_error()
        {
            Database db = Database.Open(Path);
            Task claim = NextAsync(db.Queue("q").ClaimAsync("w", NoPoll).GetAsyncEnumerator());
            Task listen = NextAsync(db.Listen("c").GetAsyncEnumerator());
            Task subscribe = NextAsync(db.Stream("s").Subscribe("c").GetAsyncEnumerator());
            Task result = db.Queue("q").WaitResult(1);
            Task scheduler = db.Scheduler.RunAsync("me");
            Task outbox = db.Outbox("o", payload => { }).RunWorker("w");
            await Task.Delay(30).ConfigureAwait(false);
            db.Dispose();
            db.Dispose();
            foreach (Task each in new[] { claim, listen, subscribe, result, scheduler, outbox })
            {
                Equal("HONKER_CLOSED", (await ThrowsAsync<HonkerClosedException>(each).ConfigureAwait(false)).Code);
            }
            Throws<HonkerClosedException>(() => db.Queue("q").ClaimOne("w"));
            Throws<HonkerClosedException>(() => db.BeginTransaction());
            Throws<HonkerClosedException>(() => db.Listen("c"));
        }

        [Test]
        public void Closing_rolls_an_open_transaction_back()
        {
            Database db = Database.Open(Path);
            HonkerTransaction tx = db.BeginTransaction();
            db.Queue("q").Enqueue(1, transaction: tx);
            db.Dispose();
            Throws<HonkerClosedException>(tx.Commit);
            tx.Dispose();
            True(Db.Queue("q").ClaimOne("w") == null);
        }

        [Test]
        public async Task Closing_while_threads_claim_gives_only_the_typed_error()
        {
            for (int round = 0; round < 20; round++)
            {
                Database db = Database.Open(Path);
                Task[] claiming = Enumerable.Range(0, 4).Select(each => Task.Run(() =>
                {
                    while (true)
                    {
                        db.Queue("q").Enqueue(each);
                        db.Queue("q").ClaimOne("w")?.Ack();
                    }
                })).ToArray<Task>();
                await Task.Delay(10).ConfigureAwait(false);
                db.Dispose();
                foreach (Task each in claiming)
                {
                    await ThrowsAsync<HonkerClosedException>(each).ConfigureAwait(false);
                }
            }
        }

        [Test]
        public async Task Threads_on_one_handle_share_the_jobs()
        {
            Queue queue = Db.Queue("q");
            var done = new System.Collections.Concurrent.ConcurrentBag<long>();
            using var stop = new CancellationTokenSource();
            Task[] workers = Enumerable.Range(0, 4).Select(number => Task.Run(async () =>
            {
                await foreach (Job job in queue.ClaimAsync($"w{number}", NoPoll, stop.Token))
                {
                    True(job.Ack());
                    done.Add(job.Id);
                }
            })).ToArray();
            Task[] producers = Enumerable.Range(0, 4).Select(each => Task.Run(() =>
            {
                for (int number = 0; number < 50; number++)
                {
                    queue.Enqueue(number);
                }
            })).ToArray();
            await Task.WhenAll(producers).ConfigureAwait(false);
            await UntilAsync(() => done.Count >= 200).ConfigureAwait(false);
            stop.Cancel();
            foreach (Task each in workers)
            {
                await ThrowsAsync<OperationCanceledException>(each).ConfigureAwait(false);
            }
            Equal(200, done.Distinct().Count());
            Equal(200, done.Count);
        }

        [Test]
        public async Task A_waiting_claim_does_not_hold_the_connection()
        {
            Task<Job> next = NextAsync(Db.Queue("q").ClaimAsync("w", NoPoll).GetAsyncEnumerator());
            var clock = Stopwatch.StartNew();
            for (int number = 0; number < 20; number++)
            {
                Db.Notify("c", number);
            }
            True(clock.ElapsedMilliseconds < 2000, "was held up");
            Db.Queue("q").Enqueue(1);
            await next.ConfigureAwait(false);
        }

        [Test]
        public async Task A_listener_gets_what_is_sent_after_it_began()
        {
            Db.Notify("c", "before");
            IAsyncEnumerable<Notification> listening = Db.Listen("c");
            Db.Notify("c", new { n = 1 });
            Db.Notify("d", 2);
            IAsyncEnumerator<Notification> rows = listening.GetAsyncEnumerator();
            Notification first = await NextAsync(rows).ConfigureAwait(false);
            Equal("{\"n\":1}", first.PayloadRaw);
            Equal("c", first.Channel);
            Task<Notification> second = NextAsync(rows);
            Db.Notify("c", 3);
            Equal(3, (await second.ConfigureAwait(false)).GetPayload<int>());
        }

        [Test]
        public async Task A_subscription_saves_only_processed_events()
        {
            Stream stream = Db.Stream("t");
            long[] offsets = Enumerable.Range(0, 3).Select(each => stream.Publish(each)).ToArray();
            IAsyncEnumerator<Event> events = stream.Subscribe("c", saveEveryN: 1).GetAsyncEnumerator();
            await NextAsync(events).ConfigureAwait(false);
            Equal(0L, stream.GetOffset("c"));
            await NextAsync(events).ConfigureAwait(false);
            Equal(offsets[0], stream.GetOffset("c"));
            await events.DisposeAsync().ConfigureAwait(false);
            Equal(offsets[0], stream.GetOffset("c"));
            IAsyncEnumerator<Event> again = stream.Subscribe("c").GetAsyncEnumerator();
            Equal(offsets[1], (await NextAsync(again).ConfigureAwait(false)).Offset);
        }

        [Test]
        public async Task An_idle_subscription_saves_after_its_time()
        {
            Stream stream = Db.Stream("t");
            long offset = stream.Publish(1);
            IAsyncEnumerator<Event> events = stream.Subscribe("c", saveEverySeconds: 0.05).GetAsyncEnumerator();
            await NextAsync(events).ConfigureAwait(false);
            Task<Event> waiting = NextAsync(events);
            await UntilAsync(() => stream.GetOffset("c") == offset).ConfigureAwait(false);
            stream.Publish(2);
            await waiting.ConfigureAwait(false);
        }

        [Test]
        public async Task A_subscription_that_saves_nothing_saves_nothing()
        {
            Stream stream = Db.Stream("t");
            stream.Publish(1);
            stream.Publish(2);
            IAsyncEnumerator<Event> events =
                stream.Subscribe("c", saveEveryN: 0, saveEverySeconds: 0).GetAsyncEnumerator();
            await NextAsync(events).ConfigureAwait(false);
            await NextAsync(events).ConfigureAwait(false);
            await events.DisposeAsync().ConfigureAwait(false);
            Equal(0L, stream.GetOffset("c"));
        }

        [Test]
        public async Task A_replaced_file_ends_waits_with_a_typed_error()
        {
            Database db = Database.Open(Path + "3");
            Task<Job> claim = NextAsync(db.Queue("q").ClaimAsync("w", NoPoll).GetAsyncEnumerator());
            foreach (string suffix in new[] { "3", "3-wal", "3-shm" })
            {
                System.IO.File.Delete(Path + suffix);
            }
            using Database replacement = Database.Open(Path + "3");
            Equal("HONKER_WATCHER", (await ThrowsAsync<WatcherException>(claim).ConfigureAwait(false)).Code);
            Throws<WatcherException>(() => db.Listen("c"));
            db.Dispose();
        }
    }
}
