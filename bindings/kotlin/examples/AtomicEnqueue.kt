import dev.honker.kotlin.honker
import dev.honker.kotlin.payloadJson

/** An order and the job for its confirmation commit together, or neither does. */
fun main() {
    honker("app.db").use { db ->
        db.query("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT)")
        val emails = db.queue("emails")
        db.transactionVoid { tx ->
            tx.execute("INSERT INTO orders (item) VALUES (?)", listOf("tea"))
            emails.enqueue(tx, """{"confirm": "tea"}""")
        }
        try {
            db.transactionVoid { tx ->
                tx.execute("INSERT INTO orders (item) VALUES (?)", listOf("coffee"))
                emails.enqueue(tx, """{"confirm": "coffee"}""")
                error("out of coffee")
            }
        } catch (error: IllegalStateException) {
            println("rolled back: ${error.message}")
        }
        println(db.query("SELECT item FROM orders"))
        println(emails.claimBatch("worker", 10).map { it.payloadJson })
    }
}
