using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Honker.Tests
{
    internal sealed class OtherTests : Case
    {
        [Test]
        public void The_pragmas_are_set()
        {
            Equal(5000L, (long)Db.Query("PRAGMA busy_timeout")[0]["timeout"]!);
            Equal("wal", (string)Db.Query("PRAGMA journal_mode")[0]["journal_mode"]!);
            Equal(1L, (long)Db.Query("PRAGMA foreign_keys")[0]["foreign_keys"]!);
            Equal(-32000L, (long)Db.Query("PRAGMA cache_size")[0]["cache_size"]!);
            True(Db.FunctionExists("honker_enqueue") && !Db.FunctionExists("honker_nothing"));
        }

        [Test]
        public void A_database_has_its_properties()
        {
            Equal(Path, Db.Path);
            Equal($"Data Source={Path}", Db.ConnectionString);
            NativeConnection raw = Db.RawConnection;
            Equal(1L, (long)raw.Scalar("SELECT 1", Array.Empty<object?>())!);
        }

        [Test]
        public void A_database_in_memory_is_refused()
        {
            Throws<InvalidArgumentException>(() => Database.Open(":memory:"));
            Throws<InvalidArgumentException>(() => Database.Open(""));
        }

        [Test]
        public void A_file_that_is_no_database_is_a_typed_error()
        {
            File.WriteAllText(Path + "4", new string('x', 4096));
            Equal("HONKER_CORRUPT", Throws<DatabaseException>(() => Database.Open(Path + "4")).Code);
            Equal("HONKER_CANTOPEN", Throws<DatabaseException>(() => Database.Open(Path + "/no/app.db")).Code);
        }

        [Test]
        public void A_library_that_does_not_exist_or_is_another_one_is_refused()
        {
            var options = new OpenOptions { ExtensionPath = "/nowhere/libhonker_ext.so" };
            True(Throws<ExtensionException>(() => Database.Open(Path, options)).Message.Contains("/nowhere"));
            options.ExtensionPath = typeof(Database).Assembly.Location;
            Equal("HONKER_EXTENSION", Throws<ExtensionException>(() => Database.Open(Path, options)).Code);
        }

        [Test]
        public void An_unknown_backend_is_a_typed_error()
        {
            using Database db = Database.Open(Path, new OpenOptions { WatcherBackend = "telepathy" });
            Throws<InvalidArgumentException>(() => db.Listen("c"));
            db.Queue("q").Enqueue(1);
        }

        [Test]
        public void A_lock_has_one_owner_until_it_is_released()
        {
            LockHandle held = Db.Lock("l", 60);
            True(Db.TryLock("l", "other", 60) == null);
            Equal("l", Throws<LockHeldException>(() => Db.Lock("l")).Name);
            True(held.Heartbeat(30) && held.Heartbeat());
            held.Dispose();
            True(!held.Release());
            using (LockHandle next = Db.TryLock("l", "other", 60)!)
            {
                Equal("other", next.Owner);
            }
            Db.Lock("l").Release();
        }

        [Test]
        public void Limits_and_notifications_are_swept()
        {
            True(Db.TryRateLimit("r", 1, 60) && !Db.TryRateLimit("r", 1, 60));
            Equal(0L, Db.SweepRateLimits(3600));
            for (int number = 0; number < 5; number++)
            {
                Db.Notify("c", number);
            }
            Equal(0L, Db.PruneNotifications());
            Equal(3L, Db.PruneNotifications(maxKeep: 2));
            Equal(0L, Db.PruneNotifications(olderThanSeconds: 60));
            Equal(0L, Db.Queue("q").SweepResults());
            Equal(0L, Db.Queue("q").SweepExpired());
        }

        [Test]
        public void Schedules_take_both_names_of_the_expression()
        {
            Db.Scheduler.Add(new ScheduledTask("a", "q", new { n = 1 }, Schedule: "0 3 * * *"));
            Db.Scheduler.Add(new ScheduledTask { Name = "b", Queue = "q", Cron = Schedules.EverySeconds(30) });
            Throws<InvalidArgumentException>(() => Db.Scheduler.Add(new ScheduledTask("c", "q")));
            Throws<InvalidArgumentException>(() => Db.Scheduler.Add(new ScheduledTask("c", "q", null, "1", "2")));
            Throws<InvalidArgumentException>(() => Db.Scheduler.Add(new ScheduledTask("c", "q", Cron: "nonsense")));
            List<ScheduleRow> rows = Db.Scheduler.List();
            Equal("0 3 * * *,@every 30s", string.Join(",", rows.Select(row => row.CronExpr)));
            Equal("{\"n\":1}", rows[0].PayloadRaw);
            Equal(rows.Min(row => row.NextFireAt), Db.Scheduler.Soonest());
        }

        [Test]
        public void A_schedule_changes_only_as_told()
        {
            Db.Scheduler.Add(new ScheduledTask("a", "q", 1, Cron: "@hourly", ExpiresSeconds: 60));
            True(Db.Scheduler.Update("a", new ScheduleUpdate().WithPriority(7).WithMaxAttempts(9)));
            True(!Db.Scheduler.Update("a", new ScheduleUpdate()));
            ScheduleRow row = Db.Scheduler.List().Single();
            True(row.Priority == 7 && row.MaxAttempts == 9 && row.ExpiresSeconds == 60 && row.CronExpr == "@hourly");
            ScheduleUpdate update = new ScheduleUpdate().WithExpiresSeconds(null).WithPayload(null).WithCron("@daily");
            True(Db.Scheduler.Update("a", update));
            row = Db.Scheduler.List().Single();
            True(row.ExpiresSeconds == null && row.CronExpr == "@daily" && row.PayloadRaw == "null");
            ScheduledFire fire = Db.Scheduler.Tick(row.NextFireAt).Single();
            True(fire.Name == "a" && fire.Queue == "q" && fire.FireAt == row.NextFireAt && fire.JobId > 0);
        }

        [Test]
        public async Task The_scheduler_fires_stands_by_and_returns_when_cancelled()
        {
            Db.Scheduler.Add(new ScheduledTask("a", "q", 1, Schedules.EverySeconds(1)));
            using Database other = Database.Open(Path);
            using var first = new CancellationTokenSource();
            using var second = new CancellationTokenSource();
            Task leader = Db.Scheduler.RunAsync("one", first.Token);
            await UntilAsync(() => Db.TryLock("honker-scheduler", "test") == null).ConfigureAwait(false);
            Task standby = other.Scheduler.RunAsync("two", second.Token);
            await UntilAsync(() => Db.Queue("q").ClaimOne("w") != null).ConfigureAwait(false);
            first.Cancel();
            await leader.ConfigureAwait(false);
            await UntilAsync(() => Db.Queue("q").ClaimOne("w") != null).ConfigureAwait(false);
            second.Cancel();
            await standby.ConfigureAwait(false);
            True(Db.TryLock("honker-scheduler", "test") != null, "the lock was not released");
        }

        [Test]
        public async Task A_scheduler_without_schedules_waits_without_writing()
        {
            using var stop = new CancellationTokenSource();
            Task running = Db.Scheduler.RunAsync("one", stop.Token);
            await UntilAsync(() => Db.TryLock("honker-scheduler", "test") == null).ConfigureAwait(false);
            using Database other = Database.Open(Path);
            long before = (long)other.Query("PRAGMA data_version")[0]["data_version"]!;
            await Task.Delay(100).ConfigureAwait(false);
            Equal(before, (long)other.Query("PRAGMA data_version")[0]["data_version"]!);
            True(!running.IsCompleted);
            stop.Cancel();
            await running.ConfigureAwait(false);
        }

        [Test]
        public async Task An_outbox_takes_each_form_of_a_delivery()
        {
            int sum = 0;
            Task Later(JsonElement payload, CancellationToken cancellation)
            {
                sum += payload.GetInt32();
                return Task.CompletedTask;
            }

            Outbox[] outboxes =
            {
                Db.Outbox("a", Later),
                Db.Outbox("b", async payload => { await Task.Yield(); sum += payload.GetInt32(); }),
                Db.Outbox("c", payload => { sum += payload.GetInt32(); }, new OutboxOptions(MaxAttempts: 1)),
            };
            using var stop = new CancellationTokenSource();
            foreach (Outbox each in outboxes)
            {
                each.Enqueue(5);
                int before = sum;
                Task running = each.RunWorker("w", stop.Token);
                await UntilAsync(() => sum == before + 5).ConfigureAwait(false);
            }
            stop.Cancel();
        }

        [Test]
        public async Task A_cancelled_delivery_is_given_back_without_a_charge()
        {
            var began = new TaskCompletionSource<bool>();
            Outbox outbox = Db.Outbox("o", async (payload, cancellation) =>
            {
                began.SetResult(true);
                await Task.Delay(Timeout.Infinite, cancellation).ConfigureAwait(false);
            });
            long id = outbox.Enqueue("x");
            using var stop = new CancellationTokenSource();
            Task running = outbox.RunWorker("w", stop.Token);
            await began.Task.ConfigureAwait(false);
            stop.Cancel();
            await running.ConfigureAwait(false);
            JobRow row = outbox.Queue.GetJob(id)!;
            True(row.State == "pending" && row.Attempts == 0, $"{row.State}, {row.Attempts} attempts");
        }

        [Test]
        public async Task A_payload_that_is_not_json_becomes_a_dead_letter_of_the_outbox()
        {
            Db.Execute("SELECT honker_enqueue('_outbox:o', 'no json', NULL, NULL, 0, 1, NULL)");
            using var stop = new CancellationTokenSource();
            Outbox outbox = Db.Outbox("o", payload => { }, new OutboxOptions(BaseBackoffSeconds: 0));
            Task running = outbox.RunWorker("w", stop.Token);
            await UntilAsync(() => outbox.Queue.GetJob(1) == null).ConfigureAwait(false);
            stop.Cancel();
            await running.ConfigureAwait(false);
        }
    }
}
