package dev.honker.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import dev.honker.Event;
import dev.honker.Job;
import dev.honker.JobRow;
import dev.honker.Notification;
import dev.honker.Row;
import dev.honker.ScheduleRow;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Values as the protocol has them. */
final class Values {
    private Values() {}

    static Object plain(Object value) {
        if (value instanceof Optional<?> optional) {
            return plain(optional.orElse(null));
        }
        if (value instanceof List<?> list) {
            return list.stream().map(Values::plain).toList();
        }
        if (value instanceof Job job) {
            return Map.of(
                    "id",
                    job.id(),
                    "queue",
                    job.queue(),
                    "payload",
                    parsed(job.payloadJson()),
                    "worker_id",
                    job.workerId(),
                    "attempts",
                    job.attempts());
        }
        if (value instanceof JobRow job) {
            return Map.of(
                    "id",
                    job.id(),
                    "queue",
                    job.queue(),
                    "state",
                    job.state(),
                    "priority",
                    job.priority(),
                    "attempts",
                    job.attempts(),
                    "max_attempts",
                    job.maxAttempts());
        }
        return value instanceof ScheduleRow schedule
                ? Map.of(
                        "name",
                        schedule.name(),
                        "queue",
                        schedule.queue(),
                        "cron_expr",
                        schedule.schedule().expression(),
                        "enabled",
                        schedule.isEnabled())
                : row(value);
    }

    private static Object row(Object value) {
        Map<String, Object> fields = new HashMap<>();
        if (value instanceof Event event) {
            fields.put("offset", event.offset());
            fields.put("topic", event.topic());
            fields.put("key", event.key());
            fields.put("payload", parsed(event.payloadJson()));
            fields.put("created_at", event.createdAt().getEpochSecond());
            return fields;
        }
        if (value instanceof Notification notification) {
            return Map.of(
                    "id",
                    notification.id(),
                    "channel",
                    notification.channel(),
                    "payload",
                    parsed(notification.payloadJson()));
        }
        boolean isPlain = value == null
                || value instanceof Number
                || value instanceof String
                || value instanceof Boolean
                || value instanceof Map
                || value instanceof JsonElement;
        return isPlain ? value : (Object) true;
    }

    private static JsonElement parsed(String json) {
        return JsonParser.parseString(json);
    }

    /** The first column of the first row, with its type. */
    static Map<String, Object> cell(List<Row> rows) {
        if (rows.isEmpty()) {
            return null;
        }
        Object value = rows.get(0).asMap().values().iterator().next();
        Map<String, Object> cell = new HashMap<>();
        cell.put("type", type(value));
        cell.put("value", value instanceof byte[] bytes ? HexFormat.of().formatHex(bytes) : value);
        return cell;
    }

    private static String type(Object value) {
        if (value == null) {
            return "null";
        }
        return value instanceof Long
                ? "integer"
                : value instanceof Double ? "real" : value instanceof String ? "text" : "blob";
    }
}
