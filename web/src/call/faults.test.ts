import { expect, test } from 'vitest';

import { Problem, Unreachable } from '../api';
import { joinFaultOf } from './faults';

function problem(slug: string, more: object = {}): Problem {
  return new Problem({ type: `/problems/${slug}`, title: slug, status: 400, ...more });
}

test.each([
  ['too-early', { opensAt: '2026-11-23T13:30:00Z' }, 'tooEarly', undefined],
  ['not-confirmed', {}, 'notConfirmed', undefined],
  ['not-found', {}, 'notFound', undefined],
  ['wrong-participant-type', {}, 'notYours', undefined],
  ['forbidden', {}, 'notYours', undefined],
  ['media-unavailable', { retryAfterSeconds: 5 }, 'media', 5000],
  ['media-unavailable', {}, 'media', 3000],
  ['rate-limited', { retryAfterSeconds: 2 }, 'busy', 2000],
  ['unavailable', {}, 'unreachable', 3000],
  ['deadline', {}, 'unreachable', 3000],
  ['unknown-outcome', {}, 'unreachable', 3000],
])('%s %o is refused as %s, again after %s ms', (slug, more, why, retryMs) => {
  const fault = joinFaultOf(problem(slug, more));
  expect(fault).toMatchObject({ kind: 'refused', why });
  expect(fault.kind === 'refused' && fault.retryMs).toBe(retryMs);
});

test('a call that opens later says when', () => {
  const opensAt = '2026-11-23T13:30:00Z';
  expect(joinFaultOf(problem('too-early', { opensAt }))).toMatchObject({ opensAt });
});

test.each(['over', 'too-late', 'gone'])('%s: the clinic is asked why', (slug) => {
  expect(joinFaultOf(problem(slug))).toEqual({ kind: 'over' });
});

test('in the call on another device', () => {
  expect(joinFaultOf(problem('already-in-call'))).toEqual({ kind: 'elsewhere' });
});

test('no way to the clinic passes', () => {
  expect(joinFaultOf(new Unreachable('away'))).toMatchObject({ why: 'unreachable', retryMs: 3000 });
});

test.each([problem('malformed'), problem('never-heard-of'), new TypeError('bug')])(
  'what nobody foresaw is shown: %s',
  (error) => {
    expect(joinFaultOf(error)).toEqual({ kind: 'failed', error });
  },
);
