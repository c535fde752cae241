# frozen_string_literal: true

require_relative "test_helper"
require "open3"

# ActiveRecord's connections and the railtie, in processes of their own.
class TestRails < DatabaseTest
  CONNECT = <<~RUBY
    ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: ARGV.fetch(0), timeout: 5000, pool: 3)
  RUBY

  def test_every_connection_of_the_pool_has_the_engine
    assert_equal "[1, 1]\n", run_rails(<<~RUBY)
      require "active_record"
      require "honker/active_record"
      #{CONNECT}
      use = proc { ActiveRecord::Base.connection.select_value("SELECT honker_cron_next_after('@hourly', 0) > 0") }
      puts [use.call, Thread.new(&use).value].inspect
    RUBY
  end

  def test_a_transaction_that_activerecord_has_put_off_carries_the_job
    assert_equal "0\n1\n", run_rails(<<~RUBY)
      require "active_record"
      require "honker/active_record"
      #{CONNECT}
      queue = Honker.open(ARGV.fetch(0)).queue("q")
      [ActiveRecord::Rollback, nil].each do |error|
        ActiveRecord::Base.transaction do
          queue.enqueue(1, tx: ActiveRecord::Base.connection)
          raise error if error
        end
        puts queue.stats[:ready]
      end
    RUBY
  end

  def test_the_railtie_loads_the_engine_and_creates_the_tables
    @path = File.join(@folder, "rails.db")
    assert_equal "1\n", run_rails(<<~RUBY)
      ENV["DATABASE_URL"] = "sqlite3:" + ARGV.fetch(0)
      require "rails"
      require "active_record/railtie"
      require "honker"
      class Shop < Rails::Application
        config.eager_load = false
        config.logger = Logger.new(nil)
        config.root = File.dirname(ARGV.fetch(0))
      end
      Shop.initialize!
      puts ActiveRecord::Base.connection.select_value("SELECT honker_enqueue('q', '1', NULL, NULL, 0, 3, NULL)")
    RUBY
  end

  private

  def run_rails(code)
    output, status = Open3.capture2e(RbConfig.ruby, "-I", File.expand_path("../lib", __dir__), "-e", code, @path)
    skip "not installed: #{output[/cannot load such file -- (\S+)/, 1]}" if output.include?("cannot load such file")
    assert_predicate status, :success?, output
    output
  end
end
