# A job exists exactly if the row exists for which it was enqueued.
path = Path.join(System.tmp_dir!(), "honker-atomic-enqueue-#{System.pid()}.db")
{:ok, db} = Honker.open(path)

place = fn id, total ->
  Honker.Transaction.transaction(db, fn tx ->
    :ok = Honker.Transaction.execute(tx, "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, total REAL)")
    :ok = Honker.Transaction.execute(tx, "INSERT INTO orders VALUES (?, ?)", [id, total])
    {:ok, _id} = Honker.Queue.enqueue_tx(tx, "emails", %{order: id})
    if total > 0, do: {:ok, id}, else: {:error, :nothing_to_pay}
  end)
end

{:ok, 1} = place.(1, 9.5)
{:error, :nothing_to_pay} = place.(2, 0)

{:ok, [job]} = Honker.Queue.claim_batch(db, "emails", "worker-1", 10)
IO.puts("one job, for order #{job.payload["order"]}")
{:ok, true} = Honker.Job.ack(db, job)
:ok = Honker.close(db)
for suffix <- ["", "-wal", "-shm"], do: File.rm(path <> suffix)
