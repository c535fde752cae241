# frozen_string_literal: true

# A consumer that keeps a total, and saves its offset in the transaction of the total: each event counts once.

require "honker"
require "tmpdir"

Dir.mktmpdir do |folder|
  Honker.open(File.join(folder, "shop.db")) do |db|
    orders = db.stream("orders")
    db.db.execute("CREATE TABLE totals (customer TEXT PRIMARY KEY, cents INTEGER)")
    [["alice", 500], ["bob", 250], ["alice", 100]].each do |customer, cents|
      orders.publish_with_key(customer, { cents: cents })
    end

    subscription = orders.subscribe("totals")
    while (event = subscription.next(timeout: 0))
      db.transaction do |tx|
        tx.execute("INSERT INTO totals VALUES (?, ?) ON CONFLICT DO UPDATE SET cents = cents + excluded.cents",
                   [event.key, event.payload[:cents]])
        subscription.save_offset(tx: tx)
      end
    end
    db.db.execute("SELECT customer, cents FROM totals ORDER BY customer") { |row| puts row.join(": ") }
    subscription.close
  end
end
