package dev.honker;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;

/** Something that runs in the background until it is closed: a worker, a scheduler, or a listener with a handler. */
public class Running implements AutoCloseable {
    /** The loop of one thread. It returns when it is stopped. */
    interface Loop {
        void run(int index, BooleanSupplier isStopped) throws Exception;
    }

    private final Database db;
    private final CountDownLatch ended;
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private volatile boolean isStopped;

    Running(Database db, String name, int count, Executor executor, Loop loop) {
        this.db = db;
        ended = new CountDownLatch(count);
        db.connections().checkOpen();
        db.running().add(this);
        for (int index = 0; index < count; index++) {
            int number = index;
            start(name + "-" + index, executor, () -> run(loop, number));
        }
    }

    private void start(String name, Executor executor, Runnable loop) {
        if (executor == null) {
            Thread thread = new Thread(loop, name);
            thread.start();
            return;
        }
        try {
            executor.execute(loop);
        } catch (RejectedExecutionException error) {
            fail(error);
            ended.countDown();
        }
    }

    private void run(Loop loop, int index) {
        synchronized (threads) {
            threads.add(Thread.currentThread());
        }
        try {
            if (!isStopped) {
                loop.run(index, () -> isStopped);
            }
        } catch (HonkerClosedException closed) {
            if (!isStopped && !db.isClosed()) {
                fail(closed);
            }
        } catch (Exception | Error error) {
            fail(error);
        } finally {
            synchronized (threads) {
                threads.remove(Thread.currentThread());
            }
            ended.countDown();
            if (ended.getCount() == 0) {
                db.running().remove(this);
            }
        }
    }

    private void fail(Throwable error) {
        failure.compareAndSet(null, error);
        stop();
    }

    /**
     * True if it has ended with an error.
     *
     * @return true after a failure
     */
    public boolean failed() {
        return failure.get() != null;
    }

    /**
     * The error that has ended it.
     *
     * @return the error, or empty
     */
    public Optional<Throwable> failure() {
        return Optional.ofNullable(failure.get());
    }

    /**
     * Throws the error that has ended it, if there is one.
     *
     * @throws HonkerException the error, or one whose cause it is
     */
    public void throwIfFailed() {
        Throwable error = failure.get();
        if (error instanceof HonkerException known) {
            throw known;
        }
        if (error != null) {
            throw new HonkerException("HONKER_FAILED", "it has ended: " + error, error);
        }
    }

    /** Ends the waits, without waiting for handlers that run. */
    void stop() {
        isStopped = true;
        db.poke();
    }

    /** Waits for the end, except on a thread of this object: a handler may close it. */
    void join() {
        synchronized (threads) {
            if (threads.contains(Thread.currentThread())) {
                return;
            }
        }
        try {
            ended.await();
        } catch (InterruptedException interrupt) {
            Thread.currentThread().interrupt();
            throw new HonkerInterruptedException("the thread was interrupted while handlers run", interrupt);
        }
    }

    /**
     * Ends its waits, and waits for handlers that run. Closing again does nothing.
     *
     * @throws HonkerInterruptedException if the thread is interrupted; handlers may still run
     */
    @Override
    public void close() {
        stop();
        join();
    }
}
