package dev.honker;

import java.util.concurrent.Executor;

/** A running worker: close it to end it. It is also closed with its database. */
public final class WorkerHandle extends Running {
    WorkerHandle(Database db, String name, int count, Executor executor, Loop loop) {
        super(db, name, count, executor, loop);
    }
}
