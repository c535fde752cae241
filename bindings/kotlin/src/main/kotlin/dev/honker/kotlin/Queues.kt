package dev.honker.kotlin

import dev.honker.EnqueueOptions
import dev.honker.HonkerException
import dev.honker.Job
import dev.honker.JsonCodec
import dev.honker.Queue
import dev.honker.QueueSettings
import dev.honker.QueueUpdate
import dev.honker.RetryableException
import dev.honker.Transaction
import dev.honker.WorkerHandle
import dev.honker.WorkerOptions
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import java.time.Duration

private const val RENEWALS_PER_LEASE = 3
private const val FIRST_BACKOFF_MS = 50L
private const val LONGEST_BACKOFF_MS = 5000L
private val LOG: System.Logger = System.getLogger("dev.honker.kotlin")

/** Enqueues a job with JSON as its payload, and returns its id. */
public fun Queue.enqueueJson(json: String, options: EnqueueOptions = EnqueueOptions.defaults()): Long =
    enqueue(json, options)

/** Enqueues a job with the options that the block sets, and returns its id. */
public fun Queue.enqueue(json: String, block: EnqueueOptions.Builder.() -> Unit): Long =
    enqueue(json, enqueueOptions(block))

/** Enqueues a job with the options that the block sets if and only if the transaction commits, and returns its id. */
public fun Queue.enqueue(tx: Transaction, json: String, block: EnqueueOptions.Builder.() -> Unit): Long =
    enqueue(tx, json, enqueueOptions(block))

/** Enqueues a job with a value as its payload, and returns its id. */
public fun <T> Queue.enqueue(
    value: T,
    codec: JsonCodec<T>,
    options: EnqueueOptions = EnqueueOptions.defaults(),
): Long = enqueue(codec.encode(value), options)

/** Enqueues a job with a value as its payload if and only if the transaction commits, and returns its id. */
public fun <T> Queue.enqueue(
    tx: Transaction,
    value: T,
    codec: JsonCodec<T>,
    options: EnqueueOptions = EnqueueOptions.defaults(),
): Long = enqueue(tx, codec.encode(value), options)

/**
 * Changes the settings of a queue that the block names, and returns all. Every process obeys them; null removes one.
 *
 * @throws dev.honker.HonkerInvalidOptionException if a setting is outside its range
 */
public fun Queue.configure(block: QueueUpdate.() -> Unit): QueueSettings = configure(QueueUpdate().apply(block))

/** The payload as a value. */
public fun <T> Job.decode(codec: JsonCodec<T>): T = payload(codec)

/** Starts a worker in threads, see [Queue.worker]. Close the handle. */
public fun Queue.worker(
    id: String,
    options: WorkerOptions = WorkerOptions.defaults(),
    handler: (Job) -> Unit,
): WorkerHandle = worker(id, { job -> handler(job) }, options)

/**
 * Claims the next job, and waits without polling while none is due. A cancellation ends the wait at once; a job that was
 * claimed in that moment is given back without a charge.
 *
 * @throws dev.honker.HonkerClosedException if the database is closed
 */
public suspend fun Queue.next(workerId: String): Job = waiting(Job::release) { claimNext(workerId) }

/**
 * The jobs of a queue, claimed one after the other while the flow is collected. Settle each. A cancellation ends the
 * wait; a job that was claimed in that moment, or whose collector throws before it is settled, is given back.
 */
public fun Queue.asFlow(workerId: String): Flow<Job> = flow {
    while (true) {
        val job = next(workerId)
        try {
            emit(job)
        } catch (ended: Throwable) {
            releaseAfter(ended, job)
            throw ended
        }
    }
}

/** The jobs of a queue, as [asFlow] with a worker does. The options name nothing that a flow needs yet. */
public fun Queue.asFlow(workerId: String, options: WorkerOptions): Flow<Job> {
    require(options.concurrency() == 1) { "a flow hands out one job at a time; give concurrency = 1" }
    return asFlow(workerId)
}

private suspend fun releaseAfter(ended: Throwable, job: Job) {
    try {
        withContext(NonCancellable + Dispatchers.IO) { job.release() }
    } catch (second: HonkerException) {
        ended.addSuppressed(second)
    }
}

/**
 * Starts a worker in threads whose handler suspends, see [Queue.worker]. Close the handle.
 *
 * Use [work] where a coroutine scope owns the worker.
 */
public fun Queue.suspendingWorker(
    id: String,
    options: WorkerOptions = WorkerOptions.defaults(),
    handler: suspend (Job) -> Unit,
): WorkerHandle = worker(id, { job -> runBlocking { handler(job) } }, options)

/**
 * Works on jobs until the coroutine is cancelled. A return of the handler acknowledges the job, an exception retries it:
 * a [RetryableException] after its delay, any other after the default delay. The lease is renewed while the handler runs.
 * A cancellation gives the job of a handler that runs back without a charge.
 */
public suspend fun Queue.work(
    id: String,
    options: WorkerOptions = WorkerOptions.defaults(),
    handler: suspend (Job) -> Unit,
): Unit = coroutineScope {
    repeat(options.concurrency()) { index ->
        launch { workOne("$id-$index", options.defaultRetryDelay(), handler) }
    }
}

private suspend fun Queue.workOne(id: String, retryDelay: Duration, handler: suspend (Job) -> Unit) {
    var backoffMs = FIRST_BACKOFF_MS
    while (true) {
        try {
            asFlow(id).collect { job ->
                settle(job, retryDelay, runCatching { renewing(job) { handler(job) } }.exceptionOrNull())
                backoffMs = FIRST_BACKOFF_MS
            }
        } catch (error: HonkerException) {
            if (!error.isRetryable) throw error
            LOG.log(System.Logger.Level.WARNING, "a worker tries again: ${error.message}")
            delay(backoffMs)
            backoffMs = minOf(2 * backoffMs, LONGEST_BACKOFF_MS)
        }
    }
}

private suspend fun settle(job: Job, retryDelay: Duration, failure: Throwable?) {
    currentCoroutineContext().ensureActive()
    waiting {
        when (failure) {
            null -> job.ack()
            is RetryableException -> job.retry(failure.delay(), failure.message)
            else -> job.retry(retryDelay, failure.toString())
        }
    }
}

private suspend fun Queue.renewing(job: Job, handler: suspend () -> Unit) = coroutineScope {
    val renewal =
        launch {
            while (true) {
                delay(maxOf(1, options().visibilityTimeout().toMillis() / RENEWALS_PER_LEASE))
                try {
                    waiting { job.heartbeat() }
                } catch (error: HonkerException) {
                    LOG.log(System.Logger.Level.WARNING, "the lease of job ${job.id} is not renewed", error)
                }
            }
        }
    try {
        handler()
    } finally {
        renewal.cancel()
    }
}
