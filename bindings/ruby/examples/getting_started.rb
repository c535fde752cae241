# frozen_string_literal: true

require "honker"

db = Honker.open("shop.db")
emails = db.queue("emails")
db.db.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer TEXT)")

# The job exists if and only if the order does.
db.transaction do |tx|
  tx.execute("INSERT INTO orders (customer) VALUES (?)", ["alice"])
  emails.enqueue({ to: "alice" }, tx: tx)
end

job = emails.claim_one("worker-1")
puts "send an email to #{job.payload[:to]}"
job.ack

db.close
