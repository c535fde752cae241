import dev.honker.RetryableException
import dev.honker.kotlin.attempts
import dev.honker.kotlin.honker
import dev.honker.kotlin.payloadJson
import dev.honker.kotlin.work
import dev.honker.kotlin.workerOptions
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import java.time.Duration

/** Two jobs at once; a failed delivery is retried after a second. */
fun main(): Unit = runBlocking {
    honker("app.db").use { db ->
        val emails = db.queue("emails")
        repeat(3) { number -> emails.enqueue("""{"number": $number}""") }
        val sent = Channel<String>(3)
        val worker =
            launch {
                emails.work("worker", workerOptions { concurrency(2) }) { job ->
                    if (job.payloadJson.contains('2') && job.attempts == 1L) {
                        throw RetryableException("the server is busy", Duration.ofSeconds(1))
                    }
                    sent.send(job.payloadJson)
                }
            }
        repeat(3) { println("sent ${sent.receive()}") }
        worker.cancelAndJoin()
    }
}
