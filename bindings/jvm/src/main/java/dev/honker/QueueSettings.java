package dev.honker;

import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The settings of a queue, which every process obeys. Null means no limit.
 *
 * @param concurrency the largest number of jobs in flight, or null
 * @param concurrencyPerKey the largest number of jobs of one key in flight, or null
 * @param ordered true if the jobs of a key run one at a time in order, or null
 * @param onDead the effect of a dead letter on the jobs behind it in an ordered queue, or null for {@code BLOCK}
 * @param rate the starts of the queue, or null
 * @param ratePerKey the starts of each key, or null
 * @param burst the starts that may come at once, or null without a rate
 * @param keepFinished how long finished jobs are kept for inspection, or null
 */
public record QueueSettings(
        Integer concurrency,
        Integer concurrencyPerKey,
        Boolean ordered,
        OnDead onDead,
        Rate rate,
        Rate ratePerKey,
        Integer burst,
        Duration keepFinished) {
    /** The effect of a dead letter on the jobs of its key that stand behind it in an ordered queue. */
    public enum OnDead {
        /** They wait. */
        BLOCK,
        /** They run. */
        CONTINUE
    }

    static QueueSettings read(String json) {
        Map<String, Object> row = Json.object(json);
        Object onDead = row.get("on_dead");
        return new QueueSettings(
                integer(row.get("concurrency")),
                integer(row.get("concurrency_per_key")),
                (Boolean) row.get("ordered"),
                onDead == null ? null : OnDead.valueOf(onDead.toString().toUpperCase(Locale.ROOT)),
                rate(row.get("rate")),
                rate(row.get("rate_per_key")),
                integer(row.get("burst")),
                Arguments.span(row.get("keep_finished_s")));
    }

    private static Integer integer(Object value) {
        return value == null ? null : ((Number) value).intValue();
    }

    private static Rate rate(Object value) {
        return value instanceof List<?> pair ? new Rate(integer(pair.get(0)), Arguments.span(pair.get(1))) : null;
    }
}
