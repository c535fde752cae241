# frozen_string_literal: true

require "English"
require "minitest/autorun"
require "open3"
require "rbconfig"
require "tmpdir"

# Runs the programs of `examples/` and of the README.
class TestExamples < Minitest::Test
  ROOT = File.expand_path("..", __dir__)

  def test_getting_started
    assert_equal "send an email to alice\n", run_ruby("getting_started")
  end

  def test_the_readme_shows_the_getting_started_program
    shown = File.read(File.join(ROOT, "README.md"))[/```ruby\n(require "honker".*?)```/m, 1]
    program = File.read(File.join(ROOT, "examples", "getting_started.rb"))
    assert_equal program.delete_prefix("# frozen_string_literal: true\n\n"), shown
  end

  def test_atomic_enqueue
    assert_equal "the card was declined: 0 jobs\npaid: 1 job\nBOB\n", run_ruby("atomic_enqueue")
  end

  def test_stream_consumer
    assert_equal "alice: 600\nbob: 250\n", run_ruby("stream_consumer")
  end

  def test_active_record
    skip "ActiveRecord is not installed" unless library?("active_record")
    assert_equal "rolled back: 0 orders, 0 jobs\ncommitted: 1 order, 1 job\nBOB\n", run_ruby("active_record")
  end

  def test_sequel
    skip "Sequel is not installed" unless library?("sequel")
    assert_equal "rolled back: 0 orders, 0 jobs\ncommitted: 1 order, 1 job\n", run_ruby("sequel")
  end

  def test_worker_loop
    Dir.mktmpdir do |folder|
      worker = IO.popen([*ruby, path("worker_loop"), "shop.db"], chdir: folder)
      assert_equal "waiting for emails\n", worker.gets
      system(*ruby, "-rhonker", "-e", "Honker.open('shop.db') { |db| db.queue('emails').enqueue({ to: 'bob' }) }",
             chdir: folder, exception: true)
      assert_equal "send an email to bob\n", worker.gets
      Process.kill("INT", worker.pid)
      assert_equal "stopped\n", worker.gets
      worker.close
      assert_predicate $CHILD_STATUS, :success?
    end
  end

  private

  def ruby
    [RbConfig.ruby, "-I", File.join(ROOT, "lib")]
  end

  def path(name)
    File.join(ROOT, "examples", "#{name}.rb")
  end

  def library?(name)
    !Gem::Specification.find_all_by_name(name.delete("_")).empty? || system(*ruby, "-r", name, "-e", "", err: :close)
  end

  def run_ruby(name)
    Dir.mktmpdir do |folder|
      output, status = Open3.capture2e(*ruby, path(name), chdir: folder)
      assert_predicate status, :success?, output
      output
    end
  end
end
