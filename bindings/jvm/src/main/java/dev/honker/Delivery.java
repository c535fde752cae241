package dev.honker;

/** Delivers the payloads of an outbox to another system. */
@FunctionalInterface
public interface Delivery {
    /**
     * Delivers a payload. A return means that it is delivered.
     *
     * @param json the payload
     * @throws Exception retries the delivery: a {@link RetryableException} after its delay, any other after the backoff
     */
    void deliver(String json) throws Exception;
}
