import dev.honker.kotlin.asFlow
import dev.honker.kotlin.honker
import dev.honker.kotlin.payloadJson
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.runBlocking

fun main(): Unit = runBlocking {
    honker("app.db").use { db ->
        val emails = db.queue("emails")
        emails.enqueue("""{"to": "ann@example.com"}""")

        emails.asFlow("worker-1").take(1).collect { job ->
            println("send ${job.payloadJson}")
            job.ack()
        }
    }
}
