package dev.honker;

import java.time.Duration;
import java.time.Instant;
import java.util.Map;

/**
 * A stored schedule.
 *
 * @param name the name
 * @param queue the queue of its jobs
 * @param schedule the expression
 * @param payloadJson the payload of its jobs
 * @param priority the priority of its jobs
 * @param expires the span after a boundary after which its job is no longer claimed, or null
 * @param nextFireAt the next boundary
 * @param isEnabled false while it is paused
 * @param maxAttempts the number of attempts of its jobs
 * @param timeZone the IANA name, or null for the time zone of the process
 * @param lastError the reason for which the last tick skipped it, or null
 */
public record ScheduleRow(
        String name,
        String queue,
        CronSchedule schedule,
        String payloadJson,
        long priority,
        Duration expires,
        Instant nextFireAt,
        boolean isEnabled,
        long maxAttempts,
        String timeZone,
        String lastError) {
    static ScheduleRow read(Map<String, Object> row) {
        return new ScheduleRow(
                (String) row.get("name"),
                (String) row.get("queue"),
                new CronSchedule((String) row.get("cron_expr")),
                (String) row.get("payload"),
                (Long) row.get("priority"),
                Arguments.span(row.get("expires_s")),
                Arguments.instant(row.get("next_fire_at")),
                (Boolean) row.get("enabled"),
                (Long) row.get("max_attempts"),
                (String) row.get("time_zone"),
                (String) row.get("last_error"));
    }
}
