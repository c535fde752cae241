# frozen_string_literal: true

# A worker that ends with Control-C or SIGTERM. Start several of them, and enqueue in another process:
#
#   ruby worker_loop.rb shop.db

require "honker"

stop = Honker::Stop.new
trap("INT") { stop.stop! }
trap("TERM") { stop.stop! }

Honker.open(ARGV.fetch(0, "shop.db")) do |db|
  puts "waiting for emails"
  $stdout.flush
  # Waits without polling. A job whose block raises is tried again a minute later.
  db.queue("emails").work("worker-#{Process.pid}", stop: stop) do |job|
    puts "send an email to #{job.payload[:to]}"
    $stdout.flush
  end
end
puts "stopped"
