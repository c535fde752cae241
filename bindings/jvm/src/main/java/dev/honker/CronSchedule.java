package dev.honker;

import java.time.Duration;

/**
 * The expression of a schedule.
 *
 * @param expression five or six fields of cron, {@code @every 90s}, or {@code @hourly} and its like
 */
public record CronSchedule(String expression) {
    /**
     * A schedule by a cron expression; the scheduler checks it when it is added.
     *
     * @param expression five fields (minute, hour, day of the month, month, day of the week), or six with the second
     *     first
     * @return the schedule
     */
    public static CronSchedule crontab(String expression) {
        return new CronSchedule(Arguments.required("expression", expression));
    }

    /**
     * A schedule at equal intervals.
     *
     * @param interval whole seconds, at least one
     * @return the schedule
     * @throws HonkerInvalidOptionException if the interval has a fraction of a second, or is shorter
     */
    public static CronSchedule every(Duration interval) {
        Arguments.required("interval", interval);
        if (interval.getNano() != 0 || interval.getSeconds() < 1) {
            throw new HonkerInvalidOptionException("interval is " + interval + "; give whole seconds, at least one");
        }
        return new CronSchedule("@every " + interval.getSeconds() + "s");
    }
}
