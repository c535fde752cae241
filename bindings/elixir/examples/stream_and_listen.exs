# A stream keeps its events for each consumer; a notification reaches the listeners of the moment.
path = Path.join(System.tmp_dir!(), "honker-stream-#{System.pid()}.db")
{:ok, db} = Honker.open(path)

{:ok, listener} = Honker.listen(db, "orders")
ref = Honker.Listener.request(listener)

for id <- 1..3, do: {:ok, _offset} = Honker.Stream.publish(db, "orders", %{id: id}, key: "customer #{id}")
{:ok, _id} = Honker.notify(db, "orders", "three orders")

receive do
  {:honker_item, ^ref, {:ok, notification}} -> IO.puts("notified: #{notification.payload}")
end

{:ok, subscription} = Honker.Stream.subscribe(db, "orders", "mailer")

for event <- subscription |> Honker.Subscription.stream() |> Enum.take(3) do
  IO.puts("event #{event.offset} of #{event.key}: order #{event.payload["id"]}")
end

:ok = Honker.close(db)
for suffix <- ["", "-wal", "-shm"], do: File.rm(path <> suffix)
