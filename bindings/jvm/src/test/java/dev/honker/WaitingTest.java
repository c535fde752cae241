package dev.honker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class WaitingTest extends TempDatabase {
    /** A call in a thread of its own, which waits. */
    private static final class Waiter {
        private final AtomicReference<Object> outcome = new AtomicReference<>();
        private final Thread thread;

        Waiter(Supplier<Object> call) {
            thread = new Thread(() -> {
                try {
                    outcome.set(call.get());
                } catch (RuntimeException error) {
                    outcome.set(error);
                }
            });
            thread.start();
            untilWaiting(thread);
        }

        Object end() throws InterruptedException {
            thread.join(SOON.toMillis());
            assertFalse(thread.isAlive());
            return outcome.get();
        }
    }

    @Test
    void anInterruptEndsAClaimThatWaitsAndNoJobIsLost() throws Exception {
        Queue queue = db.queue("q");
        Waiter waiter = new Waiter(() -> queue.claimNext("w"));
        waiter.thread.interrupt();
        assertInstanceOf(HonkerInterruptedException.class, waiter.end());
        queue.enqueue("1");
        assertEquals(1, queue.claimOne("w").orElseThrow().attempts());
    }

    @Test
    void closingEndsEveryKindOfWait() throws Exception {
        Listener listener = db.listen("c");
        Subscription subscription = db.stream("s").subscription(SubscribeOptions.defaults());
        List<Waiter> waiters = List.of(
                new Waiter(() -> db.queue("q").claimNext("w")),
                new Waiter(listener::next),
                new Waiter(subscription::next),
                new Waiter(() -> db.queue("q").waitResult(7)));
        db.close();
        for (Waiter each : waiters) {
            assertInstanceOf(HonkerClosedException.class, each.end());
        }
    }

    @Test
    void closingAListenerEndsItsWaitOnly() throws Exception {
        Listener listener = db.listen("c");
        Waiter waiter = new Waiter(listener::next);
        listener.close();
        listener.close();
        assertInstanceOf(HonkerClosedException.class, waiter.end());
        assertEquals(1, db.queue("q").enqueue("1"));
    }

    @Test
    void aWaitHoldsNoConnection() throws Exception {
        Waiter waiter = new Waiter(() -> db.queue("q").claimNext("w"));
        db.transactionVoid(tx -> tx.execute("CREATE TABLE t (n)"));
        db.queue("q").enqueue("1");
        assertEquals("1", ((Job) waiter.end()).payloadJson());
    }

    @Test
    void aClaimWithATimeoutEnds() {
        assertTrue(db.queue("q").claimNext("w", Duration.ofMillis(20)).isEmpty());
    }

    @Test
    void aFileThatWasReplacedEndsAWait() throws Exception {
        Waiter waiter = new Waiter(() -> db.queue("q").claimNext("w"));
        for (String part : List.of("", "-wal", "-shm")) {
            Files.delete(Path.of(path + part));
        }
        Honker.open(path).close();
        HonkerException error = assertInstanceOf(HonkerException.class, waiter.end());
        assertEquals("HONKER_WATCHER", error.code());
    }

    @Test
    void aCancelledFutureEndsItsWait() {
        CompletableFuture<String> result = db.queue("q").waitResultAsync(7);
        result.cancel(true);
        assertTrue(result.isCancelled());
        until(() -> Thread.getAllStackTraces().keySet().stream()
                .noneMatch(thread -> thread.getName().equals("honker-result")));
    }

    @Test
    void aResultThatNeverComesIsATypedError() {
        Queue queue = db.queue("q");
        long id = queue.enqueue("1");
        queue.claimOne("w").orElseThrow().fail("broken");
        HonkerException dead = assertThrows(HonkerException.class, () -> queue.waitResult(id));
        assertEquals("HONKER_JOB_FAILED", dead.code());
        long gone = queue.enqueue("1");
        queue.claimOne("w").orElseThrow().ack();
        Throwable error = assertThrows(
                        CompletionException.class,
                        () -> queue.waitResultAsync(gone).join())
                .getCause();
        assertEquals("HONKER_RESULT_GONE", ((HonkerException) error).code());
    }

    @Test
    void updateEventsTellAboutCommits() {
        try (UpdateEvents events = db.updateEvents()) {
            assertFalse(events.next(Duration.ofMillis(1)));
            db.queue("q").enqueue("1");
            assertTrue(events.next(SOON));
        }
    }

    @Test
    void aSubscriptionSavesWhatItsConsumerIsDoneWith() {
        Stream stream = db.stream("s");
        stream.publish("1");
        stream.publish("2");
        SubscribeOptions options = SubscribeOptions.builder().consumer("c").build();
        try (Subscription subscription = stream.subscription(options)) {
            assertEquals(1, subscription.next().offset());
            assertEquals(2, subscription.next(SOON).orElseThrow().offset());
        }
        assertEquals(1, stream.getOffset("c"));
    }
}
