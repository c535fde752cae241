package dev.honker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class DatabaseTest extends TempDatabase {
    @Test
    void aCallWithoutTheTransactionFailsAtOnce() {
        HonkerException error = assertThrows(
                HonkerException.class,
                () -> db.transactionVoid(tx -> db.queue("q").enqueue("1")));
        assertEquals("HONKER_NESTED_TRANSACTION", error.code());
        assertThrows(HonkerException.class, () -> db.transaction(tx -> db.transaction(inner -> 1)));
        assertThrows(
                HonkerException.class, () -> db.transaction(tx -> db.queue("q").getResult(1)));
        assertThrows(HonkerException.class, () -> db.transactionVoid(tx -> db.close()));
        assertEquals(1, db.queue("q").enqueue("1"));
    }

    @Test
    void anExceptionOfTheBodyRollsBackAndReachesTheCaller() {
        IllegalStateException thrown = new IllegalStateException("no");
        assertSame(
                thrown,
                assertThrows(
                        IllegalStateException.class,
                        () -> db.transactionVoid(tx -> {
                            db.queue("q").enqueue(tx, "1");
                            throw thrown;
                        })));
        HonkerException checked = assertThrows(
                HonkerException.class,
                () -> db.transactionVoid(tx -> {
                    db.queue("q").enqueue(tx, "1");
                    throw new IOException("no");
                }));
        assertInstanceOf(IOException.class, checked.getCause());
        assertTrue(db.queue("q").claimOne("w").isEmpty());
    }

    @Test
    void aTransactionThatHasEndedIsClosed() {
        Transaction ended = db.transaction(tx -> tx);
        assertThrows(HonkerClosedException.class, () -> db.queue("q").enqueue(ended, "1"));
    }

    @Test
    void anErrorInsideATransactionLeavesItUsable() {
        db.transactionVoid(tx -> {
            assertThrows(HonkerInvalidOptionException.class, () -> db.queue("").enqueue(tx, "1"));
            db.queue("q").enqueue(tx, "2");
        });
        assertEquals("2", db.queue("q").claimOne("w").orElseThrow().payloadJson());
    }

    @Test
    void aTransactionOfAnotherThreadIsWaitedFor() throws Exception {
        CountDownLatch began = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        Thread holder = new Thread(() -> db.transactionVoid(tx -> {
            db.queue("q").enqueue(tx, "1");
            began.countDown();
            end.await();
        }));
        holder.start();
        began.await();
        assertTrue(db.queue("q").getJob(1).isEmpty(), "a read does not wait");
        Thread writer = new Thread(() -> db.queue("q").enqueue("2"));
        writer.start();
        untilWaiting(writer);
        end.countDown();
        holder.join();
        writer.join();
        assertEquals(2, db.queue("q").claimBatch("w", 10).size());
    }

    @Test
    void aBusyFileIsATypedError() {
        OpenOptions options =
                OpenOptions.builder().busyTimeout(Duration.ofMillis(50)).build();
        try (Database other = Honker.open(path, options)) {
            db.transactionVoid(tx -> {
                HonkerException error = assertThrows(
                        HonkerSqlException.class, () -> other.queue("q").enqueue("1"));
                assertEquals("HONKER_BUSY", error.code());
                assertTrue(error.isRetryable());
            });
        }
    }

    @Test
    void aClosedDatabaseSaysSoAndClosesAgain() {
        Queue queue = db.queue("q");
        Lock lock = db.lock("l");
        db.close();
        db.close();
        assertThrows(HonkerClosedException.class, () -> queue.enqueue("1"));
        assertThrows(HonkerClosedException.class, () -> db.listen("c"));
        assertThrows(HonkerClosedException.class, () -> queue.worker("w", job -> {}));
        lock.close();
    }

    @Test
    void payloadsOfAnyContentComeBack() {
        for (String json : List.of("\"\0\"", "\"ä€😀\"", "\"" + "x".repeat(1_000_000) + "\"", "")) {
            db.queue("q").enqueue(json);
            Job job = db.queue("q").claimOne("w").orElseThrow();
            assertEquals(json, job.payloadJson());
            assertTrue(job.ack());
        }
    }

    @Test
    void aMissingPayloadIsRefused() {
        HonkerException error = assertThrows(
                HonkerInvalidOptionException.class, () -> db.queue("q").enqueue(null));
        assertEquals("HONKER_INVALID_ARGUMENT", error.code());
    }

    @Test
    void aMissingErrorIsAnEmptyOne() {
        db.queue("q").enqueue("1");
        assertTrue(db.queue("q").claimOne("w").orElseThrow().retry(Duration.ZERO, null));
        assertTrue(db.queue("q").claimOne("w").orElseThrow().fail(null));
    }

    @Test
    void spansAndInstantsHaveMilliseconds() {
        Instant later =
                Instant.now().plusSeconds(3600).truncatedTo(ChronoUnit.SECONDS).plusMillis(250);
        long id =
                db.queue("q").enqueue("1", EnqueueOptions.builder().runAt(later).build());
        assertEquals(later, db.queue("q").getJob(id).orElseThrow().runAt());
        assertEquals(later, db.queue("q").nextClaimAt().orElseThrow());
        assertEquals(2L, Arguments.seconds(Duration.ofSeconds(2)));
        assertEquals(0.001, Arguments.seconds(Duration.ofNanos(1)));
        assertEquals(-0.5, Arguments.seconds(Duration.ofMillis(-500)));
    }

    @Test
    void rowsHaveTheTypesOfSqlite() {
        String sql = "SELECT 1 AS i, 2.5 AS r, 'x' AS t, x'00' AS b, NULL AS n, ? AS p";
        Row row = db.query(sql, Arrays.asList(true)).get(0);
        assertEquals(
                List.of("i", "r", "t", "b", "n", "p"), List.copyOf(row.asMap().keySet()));
        assertEquals(1L, row.get("i"));
        assertEquals(2.5, row.get("r"));
        assertEquals("x", row.getString("t"));
        assertEquals(1, ((byte[]) row.get("b")).length);
        assertTrue(row.isNull("n") && row.getBoolean("p"));
        assertThrows(HonkerInvalidOptionException.class, () -> row.get("missing"));
    }

    @Test
    void theConnectionHasThePragmasOfHonker() {
        assertEquals("wal", db.query("PRAGMA journal_mode").get(0).getString("journal_mode"));
        assertEquals(1, db.query("PRAGMA foreign_keys").get(0).getInt("foreign_keys"));
    }

    @Test
    void aLockThatIsHeldIsATypedError() {
        try (Lock lock = db.lock("l")) {
            assertThrows(LockHeldException.class, () -> db.lock("l"));
            assertTrue(lock.heartbeat());
        }
        db.lock("l").close();
    }

    @Test
    void aConnectionOfTheApplicationIsOnlyGivenTheFunctions() throws Exception {
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + path)) {
            Honker.attach(connection);
            connection.setAutoCommit(false);
            db.queue("q").enqueue(Transaction.of(connection), "1");
            connection.rollback();
            db.queue("q").enqueue(Transaction.of(connection), "2");
            connection.commit();
        }
        assertEquals("2", db.queue("q").claimOne("w").orElseThrow().payloadJson());
    }

    @Test
    void anotherLibraryOfTheProcessIsRefused() throws IOException {
        Path copy = folder.resolve("copy.so");
        Files.copy(ExtensionLibrary.find(null), copy);
        OpenOptions options = OpenOptions.builder().extensionPath(copy).build();
        assertThrows(HonkerInvalidOptionException.class, () -> Honker.open(path, options));
        OpenOptions missing = OpenOptions.builder().extensionPath("/missing.so").build();
        HonkerException error = assertThrows(HonkerLoadException.class, () -> Honker.open(path, missing));
        assertEquals("HONKER_EXTENSION_NOT_FOUND", error.code());
    }

    @Test
    void aFileInMemoryIsRefused() {
        assertThrows(HonkerInvalidOptionException.class, () -> Honker.open(":memory:"));
        HonkerException error = assertThrows(HonkerSqlException.class, () -> Honker.open(folder));
        assertEquals("HONKER_CANTOPEN", error.code());
    }

    @Test
    void notificationsArePruned() {
        db.notify("c", "1");
        db.notify("c", "2");
        assertEquals(0, db.pruneNotifications(NotificationPruneOptions.builder().build()));
        assertEquals(
                1,
                db.pruneNotifications(
                        NotificationPruneOptions.builder().maxKeep(1).build()));
    }

    @Test
    void theReadmeHasTheProgramOfTheExamples() throws IOException {
        String program = Files.readString(Path.of("examples/GettingStarted.java"));
        assertTrue(Files.readString(Path.of("README.md")).contains("```java\n" + program + "```"));
    }

    @Test
    void brokenJsonIsRefused() {
        for (String broken : List.of("", "{", "[1,]", "\"\\u12\"", "1 2", "nul", "[".repeat(600))) {
            assertThrows(IllegalArgumentException.class, () -> Json.parse(broken), broken);
        }
        assertFalse(Json.object("{\"a\": [1, -2.5e3, \"\\u00e4\\\\\"]}").isEmpty());
    }
}
