package dev.honker;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Changes of the settings of a queue. Settings that are not named stay as they are; null removes one. */
public final class QueueUpdate {
    private final Map<String, Object> changes = new LinkedHashMap<>();

    /** No changes. */
    public QueueUpdate() {
        // The methods add them.
    }

    /**
     * Limits the jobs in flight over all processes.
     *
     * @param value the limit, 1 to 1,000, or null for none
     * @return these changes
     */
    public QueueUpdate concurrency(Integer value) {
        return change("concurrency", value);
    }

    /**
     * Limits the jobs of one key in flight over all processes.
     *
     * @param value the limit, 1 to 1,000, or null for none
     * @return these changes
     */
    public QueueUpdate concurrencyPerKey(Integer value) {
        return change("concurrency_per_key", value);
    }

    /**
     * Orders the jobs of each key: one runs at a time, by priority and id.
     *
     * @param value true for an ordered queue, or null
     * @return these changes
     */
    public QueueUpdate ordered(Boolean value) {
        return change("ordered", value);
    }

    /**
     * Sets the effect of a dead letter on the jobs behind it in an ordered queue.
     *
     * @param value the effect, or null for {@code BLOCK}
     * @return these changes
     */
    public QueueUpdate onDead(QueueSettings.OnDead value) {
        return change("on_dead", value == null ? null : value.name().toLowerCase(Locale.ROOT));
    }

    /**
     * Limits the starts over all processes.
     *
     * @param limit the number of starts, 1 to 1,000,000
     * @param per the span in which they are allowed
     * @return these changes
     */
    public QueueUpdate rate(int limit, Duration per) {
        return rate(new Rate(limit, per));
    }

    /**
     * Limits the starts over all processes.
     *
     * @param value the limit, or null for none
     * @return these changes
     */
    public QueueUpdate rate(Rate value) {
        return change("rate", pair(value));
    }

    /**
     * Limits the starts of each key over all processes.
     *
     * @param limit the number of starts, 1 to 1,000,000
     * @param per the span in which they are allowed
     * @return these changes
     */
    public QueueUpdate ratePerKey(int limit, Duration per) {
        return ratePerKey(new Rate(limit, per));
    }

    /**
     * Limits the starts of each key over all processes.
     *
     * @param value the limit, or null for none
     * @return these changes
     */
    public QueueUpdate ratePerKey(Rate value) {
        return change("rate_per_key", pair(value));
    }

    /**
     * Sets the number of starts that may come at once. It needs a rate.
     *
     * @param value the number, 1 to 1,000,000, or null for 1
     * @return these changes
     */
    public QueueUpdate burst(Integer value) {
        return change("burst", value);
    }

    /**
     * Keeps finished jobs for inspection.
     *
     * @param span how long, more than 0, or null for not at all
     * @return these changes
     */
    public QueueUpdate keepFinished(Duration span) {
        return change("keep_finished_s", Arguments.seconds(span));
    }

    String json() {
        return Json.write(changes);
    }

    private static List<Number> pair(Rate rate) {
        return rate == null ? null : List.of(rate.limit(), Arguments.seconds(rate.per()));
    }

    private QueueUpdate change(String name, Object value) {
        changes.put(name, value);
        return this;
    }
}
