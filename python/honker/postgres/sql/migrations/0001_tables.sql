-- Version 1: the tables. Instants and spans are bigint milliseconds; payloads stay text, so that they come back as they went in.

-- Facts about the database: schema_version, min_writer_version, and the settings of honker_file_configure.
CREATE TABLE honker.meta (
  key text COLLATE "C" PRIMARY KEY,
  value bigint NOT NULL
);
-- Empty unless moves are recorded, so that each call asks for that in one empty page.
CREATE INDEX meta_recording ON honker.meta (key) WHERE key IN ('counters', 'events') AND value <> 0;

-- Jobs that wait or run. Ids are never used again, over all queues. `ties` names, as bits, what must be done when the job
-- leaves its state; NULL: nothing.
CREATE SEQUENCE honker.job_ids AS bigint;
CREATE TABLE honker.live (
  id bigint PRIMARY KEY DEFAULT nextval('honker.job_ids'),
  queue text COLLATE "C" NOT NULL,
  payload text NOT NULL,
  state text COLLATE "C" NOT NULL DEFAULT 'pending',
  priority bigint NOT NULL,
  run_at bigint NOT NULL,
  worker_id text COLLATE "C",
  claim_expires_at bigint,
  attempts bigint NOT NULL DEFAULT 0,
  max_attempts bigint NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint,
  last_error text,
  -- The instant since which workers have put it back because they do not know its task.
  unknown_since bigint,
  -- Jobs of one key share a limit.
  key text COLLATE "C",
  ties bigint,
  -- The key of which one job may exist in the queue, and the milliseconds for which it stays taken after success.
  unique_key text COLLATE "C",
  unique_for bigint,
  -- The parents that have not ended, of a job in state `waiting`.
  waiting_for bigint,
  snoozes bigint,
  cancel_requested_at bigint
);
-- Jobs that wait, in claim order.
CREATE INDEX live_ready ON honker.live (queue, priority DESC, run_at, id) WHERE state = 'pending';
-- Leases by the instant they lapse.
CREATE INDEX live_leases ON honker.live (queue, claim_expires_at, id) WHERE state = 'processing';
CREATE INDEX live_expiry ON honker.live (queue, expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX live_other ON honker.live (queue, state, run_at, id) WHERE state NOT IN ('pending', 'processing');
-- The line of each key. The state comes first, so that a search for keys with blocked jobs passes over the others.
CREATE INDEX live_line ON honker.live (queue, state, key, priority DESC, run_at, id) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX live_unique ON honker.live (queue, unique_key) WHERE unique_key IS NOT NULL;

-- The relations of a new job to others, as its options give them; spans in milliseconds.
CREATE TYPE honker.flow AS (
  key text,
  unique_key text,
  on_conflict text,
  until_started boolean,
  unique_for bigint,
  debounce bigint,
  debounce_max bigint,
  after bigint[],
  on_parent_failure text
);
-- A job that was asked for; `is_duplicate` if it was there before, with the same unique key.
CREATE TYPE honker.added AS (
  id bigint,
  is_duplicate boolean
);
-- The answer to the look for a unique key: the job that stands for the new one, or the one that the new one runs after.
CREATE TYPE honker.resolution AS (
  existing bigint,
  runs_after bigint
);
-- A claim that a call names; any attempt, if that is NULL.
CREATE TYPE honker.claim AS (
  id bigint,
  attempt bigint
);
-- The end of one attempt, as honker_work is told; spans in milliseconds.
CREATE TYPE honker.settlement AS (
  id bigint,
  attempt bigint,
  verb text,
  delay bigint,
  error text,
  result text,
  result_ttl bigint,
  withholds_result boolean,
  is_unknown boolean,
  run_s double precision,
  hold text,
  task text
);
-- The part of a claim that one level has given; `is_parked` if it has parked as many jobs as a claim may.
CREATE TYPE honker.taken AS (
  jobs text[],
  bytes bigint,
  dead_letters bigint,
  is_parked boolean
);

CREATE TABLE honker.dead (
  id bigint PRIMARY KEY,
  queue text COLLATE "C" NOT NULL,
  payload text NOT NULL,
  priority bigint NOT NULL,
  run_at bigint NOT NULL,
  worker_id text COLLATE "C",
  attempts bigint NOT NULL,
  max_attempts bigint NOT NULL,
  last_error text,
  created_at bigint NOT NULL,
  died_at bigint NOT NULL,
  expires_at bigint,
  key text COLLATE "C",
  ties bigint,
  unique_key text COLLATE "C",
  unique_for bigint,
  snoozes bigint
);
CREATE INDEX dead_age ON honker.dead (queue, died_at, id);
-- Lists of one queue.
CREATE INDEX dead_queue ON honker.dead (queue, id);

-- Live jobs and dead letters, for reading. Instants are seconds, as in the view of a SQLite file.
CREATE VIEW honker.jobs AS
  SELECT id, queue, payload, state, priority, run_at / 1000.0::double precision AS run_at, worker_id,
    claim_expires_at / 1000.0::double precision AS claim_expires_at, attempts, max_attempts, last_error,
    created_at / 1000.0::double precision AS created_at
  FROM honker.live
  UNION ALL
  SELECT id, queue, payload, 'dead', priority, run_at / 1000.0::double precision, NULL, NULL, attempts, max_attempts, last_error,
    created_at / 1000.0::double precision
  FROM honker.dead;

-- Jobs that ended well or were cancelled, in queues that keep them. `state` is done or cancelled.
CREATE TABLE honker.finished (
  id bigint PRIMARY KEY,
  queue text COLLATE "C" NOT NULL,
  payload text NOT NULL,
  state text COLLATE "C" NOT NULL,
  priority bigint NOT NULL,
  attempts bigint NOT NULL,
  max_attempts bigint NOT NULL,
  key text COLLATE "C",
  worker_id text COLLATE "C",
  last_error text,
  created_at bigint NOT NULL,
  finished_at bigint NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX finished_queue ON honker.finished (queue, id);
CREATE INDEX finished_age ON honker.finished (queue, finished_at);
CREATE INDEX finished_expiry ON honker.finished (expires_at);

-- Conditions under which a job is listed; NULL means any.
CREATE TYPE honker.job_filter AS (
  state text,
  queue text,
  task text,
  key text,
  error text,
  -- The only jobs that can match: those that are named, and of a workflow.
  ids bigint[],
  -- How many different ids are named.
  named bigint,
  -- A part of the payload.
  part text,
  -- Paths of arguments, and the values there as honker._comparable gives them.
  paths text[],
  path_values jsonb[],
  since bigint
);

-- Settings of a queue; NULL means the default, -1 (or an empty text) that the setting was removed.
CREATE TABLE honker.queues (
  name text COLLATE "C" PRIMARY KEY,
  paused_at bigint,
  paused_until bigint,
  pause_reason text,
  concurrency bigint,
  concurrency_per_key bigint,
  ordered bigint,
  on_dead text,
  rate_limit bigint,
  rate_per_s double precision,
  key_rate_limit bigint,
  key_rate_per_s double precision,
  burst bigint,
  keep_finished_s double precision,
  -- The instant at which the next start is due by the rate of the queue.
  next_start_ms double precision,
  -- How many keys of the queue are paused.
  paused_keys bigint
);
CREATE INDEX queues_paused ON honker.queues (name) WHERE paused_at IS NOT NULL;

-- Facts about one key: its next start by the rate per key, its pause, and the job at the head of its line that keeps the line
-- of an ordered queue waiting while it is between attempts or dead.
CREATE TABLE honker.keys (
  queue text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  next_start_ms double precision,
  paused_at bigint,
  paused_until bigint,
  pause_reason text,
  head_id bigint,
  CONSTRAINT keys_key PRIMARY KEY (queue, key)
);
-- Keys of which only a next start is known, which passes.
CREATE INDEX keys_start ON honker.keys (next_start_ms) WHERE paused_at IS NULL AND head_id IS NULL;
CREATE INDEX keys_paused ON honker.keys (queue, paused_until) WHERE paused_at IS NOT NULL;

-- Unique keys that stay taken for a time after their job succeeded.
CREATE TABLE honker.unique_keys (
  queue text COLLATE "C" NOT NULL,
  unique_key text COLLATE "C" NOT NULL,
  job_id bigint NOT NULL,
  expires_at bigint NOT NULL,
  unique_for bigint NOT NULL,
  CONSTRAINT unique_keys_key PRIMARY KEY (queue, unique_key)
);
CREATE INDEX unique_keys_expiry ON honker.unique_keys (expires_at);

-- Which job waits for which. `policy` (cancel, run, wait) says what a failure of the parent does to the child; `outcome` is
-- NULL until the parent has ended.
CREATE TABLE honker.dependencies (
  parent_id bigint NOT NULL,
  child_id bigint NOT NULL,
  position bigint NOT NULL,
  policy text NOT NULL,
  outcome text,
  CONSTRAINT dependencies_key PRIMARY KEY (parent_id, child_id)
);
CREATE INDEX dependencies_child ON honker.dependencies (child_id, outcome, policy);
-- The end of a parent, kept until the last of its children has ended.
CREATE TABLE honker.outcomes (
  job_id bigint PRIMARY KEY,
  state text COLLATE "C" NOT NULL,
  value text,
  error text
);

-- Attempts that did not end well, of jobs that still exist.
CREATE TABLE honker.attempts (
  job_id bigint NOT NULL,
  number bigint NOT NULL,
  attempt bigint NOT NULL,
  outcome text NOT NULL,
  worker_id text COLLATE "C",
  ended_at bigint NOT NULL,
  run_s double precision,
  error text,
  CONSTRAINT attempts_key PRIMARY KEY (job_id, number)
);

-- How far a job at work says that it has come.
CREATE TABLE honker.progress (
  job_id bigint PRIMARY KEY,
  done double precision NOT NULL,
  total double precision NOT NULL,
  note text,
  updated_at bigint NOT NULL
);

CREATE TABLE honker.results (
  job_id bigint PRIMARY KEY,
  value text,
  created_at bigint NOT NULL,
  expires_at bigint
);
CREATE INDEX results_expiry ON honker.results (expires_at) WHERE expires_at IS NOT NULL;

CREATE SEQUENCE honker.lock_tokens AS bigint;
CREATE TABLE honker.locks (
  name text COLLATE "C" PRIMARY KEY,
  owner text COLLATE "C" NOT NULL,
  taken_at bigint,
  expires_at bigint NOT NULL,
  token bigint NOT NULL
);

-- Uses of a rate limit in one window.
CREATE TABLE honker.rate_limits (
  name text COLLATE "C" NOT NULL,
  window_start bigint NOT NULL,
  count bigint NOT NULL,
  expires_at bigint NOT NULL,
  CONSTRAINT rate_limits_key PRIMARY KEY (name, window_start)
);
CREATE INDEX rate_limits_expiry ON honker.rate_limits (expires_at);
-- A bucket without a row is full. `missing` are the tokens that were missing at counted_at.
CREATE TABLE honker.token_buckets (
  name text COLLATE "C" PRIMARY KEY,
  missing double precision NOT NULL,
  counted_at bigint NOT NULL,
  full_at bigint NOT NULL
);
CREATE INDEX token_buckets_full ON honker.token_buckets (full_at);

-- Events. Offsets come from the sequence while the lock of the topic is held, so that their order is the order of commits.
CREATE SEQUENCE honker.stream_offsets AS bigint;
CREATE TABLE honker.stream (
  "offset" bigint PRIMARY KEY DEFAULT nextval('honker.stream_offsets'),
  topic text COLLATE "C" NOT NULL,
  key text COLLATE "C",
  payload text NOT NULL,
  created_at bigint NOT NULL
);
CREATE INDEX stream_topic ON honker.stream (topic, "offset");
CREATE TABLE honker.stream_consumers (
  name text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  "offset" bigint NOT NULL,
  CONSTRAINT stream_consumers_key PRIMARY KEY (name, topic)
);
CREATE INDEX stream_consumers_topic ON honker.stream_consumers (topic, name);

CREATE SEQUENCE honker.notification_ids AS bigint;
CREATE TABLE honker.notifications (
  id bigint PRIMARY KEY DEFAULT nextval('honker.notification_ids'),
  channel text COLLATE "C" NOT NULL,
  payload text NOT NULL,
  created_at bigint NOT NULL
);
CREATE INDEX notifications_recent ON honker.notifications (channel, id);
CREATE INDEX notifications_age ON honker.notifications (created_at);

-- How long, and how many, dead letters of a queue (kind `dead`) and events of a topic (`stream`) are kept.
CREATE TABLE honker.retention (
  kind text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  max_age bigint,
  max_keep bigint,
  -- The last event of a topic that was too many when the events up to the offset `judged_at` were counted.
  surplus_to bigint,
  judged_at bigint,
  CONSTRAINT retention_key PRIMARY KEY (kind, name)
);

-- A parsed expression of a schedule: an interval, or sets of numbers as bits; see schedule/cron.sql.
CREATE TYPE honker.cron AS (
  interval_s bigint,
  seconds bigint,
  minutes bigint,
  hours bigint,
  month_days bigint,
  -- The days of `15W`.
  near_days bigint,
  has_last_day boolean,
  has_last_workday boolean,
  months bigint,
  week_days bigint,
  -- Eight bits a weekday: bit 1 to 5 for its first to fifth day of a month, bit 6 for its last.
  nth_days bigint,
  meets_both boolean,
  runs_through_hours boolean
);

CREATE TABLE honker.schedules (
  name text COLLATE "C" PRIMARY KEY,
  queue text COLLATE "C" NOT NULL,
  expr text NOT NULL,
  time_zone text,
  payload text NOT NULL,
  priority bigint NOT NULL,
  expires bigint,
  max_attempts bigint NOT NULL,
  misfire text NOT NULL,
  overlap text NOT NULL,
  when_paused text NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  next_fire_at bigint NOT NULL,
  -- The time at which next_fire_at was computed: a later one than now shows that the clock was ahead.
  planned_at bigint NOT NULL,
  last_job_id bigint,
  last_error text,
  -- While `next_fire_at` is smaller: each boundary before this one has been passed under a clock that was ahead.
  fired_before bigint,
  set_back_at bigint
);
CREATE INDEX schedules_due ON honker.schedules (next_fire_at) WHERE enabled;

-- One row for each group of workers of one process, written by itself every few seconds.
CREATE TABLE honker.workers (
  name text COLLATE "C" PRIMARY KEY,
  seen_at bigint NOT NULL,
  beat bigint NOT NULL,
  started_at bigint NOT NULL,
  host text NOT NULL,
  pid bigint NOT NULL,
  pid_space text,
  version text NOT NULL,
  is_stopping bigint NOT NULL,
  slots bigint NOT NULL,
  busy bigint NOT NULL,
  queues text NOT NULL,
  worker_ids text NOT NULL,
  running text NOT NULL,
  -- The report that was met dated in the future, and when: see worker/set_back.sql.
  ahead_seen_at bigint,
  ahead_met_at bigint
);
CREATE INDEX workers_seen ON honker.workers (seen_at);

-- The moves of jobs in one minute. Each backend adds to rows of its own slot, so that writers do not wait for each other; a reader
-- sums them. Slot 0 has minutes that are over, and its minute -1 the sums of minutes that are not kept.
CREATE TABLE honker.counters (
  queue text COLLATE "C" NOT NULL,
  task text COLLATE "C" NOT NULL,
  minute bigint NOT NULL,
  -- The process id of the backend.
  slot integer NOT NULL,
  enqueued bigint NOT NULL,
  claimed bigint NOT NULL,
  done bigint NOT NULL,
  failed bigint NOT NULL,
  retried bigint NOT NULL,
  dead bigint NOT NULL,
  cancelled bigint NOT NULL,
  snoozed bigint NOT NULL,
  released bigint NOT NULL,
  lapsed bigint NOT NULL,
  runs bigint NOT NULL,
  run_s double precision NOT NULL,
  run_max_s double precision NOT NULL,
  wait_s double precision NOT NULL,
  wait_max_s double precision NOT NULL,
  CONSTRAINT counters_key PRIMARY KEY (queue, task, minute, slot)
);

INSERT INTO honker.meta (key, value) VALUES ('min_writer_version', 1);
