package dev.honker;

import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Counts of the jobs of a queue, all of one moment.
 *
 * @param ready jobs that are due
 * @param delayed jobs that are not due yet
 * @param processing jobs that are leased
 * @param lapsed leased jobs whose lease has expired
 * @param blocked jobs that wait for others of their key
 * @param waiting jobs that wait for the jobs after which they run
 * @param dead dead letters
 * @param isExact false if a count stopped at 10,000 and is a lower bound
 * @param oldestReadyAge the age of the job that has been due for longest, or null
 * @param nextDueAt the instant at which the first delayed job becomes due, or null
 * @param pausedAt the instant of the pause, or null if the queue runs
 */
public record QueueStats(
        long ready,
        long delayed,
        long processing,
        long lapsed,
        long blocked,
        long waiting,
        long dead,
        boolean isExact,
        Duration oldestReadyAge,
        Instant nextDueAt,
        Instant pausedAt) {
    static QueueStats read(String json) {
        Map<String, Object> row = Json.object(json);
        return new QueueStats(
                (Long) row.get("ready"),
                (Long) row.get("delayed"),
                (Long) row.get("processing"),
                (Long) row.get("lapsed"),
                (Long) row.get("blocked"),
                (Long) row.get("waiting"),
                (Long) row.get("dead"),
                Stream.of("ready", "delayed", "processing", "lapsed", "blocked", "waiting", "dead")
                        .allMatch(count -> (Boolean) row.get(count + "_is_exact")),
                Arguments.span(row.get("oldest_ready_age_s")),
                Arguments.instant(row.get("next_due_at")),
                Arguments.instant(row.get("paused_at")));
    }
}
