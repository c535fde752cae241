# frozen_string_literal: true

# A job and the row that caused it commit together or not at all.

require "honker"
require "tmpdir"

Dir.mktmpdir do |folder|
  Honker.open(File.join(folder, "shop.db")) do |db|
    emails = db.queue("emails")
    db.db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT)")

    begin
      db.transaction do |tx|
        tx.execute("INSERT INTO orders (customer) VALUES ('alice')")
        emails.enqueue({ to: "alice" }, tx: tx)
        raise "the card was declined"
      end
    rescue RuntimeError => e
      puts "#{e.message}: #{emails.stats[:ready]} jobs"
    end

    db.transaction do |tx|
      tx.execute("INSERT INTO orders (customer) VALUES ('bob')")
      emails.enqueue_tx(tx, { to: "bob" })
    end
    puts "paid: #{emails.stats[:ready]} job"

    # The worker writes and acknowledges in one transaction, too.
    job = emails.claim_one("worker-1")
    db.transaction do |tx|
      tx.execute("UPDATE orders SET customer = upper(customer) WHERE customer = ?", [job.payload[:to]])
      tx.rollback! unless job.ack(tx: tx) # the lease was lost: another worker may have the job
    end
    puts db.db.get_first_value("SELECT customer FROM orders")
  end
end
