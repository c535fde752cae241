// A worker loop: claims jobs as they come, without polling, until Ctrl+C.
//
//     Worker app.db        works the queue `emails`; enqueues three jobs first, so that there is something to see
//     Worker app.db 3      ends after three jobs
using System;
using System.Threading;
using System.Threading.Tasks;
using Honker;

internal static class Worker
{
    private static async Task Main(string[] args)
    {
        using var db = Database.Open(args.Length > 0 ? args[0] : "app.db");
        long left = args.Length > 1 ? long.Parse(args[1]) : long.MaxValue;
        Queue emails = db.Queue("emails", new QueueOptions(VisibilityTimeoutSeconds: 60, MaxAttempts: 5));
        foreach (string name in new[] { "ann", "bob", "eve" })
        {
            emails.Enqueue(new Email { To = $"{name}@example.com" });
        }

        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, pressed) =>
        {
            pressed.Cancel = true;
            stop.Cancel();
        };
        try
        {
            await foreach (Job job in emails.ClaimAsync("worker-1", cancellationToken: stop.Token))
            {
                Handle(job);
                if (--left == 0)
                {
                    break;
                }
            }
        }
        catch (OperationCanceledException)
        {
            Console.WriteLine("stopped");
        }
    }

    private static void Handle(Job job)
    {
        try
        {
            Console.WriteLine($"sending to {job.GetPayload<Email>().To}, attempt {job.Attempts}");
            job.Ack();
        }
        catch (Exception error)
        {
            job.Retry(delaySeconds: 10, error: error.Message);
        }
    }

    private sealed class Email
    {
        public string To { get; set; } = "";
    }
}
