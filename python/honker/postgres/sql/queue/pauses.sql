-- Pausing a queue or a key: nothing of it is claimed; enqueueing and settling go on.
--
-- A pause with an end needs no process that is alive at it: claims compare it with the time, and honker_queue_next_claim_at returns it.
--
-- Invariant: `paused_keys` of a queue is the number of its keys with a `paused_at`. Each change of one counts them again under the
-- lock of the queue, so two changes at once count one after the other. A claim looks at the pauses of keys only if that is
-- more than 0; it ends those whose time has come, promotes their jobs, and so brings it to 0 at last (honker._end_key_pauses).
--
-- A claim that has begun before the commit of a pause may still take jobs.

CREATE OR REPLACE FUNCTION honker._pause_end(until double precision, now bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  pause_end bigint := CASE WHEN until IS NOT NULL THEN honker._instant(until, 'until') END;
BEGIN
  IF pause_end <= now THEN
    PERFORM honker._invalid('until', 'is not later than now; leave it out, or resume');
  END IF;
  RETURN pause_end;
END $$;

CREATE OR REPLACE FUNCTION honker._pause_reason(reason text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF octet_length(reason) > 1000 THEN
    PERFORM honker._invalid('reason', format('has %s bytes; up to 1000 are allowed', octet_length(reason)));
  END IF;
  RETURN reason;
END $$;

-- Pauses the queue. False if it was paused already; then the pause has these terms from now on.
CREATE OR REPLACE FUNCTION honker._pause(queue text, pause_end bigint, reason text, now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  rules honker.queues;
  was_paused boolean;
BEGIN
  PERFORM honker._lock_queue(queue);
  SELECT q.* INTO rules FROM honker.queues AS q WHERE q.name = queue;
  was_paused := honker._is_paused(rules, now);
  INSERT INTO honker.queues AS q (name, paused_at, paused_until, pause_reason) VALUES (queue, now, pause_end, reason)
  ON CONFLICT ON CONSTRAINT queues_pkey DO UPDATE
  SET paused_at = CASE WHEN was_paused THEN q.paused_at ELSE now END, paused_until = pause_end, pause_reason = reason;
  RETURN NOT was_paused;
END $$;

-- Pauses a key of the queue, likewise.
CREATE OR REPLACE FUNCTION honker._pause_key(queue text, key text, pause_end bigint, reason text, now bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  was_paused boolean;
BEGIN
  PERFORM honker._lock_queue(queue);
  PERFORM honker._lock_key(queue, key);
  was_paused := honker._is_key_paused(queue, key, now);
  INSERT INTO honker.keys AS k (queue, key, paused_at, paused_until, pause_reason) VALUES (queue, key, now, pause_end, reason)
  ON CONFLICT ON CONSTRAINT keys_key DO UPDATE
  SET paused_at = CASE WHEN was_paused THEN k.paused_at ELSE now END, paused_until = pause_end, pause_reason = reason;
  PERFORM honker._count_paused_keys(queue);
  RETURN NOT was_paused;
END $$;

CREATE OR REPLACE FUNCTION honker._is_key_paused(queue text, key text, now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  RETURN EXISTS (SELECT 1 FROM honker.keys AS k
                 WHERE k.queue = queue AND k.key = key AND k.paused_at IS NOT NULL AND coalesce(k.paused_until > now, true));
END $$;

CREATE OR REPLACE FUNCTION honker._end_key_pause(queue text, key text) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  UPDATE honker.keys AS k SET paused_at = NULL, paused_until = NULL, pause_reason = NULL WHERE k.queue = queue AND k.key = key;
  DELETE FROM honker.keys AS k
  WHERE k.queue = queue AND k.key = key AND k.paused_at IS NULL AND k.head_id IS NULL AND k.next_start_ms IS NULL;
END $$;

CREATE OR REPLACE FUNCTION honker._count_paused_keys(queue text) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  counted bigint := (SELECT count(*) FROM honker.keys AS k WHERE k.queue = queue AND k.paused_at IS NOT NULL);
BEGIN
  INSERT INTO honker.queues AS q (name, paused_keys) VALUES (queue, counted)
  ON CONFLICT ON CONSTRAINT queues_pkey DO UPDATE SET paused_keys = counted;
END $$;

-- Pauses the queue or the key of a job that another system refuses, until an instant. A pause that lasts longer stays as it is, and so
-- does one that an operator has begun and will end. The caller has locked both.
CREATE OR REPLACE FUNCTION honker._hold(job honker.live, hold text, pause_end bigint, now bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  IF pause_end <= now OR (hold = 'key' AND job.key IS NULL) THEN
    RETURN;
  ELSIF hold = 'key' THEN
    IF NOT EXISTS (SELECT 1 FROM honker.keys AS k WHERE k.queue = job.queue AND k.key = job.key AND k.paused_at IS NOT NULL
                     AND coalesce(k.paused_until >= pause_end, true)) THEN
      PERFORM honker._pause_key(job.queue, job.key, pause_end, 'rate limited', now);
    END IF;
  ELSIF NOT EXISTS (SELECT 1 FROM honker.queues AS q WHERE q.name = job.queue AND q.paused_at IS NOT NULL
                      AND coalesce(q.paused_until >= pause_end, true)) THEN
    PERFORM honker._pause(job.queue, pause_end, 'rate limited', now);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_queue_pause(queue text, until double precision DEFAULT NULL, reason text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  now bigint := honker._now();
  was_running boolean;
BEGIN
  was_running := honker._pause(
    honker._name(queue, 'queue'), honker._pause_end(until, now), honker._pause_reason(reason), now);
  PERFORM honker._announce();
  RETURN was_running::integer;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_queue_resume(queue text) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  now bigint := honker._now();
BEGIN
  PERFORM honker._name(queue, 'queue');
  UPDATE honker.queues AS q SET paused_at = NULL, paused_until = NULL, pause_reason = NULL
  WHERE q.name = queue AND q.paused_at IS NOT NULL AND coalesce(q.paused_until > now, true);
  RETURN honker._announced(FOUND);
END $$;

CREATE OR REPLACE FUNCTION honker.honker_key_pause(
  queue text, key text, until double precision DEFAULT NULL, reason text DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  now bigint := honker._now();
  was_running boolean;
BEGIN
  PERFORM honker._check_writer();
  was_running := honker._pause_key(
    honker._name(queue, 'queue'), honker._name(key, 'key'), honker._pause_end(until, now), honker._pause_reason(reason), now);
  PERFORM honker._announce();
  RETURN was_running::integer;
END $$;

CREATE OR REPLACE FUNCTION honker.honker_key_resume(queue text, key text) RETURNS bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  now bigint := honker._now();
BEGIN
  PERFORM honker._name(queue, 'queue');
  PERFORM honker._name(key, 'key');
  PERFORM honker._lock_queue(queue);
  PERFORM honker._lock_key(queue, key);
  IF NOT honker._is_key_paused(queue, key, now) THEN
    RETURN 0;
  END IF;
  PERFORM honker._end_key_pause(queue, key);
  PERFORM honker._count_paused_keys(queue);
  PERFORM honker._promote(queue, key, now);
  PERFORM honker._announce();
  RETURN 1;
END $$;
