package dev.honker;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.BooleanSupplier;

/** Results of jobs. */
final class Results {
    private Results() {}

    static long save(SqlConnection connection, long id, String json, ResultOptions options) {
        Number ttl = options.expiresAfter() == null ? (Number) 0L : Arguments.seconds(options.expiresAfter());
        return connection.integer("SELECT honker_result_save(?, ?, ?)", id, Arguments.required("json", json), ttl);
    }

    static Optional<String> get(Database db, long id) {
        return Optional.ofNullable(db.connections().read(each -> each.text("SELECT honker_result_get(?)", id)));
    }

    static String await(Database db, long id, WaitOptions options, BooleanSupplier isStopped) {
        long deadline = Waiting.deadline(options.timeout());
        return Waiting.until(db, deadline, isStopped, () -> look(db, id), Waiting.FALLBACK::toNanos)
                .orElseThrow(() -> new HonkerTimeoutException("job " + id + " has no result yet"));
    }

    /**
     * Null if the result may still come. The outcome is read first: a result that is saved before the job ends is
     * seen.
     */
    private static String look(Database db, long id) {
        String text = db.connections().read(each -> each.text("SELECT honker_job_outcome(?)", id));
        Optional<String> result = get(db, id);
        if (result.isPresent()) {
            return result.get();
        }
        Map<String, Object> outcome = Json.object(text);
        String state = (String) outcome.get("state");
        return switch (state) {
            case "dead" ->
                throw new HonkerException("HONKER_JOB_FAILED", "job " + id + " is dead: " + outcome.get("error"), null);
            case "gone", "cancelled" ->
                throw new HonkerException(
                        "HONKER_RESULT_GONE", "job " + id + " is " + state + " and left no result", null);
            default -> null;
        };
    }

    /** Wait in another thread. */
    static CompletableFuture<String> later(Database db, long id, WaitOptions options) {
        CompletableFuture<String> result = new CompletableFuture<>();
        // Its own completion also ends the wait: the future may be cancelled, or completed by the application.
        result.whenComplete((value, error) -> db.poke());
        executor(db).execute(() -> {
            try {
                result.complete(await(db, id, options, result::isDone));
            } catch (RuntimeException | Error error) {
                result.completeExceptionally(error);
            }
        });
        return result;
    }

    private static Executor executor(Database db) {
        if (db.executor() != null) {
            return db.executor();
        }
        return wait -> {
            Thread thread = new Thread(wait, "honker-result");
            thread.setDaemon(true);
            thread.start();
        };
    }
}
