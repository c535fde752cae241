package dev.honker;

import java.time.Instant;
import java.util.Map;

/**
 * A notification.
 *
 * @param id its number, which grows
 * @param channel the channel
 * @param payloadJson the payload
 * @param createdAt the instant of its sending
 */
public record Notification(long id, String channel, String payloadJson, Instant createdAt) {
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

    static Notification read(Map<String, Object> row) {
        return new Notification(
                (Long) row.get("id"),
                (String) row.get("channel"),
                (String) row.get("payload"),
                Arguments.instant(row.get("created_at")));
    }
}
