package dev.honker.kotlin

import dev.honker.Database
import dev.honker.HonkerClosedException
import dev.honker.HonkerTimeoutException
import dev.honker.JsonCodec
import dev.honker.RetryableException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.yield
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.nio.file.Files
import java.nio.file.Path
import java.time.Duration
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.logging.Handler
import java.util.logging.LogRecord
import java.util.logging.Logger
import kotlinx.coroutines.Job as CoroutineJob

@Timeout(60)
class CoroutinesTest {
    @TempDir
    lateinit var folder: Path

    private lateinit var db: Database

    @BeforeEach
    fun open() {
        db = honker(folder.resolve("app.db")) { busyTimeout(Duration.ofSeconds(5)) }
    }

    @AfterEach
    fun close() = db.close()

    private fun test(body: suspend CoroutineScope.() -> Unit) =
        runBlocking(Dispatchers.Default) { withTimeout(30_000) { body() } }

    private suspend fun until(condition: () -> Boolean) {
        while (!condition()) yield()
    }

    private fun isWaiting() = Thread.getAllStackTraces().any { (_, stack) ->
        stack.any { it.className == "dev.honker.Watcher" && it.methodName == "await" }
    }

    @Test
    fun `a cancelled claim takes no job`() = test {
        val claim = launch { db.queue("q").next("w") }
        until(::isWaiting)
        claim.cancelAndJoin()
        db.queue("q").enqueue("1")
        assertEquals(1, db.queue("q").next("w").attempts)
    }

    @Test
    fun `jobs of claims that are cancelled in that moment are given back`() = test {
        val queue = db.queue("q")
        repeat(50) {
            queue.enqueue("1")
            val claim = launch { queue.next("w") }
            yield()
            claim.cancelAndJoin()
            val held = db.query("SELECT honker_get_job(${it + 1}) AS job").first().getString("job")
            if (!claim.isCancelled) return@repeat
            assertTrue(held.contains("\"state\":\"pending\""), held)
        }
    }

    @Test
    fun `closing the database ends a claim`() = test {
        val ended = CompletableDeferred<Throwable?>()
        launch { ended.complete(runCatching { db.queue("q").next("w") }.exceptionOrNull()) }
        until(::isWaiting)
        db.close()
        assertInstanceOf(HonkerClosedException::class.java, ended.await())
    }

    @Test
    fun `a collector that throws gives its job back`() = test {
        val queue = db.queue("q")
        val id = queue.enqueue("1")
        assertThrows<IllegalStateException> { runBlocking { queue.asFlow("w").collect { error("no") } } }
        assertEquals(0, queue.getJob(id).orElseThrow().attempts)
    }

    @Test
    fun `a flow of jobs hands them out`() = test {
        val queue = db.queue("q")
        queue.enqueue("1")
        queue.enqueue("2")
        val seen = queue.asFlow("w").map { it.also { job -> job.ack() }.payloadJson }.take(2).toList()
        assertEquals(listOf("1", "2"), seen)
        assertTrue(queue.nextClaimAt().isEmpty)
    }

    @Test
    fun `a suspending handler is retried after its delay`() = test {
        val queue = db.queue("q")
        queue.enqueue("1")
        val worker =
            launch {
                queue.work("w") { job ->
                    yield()
                    if (job.attempts == 1L) throw RetryableException(null, Duration.ZERO)
                }
            }
        until { queue.nextClaimAt().isEmpty }
        worker.cancelAndJoin()
    }

    @Test
    fun `cancelling a worker gives the job of its handler back`() = test {
        val queue = db.queue("q")
        val id = queue.enqueue("1")
        val began = CompletableDeferred<Unit>()
        val worker =
            launch {
                queue.work("w") {
                    began.complete(Unit)
                    awaitCancellation()
                }
            }
        began.await()
        worker.cancelAndJoin()
        assertEquals("pending", queue.getJob(id).orElseThrow().state)
        assertEquals(0, queue.getJob(id).orElseThrow().attempts)
    }

    @Test
    fun `a worker goes on after a busy file`() = test {
        val tries = CountDownLatch(2)
        val log = Logger.getLogger("dev.honker.kotlin")
        val counter = LogCounter(tries).also(log::addHandler)
        honker(folder.resolve("app.db")) { busyTimeout(Duration.ofMillis(1)) }.use { impatient ->
            val begun = CompletableDeferred<Unit>()
            lateinit var worker: CoroutineJob
            db.queue("q").enqueue("1")
            db.transactionVoid {
                worker = launch { impatient.queue("q").work("w") { begun.complete(Unit) } }
                check(tries.await(20, TimeUnit.SECONDS)) { "the worker has not tried again" }
            }
            begun.await()
            worker.cancelAndJoin()
        }
        log.removeHandler(counter)
    }

    private class LogCounter(private val latch: CountDownLatch) : Handler() {
        override fun publish(record: LogRecord) = latch.countDown()

        override fun flush() = Unit

        override fun close() = Unit
    }

    @Test
    fun `a worker in threads runs suspending handlers`() = test {
        val queue = db.queue("q")
        queue.enqueueJson("1", enqueueOptions { priority(3) })
        queue.suspendingWorker("w", workerOptions { concurrency(2) }) { yield() }.use { worker ->
            until { queue.nextClaimAt().isEmpty }
            assertFalse(worker.failed())
        }
    }

    @Test
    fun `the handler of a worker without suspension`() = test {
        val queue = db.queue("q")
        queue.enqueue(7, number)
        val seen = CompletableDeferred<Int>()
        queue.worker("w") { job -> seen.complete(job.decode(number)) }.use { assertEquals(7, seen.await()) }
    }

    @Test
    fun `a flow of events saves what its collector is done with`() = test {
        val stream = db.stream("s")
        stream.publish("1")
        stream.publish("2")
        val options = subscribeOptions { consumer("c") }
        assertEquals(listOf(1L, 2L), stream.asFlow(options).map { it.offset }.take(2).toList())
        assertEquals(1, stream.getOffset("c"))
    }

    @Test
    fun `a flow of notifications`() = test {
        db.listen("c").use { listener ->
            val first = async { listener.asFlow().first() }
            until(::isWaiting)
            db.notify("c", "1")
            assertEquals("1", first.await().payloadJson)
        }
    }

    @Test
    fun `a task's result is awaited`() = test {
        val registry = db.taskRegistry()
        val args = JsonCodec.of<List<Int>>({ it.toString() }, { it.trim('[', ']').split(',').map(String::toInt) })
        val add = registry.registerTypedJson("add", "q", args, number) { it.sum() }
        val never = registry.registerJson("never", "other") { _, _ -> null }
        db.runTasks(registry, taskWorkerOptions { workerId("w") }).use {
            assertEquals(5, add.enqueueJson("[2, 3]").await(number, Duration.ofSeconds(20)))
            assertEquals("null", never.enqueueJson().await())
        }
        val timeout = runCatching { add.enqueueJson("[1]").await(Duration.ofMillis(10)) }.exceptionOrNull()
        assertInstanceOf(HonkerTimeoutException::class.java, timeout)
    }

    @Test
    fun `a cancelled wait for a result ends`() = test {
        val wait = launch { db.queue("q").awaitResult(7) }
        until(::isWaiting)
        wait.cancelAndJoin()
        assertTrue(wait.isCancelled)
    }

    @Test
    fun `the README has the program of the examples`() {
        val program = Files.readString(Path.of("examples/GettingStarted.kt"))
        assertTrue(Files.readString(Path.of("README.md")).contains("```kotlin\n$program```"))
    }

    private companion object {
        val number: JsonCodec<Int> = JsonCodec.of({ it.toString() }, { it.toInt() })
    }
}
