package dev.honker;

import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** The loop of a scheduler: takes the lock over, renews it, fires, and waits. */
final class Leader {
    static final String TICK = "SELECT honker_scheduler_tick(honker_clock())";

    private static final System.Logger LOG = System.getLogger(Leader.class.getName());
    private static final long NANOS_PER_SECOND = TimeUnit.SECONDS.toNanos(1);

    private final Database db;
    private final SchedulerOptions options;
    private final String owner;
    private final BooleanSupplier isStopped;
    private final Watcher watcher;
    private boolean isLeading;
    private long renewAt;

    Leader(Database db, SchedulerOptions options, BooleanSupplier isStopped) {
        this.db = db;
        this.options = options;
        this.isStopped = isStopped;
        owner = options.owner() == null ? UUID.randomUUID().toString() : options.owner();
        watcher = db.watcher();
    }

    void run() {
        int failures = 0;
        try {
            while (!isStopped.getAsBoolean()) {
                try {
                    step();
                    failures = 0;
                } catch (HonkerSqlException error) {
                    if (!error.isRetryable()) {
                        throw error;
                    }
                    LOG.log(System.Logger.Level.WARNING, "a scheduler tries again: " + error.getMessage());
                    Worker.backOff(failures++, db, isStopped);
                }
            }
        } finally {
            resign();
        }
    }

    private void step() {
        long seen = watcher.seen();
        if (!isLeading) {
            standBy(seen);
            return;
        }
        if (System.nanoTime() >= renewAt) {
            isLeading = lock("SELECT honker_lock_renew(?, ?, ?)");
            return;
        }
        long pause = untilSoonest();
        if (pause > 0) {
            watcher.await(seen, Math.min(pause, renewAt - System.nanoTime()), isStopped);
        } else {
            isLeading = fire();
        }
    }

    /** Read first: a try at each commit would take the write lock from processes that need it. */
    private void standBy(long seen) {
        Object left = db.connections()
                .read(each -> each.one("SELECT honker_lock_expires_at(?) - honker_clock()", options.lockName()));
        double seconds = left == null ? 0 : ((Number) left).doubleValue();
        // An end beyond the length of the lock was stored before the clock was set back; a try measures it again.
        if (seconds <= 0 || seconds > options.lockTtl().getSeconds() + 1) {
            isLeading = lock("SELECT honker_lock_acquire(?, ?, ?)");
            if (isLeading) {
                return;
            }
            seconds = 1;
        }
        long pause = (long) (seconds * NANOS_PER_SECOND);
        watcher.await(seen, Math.min(pause, options.idlePollInterval().toNanos()), isStopped);
    }

    private boolean lock(String sql) {
        Number ttl = Arguments.seconds(options.lockTtl());
        boolean isHeld = db.connections().write(each -> each.flag(sql, options.lockName(), owner, ttl));
        if (isHeld) {
            renewAt = System.nanoTime() + options.heartbeatEvery().toNanos();
        }
        return isHeld;
    }

    /** The span to the next boundary, 0 if one has come. */
    private long untilSoonest() {
        Duration longest = options.idlePollInterval();
        Object left = db.connections()
                .read(each -> each.one("SELECT nullif(honker_scheduler_soonest(), 0) - honker_clock()"));
        if (left == null) {
            return longest.toNanos();
        }
        double nanos = Math.max(0, ((Number) left).doubleValue()) * NANOS_PER_SECOND;
        return Math.min((long) nanos, longest.toNanos());
    }

    /** Tick if this scheduler still leads. Both are under the write lock, so one that has lost it fires nothing. */
    private boolean fire() {
        return db.transaction(tx -> tx.run(each -> {
            boolean isHeld = each.one("SELECT honker_lock_token(?, ?)", options.lockName(), owner) != null;
            if (isHeld) {
                each.one(TICK);
            }
            return isHeld;
        }));
    }

    /** Release the lock; a lost one belongs to another owner, whom this does not affect. */
    private void resign() {
        if (!isLeading || db.isClosed()) {
            return;
        }
        try {
            db.connections().write(each -> each.one("SELECT honker_lock_release(?, ?)", options.lockName(), owner));
        } catch (HonkerException error) {
            LOG.log(System.Logger.Level.WARNING, "the leader's lock is left to lapse", error);
        }
    }
}
