// Getting started: enqueue a job, claim it, do the work, acknowledge it.
using System;
using Honker;

internal static class GettingStarted
{
    private static void Main()
    {
        using var db = Database.Open("app.db");
        Queue emails = db.Queue("emails");

        emails.Enqueue(new { to = "alice@example.com", subject = "Welcome" });

        Job? job = emails.ClaimOne("worker-1");
        if (job != null)
        {
            Console.WriteLine($"sending to {job.Payload.GetProperty("to").GetString()}");
            job.Ack();
        }
    }
}
