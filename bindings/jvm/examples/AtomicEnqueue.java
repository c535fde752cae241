import dev.honker.Honker;
import java.util.List;

/** An order and the job for its confirmation commit together, or neither does. */
public class AtomicEnqueue {
    public static void main(String[] args) {
        try (var db = Honker.open("app.db")) {
            db.query("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT)");
            var emails = db.queue("emails");
            db.transactionVoid(tx -> {
                tx.execute("INSERT INTO orders (item) VALUES (?)", List.of("tea"));
                emails.enqueue(tx, "{\"confirm\": \"tea\"}");
            });
            try {
                db.transactionVoid(tx -> {
                    tx.execute("INSERT INTO orders (item) VALUES (?)", List.of("coffee"));
                    emails.enqueue(tx, "{\"confirm\": \"coffee\"}");
                    throw new IllegalStateException("out of coffee");
                });
            } catch (IllegalStateException error) {
                System.out.println("rolled back: " + error.getMessage());
            }
            System.out.println(db.query("SELECT item FROM orders"));
            System.out.println(emails.claimBatch("worker", 10).stream()
                    .map(job -> job.payloadJson())
                    .toList());
        }
    }
}
