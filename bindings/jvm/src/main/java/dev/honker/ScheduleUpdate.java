package dev.honker;

import java.time.Duration;

/** Changes of a schedule. Properties that are not set stay as they are. */
public final class ScheduleUpdate {
    String expression;
    String payloadJson;
    Long priority;
    Number expiresSeconds;
    boolean changesExpires;
    Integer maxAttempts;

    /** No changes. */
    public ScheduleUpdate() {
        // The methods add them.
    }

    /**
     * Changes the expression; the next boundary is the first one from now.
     *
     * @param schedule the expression
     * @return these changes
     */
    public ScheduleUpdate schedule(CronSchedule schedule) {
        expression = schedule.expression();
        return this;
    }

    /**
     * Changes the payload of its jobs.
     *
     * @param json the payload
     * @return these changes
     */
    public ScheduleUpdate payloadJson(String json) {
        payloadJson = Arguments.required("json", json);
        return this;
    }

    /**
     * Changes the priority of its jobs.
     *
     * @param value the priority
     * @return these changes
     */
    public ScheduleUpdate priority(long value) {
        priority = value;
        return this;
    }

    /**
     * Changes the expiry of its jobs.
     *
     * @param span the span after a boundary, or null for never
     * @return these changes
     */
    public ScheduleUpdate expires(Duration span) {
        expiresSeconds = Arguments.seconds(span);
        changesExpires = true;
        return this;
    }

    /**
     * Changes the number of attempts of its jobs.
     *
     * @param value the number
     * @return these changes
     */
    public ScheduleUpdate maxAttempts(int value) {
        maxAttempts = value;
        return this;
    }
}
