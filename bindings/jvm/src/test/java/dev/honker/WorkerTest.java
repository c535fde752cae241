package dev.honker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class WorkerTest extends TempDatabase {
    @Test
    void aReturnAcknowledgesAndThreadsHaveTheirOwnIds() {
        Queue queue = db.queue("q");
        Set<String> workers = ConcurrentHashMap.newKeySet();
        CyclicBarrier both = new CyclicBarrier(2);
        queue.enqueue("1");
        queue.enqueue("2");
        try (WorkerHandle worker = queue.worker(
                "w",
                job -> {
                    workers.add(job.workerId());
                    both.await();
                },
                WorkerOptions.builder().concurrency(2).build())) {
            until(() -> queue.nextClaimAt().isEmpty());
            assertFalse(worker.failed());
        }
        assertEquals(Set.of("w-0", "w-1"), workers);
    }

    @Test
    void anExceptionRetriesAfterItsDelay() {
        Queue queue = db.queue("q");
        queue.enqueue("1");
        try (WorkerHandle worker = queue.worker("w", job -> {
            if (job.attempts() == 1) {
                throw new RetryableException(null, Duration.ZERO);
            }
        })) {
            until(() -> queue.nextClaimAt().isEmpty());
            worker.throwIfFailed();
        }
    }

    @Test
    void anErrorRetriesAfterTheDefaultDelay() {
        Queue queue = db.queue("q");
        long id = queue.enqueue("1");
        try (WorkerHandle worker = queue.worker("w", job -> {
            throw new AssertionError("broken");
        })) {
            until(() -> queue.getJob(id).orElseThrow().state().equals("pending")
                    && queue.getJob(id).orElseThrow().attempts() == 1);
            assertTrue(queue.claimOne("other").isEmpty());
            assertFalse(worker.failed());
        }
    }

    @Test
    void theLeaseIsRenewedWhileTheHandlerRuns() throws Exception {
        Queue queue = db.queue(
                "q",
                QueueOptions.builder().visibilityTimeout(Duration.ofMillis(300)).build());
        long id = queue.enqueue("1");
        CountDownLatch end = new CountDownLatch(1);
        try (WorkerHandle worker = queue.worker("w", job -> end.await())) {
            until(() -> queue.getJob(id).orElseThrow().state().equals("processing"));
            var first = queue.getJob(id).orElseThrow().claimExpiresAt();
            until(() -> queue.getJob(id).orElseThrow().claimExpiresAt().isAfter(first.plusMillis(400)));
            assertTrue(queue.claimOne("other").isEmpty());
            end.countDown();
            until(() -> queue.nextClaimAt().isEmpty());
            assertFalse(worker.failed());
        }
    }

    @Test
    void closingTheDatabaseWaitsForAHandler() throws Exception {
        Queue queue = db.queue("q");
        queue.enqueue("1");
        CountDownLatch began = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        WorkerHandle worker = queue.worker("w", job -> {
            began.countDown();
            end.await();
        });
        assertTrue(began.await(20, TimeUnit.SECONDS));
        Thread closing = new Thread(db::close);
        closing.start();
        untilWaiting(closing);
        end.countDown();
        closing.join();
        assertFalse(worker.failed());
        try (Database again = Honker.open(path)) {
            assertTrue(again.queue("q").nextClaimAt().isEmpty());
        }
    }

    @Test
    void aHandlerMayCloseTheDatabase() throws Exception {
        Queue queue = db.queue("q");
        queue.enqueue("1");
        CountDownLatch closed = new CountDownLatch(1);
        WorkerHandle worker = queue.worker("w", job -> {
            job.ack();
            db.close();
            closed.countDown();
        });
        assertTrue(closed.await(20, TimeUnit.SECONDS));
        worker.close();
        assertFalse(worker.failed());
    }

    @Test
    void anInterruptedHandlerGivesItsJobBack() throws Exception {
        Queue queue = db.queue("q");
        long id = queue.enqueue("1");
        CountDownLatch began = new CountDownLatch(1);
        Thread[] thread = new Thread[1];
        WorkerHandle worker = queue.worker("w", job -> {
            thread[0] = Thread.currentThread();
            began.countDown();
            new CountDownLatch(1).await();
        });
        assertTrue(began.await(20, TimeUnit.SECONDS));
        thread[0].interrupt();
        until(worker::failed);
        assertThrows(HonkerInterruptedException.class, worker::throwIfFailed);
        assertEquals(0, queue.getJob(id).orElseThrow().attempts());
    }

    @Test
    void aHandlerOfAListenerThatThrowsEndsIt() {
        try (Running running = db.listen("c", notification -> {
            throw new IllegalStateException(notification.payloadJson());
        })) {
            db.notify("c", "1");
            until(running::failed);
            assertEquals(
                    "HONKER_FAILED",
                    assertThrows(HonkerException.class, running::throwIfFailed).code());
        }
    }

    @Test
    void aTaskStoresItsResult() {
        TaskRegistry registry = new TaskRegistry(db);
        TaskHandle add = registry.register("add", "q", (args, kwargs) -> args + kwargs);
        assertThrows(HonkerInvalidOptionException.class, () -> registry.register("add", "q", (args, kwargs) -> null));
        assertThrows(HonkerInvalidOptionException.class, () -> add.enqueue("{}", "{}"));
        TaskResult result = add.enqueue("[1, 2.50, \"ä\\n\"]", "{\"k\": null}");
        assertTrue(result.get().isEmpty());
        db.queue("q").enqueue("\"no task\"");
        try (WorkerHandle worker = db.runTasks(registry)) {
            assertEquals("[1,2.50,\"ä\\u000a\"]{\"k\":null}", result.waitFor(SOON));
            until(() -> db.queue("q").nextClaimAt().isEmpty());
            worker.throwIfFailed();
        }
    }

    @Test
    void aTypedQueueHasValues() {
        TypedQueue<List<String>> queue = db.queue("q")
                .typed(JsonCodec.of(
                        words -> "\"" + String.join(" ", words) + "\"",
                        json -> List.of(json.substring(1, json.length() - 1).split(" "))));
        queue.enqueue(List.of("a", "b"));
        assertEquals(List.of("a", "b"), queue.claimOne("w").orElseThrow().payload());
    }

    @Test
    void aSecondSchedulerStandsByAndTakesOver() {
        db.scheduler().add("often", "q", CronSchedule.every(Duration.ofSeconds(1)), "1");
        SchedulerHandle first = db.scheduler().run();
        assertEquals("1", db.queue("q").claimNext("w", SOON).orElseThrow().payloadJson());
        try (SchedulerHandle second = db.scheduler().run()) {
            first.close();
            db.queue("q").claimNext("w", SOON).orElseThrow();
            db.queue("q").claimNext("w", SOON).orElseThrow();
            assertFalse(second.failed());
        }
    }
}
