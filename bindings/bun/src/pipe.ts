import { closeSync, openSync } from 'node:fs';
import type { Connection } from './driver';

const OPEN = 'SELECT honker_update_watcher_open(?, ?, ?, ?)';
const DESCRIPTOR = 'SELECT honker_update_watcher_fd(?)';
const CLOSE = 'SELECT honker_update_watcher_close(?)';
/** The time without waits after which the pipe is not read any more. */
const IDLE_MS = 100;

/** Receives the wakes, and the end of the watcher. */
export interface WakeListener {
  onWake(): void;
  onDeath(reason: string): void;
}

interface Reader {
  read(): Promise<{ done: boolean }>;
  cancel(): Promise<void>;
}

/** A subscription to commits, which keeps the process running between `ref` and `unref`. */
export interface Source {
  ref(): void;
  unref(): void;
  close(): void;
}

export interface WatchOptions {
  watcherBackend?: string | null;
  watcherPollIntervalMs?: number;
}

/** Subscribe to the commits of a file. Returns the id and the descriptor, which is null where there is none. */
export function subscribe(connection: Connection, path: string, options: WatchOptions, kind: string) {
  const interval = options.watcherPollIntervalMs ?? 1;
  const id = connection.one(OPEN, [path, options.watcherBackend ?? null, interval, kind]) as number;
  const descriptor = connection.one(DESCRIPTOR, [id]) as number | null;
  return { id, descriptor, close: () => void connection.one(CLOSE, [id]) };
}

/** Open a descriptor a second time, because the engine closes its own; null if there is none, or no /dev/fd. */
export function reopen(descriptor: number | null): number | null {
  if (descriptor === null) return null;
  try {
    return openSync(`/dev/fd/${descriptor}`, 'r');
  } catch {
    return null;
  }
}

/**
 * Reads the wakes of a subscription from its pipe in the event loop.
 *
 * Bun keeps the process running while a read is pending, so the pipe is read only while there are waits, and a moment
 * longer. Wakes of other times stay in the pipe.
 */
export class Pipe implements Source {
  readonly #fd: number;
  readonly #unsubscribe: () => void;
  readonly #listener: WakeListener;
  #reader: Reader | null = null;
  #idle: Timer | undefined;
  #isClosed = false;

  constructor(fd: number, unsubscribe: () => void, listener: WakeListener) {
    this.#fd = fd;
    this.#unsubscribe = unsubscribe;
    this.#listener = listener;
  }

  ref(): void {
    clearTimeout(this.#idle);
    if (this.#reader === null && !this.#isClosed) void this.#read();
  }

  unref(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#stop(), IDLE_MS);
    this.#idle.unref();
  }

  async #read(): Promise<void> {
    const reader: Reader = Bun.file(this.#fd).stream().getReader();
    this.#reader = reader;
    try {
      for (;;) {
        const { done } = await reader.read();
        if (this.#reader !== reader) return;
        if (done) return this.#listener.onDeath('the database file was replaced or deleted');
        this.#listener.onWake();
      }
    } catch (error) {
      if (this.#reader === reader) this.#listener.onDeath(String(error));
    }
  }

  #stop(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    return reader?.cancel() ?? Promise.resolve();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#idle);
    void this.#stop().finally(() => closeSync(this.#fd));
    this.#unsubscribe();
  }
}
