// An order and the job that confirms it commit together, or not at all.
using System;
using Honker;

internal static class AtomicEnqueue
{
    private static void Main(string[] args)
    {
        using var db = Database.Open(args.Length > 0 ? args[0] : "shop.db");
        db.Execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)");
        Queue confirmations = db.Queue("confirmations");

        using (HonkerTransaction tx = db.BeginTransaction())
        {
            tx.Execute("INSERT INTO orders (item) VALUES (@p0)", "tea");
            confirmations.Enqueue(new { item = "tea" }, transaction: tx);
            tx.Commit();
        }

        try
        {
            using HonkerTransaction tx = db.BeginTransaction();
            tx.Execute("INSERT INTO orders (item) VALUES (@p0)", "coffee");
            confirmations.Enqueue(new { item = "coffee" }, transaction: tx);
            throw new InvalidOperationException("the payment failed");
        }
        catch (InvalidOperationException error)
        {
            Console.WriteLine($"rolled back: {error.Message}");
        }

        foreach (Job job in confirmations.ClaimBatch("worker-1", 10))
        {
            Console.WriteLine($"confirming {job.Payload.GetProperty("item").GetString()}");
            job.Ack();
        }
    }
}
