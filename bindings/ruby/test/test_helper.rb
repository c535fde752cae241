# frozen_string_literal: true

$LOAD_PATH.unshift File.expand_path("../lib", __dir__)
require "honker"
require "minitest/autorun"
require "timeout"
require "tmpdir"

# A test with a database file of its own.
class DatabaseTest < Minitest::Test
  WAIT_S = 10

  def setup
    Thread.report_on_exception = false
    @folder = Dir.mktmpdir("honker")
    @path = File.join(@folder, "app.db")
    @db = Honker::Database.new(@path)
    @logged = StringIO.new
    Honker.logger = Logger.new(@logged)
  end

  def teardown
    @db.close
    FileUtils.remove_entry(@folder)
    Honker.logger = nil
  end

  # Wait until the block is true.
  def wait_until
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + WAIT_S
    until (value = yield)
      flunk("it did not happen within #{WAIT_S} s") if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
      Thread.pass
    end
    value
  end

  # A thread that has begun to wait.
  def waiting(&block)
    thread = Thread.new(&block)
    wait_until { thread.status != "run" }
    thread
  end

  # The value of a thread, or its error.
  def value_of(thread)
    flunk("the thread did not end within #{WAIT_S} s") if thread.join(WAIT_S).nil?
    thread.value
  end

  def count(table)
    @db.db.get_first_value("SELECT count(*) FROM #{table}")
  end

  # Run Ruby in another process with an open database `db`, and return its output.
  def process(code, path: @path)
    script = "require 'honker'; db = Honker::Database.new(ARGV.fetch(0)); #{code}"
    IO.popen([RbConfig.ruby, "-I", File.expand_path("../lib", __dir__), "-e", script, path], "r+")
  end
end
