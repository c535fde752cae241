# frozen_string_literal: true

require_relative "test_helper"

class TestQueue < DatabaseTest
  def setup
    super
    @queue = @db.queue("emails")
  end

  def test_a_payload_is_readable_by_symbols_and_strings
    @queue.enqueue({ to: "ann", "address" => { city: "Oslo" }, list: [{ n: 1 }] })
    payload = @queue.claim_one("w").payload
    assert_equal({ "to" => "ann", "address" => { "city" => "Oslo" }, "list" => [{ "n" => 1 }] }, payload)
    assert_equal %w[ann ann], [payload[:to], payload["to"]]
    assert_equal "Oslo", payload.dig(:address, :city)
    assert_equal 1, payload[:list].first[:n]
    assert_equal "ann", payload.fetch(:to)
    assert_raises(KeyError) { payload.fetch(:unknown) }
    assert payload.key?(:to)
    assert_equal({ "to" => "ann" }, payload.slice(:to))
  end

  def test_a_payload_matches_patterns_with_symbols
    @queue.enqueue({ to: "ann", n: 3 })
    case @queue.claim_one("w").payload
    in { to: String => to, n: Integer => n }
      assert_equal ["ann", 3], [to, n]
    end
  end

  def test_payloads_of_every_kind_come_back
    payloads = [nil, true, 12, -0.5, "zero \u0000 emoji 😀", [1, [nil]], {}, "x" * 1_000_000, 2**62]
    payloads.each { |each| @queue.enqueue(each) }
    assert_equal payloads, @queue.claim_batch("w", 20).map(&:payload)
  end

  def test_a_payload_without_a_json_form_is_refused
    recursive = []
    recursive << recursive
    [Float::NAN, "\xff", "\xff".b, { a: Float::INFINITY }, recursive].each do |payload|
      error = assert_raises(Honker::InvalidArgumentError) { @queue.enqueue(payload) }
      assert_equal "HONKER_INVALID_ARGUMENT", error.code
    end
    assert_equal 0, count("_honker_live")
  end

  def test_a_payload_that_is_not_json_fails_when_it_is_read
    @db.one("SELECT honker_enqueue('emails', 'no json', NULL, NULL, 0, 3, NULL)")
    job = @queue.claim_one("w")
    assert_equal "no json", job.payload_text
    assert_raises(Honker::UnreadablePayloadError) { job.payload }
  end

  def test_run_at_takes_times
    @queue.enqueue(1, run_at: Time.now + 3600)
    @queue.enqueue(2, run_at: Time.now - 3600)
    @queue.enqueue(3, delay: Rational(3600, 1))
    assert_equal [2], @queue.claim_batch("w", 5).map(&:payload)
  end

  def test_arguments_of_a_wrong_type_are_refused
    [{ delay: "soon" }, { delay: Float::NAN }, { priority: 2**70 }, { run_at: Object.new },
     { expires: 10**30 }].each do |options|
      assert_raises(Honker::InvalidArgumentError, options.inspect) { @queue.enqueue(1, **options) }
    end
    assert_raises(Honker::InvalidArgumentError) { @db.queue("").enqueue(1) }
    assert_raises(Honker::InvalidArgumentError) { @db.queue("a\0b").enqueue(1) }
    assert_raises(ArgumentError) { @queue.enqueue(1, delya: 3) }
    assert_equal 0, count("_honker_live")
  end

  def test_names_in_other_encodings_are_text
    @db.queue("caf\u00e9".encode("ISO-8859-1")).enqueue(1)
    @db.queue("caf\u00e9".b).enqueue(2)
    @db.queue(:café).enqueue(3)
    assert_equal [1, 2, 3], @db.queue("café").claim_batch("w", 5).map(&:payload)
  end

  def test_a_unique_key_has_one_job
    first = @queue.enqueue(1, unique_key: "k")
    assert_equal first, @queue.enqueue(2, unique_key: "k")
    error = assert_raises(Honker::UniqueKeyTakenError) { @queue.enqueue(3, unique_key: "k", on_conflict: "raise") }
    assert_equal "HONKER_UNIQUE_KEY_TAKEN", error.code
    refute error.retryable?
  end

  def test_jobs_wait_for_their_parents
    parent, other = @queue.enqueue_many([1, 2])
    child = @queue.enqueue(3, after: [parent, other])
    jobs = @queue.claim_batch("w", 5)
    assert_equal [parent, other], jobs.map(&:id)
    assert_equal 2, @queue.ack_batch(jobs, "w")
    assert_equal child, @queue.claim_one("w").id
  end

  def test_settings_and_pauses_of_a_queue
    assert_equal 1, @queue.configure(concurrency: 1)[:concurrency]
    @queue.enqueue_many([1, 2])
    assert_equal 1, @queue.claim_batch("w", 5).size
    assert @queue.pause(reason: "upgrade")
    refute @queue.pause
    assert @queue.resume
    assert_equal 1, @queue.stats[:processing]
  end

  def test_a_job_is_settled_once
    @queue.enqueue(1)
    job = @queue.claim_one("w")
    assert job.heartbeat
    assert job.progress(0.5, note: "half")
    refute job.settled?
    assert job.retry(delay_s: 0, error: RuntimeError.new("smtp \xff".b))
    assert job.settled?
    refute job.ack
    again = @queue.claim_one("w")
    assert_equal [2, "RuntimeError: smtp \ufffd"], [again.attempts, again.last_error]
    assert again.release
    assert_equal 2, @queue.claim_one("w").attempts
  end

  def test_an_error_of_nil_is_empty
    @queue.enqueue(1)
    assert @queue.claim_one("w").fail(error: nil)
    assert_equal "", @db.db.get_first_value("SELECT last_error FROM _honker_dead")
  end

  def test_a_requeued_dead_letter_has_all_its_attempts
    id = @queue.enqueue(1, unique_key: "k")
    refute @queue.requeue(id)
    assert @queue.claim_one("w").fail(error: "no")
    refute @db.queue("other").requeue(id)
    assert @queue.requeue(id)
    job = @queue.claim_one("w")
    assert_equal [id, 1], [job.id, job.attempts]
    assert job.fail(error: "no")
    @queue.enqueue(2, unique_key: "k")
    assert_raises(Honker::UniqueKeyTakenError) { @queue.requeue(id) }
  end

  def test_a_requeue_commits_with_its_transaction
    id = @queue.enqueue(1)
    assert @queue.claim_one("w").fail(error: "no")
    assert_raises(RuntimeError) do
      @db.transaction do |tx|
        assert @queue.requeue(id, tx: tx)
        raise "undo"
      end
    end
    assert_nil @queue.claim_one("w")
  end

  def test_get_job_returns_a_row
    id = @queue.enqueue({ n: 1 }, priority: 2)
    row = @queue.get_job(id)
    assert_equal [id, "pending", 2, '{"n":1}'], row.values_at(:id, :state, :priority, :payload)
    assert_nil @db.queue("other").get_job(id)
    assert @queue.cancel(id)
    assert_nil @queue.get_job(id)
  end

  def test_two_threads_share_one_handle
    ids = 4.times.map { |thread| Thread.new { 50.times.map { |n| @queue.enqueue([thread, n]) } } }.flat_map(&:value)
    assert_equal 200, ids.uniq.size
    claimed = 4.times.map do |thread|
      Thread.new do
        found = []
        while (job = @queue.claim_one("w#{thread}"))
          found << job.id if job.ack
        end
        found
      end
    end
    assert_equal ids.sort, claimed.flat_map(&:value).sort
  end
end
