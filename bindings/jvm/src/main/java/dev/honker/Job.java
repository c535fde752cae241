package dev.honker;

import java.time.Duration;
import java.time.Instant;
import java.util.Map;

/**
 * A claimed job. Settle it once: acknowledge, retry, fail, release or snooze it. Each call returns false if the lease was lost,
 * and then changes nothing.
 */
public final class Job {
    private final Queue owner;
    private final long id;
    private final String name;
    private final String payloadJson;
    private final String workerId;
    private final long attempts;
    private final Instant claimExpiresAt;

    Job(Queue owner, Map<String, Object> row) {
        this.owner = owner;
        id = (Long) row.get("id");
        name = (String) row.get("queue");
        payloadJson = (String) row.get("payload");
        workerId = (String) row.get("worker_id");
        attempts = (Long) row.get("attempts");
        claimExpiresAt = Arguments.instant(row.get("claim_expires_at"));
    }

    /**
     * The id.
     *
     * @return the id, from 1
     */
    public long id() {
        return id;
    }

    /**
     * The name of the queue.
     *
     * @return the name
     */
    public String queue() {
        return name;
    }

    /**
     * The payload.
     *
     * @return JSON
     */
    public String payloadJson() {
        return payloadJson;
    }

    /**
     * The payload, read by a codec.
     *
     * @param <T> the type of the payload
     * @param codec the codec
     * @return the payload
     */
    public <T> T payload(JsonCodec<T> codec) {
        return codec.decode(payloadJson);
    }

    /**
     * The worker that has claimed it.
     *
     * @return the id of the worker
     */
    public String workerId() {
        return workerId;
    }

    /**
     * The number of this attempt.
     *
     * @return the number, from 1
     */
    public long attempts() {
        return attempts;
    }

    /**
     * The last instant of the lease, as it was claimed.
     *
     * @return the instant
     */
    public Instant claimExpiresAt() {
        return claimExpiresAt;
    }

    /**
     * Acknowledges the job, which removes it.
     *
     * @return true if this worker held it
     */
    public boolean ack() {
        return owner.db().connections().write(this::acknowledge);
    }

    /**
     * Acknowledges the job if and only if the transaction commits.
     *
     * @param tx the transaction
     * @return true if this worker held it
     */
    public boolean ack(Transaction tx) {
        return tx.run(this::acknowledge);
    }

    private boolean acknowledge(SqlConnection connection) {
        return connection.flag("SELECT honker_ack(?, ?, ?)", id, workerId, attempts);
    }

    /**
     * Gives the job back for another attempt. After the last attempt it becomes a dead letter.
     *
     * @param delay the delay of the next attempt, 0 or more
     * @param error the reason; null counts as empty
     * @return true if this worker held it
     */
    public boolean retry(Duration delay, String error) {
        Number seconds = Arguments.seconds(Arguments.required("delay", delay));
        return owner.db()
                .connections()
                .write(each ->
                        each.flag("SELECT honker_retry(?, ?, ?, ?, ?)", id, workerId, seconds, text(error), attempts));
    }

    /**
     * Makes the job a dead letter.
     *
     * @param error the reason; null counts as empty
     * @return true if this worker held it
     */
    public boolean fail(String error) {
        return owner.db()
                .connections()
                .write(each -> each.flag("SELECT honker_fail(?, ?, ?, ?)", id, workerId, text(error), attempts));
    }

    /**
     * Renews the lease for the visibility timeout of the queue.
     *
     * @return true if this worker holds it
     */
    public boolean heartbeat() {
        return heartbeat(owner.options().visibilityTimeout());
    }

    /**
     * Renews the lease.
     *
     * @param extend the length of the lease from now
     * @return true if this worker holds it
     */
    public boolean heartbeat(Duration extend) {
        return owner.db()
                .connections()
                .write(each -> each.flag(
                        "SELECT honker_heartbeat(?, ?, ?, ?)", id, workerId, Arguments.seconds(extend), attempts));
    }

    /**
     * Gives the job back without a charge: another worker may claim it at once, and the attempt does not count.
     *
     * @return true if this worker held it
     */
    public boolean release() {
        return owner.db()
                .connections()
                .write(each -> each.flag("SELECT honker_release(?, ?, ?)", id, workerId, attempts));
    }

    /**
     * Puts the job off without a charge: the attempt does not count, and the next claim has the same number.
     *
     * @param delay the earliest next claim from now, 0 or more
     * @return true if this worker held it
     */
    public boolean snooze(Duration delay) {
        Number seconds = Arguments.seconds(Arguments.required("delay", delay));
        return owner.db()
                .connections()
                .write(each -> each.flag("SELECT honker_snooze(?, ?, ?, ?)", id, workerId, seconds, attempts));
    }

    static String text(String error) {
        return error == null ? "" : error;
    }

    @Override
    public String toString() {
        return "Job " + id + " of " + name + ", attempt " + attempts;
    }
}
