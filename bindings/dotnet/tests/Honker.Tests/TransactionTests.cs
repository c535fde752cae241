using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Honker.Tests
{
    internal sealed class TransactionTests : Case
    {
        [Test]
        public void A_commit_keeps_the_row_the_job_the_event_and_the_result()
        {
            Db.Execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT)");
            using (HonkerTransaction tx = Db.BeginTransaction())
            {
                Equal(1, tx.Execute("INSERT INTO orders (item) VALUES (@p0)", "tea"));
                Equal("tea", (string)tx.Query("SELECT item FROM orders")[0]["item"]!);
                Db.Queue("q").Enqueue(1, transaction: tx);
                Db.Stream("s").Publish("e", transaction: tx);
                Db.Queue("q").SaveResult(7, "r", transaction: tx);
                Db.Scheduler.Add(new ScheduledTask("n", "q", Schedule: "@hourly"), tx);
                tx.Notify("c", "hello");
                tx.Commit();
            }
            Equal(1L, (long)Db.Query("SELECT count(*) AS n FROM orders")[0]["n"]!);
            True(Db.Queue("q").ClaimOne("w") != null && Db.Stream("s").ReadSince(0).Count == 1);
            True(Db.Queue("q").GetResult(7).Found && Db.Scheduler.List().Count == 1);
        }

        [Test]
        public void A_transaction_that_is_disposed_without_a_commit_is_rolled_back()
        {
            using (HonkerTransaction tx = Db.BeginTransaction())
            {
                Db.Queue("q").Enqueue(1, transaction: tx);
            }
            True(Db.Queue("q").ClaimOne("w") == null);
        }

        [Test]
        public void An_error_inside_rolls_back_and_the_handle_works_on()
        {
            Throws<InvalidOperationException>(() =>
            {
                using HonkerTransaction tx = Db.BeginTransaction();
                Db.Queue("q").Enqueue(1, transaction: tx);
                throw new InvalidOperationException("the application failed");
            });
            Equal(1L, Db.Queue("other").Enqueue(2) > 0 ? 1L : 0L);
            True(Db.Queue("q").ClaimOne("w") == null);
        }

        [Test]
        public void A_failed_statement_leaves_the_transaction_open()
        {
            Db.Execute("CREATE TABLE t (n INTEGER UNIQUE)");
            using (HonkerTransaction tx = Db.BeginTransaction())
            {
                tx.Execute("INSERT INTO t VALUES (1)");
                var error = Throws<ConstraintException>(() => tx.Execute("INSERT INTO t VALUES (1)"));
                Equal("HONKER_CONSTRAINT", error.Code);
                Throws<InvalidArgumentException>(
                    () => Db.Queue("q").Enqueue(1, new EnqueueOptions { MaxAttempts = -1 }, tx));
                tx.Commit();
            }
            Equal(1, Db.Query("SELECT * FROM t").Count);
        }

        [Test]
        public void A_call_without_the_transaction_inside_it_fails_at_once()
        {
            using HonkerTransaction tx = Db.BeginTransaction();
            var clock = Stopwatch.StartNew();
            Throws<NestedTransactionException>(() => Db.Queue("q").Enqueue(1));
            Throws<NestedTransactionException>(() => Db.BeginTransaction());
            Throws<NestedTransactionException>(() => Db.Query("SELECT 1"));
            True(clock.ElapsedMilliseconds < 1000, "waited");
            Db.Queue("q").Enqueue(1, transaction: tx);
            tx.Rollback();
            Db.Queue("q").Enqueue(1);
        }

        [Test]
        public async Task The_transaction_belongs_to_its_flow_of_control_over_awaits()
        {
            using HonkerTransaction tx = Db.BeginTransaction();
            await Task.Delay(5).ConfigureAwait(false);
            await Task.Yield();
            Throws<NestedTransactionException>(() => Db.Queue("q").Enqueue(1));
            tx.Commit();
        }

        [Test]
        public async Task Another_flow_waits_for_the_end_of_the_transaction()
        {
            // A task has its own flow of control; the transaction that it begins is not this method's.
            HonkerTransaction tx = await Task.Run(() => Db.BeginTransaction()).ConfigureAwait(false);
            Task<long> other = Task.Run(() => Db.Queue("q").Enqueue(2));
            await Task.Delay(50).ConfigureAwait(false);
            True(!other.IsCompleted, "did not wait");
            long first = Db.Queue("q").Enqueue(1, transaction: tx);
            tx.Commit();
            True(await other.ConfigureAwait(false) > first);
        }

        [Test]
        public async Task A_transaction_begun_asynchronously_belongs_to_the_flow_of_its_caller()
        {
            using HonkerTransaction tx = await Db.BeginTransactionAsync().ConfigureAwait(false);
            Throws<NestedTransactionException>(() => Db.Queue("q").Enqueue(1));
            Task inside = Task.Run(() => Db.BeginTransactionAsync());
            await ThrowsAsync<NestedTransactionException>(inside).ConfigureAwait(false);
            tx.Commit();
            Db.Queue("q").Enqueue(1);
        }

        [Test]
        public async Task Waiting_for_a_transaction_blocks_no_thread_and_can_be_cancelled()
        {
            HonkerTransaction held = await Task.Run(() => Db.BeginTransaction()).ConfigureAwait(false);
            Task<HonkerTransaction>[] waiting =
                Enumerable.Range(0, 50).Select(each => Db.BeginTransactionAsync()).ToArray();
            using var stop = new CancellationTokenSource();
            Task<HonkerTransaction> cancelled = Db.BeginTransactionAsync(stop.Token);
            stop.Cancel();
            await ThrowsAsync<OperationCanceledException>(cancelled).ConfigureAwait(false);
            held.Dispose();
            foreach (Task<HonkerTransaction> each in waiting)
            {
                (await each.ConfigureAwait(false)).Dispose();
            }
            Db.Queue("q").Enqueue(1);
        }

        [Test]
        public void An_ended_transaction_says_so()
        {
            HonkerTransaction tx = Db.BeginTransaction();
            tx.Commit();
            Throws<HonkerClosedException>(() => tx.Execute("SELECT 1"));
            Throws<HonkerClosedException>(tx.Commit);
            Throws<HonkerClosedException>(tx.Rollback);
            Throws<HonkerClosedException>(() => Db.Queue("q").Enqueue(1, transaction: tx));
            tx.Dispose();
            tx.Dispose();
        }

        [Test]
        public void A_transaction_that_a_statement_has_ended_says_so()
        {
            using (HonkerTransaction tx = Db.BeginTransaction())
            {
                tx.Execute("ROLLBACK");
                Throws<HonkerClosedException>(() => Db.Queue("q").Enqueue(1, transaction: tx));
                Throws<HonkerClosedException>(tx.Commit);
            }
            Db.Queue("q").Enqueue(1);
        }

        [Test]
        public void A_transaction_of_another_file_is_refused()
        {
            using Database other = Database.Open(Path + "2");
            using HonkerTransaction tx = other.BeginTransaction();
            var error = Throws<InvalidArgumentException>(() => Db.Queue("q").Enqueue(1, transaction: tx));
            True(error.Message.Contains(Path) && error.Message.Contains(Path + "2"), error.Message);
        }

        [Test]
        public void A_lock_of_another_connection_is_a_busy_error()
        {
            using Database other = Database.Open(Path);
            Db.Execute("PRAGMA busy_timeout = 20");
            using HonkerTransaction tx = other.BeginTransaction();
            var error = Throws<DatabaseBusyException>(() => Db.Queue("q").Enqueue(1));
            True(error.Code == "HONKER_BUSY" && error.IsTransient && (error.SqliteCode & 0xff) == 5);
            // An error of SQLite itself has no code in its message.
            Throws<DatabaseBusyException>(() => Db.BeginTransaction());
        }

        [Test]
        public void Sql_takes_and_gives_every_type()
        {
            byte[] bytes = { 0, 1, 255 };
            Dictionary<string, object?> row = Db.Query(
                "SELECT @p0 AS a, @p1 AS b, @p2 AS c, @p3 AS d, @p4 AS e, @p5 AS f",
                null, 5, 1.5, "x\0y", bytes, true)[0];
            True(row["a"] == null && (long)row["b"]! == 5 && (double)row["c"]! == 1.5 && (long)row["f"]! == 1);
            Equal("x\0y", (string)row["d"]!);
            Equal("0001FF", BitConverter.ToString((byte[])row["e"]!).Replace("-", ""));
            Equal("", (string)Db.Query("SELECT @p0 AS e", "")[0]["e"]!);
            Throws<InvalidArgumentException>(() => Db.Query("SELECT @p0", new object()));
            Throws<InvalidArgumentException>(() => Db.Query("SELECT @p0, @p1", 1));
            Db.Execute("CREATE TABLE t (n); INSERT INTO t VALUES (1), (2); -- two statements");
            Equal(2, Db.Execute("UPDATE t SET n = n + ?", 1));
            Equal("HONKER_SQLITE", Throws<DatabaseException>(() => Db.Execute("SELEKT")).Code);
        }
    }
}
