package dev.honker;

import java.time.Instant;
import java.util.Map;

/**
 * A job that waits or is claimed.
 *
 * @param id the id
 * @param queue the queue
 * @param payloadJson the payload
 * @param state {@code pending}, {@code processing}, {@code blocked} or {@code waiting}
 * @param priority the priority
 * @param runAt the instant at which it becomes due
 * @param workerId the worker that has claimed it, or null
 * @param claimExpiresAt the last instant of the lease, or null
 * @param attempts the number of claims so far
 * @param maxAttempts the number of claims before it becomes a dead letter
 * @param createdAt the instant of its enqueueing
 * @param expiresAt the instant from which it is no longer claimed, or null
 */
public record JobRow(
        long id,
        String queue,
        String payloadJson,
        String state,
        long priority,
        Instant runAt,
        String workerId,
        Instant claimExpiresAt,
        long attempts,
        long maxAttempts,
        Instant createdAt,
        Instant expiresAt) {
    static JobRow read(String json) {
        Map<String, Object> row = Json.object(json);
        return new JobRow(
                (Long) row.get("id"),
                (String) row.get("queue"),
                (String) row.get("payload"),
                (String) row.get("state"),
                (Long) row.get("priority"),
                Arguments.instant(row.get("run_at")),
                (String) row.get("worker_id"),
                Arguments.instant(row.get("claim_expires_at")),
                (Long) row.get("attempts"),
                (Long) row.get("max_attempts"),
                Arguments.instant(row.get("created_at")),
                Arguments.instant(row.get("expires_at")));
    }
}
