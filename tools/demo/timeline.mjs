// @ts-check
// The story as it is told: one line for each step, with its time, and on failure what was expected
// and what was seen.

import { inspect, isDeepStrictEqual } from 'node:util';

const colourful = process.stdout.isTTY && !process.env.NO_COLOR;
/** @param {number} code @param {string} text */
const paint = (code, text) => (colourful ? `\x1b[${code}m${text}\x1b[0m` : text);

/** What was seen is not what was expected. */
export class Unexpected extends Error {
  /** @param {string} what @param {unknown} expected @param {unknown} seen */
  constructor(what, expected, seen) {
    super(what);
    this.expected = expected;
    this.seen = seen;
  }
}

/**
 * @param {string} what
 * @param {unknown} expected
 * @param {unknown} seen
 */
export function expect(what, expected, seen) {
  if (!isDeepStrictEqual(expected, seen)) throw new Unexpected(what, expected, seen);
}

/**
 * @param {string} what
 * @param {boolean} holds
 * @param {unknown} expected
 * @param {unknown} seen
 */
export function expectThat(what, holds, expected, seen) {
  if (!holds) throw new Unexpected(what, expected, seen);
}

export class Timeline {
  #begin = Date.now();
  #steps = 0;
  /** @type {Promise<never>} */ #interrupted;

  /** @param {AbortSignal} signal that breaks off the step under way */
  constructor(signal) {
    this.#interrupted = new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('interrupted')));
    });
    this.#interrupted.catch(() => {}); // between two steps nobody waits for it
  }

  /**
   * One step; what it returns is handed on, a string is told beside the step's name.
   * @template T
   * @param {string} name
   * @param {(tell: (text: string) => void) => Promise<T>} act
   * @returns {Promise<T>}
   */
  async step(name, act) {
    let told = '';
    try {
      const result = await Promise.race([this.#interrupted,
        act((text) => { told += (told && ', ') + text; })]);
      this.#line(paint(32, 'ok  '), name, told);
      this.#steps += 1;
      return result;
    } catch (fault) {
      this.#line(paint(31, 'FAIL'), name, told);
      const margin = ' '.repeat(16);
      if (fault instanceof Unexpected) {
        console.log(`${margin}${fault.message}`);
        console.log(`${margin}expected  ${show(fault.expected)}`);
        console.log(`${margin}seen      ${show(fault.seen)}`);
      } else {
        console.log(`${margin}${fault instanceof Error ? fault.message : fault}`);
      }
      throw fault;
    }
  }

  /** @param {string} verdict @param {string} name @param {string} told */
  #line(verdict, name, told) {
    const at = ((Date.now() - this.#begin) / 1000).toFixed(2).padStart(6);
    console.log(`${at} s  ${verdict}  ${name}${told && `: ${paint(2, told)}`}`);
  }

  get summary() {
    return `${this.#steps} steps held in ${((Date.now() - this.#begin) / 1000).toFixed(1)} s`;
  }
}

/** @param {unknown} value */
const show = (value) => inspect(value, { breakLength: Infinity, depth: 4 }).slice(0, 600);
