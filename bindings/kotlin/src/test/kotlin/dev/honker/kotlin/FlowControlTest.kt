package dev.honker.kotlin

import dev.honker.Database
import dev.honker.EnqueueOptions.OnConflict
import dev.honker.HonkerException
import dev.honker.HonkerInvalidOptionException
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.nio.file.Path
import java.time.Duration

class FlowControlTest {
    @TempDir
    lateinit var folder: Path

    private lateinit var db: Database

    @BeforeEach
    fun open() {
        db = honker(folder.resolve("app.db"))
    }

    @AfterEach
    fun close() = db.close()

    @Test
    fun `a block of enqueue names the unique key`() {
        val queue = db.queue("q")
        val first = queue.enqueue("1") { uniqueKey("daily") }
        assertEquals(first, db.transaction { tx -> queue.enqueue(tx, "2") { uniqueKey("daily") } })
        val error =
            assertThrows<HonkerException> {
                queue.enqueue("3") {
                    uniqueKey("daily")
                    onConflict(OnConflict.RAISE)
                }
            }
        assertEquals("HONKER_UNIQUE_KEY_TAKEN", error.code())
    }

    @Test
    fun `a block of enqueue names the parents`() {
        val queue = db.queue("q")
        val parent = queue.enqueueJson("1")
        val child = queue.enqueue("2") { after(parent) }
        assertTrue(queue.claimBatch("w", 2).single().ack())
        assertEquals(child, queue.claimOne("w").orElseThrow().id)
    }

    @Test
    fun `a block of configure changes the settings that it names`() {
        val queue = db.queue("q")
        queue.configure { rate(100, Duration.ofMinutes(1)).concurrency(1) }
        queue.enqueueMany(listOf("1", "2"))
        assertEquals(1, queue.claimBatch("w", 2).size)
        val settings = queue.configure { concurrency(null) }
        assertNull(settings.concurrency)
        assertEquals(100, settings.rate.limit)
        assertThrows<HonkerInvalidOptionException> { queue.configure { burst(0) } }
    }
}
