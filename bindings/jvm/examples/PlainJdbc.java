import dev.honker.Honker;
import dev.honker.Transaction;
import java.sql.DriverManager;

/** A job in the transaction of a JDBC connection that the application has opened. */
public class PlainJdbc {
    public static void main(String[] args) throws Exception {
        try (var db = Honker.open("app.db");
                var connection = DriverManager.getConnection("jdbc:sqlite:app.db")) {
            Honker.attach(connection);
            var emails = db.queue("emails");
            try (var statement = connection.createStatement()) {
                statement.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT)");
                connection.setAutoCommit(false);
                statement.execute("INSERT INTO orders (item) VALUES ('tea')");
                emails.enqueue(Transaction.of(connection), "{\"confirm\": \"tea\"}");
                connection.commit();

                statement.execute("INSERT INTO orders (item) VALUES ('coffee')");
                emails.enqueue(Transaction.of(connection), "{\"confirm\": \"coffee\"}");
                connection.rollback();
            }
            System.out.println(db.query("SELECT count(*) AS orders FROM orders"));
            System.out.println(emails.claimBatch("worker", 10).size() + " job");
        }
    }
}
