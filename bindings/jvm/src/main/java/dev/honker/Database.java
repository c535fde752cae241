package dev.honker;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;

/**
 * An open database. Threads may share it.
 *
 * <p>A call on the thread that is inside {@link #transaction} must be given the transaction; without it the call fails
 * at once with {@code HONKER_NESTED_TRANSACTION}.
 */
public final class Database implements AutoCloseable {
    private final String path;
    private final OpenOptions options;
    private final Connections connections;
    private final Set<Running> running = ConcurrentHashMap.newKeySet();
    private final Object watching = new Object();
    private Watcher watcher;

    Database(String path, OpenOptions options) {
        this.path = path;
        this.options = options;
        connections = new Connections(path, options);
    }

    /**
     * The absolute path of the file.
     *
     * @return the path
     */
    public String path() {
        return path;
    }

    /**
     * A queue with the default options. No SQL runs.
     *
     * @param name the name, 1 to 255 bytes
     * @return the queue
     */
    public Queue queue(String name) {
        return queue(name, QueueOptions.defaults());
    }

    /**
     * A queue. No SQL runs.
     *
     * @param name the name, 1 to 255 bytes
     * @param queueOptions the options
     * @return the queue
     */
    public Queue queue(String name, QueueOptions queueOptions) {
        return new Queue(this, Arguments.required("name", name), Arguments.required("options", queueOptions));
    }

    /**
     * An outbox with the default options. No SQL runs.
     *
     * @param name the name
     * @param delivery delivers a payload
     * @return the outbox
     */
    public Outbox outbox(String name, Delivery delivery) {
        return outbox(name, delivery, OutboxOptions.defaults());
    }

    /**
     * An outbox. No SQL runs.
     *
     * @param name the name
     * @param delivery delivers a payload
     * @param outboxOptions the options
     * @return the outbox
     */
    public Outbox outbox(String name, Delivery delivery, OutboxOptions outboxOptions) {
        return new Outbox(this, name, Arguments.required("delivery", delivery), outboxOptions);
    }

    /**
     * A stream. No SQL runs.
     *
     * @param topic the topic, 1 to 255 bytes
     * @return the stream
     */
    public Stream stream(String topic) {
        return new Stream(this, Arguments.required("topic", topic));
    }

    /**
     * The schedules. No SQL runs.
     *
     * @return the scheduler
     */
    public Scheduler scheduler() {
        return new Scheduler(this);
    }

    /**
     * Takes a lock for 60 s.
     *
     * @param name the name
     * @return the lock; close it
     * @throws LockHeldException if another owner holds it
     */
    public Lock lock(String name) {
        return lock(name, LockOptions.defaults());
    }

    /**
     * Takes a lock.
     *
     * @param name the name
     * @param lockOptions the options
     * @return the lock; close it
     * @throws LockHeldException if another owner holds it
     */
    public Lock lock(String name, LockOptions lockOptions) {
        return tryLock(name, lockOptions)
                .orElseThrow(() -> new LockHeldException("another owner holds the lock \"" + name + "\""));
    }

    /**
     * Takes a lock if no other owner holds it.
     *
     * @param name the name
     * @param lockOptions the options
     * @return the lock, or empty
     */
    public Optional<Lock> tryLock(String name, LockOptions lockOptions) {
        String owner = lockOptions.owner() == null ? UUID.randomUUID().toString() : lockOptions.owner();
        boolean isTaken = connections.write(each ->
                each.flag("SELECT honker_lock_acquire(?, ?, ?)", name, owner, Arguments.seconds(lockOptions.ttl())));
        return isTaken ? Optional.of(new Lock(this, name, owner, lockOptions.ttl())) : Optional.empty();
    }

    /**
     * Counts one use against a limit of fixed windows.
     *
     * @param name the name of the limit
     * @param limit the number of uses in a window, 1 to 1,000,000
     * @param per the length of a window
     * @return true if the use is within the limit
     */
    public boolean tryRateLimit(String name, long limit, Duration per) {
        return connections.write(
                each -> each.flag("SELECT honker_rate_limit_try(?, ?, ?)", name, limit, Arguments.seconds(per)));
    }

    /**
     * Deletes the windows of rate limits that ended long ago.
     *
     * @param olderThan the age from which they are deleted
     * @return the number deleted
     */
    public long sweepRateLimits(Duration olderThan) {
        return connections.write(
                each -> each.integer("SELECT honker_rate_limit_sweep(?)", Arguments.seconds(olderThan)));
    }

    /**
     * Sends a notification to the listeners of a channel.
     *
     * @param channel the channel
     * @param json the payload
     * @return the id of the notification
     */
    public long notify(String channel, String json) {
        return connections.write(
                each -> each.integer("SELECT notify(?, ?)", channel, Arguments.required("json", json)));
    }

    /**
     * Deletes notifications that exceed either limit.
     *
     * @param limits the limits
     * @return the number deleted
     */
    public long pruneNotifications(NotificationPruneOptions limits) {
        return connections.write(each -> each.integer(
                "SELECT honker_notification_prune(?, ?)", Arguments.seconds(limits.olderThan()), limits.maxKeep()));
    }

    /**
     * Begins to listen to a channel. The listener gets the notifications that are sent from now on.
     *
     * @param channel the channel
     * @return the listener; close it
     */
    public Listener listen(String channel) {
        return new Listener(this, Arguments.required("channel", channel));
    }

    /**
     * Calls a handler for each notification that is sent from now on.
     *
     * @param channel the channel
     * @param handler the handler; its exceptions end the listening, see {@link Running#failure}
     * @return the running listener; close it
     */
    public Running listen(String channel, NotificationHandler handler) {
        return listen(channel, handler, ListenOptions.defaults());
    }

    /**
     * Calls a handler for each notification that is sent from now on.
     *
     * @param channel the channel
     * @param handler the handler; its exceptions end the listening, see {@link Running#failure}
     * @param listenOptions the options
     * @return the running listener; close it
     */
    public Running listen(String channel, NotificationHandler handler, ListenOptions listenOptions) {
        Listener listener = listen(channel);
        return new Running(this, "honker-listener", 1, listenOptions.executor(), (index, isStopped) -> {
            try (listener) {
                listener.run(handler, listenOptions.pollTimeout(), isStopped);
            }
        });
    }

    /**
     * Begins to watch for commits to the file.
     *
     * @return the events
     */
    public UpdateEvents updateEvents() {
        return new UpdateEvents(this);
    }

    /**
     * Runs the tasks of a registry in workers, one for each of its queues.
     *
     * @param registry the tasks
     * @return the running workers; close them
     */
    public WorkerHandle runTasks(TaskRegistry registry) {
        return runTasks(registry, TaskWorkerOptions.defaults());
    }

    /**
     * Runs the tasks of a registry in workers, one for each of its queues.
     *
     * @param registry the tasks
     * @param workerOptions the options
     * @return the running workers; close them
     */
    public WorkerHandle runTasks(TaskRegistry registry, TaskWorkerOptions workerOptions) {
        return registry.run(this, workerOptions);
    }

    /**
     * Runs a body in a transaction that has the write lock. It commits when the body returns, and rolls back when the
     * body throws; an unchecked exception reaches the caller as it is.
     *
     * @param <T> the type of the value
     * @param body the body; it passes the transaction to each call
     * @return the value of the body
     * @throws HonkerException if the body throws a checked exception, which is the cause, or the commit fails
     */
    public <T> T transaction(TransactionCallback<T> body) {
        return connections.write(connection -> {
            connection.execute("BEGIN IMMEDIATE", List.of());
            Transaction tx = new Transaction(connection);
            try {
                T value = body.run(tx);
                tx.end();
                connection.execute("COMMIT", List.of());
                return value;
            } catch (Throwable error) {
                tx.end();
                rollBack(connection, error);
                throw unchecked(error);
            }
        });
    }

    /**
     * Runs a body without a value in a transaction, as {@link #transaction} does.
     *
     * @param body the body; it passes the transaction to each call
     */
    public void transactionVoid(TransactionVoidCallback body) {
        transaction(tx -> {
            body.run(tx);
            return null;
        });
    }

    private static void rollBack(SqlConnection connection, Throwable error) {
        try {
            connection.execute("ROLLBACK", List.of());
        } catch (HonkerException second) {
            error.addSuppressed(second); // SQLite ends a transaction by itself after some errors, such as a full disk
        }
    }

    private static RuntimeException unchecked(Throwable error) {
        if (error instanceof Error fatal) {
            throw fatal;
        }
        if (error instanceof RuntimeException unchecked) {
            return unchecked;
        }
        if (error instanceof InterruptedException) {
            Thread.currentThread().interrupt();
        }
        return new HonkerException("HONKER_ROLLED_BACK", "the transaction was rolled back: " + error, error);
    }

    /**
     * Runs a statement by itself, and returns its rows.
     *
     * @param sql one statement
     * @return its rows
     */
    public List<Row> query(String sql) {
        return query(sql, List.of());
    }

    /**
     * Runs a statement by itself, and returns its rows.
     *
     * @param sql one statement
     * @param args the values of its parameters
     * @return its rows
     */
    public List<Row> query(String sql, List<?> args) {
        return connections.write(each -> each.query(sql, args));
    }

    Connections connections() {
        return connections;
    }

    /** The executor of asynchronous waits, or null. */
    Executor executor() {
        return options.executor();
    }

    Watcher watcher() {
        synchronized (watching) {
            connections.checkOpen();
            if (watcher == null) {
                watcher = new Watcher(path, options);
            }
            return watcher;
        }
    }

    /** Let every wait of this database look again, if there is one. */
    void poke() {
        synchronized (watching) {
            if (watcher != null) {
                watcher.poke();
            }
        }
    }

    /** What runs in the background, and is closed with the database. */
    Set<Running> running() {
        return running;
    }

    /** True if a call would fail because the database is closed. */
    boolean isClosed() {
        return connections.isClosed();
    }

    /**
     * Closes the database. Waits end with {@link HonkerClosedException}. Workers, schedulers and listeners with
     * handlers are closed first; a handler or a transaction that runs is waited for. Closing again does nothing.
     *
     * @throws HonkerSqlException if this thread is inside a transaction of the database
     */
    @Override
    public void close() {
        connections.checkNotNested();
        running.forEach(Running::stop);
        running.forEach(Running::join);
        Watcher ending;
        synchronized (watching) {
            if (connections.isClosed()) {
                return;
            }
            connections.refuse();
            ending = watcher;
        }
        if (ending != null) {
            ending.refuse();
        }
        connections.close(ending);
    }
}
