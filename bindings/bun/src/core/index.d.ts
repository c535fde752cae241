/**
 * The classes that Node's and Bun's packages share. Instants are Unix seconds and spans are seconds, both with
 * fractions down to the millisecond.
 *
 * Every operation may throw a {@link HonkerError}; its `code` is one of reference.yaml.
 */

/** The base of every error of honker. */
export class HonkerError extends Error {
  /** A stable code, as `HONKER_BUSY`. */
  readonly code: string;
  /** The error of the driver, if there is one. */
  readonly cause?: unknown;
  /** True if the same call may succeed later. */
  readonly isRetryable: boolean;
  constructor(message: string, options?: { code?: string; cause?: unknown });
}
/** Another connection, or a transaction of this handle, held the write lock (`HONKER_BUSY`). */
export class BusyError extends HonkerError {}
/** The database, or the object that was used, is closed (`HONKER_CLOSED`). */
export class ClosedError extends HonkerError {
  constructor(message?: string);
}
/** A constraint or a trigger of the application refused the change (`HONKER_CONSTRAINT`). */
export class ConstraintError extends HonkerError {}
/** The file or a row of it is damaged (`HONKER_CORRUPT`, `HONKER_MALFORMED_ROW`). */
export class CorruptError extends HonkerError {}
/** The disk is full or failed (`HONKER_FULL`, `HONKER_IO`, `HONKER_CANTOPEN`). */
export class DiskError extends HonkerError {}
/** The host interrupted the statement (`HONKER_INTERRUPTED`). */
export class InterruptedError extends HonkerError {}
/** An argument has the wrong type or is out of its range (`HONKER_INVALID_ARGUMENT`). */
export class InvalidArgumentError extends HonkerError {}
/** The engine cannot be loaded (`HONKER_TWO_SQLITES`, `HONKER_SQLITE_TOO_OLD`, `HONKER_NAME_TAKEN`). */
export class LoadError extends HonkerError {}
/** The file or the connection is read-only (`HONKER_READ_ONLY`). */
export class ReadOnlyError extends HonkerError {}
/** The file has no tables of honker, or those of a newer one (`HONKER_NOT_BOOTSTRAPPED`, `HONKER_SCHEMA_TOO_NEW`). */
export class SchemaError extends HonkerError {}
/** Another job has the unique key (`HONKER_UNIQUE_KEY_TAKEN`). */
export class UniqueKeyTakenError extends HonkerError {}
/** A job that was named in `after` is not known (`HONKER_UNKNOWN_PARENT`). */
export class UnknownParentError extends HonkerError {}
/** The time of a wait is over (`HONKER_TIMEOUT`). */
export class WaitTimeoutError extends HonkerError {
  constructor(message: string);
}
/** Commits to the file cannot be watched (`HONKER_WATCHER`). */
export class WatcherError extends HonkerError {}

/** A value of the application's SQL. Objects and arrays are stored as JSON text, a Date as ISO text. */
export type Parameter = null | undefined | string | number | bigint | boolean | Uint8Array | Date | object;
/** A row: integers beyond 2^53 are bigint, BLOBs hex text. */
// biome-ignore lint/suspicious/noExplicitAny: the application knows the types of its columns
export type Row = Record<string, any>;
/** A transaction of honker, or a connection that the application's driver has opened and `load` prepared. */
export type TransactionLike = Transaction | object;

/** Options of an operation that may be a part of a transaction. */
export interface InTransaction {
  /** The operation happens if and only if this transaction commits. */
  tx?: TransactionLike | null;
}

/** Options of a job. */
export interface EnqueueOptions extends InTransaction {
  /** The earliest claim in Unix seconds; may be in the past. */
  runAt?: number | null;
  /** The earliest claim in seconds from now; overrides `runAt`. */
  delay?: number | null;
  /** -2^53 to 2^53; higher goes first. Default 0. */
  priority?: number;
  /** Seconds from now after which the job is a dead letter instead of being claimed. */
  expires?: number | null;
  /** Claims before the job is a dead letter. Default: that of the queue. */
  maxAttempts?: number;
  /** Jobs of one key share the queue's limits per key. */
  key?: string | null;
  /** At most one job of this key exists in the queue; a second `enqueue` acts by `onConflict`. */
  uniqueKey?: string | null;
  onConflict?: 'existing' | 'replace' | 'rerun' | 'raise' | null;
  /** Seconds for which the unique key stays taken after the job has succeeded. */
  uniqueForS?: number | null;
  uniqueUntil?: string | null;
  /** The job starts so many seconds after the last enqueue of its unique key. */
  debounceS?: number | null;
  debounceMaxS?: number | null;
  /** Ids of jobs that must end first. */
  after?: number[] | null;
  onParentFailure?: 'cancel' | 'run' | 'wait' | null;
}

/** Options of a queue. */
export interface QueueOptions {
  /** The seconds of a lease. Default 300. */
  visibilityTimeoutS?: number;
  /** Claims of a job before it is a dead letter. Default 3. */
  maxAttempts?: number;
}

/** Options of an iteration over jobs. */
export interface ClaimOptions {
  /** Seconds between two looks without a commit; null never looks without one. Default 5. */
  idlePollS?: number | null;
  /** Ends the wait; no job is lost. */
  signal?: AbortSignal;
  /** Has no effect; accepted for programs of earlier versions. */
  pollMs?: number;
}

/** A job as the database has it. Its payload is JSON text. */
export interface JobInfo {
  id: number;
  queue: string;
  state: string;
  payload: string;
  priority: number;
  attempts: number;
  max_attempts: number;
  run_at: number;
  [name: string]: unknown;
}

/** A claimed job: one attempt, leased to one worker. Each operation returns true if the lease still holds. */
// biome-ignore lint/suspicious/noExplicitAny: the payload is what the producer has enqueued
export class Job<T = any> {
  private constructor();
  readonly id: number;
  readonly queue: string;
  readonly payload: T;
  readonly workerId: string;
  /** The number of this attempt, from 1. */
  readonly attempts: number;
  /** The last instant of the lease, when it was claimed. */
  readonly claimExpiresAt: number;
  /** Acknowledge the job, which deletes it. */
  ack(options?: InTransaction): boolean;
  /** Put the job back for another attempt; after the last one it is a dead letter. */
  retry(delayS?: number, error?: string | null, options?: InTransaction): boolean;
  /** Make the job a dead letter at once. */
  fail(error?: string | null, options?: InTransaction): boolean;
  /** Set the end of the lease to `extendS` seconds from now. */
  heartbeat(extendS: number): boolean;
  /** Give the job back at its old place; the attempt is not charged. */
  release(): boolean;
  /** Put the job off; the attempt is not charged. */
  snooze(delayS: number): boolean;
}

/** An iteration that waits for commits. `close`, `break` and its signal end it. */
export interface WaitingIterator<T> extends AsyncIterableIterator<T, undefined, undefined> {
  /** Wait for the next item. Rejects with ClosedError if the database is closed meanwhile. */
  next(): Promise<IteratorResult<T, undefined>>;
  return(): Promise<IteratorResult<T, undefined>>;
  throw(error: unknown): Promise<IteratorResult<T, undefined>>;
  [Symbol.asyncIterator](): this;
  /** True after the end. */
  readonly isClosed: boolean;
  /** End the iteration; a `next` that waits resolves as done. Closing twice is allowed. */
  close(): void;
}

/** The jobs of a queue, claimed as they are asked for. */
// biome-ignore lint/suspicious/noExplicitAny: as of Job
export interface Claims<T = any> extends WaitingIterator<Job<T>> {}
export const Claims: abstract new (...args: never[]) => Claims;

/** Waits for the jobs of a queue, one at a time. */
// biome-ignore lint/suspicious/noExplicitAny: as of Job
export class ClaimWaker<T = any> {
  private constructor();
  /** Claim a job if one is due, or return null. */
  tryNext(workerId: string): Job<T> | null;
  /** Wait for a job and claim it. Returns null if the signal aborts first; then no job is taken. */
  next(workerId: string, options?: { signal?: AbortSignal }): Promise<Job<T> | null>;
  /** End every wait, which rejects with ClosedError. */
  close(): void;
}

/** A queue of jobs. */
// biome-ignore lint/suspicious/noExplicitAny: as of Job
export class Queue<T = any> {
  private constructor();
  readonly name: string;
  readonly visibilityTimeoutS: number;
  readonly maxAttempts: number;
  /** Add a job. Returns its id; with a taken unique key, that of the job that has it. */
  enqueue(payload: T, options?: EnqueueOptions): number;
  /** The same with the transaction first. */
  enqueueTx(tx: TransactionLike, payload: T, options?: EnqueueOptions): number;
  /** Add up to 100,000 jobs with the same options, all or none. Returns their ids. */
  enqueueMany(payloads: Iterable<T>, options?: EnqueueOptions): number[];
  /** Claim up to `n` due jobs, 0 to 10,000: the highest priority first, then the earliest. */
  claimBatch(workerId: string, n: number): Job<T>[];
  /** Claim a due job, or return null. */
  claimOne(workerId: string): Job<T> | null;
  /** Iterate over jobs, waiting when there is none. */
  claim(workerId: string, options?: ClaimOptions): Claims<T>;
  /** Make an object that waits for jobs one at a time. */
  claimWaker(options?: Omit<ClaimOptions, 'signal'>): ClaimWaker<T>;
  /** The instant at which a claim could find a job; 0 without one. */
  nextClaimAt(): number;
  /** Acknowledge several jobs of a worker. Returns the number of leases that held. */
  ackBatch(ids: Iterable<number>, workerId: string, options?: InTransaction): number;
  /** Make the expired jobs dead letters. Returns their number. */
  sweepExpired(): number;
  /** Remove a job of this queue, waiting or leased. True if there was one. */
  cancel(id: number, options?: InTransaction): boolean;
  /** A job of this queue that waits or is leased, or null. */
  getJob(id: number): JobInfo | null;
  /** Put a dead letter back with all its attempts. True if there was one. */
  requeue(id: number): boolean;
  /** Stop claims in every process. True if the queue was running. */
  pause(): boolean;
  /** Allow claims again. True if the queue was paused. */
  resume(): boolean;
  /** Change settings for every process, as `{ concurrency: 4 }`. Returns all settings. */
  configure(settings: Record<string, unknown>): Record<string, unknown>;
  /** Count the jobs by state. */
  stats(): Record<string, unknown>;
}

/** An event of a stream. */
// biome-ignore lint/suspicious/noExplicitAny: as of Job
export class Event<T = any> {
  private constructor();
  /** Grows within the topic, with gaps. */
  readonly offset: number;
  readonly topic: string;
  readonly key: string | null;
  readonly payload: T;
  readonly createdAt: number;
  /** The same as `createdAt`. */
  readonly created_at: number;
}

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Events after which the offset is saved; 0 disables this limit. Default 1000. */
  saveEveryN?: number;
  /** Seconds after which the offset is saved; 0 disables this limit. Default 1. */
  saveEveryS?: number;
  /** Seconds between two looks without a commit; null never looks without one. Default 15. */
  fallbackPollS?: number | null;
  /** The same as `fallbackPollS`. */
  idlePollS?: number | null;
  signal?: AbortSignal;
  /** Has no effect; accepted for programs of earlier versions. */
  pollMs?: number;
}

/** The events of a stream for one consumer, each at least once. `close` saves the offset. */
// biome-ignore lint/suspicious/noExplicitAny: as of Job
export interface Subscription<T = any> extends WaitingIterator<Event<T>> {}
export const Subscription: abstract new (...args: never[]) => Subscription;

/** A log of events by topic. */
// biome-ignore lint/suspicious/noExplicitAny: as of Job
export class Stream<T = any> {
  private constructor();
  readonly name: string;
  readonly topic: string;
  /** Append an event. Returns its offset. */
  publish(payload: T, options?: InTransaction & { key?: string | null }): number;
  /** Append an event with a key. Returns its offset. */
  publishWithKey(key: string | null, payload: T, options?: InTransaction): number;
  /** Append an event if the transaction commits. Returns its offset. */
  publishTx(tx: TransactionLike, payload: T, key?: string | null): number;
  /** Read up to `limit` events after an offset, in order; 0 is the beginning. */
  readSince(offset: number, limit?: number): Event<T>[];
  /** Read up to `limit` events after the saved offset of a consumer. */
  readFromConsumer(consumer: string, limit?: number): Event<T>[];
  /** Save the offset of a consumer. True if it rose. */
  saveOffset(consumer: string, offset: number, options?: InTransaction): boolean;
  /** Save the offset of a consumer if the transaction commits. True if it rose. */
  saveOffsetTx(tx: TransactionLike, consumer: string, offset: number): boolean;
  /** The saved offset of a consumer; 0 without one. */
  getOffset(consumer: string): number;
  /** Iterate over the events after the consumer's offset, and wait for more. */
  subscribe(consumer: string, options?: SubscribeOptions): Subscription<T>;
}

/** A notification of a channel. */
// biome-ignore lint/suspicious/noExplicitAny: as of Job
export class Notification<T = any> {
  private constructor();
  readonly id: number;
  readonly channel: string;
  readonly payload: T;
  readonly createdAt: number;
}

/** Options of a listener. */
export interface ListenOptions {
  /** Seconds between two looks without a commit; null never looks without one. Default 15. */
  fallbackPollS?: number | null;
  signal?: AbortSignal;
  /** Has no effect; accepted for programs of earlier versions. */
  pollMs?: number;
}

/** The notifications of a channel from the moment of `listen`. */
// biome-ignore lint/suspicious/noExplicitAny: as of Job
export interface Listener<T = any> extends WaitingIterator<Notification<T>> {
  readonly channel: string;
}
export const Listener: abstract new (...args: never[]) => Listener;

/** The commits to the file, of any process. */
export class UpdateEvents {
  private constructor();
  /**
   * Wait for a commit since the last call; several may count as one.
   *
   * Rejects with WatcherError ("watcher died: ...") once the file was replaced, with ClosedError after `close`.
   */
  next(): Promise<void>;
  close(): void;
}

/** A lock, until `release` or until its time is over. */
export class Lock {
  private constructor();
  readonly name: string;
  readonly owner: string;
  readonly released: boolean;
  /** True if the owner had the lock; false the second time. */
  release(): boolean;
  /** Set the end of the lock to `ttlS` seconds from now. False if it is lost. */
  heartbeat(ttlS: number): boolean;
  /** The fencing token, which grows with each owner; null if the lock is lost. */
  token(): number | null;
}

/** A schedule. Its payload is JSON text. */
export interface ScheduleInfo {
  name: string;
  queue: string;
  cron_expr: string;
  payload: string;
  priority: number;
  expires_s: number | null;
  next_fire_at: number;
  enabled: boolean;
  max_attempts: number;
  [name: string]: unknown;
}

/** The times of a schedule: five or six cron fields, or `@every 90s`. `cron` is another name of `schedule`. */
export type ScheduleTimes = { schedule: string; cron?: undefined } | { cron: string; schedule?: undefined };

/** A schedule to add. */
export type NewSchedule = ScheduleTimes &
  InTransaction & {
    name: string;
    queue: string;
    payload?: unknown;
    priority?: number;
    /** Seconds after the boundary from which the job is not claimed any more. */
    expiresS?: number | null;
    maxAttempts?: number;
  };

/** Changes of a schedule; what is absent stays. */
export type ScheduleChanges = Partial<ScheduleTimes> & {
  payload?: unknown;
  priority?: number;
  expiresS?: number | null;
  maxAttempts?: number | null;
};

/** A job that a tick has enqueued. */
export interface Fire {
  name: string;
  queue: string;
  fire_at: number;
  job_id: number;
}

/** The schedules of a database. */
export class Scheduler {
  private constructor();
  /** Add a schedule, or replace the one of that name; an unchanged expression keeps its next boundary. */
  add(schedule: NewSchedule): void;
  /** True if there was one. */
  remove(name: string): boolean;
  /** Stop a schedule from firing. True if it was active. */
  pause(name: string): boolean;
  /** True if it was paused. */
  resume(name: string): boolean;
  list(): ScheduleInfo[];
  /** True if there is such a schedule and anything was given. */
  update(name: string, changes: ScheduleChanges): boolean;
  /** Enqueue the jobs of all boundaries up to `now`. */
  tick(now?: number): Fire[];
  /** The next boundary; 0 without one. */
  soonest(): number;
  /** Fire schedules until the signal aborts. Of all processes that run one leads, by a lock; the others stand by. */
  run(owner: string, signal?: AbortSignal): Promise<void>;
  run(options: { owner: string; signal?: AbortSignal }): Promise<void>;
}

/** Delivers a payload to another system. It fails if it throws or rejects. */
// biome-ignore lint/suspicious/noExplicitAny: as of Job
export type Delivery<T = any> = (payload: T, job: Job<T>) => unknown;

/** Options of an outbox. */
export interface OutboxOptions extends QueueOptions {
  /** Seconds before the second attempt; it doubles up to an hour. Default 5. */
  baseBackoffS?: number;
}

/** Side effects that are recorded with the rows that caused them, and delivered afterwards, each at least once. */
// biome-ignore lint/suspicious/noExplicitAny: as of Job
export class Outbox<T = any> {
  private constructor();
  readonly name: string;
  readonly baseBackoffS: number;
  readonly queue: Queue<T>;
  enqueue(payload: T, options?: EnqueueOptions): number;
  enqueueTx(tx: TransactionLike, payload: T, options?: EnqueueOptions): number;
  /** Deliver until the signal aborts; the delivery under way then ends first. */
  runWorker(workerId: string, options?: ClaimOptions): Promise<void>;
}

/** A transaction, which holds the write lock from its beginning to its end. */
export class Transaction {
  protected constructor();
  /** True after `commit` or `rollback`. */
  readonly done: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: the application knows its driver
  protected readonly connection: any;
  /** Run a statement. Returns the number of rows that it has changed. */
  execute(sql: string, params?: Parameter[]): number;
  /** Run a query. Returns its rows. */
  rows(sql: string, params?: Parameter[]): Row[];
  /** Send a notification when the transaction commits. Returns its id. */
  notify(channel: string, payload?: unknown): number;
  /** Commit. Does nothing after the end. If COMMIT fails, the transaction stays open. */
  commit(): void;
  /** Undo everything. Does nothing after the end. */
  rollback(): void;
}

/** An open database. Every operation after `close` throws ClosedError. */
export class Database<Tx extends Transaction = Transaction> {
  protected constructor(platform: object, path: string, options: object, TransactionClass: object);
  readonly path: string;
  /** The driver's connection of operations without a transaction. */
  // biome-ignore lint/suspicious/noExplicitAny: the application knows its driver
  protected readonly connection: any;
  /**
   * Begin a transaction. The thread waits for the write lock of other processes, up to five seconds.
   *
   * @throws BusyError if this handle has a transaction open, or the lock was not free in time.
   */
  transaction(): Tx;
  /** Run `work` in a transaction, without blocking the event loop. It rolls back if `work` throws. */
  withTransaction<R>(work: (tx: Tx) => R | Promise<R>, options?: { signal?: AbortSignal }): Promise<R>;
  /** Run a query outside of transactions. */
  query(sql: string, params?: Parameter[]): Row[];
  // biome-ignore lint/suspicious/noExplicitAny: as of Job
  queue<T = any>(name: string, options?: QueueOptions): Queue<T>;
  // biome-ignore lint/suspicious/noExplicitAny: as of Job
  outbox<T = any>(name: string, delivery: Delivery<T>, options?: OutboxOptions): Outbox<T>;
  // biome-ignore lint/suspicious/noExplicitAny: as of Job
  stream<T = any>(name: string): Stream<T>;
  scheduler(): Scheduler;
  /** Send a notification to the listeners of a channel. Returns its id. */
  notify(channel: string, payload?: unknown, options?: InTransaction): number;
  /** Send a notification when the transaction commits. Returns its id. */
  notifyTx(tx: TransactionLike, channel: string, payload?: unknown): number;
  /** Iterate over the notifications that are sent from now on. */
  // biome-ignore lint/suspicious/noExplicitAny: as of Job
  listen<T = any>(channel: string, options?: ListenOptions): Listener<T>;
  /** Subscribe to the commits of any process. */
  updateEvents(): UpdateEvents;
  /** Acquire a lock for `ttlS` seconds, 60 by default, or return null if another owner holds it. */
  tryLock(name: string, owner: string, ttlS?: number): Lock | null;
  /** Count one use of a name. False if `limit` uses were counted in the current window of `per` seconds. */
  tryRateLimit(name: string, limit: number, per: number): boolean;
  /** Delete windows that began more than `olderThanS` seconds ago, 3600 by default. Returns their number. */
  sweepRateLimits(olderThanS?: number): number;
  /** Save the text of a job's result for `ttlS` seconds; 0, the default, keeps it. */
  saveResult(jobId: number, value: string, ttlS?: number, options?: InTransaction): void;
  /** The text of a job's result, or null. */
  getResult(jobId: number): string | null;
  /** Wait for a result. Rejects with WaitTimeoutError after `timeoutS` seconds, and with the signal's reason. */
  waitResult(jobId: number, options?: { timeoutS?: number | null; signal?: AbortSignal }): Promise<string>;
  /** Delete the results whose time is over. Returns their number. */
  sweepResults(): number;
  /** Delete notifications that exceed either limit. Returns their number. */
  pruneNotifications(olderThanS?: number | null, maxKeep?: number | null): number;
  /** Roll an open transaction back, end every wait with ClosedError, and close. Closing twice is allowed. */
  close(): void;
}
