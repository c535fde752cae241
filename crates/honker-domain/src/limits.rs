//! Every maximum that honker enforces, with its reason.

use std::ops::RangeInclusive;

use crate::clock::Span;

/// Bytes of UTF-8 in a name: queue, worker, topic, consumer, channel, lock, rate limit, schedule. Names are
/// index keys: each page of an index holds fewer of them the longer they are.
pub const NAME_MAX_BYTES: usize = 255;

/// Bytes of a payload, a result or an error text. A claim hands a payload out as a JSON string, which can be six
/// times as long, and SQLite refuses any text above 1,000,000,000 bytes.
pub const TEXT_MAX_BYTES: usize = 100 * 1024 * 1024;

/// Calls of functions within each other, through triggers whose statements call functions again. SQLite ends a recursion of
/// triggers by itself, but does not see one that goes through a function, which would use up the stack: a file with such a
/// trigger could crash the program that opens it. Sixteen is far more than any use, and small on every stack.
pub const NESTED_CALLS_MAX: u32 = 16;

/// Bytes of a cron expression; the longest sensible list of minutes, hours and days stays below it.
pub const EXPRESSION_MAX_BYTES: usize = 255;

/// Jobs in one claim. The claim holds the write lock; ten thousand jobs are some 50 ms.
pub const CLAIM_BATCH: RangeInclusive<i64> = 0..=10_000;

/// Bytes of payload after which a claim stops adding jobs, so that a batch of large payloads neither exhausts
/// memory nor meets SQLite's limit on the length of a text.
pub const CLAIM_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of payload after which a read of events or notifications stops adding rows: a thousand rows of half a megabyte
/// would take a gigabyte as JSON. Readers go on after the last row.
pub const READ_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Lapsed leases that one claim puts back. A crash of many workers is then digested over several claims instead of
/// in one long write.
pub const LAPSED_PER_CLAIM: i64 = 100;

/// Exhausted, expired and malformed rows that one claim dead-letters when it meets them, for the same reason.
pub const DEAD_LETTERS_PER_CLAIM: usize = 1_000;

/// How far statistics count. A count of a million visits as many index entries, some 50 ms.
pub const COUNT_LIMIT: RangeInclusive<i64> = 1..=1_000_000;

/// How far statistics count unless told otherwise: less than a millisecond each.
pub const COUNT_LIMIT_DEFAULT: i64 = 10_000;

/// Queues, or violations, in one list.
pub const LIST_BATCH: RangeInclusive<i64> = 0..=10_000;

/// Jobs settled in one call; as many as a claim can hand out.
pub const SETTLE_BATCH: usize = 10_000;

/// Jobs enqueued in one call. The call holds the write lock; a hundred thousand jobs are some 200 ms.
pub const ENQUEUE_BATCH: usize = 100_000;

/// Attempts a job may have.
pub const MAX_ATTEMPTS: RangeInclusive<i64> = 1..=1_000_000;

/// Attempts of a job whose caller names none.
pub const MAX_ATTEMPTS_DEFAULT: i64 = 3;

/// Priorities: the integers that every language reads from JSON without loss.
pub const PRIORITY: RangeInclusive<i64> = -9_007_199_254_740_991..=9_007_199_254_740_991;

/// Seconds of the first and the last instant accepted: years 1 to 9999, what date types of other languages hold.
pub const INSTANT_S: RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Seconds in the longest span accepted: 100 years.
pub const SPAN_MAX_S: i64 = 3_155_760_000;

/// Seconds of the longest lease of a job or a lock: one year. A dead worker's job, or a dead owner's lock, waits for it.
pub const LEASE_MAX_S: i64 = 31_536_000;

/// Boundaries one tick fires for a schedule that catches up. The rest of a long downtime is dropped.
pub const CATCH_UP_FIRES: usize = 64;

/// How late a fire of a schedule with misfire policy `skip` may be.
pub const MISFIRE_GRACE: Span = Span::from_seconds(60);

/// How long a notification is kept for listeners that are behind.
pub const NOTIFICATION_RETENTION: Span = Span::from_seconds(24 * 3600);

/// Notifications between two looks at old ones, and the most that such a look deletes. Twice as many as were
/// added, so that a backlog shrinks.
pub const NOTIFICATION_PRUNE_EVERY: i64 = 64;
/// See [`NOTIFICATION_PRUNE_EVERY`].
pub const NOTIFICATION_PRUNE_MAX: i64 = 128;

/// How far in the future a row may be dated before retention gives it up, if the policy's own age is shorter, and how far
/// beyond the longest lease a lock may end before it counts as free.
pub const FUTURE_MARGIN: Span = Span::from_seconds(24 * 3600);

/// Tokens in a bucket, and those it gains per second. Up to here a double counts thousandths of a token exactly enough.
pub const TOKENS_MAX: f64 = 1e9;

/// Expired results, rate-limit windows or full buckets deleted by a write that adds one.
pub const EXPIRED_ROWS_PER_WRITE: i64 = 4;

/// Rows that a policy of retention may keep. Passing over them is what finding the rest takes.
pub const MAX_KEEP: RangeInclusive<i64> = 0..=10_000_000;

/// Of so many new events or dead letters one is the turn to prune; a power of two.
pub const PRUNE_EVERY: i64 = 64;

/// What is deleted at such a turn, at most: twice as many as were added, so that a backlog shrinks.
pub const PRUNE_MAX: i64 = 128;

/// The surplus of a stream is searched again when the log has grown by this share of the events it keeps.
pub const JUDGE_SHARE: i64 = 16;

/// The time for which a cancelled job is remembered for callers that wait for its result: a caller that looks less often
/// than once a day does not wait.
pub const CANCEL_TRACE_RETENTION: Span = Span::from_seconds(24 * 3600);

/// Jobs that a limit of a queue or a key lets run at once. A claim counts the jobs in flight up to the limit: 86 us for a thousand.
pub const CONCURRENCY: RangeInclusive<i64> = 1..=1_000;

/// Starts of a rate, and starts that may come at once.
pub const RATE_LIMIT: RangeInclusive<i64> = 1..=1_000_000;

/// Jobs that one claim parks because their key is full, or puts off to the start that their key's rate gives them.
pub const PARKED_PER_CLAIM: usize = 64;

/// Jobs with ties that a connection remembers from its claims: as many as one claim can hand out.
pub const TIED_JOBS_KNOWN: usize = 10_000;

/// Blocked jobs of one key that one call makes candidates: a limit that was dropped is digested in steps.
pub const PROMOTED_PER_KEY: i64 = 1_000;

/// Keys, or jobs of them, that a change of settings promotes: some 300 ms. Claims go on with the rest.
pub const PROMOTED_PER_CHANGE: i64 = 10_000;

/// Keys that a claim which finds nothing looks at, for jobs that nothing promotes.
pub const RESCUED_KEYS_PER_CLAIM: usize = 16;

/// Waiting jobs that a claim which finds nothing looks at, for parents that are gone.
pub const RESCUED_WAITING_PER_CLAIM: i64 = 16;

/// Parents that are gone whose edges such a claim settles.
pub const RESCUED_PARENTS_PER_CLAIM: usize = 256;

/// Jobs with parents that each new one looks at, to delete the edges of those that are gone: more than it adds.
pub const PRUNED_PER_CHILD: usize = 2;

/// Jobs with parents that a sweep looks at for the same.
pub const PRUNED_PER_SWEEP: usize = 1_000;

/// Keys whose pause has ended by time that one claim looks at.
pub const RESUMED_KEYS_PER_CLAIM: i64 = 16;

/// Parents of one job, and jobs that one call may make wait.
pub const PARENTS_MAX: usize = 100_000;

/// Attempts of a job that are remembered: the first ones, and the last.
pub const HISTORY_FIRST: i64 = 5;
/// See [`HISTORY_FIRST`].
pub const HISTORY_LAST: i64 = 15;

/// Bytes of an error text in the history of a job.
pub const HISTORY_ERROR_BYTES: usize = 8 * 1024;

/// Bytes of the note of a progress, and of the reason of a pause.
pub const NOTE_MAX_BYTES: usize = 1_000;

/// The parts and the whole of a progress: far more than any use, and exact as a double.
pub const AMOUNT_MAX: f64 = 1e15;

/// Seconds for which a unique key may stay taken after its job succeeded, and for which finished jobs may be kept.
pub const KEEP_MAX_S: i64 = SPAN_MAX_S;

/// Rows that one call of an inspection takes out of SQLite. Those that a filter leaves out within SQLite take 0.1 us, and more if
/// their payloads are read or are long: see [`INSPECT_MS`].
pub const INSPECT_ROWS: usize = 50_000;

/// Ids that such a call collects from indexes to bring them into their order.
pub const INSPECT_IDS: usize = 50_000;

/// Ids that it collects, and the milliseconds, before it compares the ways: a smaller index is always read.
pub const INSPECT_IDS_CHEAP: usize = 5_000;
/// See [`INSPECT_IDS_CHEAP`].
pub const INSPECT_CHEAP_MS: u64 = 4;

/// The greatest ids of an index with more, which suffice for a page: twice the jobs of the longest, see `candidates.rs`.
pub const INSPECT_IDS_NEWEST: usize = 2_000;

/// Jobs at equal distances that show which way is shorter. Each takes 2 us.
pub const INSPECT_SAMPLES: i64 = 64;

/// Ids of finished jobs that such a call reads at once. Their index has them in order.
pub const FINISHED_IDS: i64 = 5_000;

/// Milliseconds after which an inspection looks at no further row: its callers wait for a page. Rows with large payloads take long.
pub const INSPECT_MS: u64 = 28;

/// Milliseconds after which it stops to read an index for the greatest ids. An index of 400,000 jobs takes as long.
pub const INSPECT_INDEX_MS: u64 = 40;

/// Milliseconds for the rows of these ids.
pub const INSPECT_INDEX_ROWS_MS: u64 = 6;

/// Rows that it looks at before that time counts, and the milliseconds that end it before them: payloads of many megabytes.
pub const INSPECT_ROWS_MIN: usize = 12;
/// See [`INSPECT_ROWS_MIN`].
pub const INSPECT_MS_MAX: u64 = 250;

/// Jobs in one page of a list, and likewise other rows.
pub const JOBS_PAGE: RangeInclusive<i64> = 0..=500;

/// Ids that a filter of jobs may name.
pub const JOB_IDS_MAX: usize = 1_000;

/// Jobs that one call of a verb for many changes. The call holds the write lock, and others wait.
pub const APPLY_BATCH: RangeInclusive<i64> = 1..=500;

/// Parents, and children, that the detail of a job names.
pub const RELATIVES_SHOWN: i64 = 1_000;

/// Jobs that a reason names which hold the slots of a key or a queue.
pub const HOLDERS_NAMED: i64 = 10;

/// Names and running jobs in each list of a worker's report: a report is a small write.
pub const REPORT_ITEMS_MAX: usize = 100;

/// Seconds between two reports of a worker that has nothing new to report.
pub const BEAT_S: i64 = 10;

/// Registered workers up to which they report every [`BEAT_S`]. Beyond, each reports less often: every report is a commit
/// that wakes all the others, so the wakes of all would grow with the square of their number.
pub const WORKERS_PER_BEAT: i64 = 20;

/// The longest time between two reports.
pub const LONGEST_BEAT_S: i64 = 1_200;

/// Reports that a worker may miss before it counts as lost.
pub const MISSED_BEATS: i64 = 3;

/// How long a lost worker stays listed.
pub const LOST_WORKER_RETENTION: Span = Span::from_seconds(3_600);

/// Lost workers that one report deletes.
pub const LOST_WORKERS_PER_REPORT: i64 = 8;

/// Leases of a lost worker that one report moves in each queue, after the clock was set back.
pub const MOVED_LEASES_PER_QUEUE: i64 = 1_000;

/// Consumers that a list of streams reads: far more than any use, and some 30 ms. The list tells if there are more.
pub const CONSUMERS_READ: i64 = 4_000;

/// Jobs of a workflow that a list names.
pub const WORKFLOW_JOBS_SHOWN: usize = 200;

/// Minutes for which counters are kept by minute. The sums stay.
pub const COUNTER_MINUTES: i64 = 240;

/// Minutes of counters in one call.
pub const MINUTES: RangeInclusive<i64> = 1..=COUNTER_MINUTES;

/// Rows of counters after which a call ends.
pub const COUNTER_ROWS: usize = 20_000;

/// Pairs of a queue and a task at which a call looks for counters of the last minutes: 5 us each.
pub const COUNTER_PAIRS: usize = 5_000;

/// Events of moves that are kept unless their topic has a policy: one event holds all moves of a call.
pub const EVENTS_KEPT: i64 = 10_000;

/// Moves in one event: some 100 KB.
pub const MOVES_PER_EVENT: usize = 1_000;
