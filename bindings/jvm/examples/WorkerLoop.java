import dev.honker.Honker;
import dev.honker.RetryableException;
import dev.honker.WorkerOptions;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;

/** Two jobs at once; a failed delivery is retried after a second. */
public class WorkerLoop {
    public static void main(String[] args) throws Exception {
        try (var db = Honker.open("app.db")) {
            var emails = db.queue("emails");
            for (int number = 1; number <= 3; number++) {
                emails.enqueue("{\"number\": " + number + "}");
            }
            var done = new CountDownLatch(3);
            var options = WorkerOptions.builder().concurrency(2).build();
            try (var worker = emails.worker(
                    "worker",
                    job -> {
                        try {
                            send(job.payloadJson(), job.attempts());
                        } catch (IOException error) {
                            throw new RetryableException(error.getMessage(), Duration.ofSeconds(1));
                        }
                        done.countDown();
                    },
                    options)) {
                done.await();
                worker.throwIfFailed();
            }
        }
    }

    private static void send(String json, long attempt) throws IOException {
        if (json.contains("2") && attempt == 1) {
            throw new IOException("the server is busy");
        }
        System.out.println("sent " + json);
    }
}
