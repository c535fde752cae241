# frozen_string_literal: true

require_relative "lib/honker/version"

Gem::Specification.new do |spec|
  spec.name = "honker"
  spec.version = Honker::VERSION
  spec.summary = "Durable job queues, streams, notifications and schedules inside your SQLite file"
  spec.description = <<~TEXT
    A job commits in the same transaction as the row that caused it, and a worker in another process wakes within
    milliseconds. Queues, event streams, notify/listen, a scheduler, locks, rate limits, results and outboxes, over the
    sqlite3 gem. No broker and no daemon.
  TEXT
  spec.authors = ["The honker authors"]
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.0"
  spec.metadata = { "rubygems_mfa_required" => "true" }

  # A gem with the library belongs to one platform.
  libraries = Dir["lib/honker/*.{so,dylib,dll}"]
  spec.platform = Gem::Platform::CURRENT unless libraries.empty?
  spec.files = Dir["lib/**/*.rb", "sig/**/*.rbs", "examples/*.rb", ".yardopts", "LICENSE", "README.md"] + libraries
  spec.require_paths = ["lib"]

  spec.add_dependency "sqlite3", ">= 1.4.2"
end
