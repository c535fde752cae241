# frozen_string_literal: true

# Jobs in ActiveRecord's own transactions, on its own connection. Rails does the first steps by itself: the gem has a
# railtie.

require "active_record"
require "honker/active_record"
require "tmpdir"

# An order of the shop.
class Order < ActiveRecord::Base
end

Dir.mktmpdir do |folder|
  file = File.join(folder, "shop.db")
  ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: file, timeout: 5000)
  connection = ActiveRecord::Base.connection
  connection.execute("PRAGMA journal_mode = WAL")
  connection.create_table(:orders) { |table| table.string :customer }
  Honker.bootstrap(connection)

  # The handle waits and claims; jobs of requests are enqueued on ActiveRecord's connection.
  db = Honker.open(file)
  emails = db.queue("emails")

  Order.transaction do
    order = Order.create!(customer: "alice")
    emails.enqueue({ order_id: order.id }, tx: Order.connection)
    raise ActiveRecord::Rollback
  end
  puts "rolled back: #{Order.count} orders, #{emails.stats[:ready]} jobs"

  Order.transaction do
    order = Order.create!(customer: "bob")
    emails.enqueue({ order_id: order.id }, tx: Order.connection)
  end
  puts "committed: #{Order.count} order, #{emails.stats[:ready]} job"

  job = emails.claim_one("worker-1")
  Order.transaction do
    order = Order.find(job.payload[:order_id])
    order.update!(customer: order.customer.upcase)
    raise ActiveRecord::Rollback unless job.ack(tx: Order.connection)
  end
  puts Order.first.customer

  db.close
  ActiveRecord::Base.remove_connection
end
