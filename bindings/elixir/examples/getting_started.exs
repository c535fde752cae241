path = Path.join(System.tmp_dir!(), "honker-getting-started-#{System.pid()}.db")
{:ok, db} = Honker.open(path)

# The order and its job commit together, or neither does.
{:ok, _id} =
  Honker.Transaction.transaction(db, fn tx ->
    :ok = Honker.Transaction.execute(tx, "CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL)")
    :ok = Honker.Transaction.execute(tx, "INSERT INTO orders VALUES (?, ?)", [42, 9.5])
    Honker.Queue.enqueue_tx(tx, "emails", %{order: 42})
  end)

# A worker waits without polling; here it takes the one job and ends.
{:ok, job} = Honker.Queue.next_job(db, "emails", "worker-1", timeout: 5_000)
IO.puts("mail for order #{job.payload["order"]}, attempt #{job.attempts}")
{:ok, true} = Honker.Job.ack(db, job)

:ok = Honker.close(db)
for suffix <- ["", "-wal", "-shm"], do: File.rm(path <> suffix)
