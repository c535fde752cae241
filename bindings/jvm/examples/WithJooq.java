import dev.honker.Honker;
import dev.honker.Transaction;
import java.sql.DriverManager;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/** A job in a transaction of jOOQ. */
public class WithJooq {
    public static void main(String[] args) throws Exception {
        System.setProperty("org.jooq.no-logo", "true");
        System.setProperty("org.jooq.no-tips", "true");
        try (var db = Honker.open("app.db");
                var connection = DriverManager.getConnection("jdbc:sqlite:app.db")) {
            Honker.attach(connection);
            var emails = db.queue("emails");
            var orders = DSL.table("orders");
            var item = DSL.field("item", String.class);
            var context = DSL.using(connection, SQLDialect.SQLITE);
            context.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT)");
            context.transaction(configuration -> {
                configuration.dsl().insertInto(orders, item).values("tea").execute();
                configuration.dsl().connection(each -> emails.enqueue(Transaction.of(each), "{\"confirm\": \"tea\"}"));
            });
            try {
                context.transaction(configuration -> {
                    configuration
                            .dsl()
                            .insertInto(orders, item)
                            .values("coffee")
                            .execute();
                    configuration
                            .dsl()
                            .connection(each -> emails.enqueue(Transaction.of(each), "{\"confirm\": \"coffee\"}"));
                    throw new IllegalStateException("out of coffee");
                });
            } catch (IllegalStateException error) {
                System.out.println("rolled back: " + error.getMessage());
            }
            System.out.println(context.select(item).from(orders).fetch(item));
            System.out.println(emails.claimBatch("worker", 10).stream()
                    .map(job -> job.payloadJson())
                    .toList());
        }
    }
}
