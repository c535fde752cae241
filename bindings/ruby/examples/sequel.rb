# frozen_string_literal: true

# Jobs in Sequel's own transactions.

require "honker"
require "sequel"
require "tmpdir"

Dir.mktmpdir do |folder|
  file = File.join(folder, "shop.db")
  shop = Sequel.connect(adapter: "sqlite", database: file, after_connect: Honker.sequel_after_connect)
  shop.run("PRAGMA journal_mode = WAL")
  shop.create_table(:orders) do
    primary_key :id
    String :customer
  end

  db = Honker.open(file)
  emails = db.queue("emails")

  shop.transaction(mode: :immediate) do
    id = shop[:orders].insert(customer: "alice")
    emails.enqueue({ order_id: id }, tx: shop)
    raise Sequel::Rollback
  end
  puts "rolled back: #{shop[:orders].count} orders, #{emails.stats[:ready]} jobs"

  shop.transaction(mode: :immediate) do
    id = shop[:orders].insert(customer: "bob")
    emails.enqueue({ order_id: id }, tx: shop)
  end
  puts "committed: #{shop[:orders].count} order, #{emails.stats[:ready]} job"

  db.close
  shop.disconnect
end
