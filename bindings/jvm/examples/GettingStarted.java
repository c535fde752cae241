import dev.honker.Honker;
import java.util.concurrent.CountDownLatch;

public class GettingStarted {
    public static void main(String[] args) throws Exception {
        try (var db = Honker.open("app.db")) {
            var emails = db.queue("emails");
            emails.enqueue("{\"to\": \"ann@example.com\"}");

            var done = new CountDownLatch(1);
            try (var worker = emails.worker("worker-1", job -> {
                System.out.println("send " + job.payloadJson());
                done.countDown();
            })) {
                done.await();
            }
        }
    }
}
