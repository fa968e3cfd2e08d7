// @ts-check
// Waiting for a condition, with a deadline.

import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 50;

/**
 * Asks until there is an answer; fails with `otherwise` when the time is over.
 * @template T
 * @param {() => Promise<T | null | undefined | false> | T | null | undefined | false} ask
 * @param {number} timeoutMs
 * @param {string | (() => string)} otherwise
 * @returns {Promise<T>}
 */
export async function until(ask, timeoutMs, otherwise) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) {
      const reason = typeof otherwise === 'string' ? otherwise : otherwise();
      throw new Error(`${reason} within ${timeoutMs / 1000} s`);
    }
    await pause(POLL_MS);
  }
}
