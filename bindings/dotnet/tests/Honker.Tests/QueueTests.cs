using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;

namespace Honker.Tests
{
    internal sealed class QueueTests : Case
    {
        internal enum Kind
        {
            Plain,
            Urgent,
        }

        [Test]
        public void The_same_name_and_options_give_the_same_queue()
        {
            True(ReferenceEquals(Db.Queue("q"), Db.Queue("q", new QueueOptions())));
            True(!ReferenceEquals(Db.Queue("q"), Db.Queue("q", new QueueOptions(MaxAttempts: 4))));
            Equal(4, Db.Queue("q", new QueueOptions { MaxAttempts = 4 }).MaxAttempts);
        }

        [Test]
        public void Payloads_of_every_type_come_back()
        {
            Queue queue = Db.Queue("q");
            string text = "NUL \0, emoji 😀, quote \", backslash \\, line\n" + new string('x', 1 << 20);
            queue.Enqueue(text);
            queue.Enqueue(new Dictionary<string, object?> { ["a"] = null, ["b"] = new[] { 1.5, 2 } });
            queue.Enqueue(new Mail { To = "ann", Kind = Kind.Urgent });
            queue.Enqueue(null);
            queue.Enqueue(JsonDocument.Parse("[1, {}]").RootElement);
            List<Job> jobs = queue.ClaimBatch("w", 10);
            Equal(text, jobs[0].Payload.GetString());
            Equal("{\"a\":null,\"b\":[1.5,2]}", jobs[1].PayloadRaw);
            Mail mail = jobs[2].GetPayload<Mail>();
            Equal("ann", mail.To);
            Equal(Kind.Urgent, mail.Kind);
            Equal(JsonValueKind.Null, jobs[3].Payload.ValueKind);
            Equal(2, jobs[4].Payload.GetArrayLength());
        }

        [Test]
        public void Properties_are_read_in_any_case()
        {
            Db.Execute("SELECT honker_enqueue('q', '{\"to\":\"bob\"}', NULL, NULL, 0, 3, NULL)");
            Equal("bob", Db.Queue("q").ClaimOne("w")!.GetPayload<Mail>().To);
        }

        [Test]
        public void A_payload_that_is_not_json_is_claimed_and_can_be_failed()
        {
            Db.Execute("SELECT honker_enqueue('q', 'no json', NULL, NULL, 0, 3, NULL)");
            Job job = Db.Queue("q").ClaimOne("w")!;
            Equal("HONKER_PAYLOAD", Throws<PayloadException>(() => _ = job.Payload).Code);
            Throws<PayloadException>(() => job.GetPayload<int>());
            Equal("no json", job.PayloadRaw);
            True(job.Fail("not JSON"));
        }

        [Test]
        public void A_payload_without_a_json_form_is_refused_and_nothing_is_stored()
        {
            Throws<PayloadException>(() => Db.Queue("q").Enqueue(new { f = double.NaN }));
            True(Db.Queue("q").ClaimOne("w") == null);
        }

        [Test]
        public void A_job_has_its_fields()
        {
            long id = Db.Queue("q").Enqueue(1);
            Job job = Db.Queue("q").ClaimOne("w")!;
            Equal(id, job.Id);
            Equal("q", job.QueueName);
            Equal("w", job.WorkerId);
            Equal(1, job.Attempts);
            Equal("processing", job.State);
            long now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            True(job.ClaimExpiresAt > now + 290 && job.ClaimExpiresAt < now + 310);
            JobRow row = Db.Queue("q").GetJob(id)!;
            Equal("processing", row.State);
            Equal("w", row.WorkerId);
            Equal(job.ClaimExpiresAt, row.ClaimExpiresAt!.Value);
        }

        [Test]
        public void A_job_is_settled_once()
        {
            Queue queue = Db.Queue("q");
            queue.Enqueue(1);
            Job job = queue.ClaimOne("w")!;
            True(job.Heartbeat());
            True(job.Ack());
            True(!job.Ack() && !job.Retry() && !job.Fail() && !job.Heartbeat() && !job.Release());
        }

        [Test]
        public void A_null_error_is_the_empty_text()
        {
            Queue queue = Db.Queue("q");
            queue.Enqueue(1);
            True(queue.ClaimOne("w")!.Retry(0, null));
            True(queue.ClaimOne("w")!.Fail(null));
        }

        [Test]
        public void A_released_job_has_the_same_attempt_again()
        {
            Queue queue = Db.Queue("q");
            queue.Enqueue(1);
            True(queue.ClaimOne("w")!.Release());
            Equal(1, queue.ClaimOne("w")!.Attempts);
        }

        [Test]
        public void Settling_by_id_works_without_the_job()
        {
            Queue queue = Db.Queue("q");
            long[] ids = Enumerable.Range(0, 4).Select(each => queue.Enqueue(each)).ToArray();
            queue.ClaimBatch("w", 4);
            True(queue.Ack(ids[0], "w") && !queue.Ack(ids[0], "w"));
            True(queue.Retry(ids[1], "w", 0, "again") && queue.Fail(ids[2], "w", "never"));
            True(queue.Heartbeat(ids[3], "w", 10));
            Equal(1L, queue.AckBatch(ids, "w"));
            True(queue.Cancel(ids[1]) && !queue.Cancel(ids[1]));
        }

        [Test]
        public void A_unique_key_has_one_job()
        {
            Queue queue = Db.Queue("q");
            long id = queue.Enqueue(1, new EnqueueOptions { UniqueKey = "k", Priority = 2 });
            Equal(id, queue.Enqueue(2, new EnqueueOptions { UniqueKey = "k" }));
            Equal(id, queue.Enqueue(3, new EnqueueOptions { UniqueKey = "k", OnConflict = "replace" }));
            var raising = new EnqueueOptions { UniqueKey = "k", OnConflict = "raise" };
            Equal("HONKER_UNIQUE_KEY_TAKEN", Throws<UniqueKeyTakenException>(() => queue.Enqueue(4, raising)).Code);
            Equal(3, queue.ClaimBatch("w", 9).Single().GetPayload<int>());
            Throws<InvalidArgumentException>(() => queue.Enqueue(1, new EnqueueOptions { OnConflict = "raise" }));
        }

        [Test]
        public void Many_jobs_are_added_all_or_none()
        {
            Queue queue = Db.Queue("q");
            var options = new EnqueueOptions { Priority = 5, MaxAttempts = 2, Key = "k" };
            List<long> ids = queue.EnqueueMany(new object?[] { 1, "a, b", null }, options);
            JobRow second = queue.GetJob(ids[1])!;
            Equal("\"a, b\"", second.PayloadRaw);
            Equal(5L, second.Priority);
            Equal(2, second.MaxAttempts);
            Throws<PayloadException>(() => queue.EnqueueMany(new object?[] { 1, new Action(() => { }) }));
            using (HonkerTransaction transaction = Db.BeginTransaction())
            {
                queue.EnqueueMany(new object?[] { 2 }, transaction: transaction);
            }
            Equal(3, queue.ClaimBatch("w", 9).Count);
            Equal(0, queue.EnqueueMany(new object?[0]).Count);
        }

        [Test]
        public void A_queue_obeys_its_settings()
        {
            Queue queue = Db.Queue("q");
            QueueSettings settings = queue.Configure(
                new QueueUpdate().WithConcurrency(1).WithRate(100, 0.5).WithBurst(10).WithOrdered(true));
            Equal(1, settings.Concurrency);
            Equal((100, 0.5), settings.Rate);
            Equal(true, settings.Ordered);
            Equal(10, queue.Settings().Burst);
            queue.EnqueueMany(new object?[] { 1, 2 });
            Equal(1, queue.ClaimBatch("w", 2).Count);
            Equal(null, queue.Configure(new QueueUpdate().WithConcurrency(null)).Concurrency);
            Equal(10, queue.Settings().Burst);
            Equal(1, queue.ClaimBatch("w", 2).Count);
            Throws<InvalidArgumentException>(() => queue.Configure(new QueueUpdate().WithConcurrency(0)));
        }

        [Test]
        public void A_paused_queue_hands_out_nothing()
        {
            Queue queue = Db.Queue("q");
            queue.Enqueue(1);
            True(queue.Pause());
            True(!queue.Pause());
            True(queue.ClaimOne("w") == null);
            True(queue.Resume());
            Job job = queue.ClaimOne("w")!;
            True(job.Fail("no"));
            True(queue.Requeue(job.Id));
            Equal(1, queue.ClaimOne("w")!.Attempts);
        }

        [Test]
        public void Stats_count_the_jobs_by_state()
        {
            Queue queue = Db.Queue("q");
            QueueStats empty = queue.Stats();
            True(empty.IsExact && empty.Ready == 0 && empty.PausedAt == null && empty.NextDueAt == null);
            queue.EnqueueMany(new object?[] { 1, 2, 3 });
            queue.Enqueue(4, new EnqueueOptions { DelaySeconds = 3600 });
            True(queue.ClaimOne("w")!.Fail("no"));
            Job parent = queue.ClaimOne("w")!;
            queue.Enqueue(5, new EnqueueOptions { After = new[] { parent.Id } });
            True(queue.Pause());
            QueueStats stats = queue.Stats();
            Equal((1L, 1L, 1L, 0L), (stats.Ready, stats.Delayed, stats.Processing, stats.Lapsed));
            Equal((0L, 1L, 1L), (stats.Blocked, stats.Waiting, stats.Dead));
            True(stats.OldestReadyAgeSeconds >= 0 && stats.NextDueAt > stats.PausedAt);
        }

        [Test]
        public void A_count_that_stops_is_a_lower_bound()
        {
            Queue queue = Db.Queue("q");
            queue.EnqueueMany(Enumerable.Repeat((object?)0, 10_001));
            QueueStats stats = queue.Stats();
            Equal(10_000L, stats.Ready);
            True(!stats.IsExact);
        }

        [Test]
        public void A_job_waits_for_its_parents_and_can_be_put_off()
        {
            Queue queue = Db.Queue("q");
            long parent = queue.Enqueue("parent");
            queue.Enqueue("child", new EnqueueOptions { After = new[] { parent } });
            Job first = queue.ClaimBatch("w", 9).Single();
            Equal(parent, first.Id);
            True(first.Snooze(0));
            first = queue.ClaimBatch("w", 9).Single();
            True(first.Attempts == 1 && first.Ack());
            Equal("child", queue.ClaimOne("w")!.Payload.GetString());
        }

        [Test]
        public void The_next_claim_is_when_the_delayed_job_is_due()
        {
            Queue queue = Db.Queue("q");
            Equal(0L, queue.NextClaimAt());
            queue.Enqueue(1, new EnqueueOptions { RunAtUnix = 4102444800 });
            Equal(4102444800L, queue.NextClaimAt());
        }

        [Test]
        public void An_invalid_argument_is_typed_and_names_itself()
        {
            var options = new EnqueueOptions { MaxAttempts = 0 };
            var error = Throws<InvalidArgumentException>(() => Db.Queue("q").Enqueue(1, options));
            Equal("HONKER_INVALID_ARGUMENT", error.Code);
            True(error.Message.Contains("max_attempts"), error.Message);
            Throws<InvalidArgumentException>(() => Db.Queue("").Enqueue(1));
        }

        [Test]
        public async Task Results_are_saved_read_and_waited_for()
        {
            Queue queue = Db.Queue("q");
            True(!queue.GetResult(1).Found);
            queue.GetResult<int>(1, out bool isFound);
            True(!isFound);
            Task<JsonElement> waiting = queue.WaitResult(1, TimeSpan.FromSeconds(10));
            queue.SaveResult(1, new { sum = 3 });
            Equal(3, (await waiting.ConfigureAwait(false)).GetProperty("sum").GetInt32());
            queue.SaveResult(2, 5, 3600);
            Equal(5, queue.GetResult<int>(2, out isFound));
            True(isFound);
            Task late = queue.WaitResult(9, TimeSpan.FromMilliseconds(20));
            await ThrowsAsync<TimeoutException>(late).ConfigureAwait(false);
        }

        internal sealed class Mail
        {
            public string To { get; set; } = "";

            public Kind Kind { get; set; }
        }
    }
}
