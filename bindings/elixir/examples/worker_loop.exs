# A worker under a supervisor, and a producer beside it.
path = Path.join(System.tmp_dir!(), "honker-worker-loop-#{System.pid()}.db")
main = self()

defmodule Mailer do
  def deliver(%Honker.Job{payload: %{"to" => "unknown"}}), do: {:fail, "there is no such address"}
  def deliver(%Honker.Job{payload: %{"to" => to}}), do: IO.puts("mail to #{to}")
end

children = [
  {Honker, path: path, name: Example.Honker},
  {Honker.Worker,
   db: Example.Honker,
   queue: "emails",
   concurrency: 2,
   handler: fn job ->
     result = Mailer.deliver(job)
     send(main, :done)
     result
   end}
]

{:ok, supervisor} = Supervisor.start_link(children, strategy: :rest_for_one)

db = Honker.database(Example.Honker)
for to <- ["ann", "bob", "unknown"], do: {:ok, _id} = Honker.Queue.enqueue(db, "emails", %{to: to})
for _ <- 1..3, do: receive(do: (:done -> :ok))

# The worker settles its jobs before it ends.
Supervisor.stop(supervisor)
{:ok, db} = Honker.open(path)
{:ok, %{"dead" => 1, "ready" => 0}} = Honker.Queue.stats(db, "emails")
IO.puts("two mails sent, one dead letter")
:ok = Honker.close(db)
for suffix <- ["", "-wal", "-shm"], do: File.rm(path <> suffix)
