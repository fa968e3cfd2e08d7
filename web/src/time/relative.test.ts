import { describe, expect, test } from 'vitest';

import { ago, timeSpent, timeUntil, untilNextWords } from './relative';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const EN = { locale: 'en' };

describe('time until', () => {
  test.each([
    [2 * HOUR + 5 * MINUTE, '2 hr 5 min'],
    [2 * HOUR + 4 * MINUTE + 1, '2 hr 5 min'],
    [HOUR, '1 hr'],
    [59 * MINUTE + 1, '1 hr'],
    [59 * MINUTE, '59 min'],
    [MINUTE + 1, '2 min'],
    [MINUTE, '1 min'],
    [59 * SECOND + 1, '1 min'],
    [59 * SECOND, '59 sec'],
    [1, '1 sec'],
    [0, '0 sec'],
    [-5 * SECOND, '0 sec'],
    [DAY - 1, '1 day'],
    [3 * DAY + 4 * HOUR - MINUTE, '3 days 4 hr'],
  ])('%d ms is %s: never less than is left', (ms, words) => {
    expect(timeUntil(ms, EN)).toBe(words);
  });

  test.each([
    ['en', '2 hr 5 min'],
    ['fr', '2 h 5 min'],
    ['de', '2 Std., 5 Min.'],
    ['es', '2 h 5 min'],
    ['ar', 'ساعتان و5 دقائق'],
  ])('in %s', (locale, words) => {
    expect(timeUntil(2 * HOUR + 5 * MINUTE, { locale }).replace(/\s/g, ' ')).toBe(words);
  });

  test.each([
    [1, 'دقيقة'],
    [2, 'دقيقتان'],
    [5, '5 دقائق'],
    [11, '11 دقيقة'],
  ])('has the Arabic plural of %d', (minutes, words) => {
    expect(timeUntil(minutes * MINUTE, { locale: 'ar' })).toBe(words);
  });
});

test('what has passed is never said to be more', () => {
  expect(timeSpent(5 * MINUTE - 1, EN)).toBe('4 min');
  expect(timeSpent(2 * HOUR - 1, EN)).toBe('1 hr 59 min');
  expect(timeSpent(MINUTE - 1, EN)).toBe('59 sec');
});

test('the words change when untilNextWords() says, and at no other time', () => {
  for (let ms = HOUR + 2 * MINUTE; ms > 0; ms -= 700) {
    const wait = untilNextWords(ms);
    const words = timeUntil(ms, EN);
    expect(wait).toBeGreaterThan(0);
    expect(timeUntil(Math.max(ms - wait + 1, 1), EN), `${ms} ms`).toBe(words);
    if (ms - wait > 0 && ms - wait !== MINUTE) {
      // One minute and sixty seconds are the same words.
      expect(timeUntil(ms - wait, EN), `${ms} ms`).not.toBe(words);
    }
  }
  expect(untilNextWords(0)).toBe(Infinity);
});

test.each([
  [30 * SECOND, 'now'],
  [-3 * SECOND, 'now'],
  [2 * MINUTE + 59 * SECOND, '2 minutes ago'],
  [HOUR, '1 hour ago'],
  [2 * DAY, '2 days ago'],
])('%d ms later it is %s', (passed, words) => {
  const then = Date.parse('2026-11-23T12:00:00Z');
  expect(ago(then, then + passed, EN)).toBe(words);
});
