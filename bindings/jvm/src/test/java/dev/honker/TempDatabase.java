package dev.honker;

import java.nio.file.Path;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A database in a temporary folder. */
@Timeout(60)
abstract class TempDatabase {
    static final Duration SOON = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    Path path;
    Database db;

    @BeforeEach
    void open() {
        path = folder.resolve("app.db");
        db = Honker.open(path);
    }

    @AfterEach
    void close() {
        db.close();
    }

    /** Wait for a state of another thread. */
    static void until(BooleanSupplier condition) {
        long deadline = System.nanoTime() + SOON.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("it has not come");
            }
            Thread.onSpinWait();
        }
    }

    /** Wait until a thread waits for a condition. */
    static void untilWaiting(Thread thread) {
        until(() -> thread.getState() == Thread.State.TIMED_WAITING || thread.getState() == Thread.State.WAITING);
    }
}
