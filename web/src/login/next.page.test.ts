import { expect, test } from 'vitest';

import { isShortName, knownClinic, shortName } from './clinic';
import { ownPath } from './next';

const HERE = 'https://clinic.example';

test.each([
  [null, '/'],
  ['', '/'],
  ['/schedule', '/schedule'],
  ['/appointments/7?call=7#top', '/appointments/7?call=7#top'],
  ['schedule', '/'],
  ['//evil.example/x', '/'],
  ['/\\evil.example', '/'],
  ['/\t/evil.example', '/'],
  ['https://evil.example', '/'],
  ['javascript:alert(1)', '/'],
  ['/login?next=/login', '/'],
])('after the log-in, %j leads to %s', (next, path) => {
  expect(ownPath(next, HERE)).toBe(path);
});

test('a clinic is known from the link, else from last time', () => {
  localStorage.setItem('televisit.clinic', 'lakeside');
  expect(knownClinic(' Demo ')).toBe('demo');
  expect(knownClinic('<script>')).toBe('lakeside');
  expect(knownClinic(null)).toBe('lakeside');
  localStorage.clear();
  expect(knownClinic(null)).toBe('');
});

test('short names', () => {
  expect(shortName(' LakeSide ')).toBe('lakeside');
  expect(['a', 'a-1', 'a'.repeat(63)].every(isShortName)).toBe(true);
  expect(['', '-a', 'a-', 'a b', 'ä', 'a'.repeat(64)].some(isShortName)).toBe(false);
});
