package dev.honker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.honker.EnqueueOptions.OnConflict;
import dev.honker.EnqueueOptions.OnParentFailure;
import dev.honker.EnqueueOptions.UniqueUntil;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FlowTest extends TempDatabase {
    private static final Duration HOUR = Duration.ofHours(1);

    private Queue queue;

    @BeforeEach
    void openQueue() {
        queue = db.queue("q");
    }

    private static EnqueueOptions.Builder unique() {
        return EnqueueOptions.builder().uniqueKey("daily");
    }

    @Test
    void aSecondJobOfAUniqueKeyIsTheFirst() {
        long first = queue.enqueue("1", unique().build());
        assertEquals(first, queue.enqueue("2", unique().build()));
        assertEquals(first, (long) db.transaction(tx -> queue.enqueue(tx, "2", unique().build())));
        EnqueueOptions raising = unique().onConflict(OnConflict.RAISE).build();
        HonkerException error = assertThrows(HonkerException.class, () -> queue.enqueue("3", raising));
        assertEquals("HONKER_UNIQUE_KEY_TAKEN", error.code());
        queue.enqueue("4", unique().onConflict(OnConflict.REPLACE).build());
        assertEquals("4", queue.claimOne("w").orElseThrow().payloadJson());
    }

    @Test
    void aUniqueKeyIsFreeWhenItsOptionsSaySo() {
        EnqueueOptions untilStarted = unique().uniqueUntil(UniqueUntil.STARTED).build();
        long first = queue.enqueue("1", untilStarted);
        queue.claimOne("w").orElseThrow();
        assertTrue(queue.enqueue("2", untilStarted) > first);

        EnqueueOptions forAnHour =
                EnqueueOptions.builder().uniqueKey("hourly").uniqueFor(HOUR).build();
        Queue other = db.queue("other");
        long kept = other.enqueue("1", forAnHour);
        assertTrue(other.claimOne("w").orElseThrow().ack());
        assertEquals(kept, other.enqueue("2", forAnHour));
        assertTrue(other.claimOne("w").isEmpty());
    }

    @Test
    void aDebouncedJobWaitsAndHasTheLatestPayload() {
        EnqueueOptions debounced =
                unique().debounce(HOUR).debounceMax(HOUR.multipliedBy(2)).build();
        long id = queue.enqueue("1", debounced);
        assertEquals(id, queue.enqueue("2", debounced));
        assertEquals("2", queue.getJob(id).orElseThrow().payloadJson());
        assertTrue(queue.claimOne("w").isEmpty());
    }

    @Test
    void aJobRunsAfterItsParents() {
        long parent = queue.enqueue("1");
        long child = queue.enqueue("2", EnqueueOptions.builder().after(parent).build());
        assertEquals("waiting", queue.getJob(child).orElseThrow().state());
        assertTrue(queue.claimBatch("w", 2).get(0).ack());
        assertEquals(child, queue.claimOne("w").orElseThrow().id());
        EnqueueOptions unknown = EnqueueOptions.builder().after(999).build();
        assertEquals(
                "HONKER_UNKNOWN_PARENT",
                assertThrows(HonkerException.class, () -> queue.enqueue("3", unknown))
                        .code());
    }

    @Test
    void theFailureOfAParentHasTheChosenEffect() {
        long parent = queue.enqueue("1");
        long cancelled = queue.enqueue(
                "2", EnqueueOptions.builder().after(List.of(parent)).build());
        EnqueueOptions runs = EnqueueOptions.builder()
                .after(parent)
                .onParentFailure(OnParentFailure.RUN)
                .build();
        long run = queue.enqueue("3", runs);
        queue.claimOne("w").orElseThrow().fail("no");
        assertTrue(queue.getJob(cancelled).isEmpty());
        assertEquals(run, queue.claimOne("w").orElseThrow().id());
    }

    @Test
    void anOptionWithoutTheOneItNeedsIsRefused() {
        EnqueueOptions alone =
                EnqueueOptions.builder().onConflict(OnConflict.RAISE).build();
        assertThrows(HonkerInvalidOptionException.class, () -> queue.enqueue("1", alone));
    }

    @Test
    void theAttemptsOfAJobOverrideThoseOfTheQueue() {
        long id = queue.enqueue("1", EnqueueOptions.builder().maxAttempts(7).build());
        assertEquals(7, queue.getJob(id).orElseThrow().maxAttempts());
        assertEquals(3, queue.getJob(queue.enqueue("2")).orElseThrow().maxAttempts());
    }

    @Test
    void manyJobsAreAddedAllOrNone() {
        EnqueueOptions options =
                EnqueueOptions.builder().priority(5).maxAttempts(2).key("k").build();
        List<Long> ids = queue.enqueueMany(List.of("1", "{\"a\": \"x\"}"), options);
        JobRow second = queue.getJob(ids.get(1)).orElseThrow();
        assertEquals("{\"a\": \"x\"}", second.payloadJson());
        assertEquals(5, second.priority());
        assertEquals(2, second.maxAttempts());
        assertThrows(HonkerInvalidOptionException.class, () -> queue.enqueueMany(List.of("1", "{")));
        assertThrows(HonkerInvalidOptionException.class, () -> queue.enqueueMany(List.of("1, 2")));
        assertThrows(
                IllegalStateException.class,
                () -> db.transactionVoid(tx -> {
                    queue.enqueueMany(tx, List.of("3"), EnqueueOptions.defaults());
                    throw new IllegalStateException();
                }));
        assertEquals(2, queue.stats().ready());
        assertEquals(List.of(), queue.enqueueMany(List.of()));
    }

    @Test
    void aSnoozeChargesNothing() {
        queue.enqueue("1");
        Job job = queue.claimOne("w").orElseThrow();
        assertTrue(job.snooze(Duration.ZERO));
        assertFalse(job.snooze(Duration.ZERO), "the claim is gone");
        Job again = queue.claimOne("w").orElseThrow();
        assertEquals(1, again.attempts());
        assertTrue(queue.snooze(again.id(), "w", HOUR));
        assertTrue(queue.claimOne("w").isEmpty());
        assertEquals(1, queue.stats().delayed());
    }

    @Test
    void aQueueObeysItsSettings() {
        QueueSettings settings = queue.configure(new QueueUpdate()
                .concurrency(1)
                .rate(100, Duration.ofMillis(500))
                .burst(10)
                .keepFinished(HOUR));
        assertEquals(1, settings.concurrency());
        assertEquals(new Rate(100, Duration.ofMillis(500)), settings.rate());
        assertEquals(HOUR, settings.keepFinished());
        assertEquals(settings, queue.settings());
        queue.enqueueMany(List.of("1", "2"));
        assertEquals(1, queue.claimBatch("w", 2).size());

        QueueSettings lifted = queue.configure(new QueueUpdate().concurrency(null));
        assertNull(lifted.concurrency());
        assertEquals(10, lifted.burst(), "it was not named");
        assertEquals(1, queue.claimBatch("w", 2).size());
        QueueUpdate wrong = new QueueUpdate().concurrency(0);
        assertThrows(HonkerInvalidOptionException.class, () -> queue.configure(wrong));
    }

    @Test
    void anOrderedQueueRunsOneJobOfAKey() {
        QueueUpdate ordered = new QueueUpdate().ordered(true).onDead(QueueSettings.OnDead.CONTINUE);
        assertEquals(QueueSettings.OnDead.CONTINUE, queue.configure(ordered).onDead());
        EnqueueOptions ann = EnqueueOptions.builder().key("ann").build();
        queue.enqueueMany(List.of("1", "2"), ann);
        Job first = queue.claimBatch("w", 2).get(0);
        assertTrue(queue.claimOne("w").isEmpty());
        first.fail("no");
        assertEquals("2", queue.claimOne("w").orElseThrow().payloadJson());
    }

    @Test
    void aPausedQueueHandsOutNothing() {
        queue.enqueue("1");
        assertTrue(queue.pause());
        assertFalse(queue.pause());
        assertTrue(queue.claimOne("w").isEmpty());
        assertTrue(queue.stats().pausedAt() != null);
        assertTrue(queue.resume());
        Job job = queue.claimOne("w").orElseThrow();
        assertTrue(job.fail("no"));
        assertEquals(1, queue.stats().dead());
        assertTrue(queue.requeue(job.id()));
        assertEquals(1, queue.claimOne("w").orElseThrow().attempts());
    }
}
