/* honker: watch commits to a SQLite file from C.
 *
 * The loadable extension (libhonker_ext.so, libhonker_ext.dylib, honker_ext.dll) exports these functions. It uses the
 * SQLite of its process: load it into some connection before calling them. All other functions of honker are SQL; see
 * reference.yaml.
 *
 * Subscribe first, then read the database, then wait: no commit between the read and the wait is missed. A wake only
 * means that something may have been committed: several commits may be one wake, and a wake may have no commit.
 *
 * Strings are UTF-8.
 */
#ifndef HONKER_H
#define HONKER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;
struct sqlite3_api_routines;

/* The entry point that SQLite calls when it loads the library. Returns SQLITE_OK_LOAD_PERMANENTLY (256), or SQLITE_ERROR
 * with a message from SQLite's allocator in *error_message. */
int sqlite3_honkerext_init(struct sqlite3 *db, char **error_message, const struct sqlite3_api_routines *api);

/* The same for sqlite3_auto_extension. Returns SQLITE_OK, which an automatic extension has to return: after any other
 * code SQLite runs no further one, and refuses a connection that is opened with SQLITE_OPEN_EXRESCODE. The caller keeps
 * the library loaded. */
int sqlite3_honkerauto_init(struct sqlite3 *db, char **error_message, const struct sqlite3_api_routines *api);

/* The same with a clock for tests: also registers honker_clock_set(unix_s), which stops honker's clock in this process;
 * NULL starts it again. */
int sqlite3_honkertesting_init(struct sqlite3 *db, char **error_message, const struct sqlite3_api_routines *api);

/* Begins to watch commits to the database at db_path (a path or a file: URI), by any connection of any process. One
 * watcher thread serves all handles of a file.
 *
 * backend: NULL or "" chooses automatically; "polling", "kernel" or "shm" by name is an error if it cannot work.
 * Returns a handle, or NULL with a message in err_buf, cut to err_len bytes with its NUL, unless err_buf is NULL. */
void *honker_watcher_open(const char *db_path, const char *backend, char *err_buf, uintptr_t err_len);

/* The same with the polling interval in milliseconds, more than 0, for systems without usable file events. */
void *honker_watcher_open_v2(const char *db_path, const char *backend, uint64_t poll_interval_ms, char *err_buf,
                             uintptr_t err_len);

/* The same with flags. poll_interval_ms may be 0 for the default. HONKER_WATCHER_PIPE makes the descriptor a pipe on every
 * system, for runtimes that can read only a stream: any bytes are a wake, and its end means that the watcher is dead. */
#define HONKER_WATCHER_PIPE 1u
void *honker_watcher_open_v3(const char *db_path, const char *backend, uint64_t poll_interval_ms, uint32_t flags,
                             char *err_buf, uintptr_t err_len);

/* Waits. Returns 1 after a commit since the last call, 0 after timeout_ms, -1 if the watcher is dead (the file was
 * replaced) or the handle is NULL, -2 after a bug in honker. */
int honker_watcher_wait(void *handle, uint64_t timeout_ms);

/* Returns a descriptor for poll, epoll or any event loop, readable when honker_watcher_wait would not wait; -1 if the
 * system has none. It belongs to the handle: do not close it. To take a wake, call honker_watcher_wait with timeout 0,
 * or read the descriptor: native 64-bit numbers, 1 for each wake, 4294967296 or more if the watcher is dead. A pipe then ends, too. */
int honker_watcher_fd(void *handle);

/* Writes the watcher's state and counts as JSON (mode, path, events, wakes, missed, safety_ticks, subscribers, death),
 * cut to len bytes with its NUL. Returns the length of the whole text. */
uintptr_t honker_watcher_stats(void *handle, char *buf, uintptr_t len);

/* For fork handlers: keeps every watcher thread out of SQLite until honker_watcher_resume, so that a forked child
 * inherits SQLite's memory in a consistent state. Returns 1, or 0 if a thread stayed in SQLite for a second; then the
 * child must not open the database again. Call honker_watcher_resume(0) in the parent and (1) in the child. */
int honker_watcher_pause(void);
void honker_watcher_resume(int is_child);

/* Ends a handle; the last of a file joins its watcher thread. NULL is allowed. Do not call it twice, nor while another
 * thread waits. */
void honker_watcher_close(void *handle);

#ifdef __cplusplus
}
#endif

#endif
