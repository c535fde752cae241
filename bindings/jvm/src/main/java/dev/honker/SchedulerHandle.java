package dev.honker;

import java.util.concurrent.Executor;

/** A running scheduler: close it to end it and to pass its leadership on. It is also closed with its database. */
public final class SchedulerHandle extends Running {
    SchedulerHandle(Database db, String name, int count, Executor executor, Loop loop) {
        super(db, name, count, executor, loop);
    }
}
