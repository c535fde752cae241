/** @file
 * The C functions of the library honker_cpp, over a connection of SQLite.
 *
 * Each returns HONKER_CPP_OK or one of the negative codes; honker_cpp_last_error() then has the message of this
 * thread's last failure, which begins with a stable code such as "HONKER_BUSY: ". Results are stored where the last
 * argument points; it may be NULL. Texts are UTF-8 and end with NUL. A text that is returned belongs to the caller, who
 * frees it by honker_cpp_free(). A text that may be absent is returned as NULL.
 *
 * Payloads and results are JSON text. Spans are seconds.
 */
#ifndef HONKER_CPP_H
#define HONKER_CPP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;

#define HONKER_CPP_OK 0
#define HONKER_CPP_ERROR_OPEN (-1)      /**< The file cannot be opened. */
#define HONKER_CPP_ERROR_LOAD_EXT (-2)  /**< The library of SQL functions cannot be loaded. */
#define HONKER_CPP_ERROR_BOOTSTRAP (-3) /**< The tables cannot be created or upgraded. */
#define HONKER_CPP_ERROR_SQL (-4)       /**< The call failed. */

/** Open a file, with the functions and tables of honker. ext_path may be NULL or "" to find the library. On failure
 * *db is NULL. */
int honker_cpp_open(const char* path, const char* ext_path, struct sqlite3** db);
/** Close a connection. NULL is allowed. */
void honker_cpp_close(struct sqlite3* db);
/** The message of the last failure of this thread, or "". It is valid until the thread's next call. */
const char* honker_cpp_last_error(void);
/** Free a text that a function has returned. NULL is allowed. */
void honker_cpp_free(char* text);

/** Begin a transaction with the write lock. */
int honker_cpp_begin_tx(struct sqlite3* db);
int honker_cpp_commit_tx(struct sqlite3* db);
int honker_cpp_rollback_tx(struct sqlite3* db);

/** Add a job that is due delay_s seconds from now; 0 means no delay. */
int honker_cpp_enqueue(struct sqlite3* db, const char* queue, const char* payload, int64_t delay_s, int64_t priority,
                       int64_t max_attempts, int64_t* id);
/** Claim a job for timeout_s seconds: a JSON object, or NULL if no job is due. */
int honker_cpp_claim_one(struct sqlite3* db, const char* queue, const char* worker, int64_t timeout_s, char** job);
/** Claim up to n jobs: a JSON array. */
int honker_cpp_claim_batch(struct sqlite3* db, const char* queue, const char* worker, int64_t n, int64_t timeout_s,
                           char** jobs);
/** The functions of a claim store 1 if it was held, else 0. */
int honker_cpp_ack(struct sqlite3* db, int64_t id, const char* worker, int* was_held);
/** Acknowledge the jobs of a JSON array of ids. Stores the number of claims that were held. */
int honker_cpp_ack_batch(struct sqlite3* db, const char* ids, const char* worker, int64_t* count);
int honker_cpp_retry(struct sqlite3* db, int64_t id, const char* worker, int64_t delay_s, const char* error,
                     int* was_held);
int honker_cpp_fail(struct sqlite3* db, int64_t id, const char* worker, const char* error, int* was_held);
int honker_cpp_heartbeat(struct sqlite3* db, int64_t id, const char* worker, int64_t extend_s, int* was_held);
int honker_cpp_cancel(struct sqlite3* db, int64_t id, int* was_removed);
/** A job that waits or is leased: a JSON object, or NULL. */
int honker_cpp_get_job(struct sqlite3* db, int64_t id, char** job);
int honker_cpp_sweep_expired(struct sqlite3* db, const char* queue, int64_t* count);

/** Append an event. key may be NULL. */
int honker_cpp_stream_publish(struct sqlite3* db, const char* topic, const char* key, const char* payload,
                              int64_t* offset);
/** Read events: a JSON array. */
int honker_cpp_stream_read_since(struct sqlite3* db, const char* topic, int64_t offset, int64_t limit, char** events);
int honker_cpp_stream_save_offset(struct sqlite3* db, const char* consumer, const char* topic, int64_t offset,
                                  int* rose);
int honker_cpp_stream_get_offset(struct sqlite3* db, const char* consumer, const char* topic, int64_t* offset);

/** Store a schedule. expires_s of 0 means none. */
int honker_cpp_scheduler_register(struct sqlite3* db, const char* name, const char* queue, const char* expr,
                                  const char* payload, int64_t priority, int64_t expires_s, int64_t max_attempts);
int honker_cpp_scheduler_unregister(struct sqlite3* db, const char* name, int* existed);
/** Enqueue a job for each boundary up to now, in Unix seconds: a JSON array. */
int honker_cpp_scheduler_tick(struct sqlite3* db, int64_t now, char** fires);
/** Store the next boundary in Unix seconds; 0 if there is none. */
int honker_cpp_scheduler_soonest(struct sqlite3* db, int64_t* at);
int honker_cpp_scheduler_pause(struct sqlite3* db, const char* name, int* was_active);
int honker_cpp_scheduler_resume(struct sqlite3* db, const char* name, int* was_paused);
/** List the schedules: a JSON array. */
int honker_cpp_scheduler_list(struct sqlite3* db, char** schedules);
/** Change a schedule. NULL leaves a property; expires_s is only used if touch_expires is not 0, and NULL removes it. */
int honker_cpp_scheduler_update(struct sqlite3* db, const char* name, const char* expr, const char* payload,
                                const int64_t* priority, const int64_t* expires_s, int touch_expires,
                                const int64_t* max_attempts, int* was_changed);

/** The functions of locks store 1 if the owner has, or had, the lock. */
int honker_cpp_lock_acquire(struct sqlite3* db, const char* name, const char* owner, int64_t ttl_s, int* is_held);
int honker_cpp_lock_release(struct sqlite3* db, const char* name, const char* owner, int* was_held);
int honker_cpp_lock_heartbeat(struct sqlite3* db, const char* name, const char* owner, int64_t ttl_s, int* is_held);
/** Count a use. Stores 0 if the window is full. */
int honker_cpp_rate_limit_try(struct sqlite3* db, const char* name, int64_t limit, int64_t per_s, int* passes);

int honker_cpp_result_save(struct sqlite3* db, int64_t id, const char* value, int64_t ttl_s);
/** The result of a job, or NULL. */
int honker_cpp_result_get(struct sqlite3* db, int64_t id, char** value);
int honker_cpp_result_sweep(struct sqlite3* db, int64_t* count);
/** Send a notification. */
int honker_cpp_notify(struct sqlite3* db, const char* channel, const char* payload, int64_t* id);

#ifdef __cplusplus
}
#endif

#endif
