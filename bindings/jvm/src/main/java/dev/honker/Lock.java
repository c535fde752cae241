package dev.honker;

import java.time.Duration;

/** A named lock. It lapses unless it is renewed. */
public final class Lock implements AutoCloseable {
    private final Database db;
    private final String name;
    private final String owner;
    private final Duration ttl;

    Lock(Database db, String name, String owner, Duration ttl) {
        this.db = db;
        this.name = name;
        this.owner = owner;
        this.ttl = ttl;
    }

    /**
     * The name.
     *
     * @return the name
     */
    public String name() {
        return name;
    }

    /**
     * The owner.
     *
     * @return the name of the owner
     */
    public String owner() {
        return owner;
    }

    /**
     * Renews the lock for its length.
     *
     * @return true if this owner holds it
     */
    public boolean heartbeat() {
        return heartbeat(ttl);
    }

    /**
     * Renews the lock.
     *
     * @param extend the length from now
     * @return true if this owner holds it
     */
    public boolean heartbeat(Duration extend) {
        Number seconds = Arguments.seconds(Arguments.required("extend", extend));
        return db.connections().write(each -> each.flag("SELECT honker_lock_renew(?, ?, ?)", name, owner, seconds));
    }

    /**
     * Releases the lock.
     *
     * @return true if this owner held it
     */
    public boolean release() {
        return db.connections().write(each -> each.flag("SELECT honker_lock_release(?, ?)", name, owner));
    }

    /** Releases the lock. It does nothing if the lock was lost or the database is closed. */
    @Override
    public void close() {
        if (!db.isClosed()) {
            release();
        }
    }
}
