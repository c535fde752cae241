import type { HonkerError } from './index.js';

/** Translate the error of a driver; other errors pass unchanged. */
export function translate(error: unknown): unknown;
/** Make an InvalidArgumentError. */
export function invalid(message: string, cause?: unknown): HonkerError;
