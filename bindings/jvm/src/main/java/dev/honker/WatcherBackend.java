package dev.honker;

/** A way to notice commits of other processes. */
public enum WatcherBackend {
    /** The engine's choice: events of the file system, with checks that find commits without an event. */
    AUTO(""),
    /** The reference's default; the engine's choice here, which is faster. */
    PRAGMA_DATA_VERSION(""),
    /** Accepted for compatibility. */
    MMAP_SHM("shm"),
    /** Events of the file system. */
    KERNEL_EVENTS("kernel");

    final String engineName;

    WatcherBackend(String engineName) {
        this.engineName = engineName;
    }
}
