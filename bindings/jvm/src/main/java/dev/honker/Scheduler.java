package dev.honker;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * The schedules of a database. Each enqueues a job at every boundary of its expression while a scheduler runs, in any
 * language. Schedules outlive the process.
 */
public final class Scheduler {
    private final Database db;

    Scheduler(Database db) {
        this.db = db;
    }

    /**
     * Stores a schedule with the default options, see {@link #add(String, String, CronSchedule, String,
     * ScheduleOptions)}.
     *
     * @param name the name
     * @param queue the queue of its jobs
     * @param schedule the expression
     * @param json the payload of its jobs
     */
    public void add(String name, String queue, CronSchedule schedule, String json) {
        add(name, queue, schedule, json, ScheduleOptions.defaults());
    }

    /**
     * Stores a schedule, replacing that of the same name. Add it at each start: an unchanged expression keeps its next
     * boundary, so boundaries that passed while no scheduler ran still fire.
     *
     * @param name the name
     * @param queue the queue of its jobs
     * @param schedule the expression
     * @param json the payload of its jobs
     * @param options the options
     * @throws HonkerInvalidOptionException if the expression cannot be understood
     */
    public void add(String name, String queue, CronSchedule schedule, String json, ScheduleOptions options) {
        db.connections()
                .write(each -> each.one(
                        "SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        name,
                        queue,
                        schedule.expression(),
                        Arguments.required("json", json),
                        options.priority(),
                        Arguments.seconds(options.expires()),
                        options.maxAttempts(),
                        options.timeZone(),
                        null));
    }

    /**
     * Removes a schedule. Jobs that it has enqueued stay.
     *
     * @param name the name
     * @return true if it existed
     */
    public boolean remove(String name) {
        return db.connections().write(each -> each.flag("SELECT honker_scheduler_unregister(?)", name));
    }

    /**
     * Stops a schedule from firing.
     *
     * @param name the name
     * @return true if it was active
     */
    public boolean pause(String name) {
        return db.connections().write(each -> each.flag("SELECT honker_scheduler_pause(?)", name));
    }

    /**
     * Lets a paused schedule fire again.
     *
     * @param name the name
     * @return true if it was paused
     */
    public boolean resume(String name) {
        return db.connections().write(each -> each.flag("SELECT honker_scheduler_resume(?)", name));
    }

    /**
     * Changes a schedule.
     *
     * @param name the name
     * @param changes the changes
     * @return true if it exists and there were changes
     */
    public boolean update(String name, ScheduleUpdate changes) {
        return db.connections()
                .write(each -> each.flag(
                        "SELECT honker_scheduler_update(?, ?, ?, ?, ?, ?, ?, ?)",
                        name,
                        changes.expression,
                        changes.payloadJson,
                        changes.priority,
                        changes.expiresSeconds,
                        changes.changesExpires,
                        changes.maxAttempts,
                        changes.maxAttempts != null));
    }

    /**
     * The schedules by name.
     *
     * @return the schedules
     */
    public List<ScheduleRow> list() {
        String rows = db.connections().read(each -> each.text("SELECT honker_scheduler_list()"));
        return Json.objects(rows).stream().map(ScheduleRow::read).toList();
    }

    /**
     * Enqueues a job for every boundary that has come.
     *
     * @return the number of jobs
     */
    public int tick() {
        String fires = db.connections().write(each -> each.text(Leader.TICK));
        return Json.objects(fires).size();
    }

    /**
     * Enqueues a job for every boundary up to an instant. Of two ticks at once only one fires a boundary.
     *
     * @param now the instant
     * @return the number of jobs
     */
    public int tick(Instant now) {
        Number seconds = Arguments.seconds(Arguments.required("now", now));
        String fires = db.connections().write(each -> each.text("SELECT honker_scheduler_tick(?)", seconds));
        return Json.objects(fires).size();
    }

    /**
     * The next boundary of all active schedules.
     *
     * @return the instant, or empty without a schedule
     */
    public Optional<Instant> soonest() {
        Object at = db.connections().read(each -> each.one("SELECT nullif(honker_scheduler_soonest(), 0)"));
        return Optional.ofNullable(Arguments.instant(at));
    }

    /**
     * Runs a scheduler with the default options.
     *
     * @return the running scheduler; close it
     */
    public SchedulerHandle run() {
        return run(SchedulerOptions.defaults());
    }

    /**
     * Runs a scheduler in the background. Of all schedulers on the file, in any language, one leads; the others stand
     * by and take over when it ends. It sleeps until the soonest boundary or a change.
     *
     * @param options the options
     * @return the running scheduler; close it
     */
    public SchedulerHandle run(SchedulerOptions options) {
        if (options.heartbeatEvery().compareTo(options.lockTtl()) >= 0) {
            throw new HonkerInvalidOptionException(
                    "heartbeatEvery is " + options.heartbeatEvery() + "; give less than lockTtl, " + options.lockTtl());
        }
        return new SchedulerHandle(
                db, "honker-scheduler", 1, null, (index, isStopped) -> new Leader(db, options, isStopped).run());
    }
}
