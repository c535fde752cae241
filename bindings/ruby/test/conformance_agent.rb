# frozen_string_literal: true

# The agent of the Ruby binding for the conformance suite; conformance/README.md has the protocol.

$LOAD_PATH.unshift File.expand_path("../lib", __dir__)
require "honker"
require "json"

# Ends a wait, as Timeout does: by Thread#raise.
class Cancelled < Exception; end # rubocop:disable Lint/InheritException

# A transaction that stays open between calls: a thread holds it, and runs the calls inside.
class OpenTransaction
  END_OF = { commit: ->(_tx) {}, rollback: lambda(&:rollback!) }.freeze

  def initialize(database)
    @calls = Thread::Queue.new
    @answers = Thread::Queue.new
    @thread = Thread.new do
      Thread.current.report_on_exception = false
      database.transaction { |tx| serve(tx) }
    end
    run { nil }
  end

  def run(&call)
    @calls << call
    kind, value = @answers.pop
    kind == :error ? raise(value) : value
  end

  def finish(how)
    @calls << END_OF.fetch(how)
    @calls.close
    @thread.join
    nil
  end

  private

  def serve(transaction)
    loop do
      call = @calls.pop
      break call.call(transaction) if END_OF.value?(call)

      @answers << attempt(call, transaction)
    end
  end

  def attempt(call, transaction)
    [:value, call.call(transaction)]
  rescue StandardError => e
    [:error, e]
  end
end

# An outbox that keeps the payloads that it delivers.
class KeepingOutbox
  attr_reader :delivered, :made

  def initialize(database, name:, **options)
    @delivered = []
    @made = database.outbox(name, method(:deliver), **options)
  end

  def deliver(payload)
    raise "refused" if payload.is_a?(Hash) && payload[:refuse]

    @delivered << payload
  end
end

# The stored objects, and a method for each call, named after the kind of its object.
class Agent
  KINDS = {
    Honker::Database => "database", OpenTransaction => "transaction", Honker::Queue => "queue", Honker::Job => "job",
    Honker::Lock => "lock", Honker::Stream => "stream", Honker::Scheduler => "scheduler", KeepingOutbox => "outbox",
    Honker::Listener => "waiting", Honker::Subscription => "waiting"
  }.freeze
  JOB_FIELDS = %i[id queue payload worker_id attempts].freeze
  EVENT_FIELDS = %i[offset topic key payload created_at].freeze
  NOTIFICATION_FIELDS = %i[id channel payload].freeze
  SQL_TYPES = { Integer => "integer", Float => "real", NilClass => "null" }.freeze

  def initialize
    @objects = {}
    @threads = {}
    @output = Mutex.new
  end

  def serve(input)
    input.each_line do |line|
      request = JSON.parse(line, symbolize_names: true, max_nesting: false)
      if request[:background]
        @threads[request[:id]] = start { write(request[:id], answer(request)) }
      else
        write(request[:id], answer(request))
      end
    end
  end

  private

  # A thread that takes a cancellation only within its call.
  def start(&block)
    Thread.handle_interrupt(Cancelled => :never) { Thread.new(&block) }
  end

  # A cancellation that comes after the call has ended is dropped.
  def answer(request)
    Thread.handle_interrupt(Cancelled => :never) do
      value = Thread.handle_interrupt(Cancelled => :immediate) { call(request) }
      store(request[:as], value)
      found = { value: plain(value) }
      found[:cancelled] = true if request[:call] == "work"
      found
    end
  rescue Cancelled
    { value: nil, cancelled: true }
  rescue StandardError => e
    { error: { code: e.respond_to?(:code) ? e.code : e.class.name, message: e.message } }
  end

  def call(request)
    target = @objects[request[:on]]
    name = [request[:on] && KINDS.fetch(target.class), request[:call]].compact.join("_")
    args = request[:args]
    transaction = args[:tx] && @objects.fetch(args[:tx])
    return send(name, target, **args) if transaction.nil?

    transaction.run { |tx| send(name, target, **args, tx: tx) }
  end

  def store(name, value)
    return if name.nil?

    @objects[name] = value
    value.each_with_index { |each, index| @objects["#{name}.#{index}"] = each } if value.is_a?(Array)
  end

  def plain(value)
    case value
    when Honker::Job then JOB_FIELDS.to_h { |field| [field, value.public_send(field)] }
    when Honker::StreamEvent then EVENT_FIELDS.to_h { |field| [field, value[field]] }
    when Honker::Notification then NOTIFICATION_FIELDS.to_h { |field| [field, value[field]] }
    when Array then value.map { |each| plain(each) }
    when Hash, String, Integer, Float, true, false, nil then value
    else true
    end
  end

  def write(id, answer)
    line = JSON.generate({ id: id, **answer, at: Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond) },
                         max_nesting: 0)
    @output.synchronize do
      $stdout.write(line, "\n")
      $stdout.flush
    end
  end

  # ------------------------------------------------------------------------------------------------------- database

  def open(_, path:)
    Honker::Database.new(path)
  end

  def cancel(_, call:)
    @threads.fetch(call).raise(Cancelled)
    nil
  end

  def database_close(database)
    database.close
  end

  def database_sql(database, sql:, tx: nil)
    rows = tx ? tx.execute(sql) : database.db.execute(sql)
    return if rows.empty?

    value = rows.first.first
    type = SQL_TYPES[value.class] || (value.encoding == Encoding::BINARY ? "blob" : "text")
    { type: type, value: type == "blob" ? value.unpack1("H*") : value }
  end

  def database_begin(database)
    OpenTransaction.new(database)
  end

  def database_queue(database, name:, **options)
    database.queue(name, **options)
  end

  def database_stream(database, name:)
    database.stream(name)
  end

  def database_scheduler(database)
    database.scheduler
  end

  def database_outbox(database, **options)
    KeepingOutbox.new(database, **options)
  end

  def database_notify(database, channel:, payload:, tx: nil)
    tx ? database.notify_tx(tx, channel, payload) : database.notify(channel, payload)
  end

  def database_listen(database, channel:)
    database.listen(channel)
  end

  def database_try_lock(database, name:, **options)
    database.try_lock(name, **options) || false
  end

  def database_try_rate_limit(database, name:, limit:, per_s:)
    database.try_rate_limit(name, limit: limit, per: per_s)
  end

  def database_save_result(database, job_id:, value:, **options)
    database.save_result(job_id, value, **options)
  end

  def database_get_result(database, job_id:)
    database.get_result(job_id)
  end

  def database_wait_result(database, job_id:, **options)
    database.wait_result(job_id, **options)
  end

  # ---------------------------------------------------------------------------------------------------- transaction

  def transaction_execute(transaction, sql:)
    transaction.run { |tx| tx.execute(sql) }
    nil
  end

  def transaction_commit(transaction)
    transaction.finish(:commit)
  end

  def transaction_rollback(transaction)
    transaction.finish(:rollback)
  end

  # ---------------------------------------------------------------------------------------------------------- queue

  def queue_enqueue(queue, payload:, tx: nil, **options)
    tx ? queue.enqueue_tx(tx, payload, **options) : queue.enqueue(payload, **options)
  end

  def queue_claim_one(queue, worker:)
    queue.claim_one(worker)
  end

  def queue_claim_batch(queue, worker:, n:)
    queue.claim_batch(worker, n)
  end

  # Waits until a commit: no look in between would find the job.
  def queue_next_job(queue, worker:)
    claims = queue.claim(worker, idle_poll_s: nil)
    claims.next
  ensure
    claims&.close
  end

  def queue_ack_batch(queue, ids:, worker:)
    queue.ack_batch(ids, worker)
  end

  def queue_cancel_job(queue, id:)
    queue.cancel(id)
  end

  def queue_get_job(queue, id:)
    queue.get_job(id)
  end

  def queue_sweep_expired(queue)
    queue.sweep_expired
  end

  def queue_work(queue, worker:)
    done = []
    queue.claim(worker, idle_poll_s: nil) do |job|
      Thread.handle_interrupt(Cancelled => :never) { done << job.id if job.ack }
    end
  rescue Cancelled
    done
  end

  def job_ack(job)
    job.ack
  end

  def job_retry(job, **options)
    job.retry(**options)
  end

  def job_fail(job, **options)
    job.fail(**options)
  end

  def job_heartbeat(job, **options)
    job.heartbeat(**options)
  end

  def lock_release(lock)
    lock.release
  end

  def lock_heartbeat(lock, **options)
    lock.heartbeat(**options)
  end

  # ---------------------------------------------------------------------------------------------- streams, listeners

  def stream_publish(stream, payload:, key: nil, tx: nil)
    return stream.publish_tx(tx, payload, key: key) if tx

    key ? stream.publish_with_key(key, payload) : stream.publish(payload)
  end

  def stream_read_since(stream, offset:, limit:)
    stream.read_since(offset, limit)
  end

  def stream_read_from_consumer(stream, consumer:, limit:)
    stream.read_from_consumer(consumer, limit)
  end

  def stream_save_offset(stream, consumer:, offset:, tx: nil)
    tx ? stream.save_offset_tx(tx, consumer, offset) : stream.save_offset(consumer, offset)
  end

  def stream_get_offset(stream, consumer:)
    stream.get_offset(consumer)
  end

  def stream_subscribe(stream, consumer:, **options)
    stream.subscribe(consumer, **options, save_every_s: 0)
  end

  def waiting_next(waiting)
    waiting.next
  end

  def waiting_close(waiting)
    waiting.close
  end

  # -------------------------------------------------------------------------------------------- schedules, outboxes

  def scheduler_add(scheduler, **options)
    scheduler.add(**options)
  end

  def scheduler_remove(scheduler, name:)
    scheduler.remove(name)
  end

  def scheduler_pause(scheduler, name:)
    scheduler.pause(name)
  end

  def scheduler_resume(scheduler, name:)
    scheduler.resume(name)
  end

  def scheduler_update(scheduler, name:, **options)
    scheduler.update(name, **options)
  end

  def scheduler_list(scheduler)
    scheduler.list
  end

  def scheduler_tick(scheduler)
    scheduler.tick.size
  end

  def scheduler_soonest(scheduler)
    scheduler.soonest
  end

  def scheduler_run(scheduler, owner:)
    scheduler.run(owner: owner)
  end

  def outbox_enqueue(outbox, payload:, tx: nil)
    tx ? outbox.made.enqueue_tx(tx, payload) : outbox.made.enqueue(payload)
  end

  def outbox_run(outbox, worker:)
    outbox.made.run_worker(worker)
  end

  def outbox_delivered(outbox)
    outbox.delivered
  end
end

Agent.new.serve($stdin)
