// A stream with a consumer, a schedule, a listener, a lock and a rate limit.
using System;
using System.Threading;
using System.Threading.Tasks;
using Honker;

internal static class StreamAndSchedule
{
    private static async Task Main(string[] args)
    {
        using var db = Database.Open(args.Length > 0 ? args[0] : "app.db");
        await ReadEvents(db);
        await FireSchedule(db);

        using (db.Lock("reports", ttl: 60))
        {
            Console.WriteLine($"locked; allowed: {db.TryRateLimit("api", limit: 10, perSeconds: 60)}");
        }
    }

    private static async Task ReadEvents(Database db)
    {
        Stream orders = db.Stream("orders");
        orders.Publish(new { item = "tea" }, key: "ann");
        await foreach (Event each in orders.Subscribe(consumer: "billing"))
        {
            Console.WriteLine($"event {each.Offset}: {each.Payload.GetProperty("item").GetString()}");
            break;
        }
    }

    private static async Task FireSchedule(Database db)
    {
        db.Scheduler.Add(new ScheduledTask(
            Name: "cleanup", Queue: "chores", Payload: new { kind = "cleanup" }, Schedule: Schedules.EverySeconds(1)));
        using var stop = new CancellationTokenSource();
        Task running = db.Scheduler.RunAsync("scheduler-1", stop.Token);
        await foreach (Job job in db.Queue("chores").ClaimAsync("worker-1"))
        {
            Console.WriteLine($"scheduled: {job.Payload.GetProperty("kind").GetString()}");
            job.Ack();
            break;
        }
        stop.Cancel();
        await running;
        db.Scheduler.Remove("cleanup");
    }
}
