package dev.honker;

import java.time.Instant;
import java.util.Map;

/**
 * An event of a stream.
 *
 * @param offset its position in the topic, from 1
 * @param topic the topic
 * @param key the key, or null
 * @param payloadJson the payload
 * @param createdAt the instant of its publication
 */
public record Event(long offset, String topic, String key, String payloadJson, Instant createdAt) {
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

    static Event read(Map<String, Object> row) {
        return new Event(
                (Long) row.get("offset"),
                (String) row.get("topic"),
                (String) row.get("key"),
                (String) row.get("payload"),
                Arguments.instant(row.get("created_at")));
    }
}
