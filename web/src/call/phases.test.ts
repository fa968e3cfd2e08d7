import { describe, expect, test } from 'vitest';

import type { Appointment } from '../api';
import { endingOf } from './endings';
import { type Happening, isLive, isUnderWay, type Phase, step } from './phases';

const CLOSES = '2026-11-23T16:00:00Z';

function appointment(status: string, decision: string, serverTime = '2026-11-23T14:00:00Z') {
  return {
    status,
    join: { decision, opensAt: '2026-11-23T13:30:00Z', closesAt: CLOSES, serverTime },
  } as Appointment;
}

const OPEN = appointment('CONFIRMED', 'ALLOWED');
const DONE = appointment('COMPLETED', 'OVER');

describe('why a call is over', () => {
  test.each([
    [OPEN, undefined],
    [appointment('CONFIRMED', 'WAITING'), undefined],
    [appointment('CONFIRMED', 'ALREADY_IN_CALL'), undefined],
    [DONE, 'completed'],
    [appointment('COMPLETED', 'OVER', CLOSES), 'time'],
    [appointment('NO_SHOW', 'OVER', CLOSES), 'time'],
    [appointment('CONFIRMED', 'TOO_LATE', CLOSES), 'time'],
    [appointment('CANCELLED', 'OVER'), 'cancelled'],
    [appointment('DECLINED', 'OVER'), 'cancelled'],
    [appointment('REQUESTED', 'NOT_CONFIRMED'), 'rescheduled'],
    [appointment('CONFIRMED', 'TOO_EARLY'), 'rescheduled'],
  ])('%o', (asked, why) => {
    expect(endingOf(asked)).toBe(why);
  });
});

const joining: Phase = { at: 'joining', takeOver: false, tries: 0 };
const connecting: Phase = { at: 'inCall', link: 'connecting', attempt: 0 };
const connected: Phase = { at: 'inCall', link: 'connected', attempt: 0 };
const asking: Phase = { at: 'asking', attempt: 0, removed: false };
const media = { kind: 'refused', why: 'media', retryMs: 5000 } as const;

/** From a phase, by what happened, to a phase. */
const TABLE: [Phase, Happening, Phase][] = [
  [{ at: 'check' }, { type: 'ready' }, joining],
  [{ at: 'check' }, { type: 'resume' }, { ...joining, takeOver: true }],
  [{ at: 'check' }, { type: 'told', appointment: DONE }, { at: 'ended', why: 'completed' }],
  [
    { at: 'check' },
    { type: 'told', appointment: appointment('CONFIRMED', 'TOO_EARLY') },
    { at: 'check' },
  ],
  [joining, { type: 'admitted' }, connecting],
  [joining, { type: 'keptWaiting' }, { at: 'admission' }],
  [joining, { type: 'cannotEncrypt' }, { at: 'unencryptable' }],
  [joining, { type: 'leave' }, { at: 'left' }],
  [joining, { type: 'joinFailed', fault: { kind: 'elsewhere' } }, { at: 'elsewhere' }],
  [joining, { type: 'joinFailed', fault: { kind: 'over' } }, asking],
  [
    joining,
    { type: 'joinFailed', fault: { kind: 'failed', error: 'bug' } },
    { at: 'failed', error: 'bug' },
  ],
  [
    joining,
    { type: 'joinFailed', fault: media },
    { at: 'refused', why: 'media', tries: 1, retryMs: 5000 },
  ],
  [
    { at: 'refused', why: 'media', tries: 1, retryMs: 5000 },
    { type: 'again' },
    { ...joining, tries: 1 },
  ],
  [
    { ...joining, tries: 1 },
    { type: 'joinFailed', fault: media },
    { at: 'refused', why: 'media', tries: 2, retryMs: 5000 },
  ],
  [{ at: 'elsewhere' }, { type: 'moveHere' }, { ...joining, takeOver: true }],
  [{ at: 'moved' }, { type: 'moveHere' }, { ...joining, takeOver: true }],
  [{ at: 'moved' }, { type: 'again' }, { at: 'moved' }],
  [{ at: 'admission' }, { type: 'keptWaiting' }, { at: 'admission' }],
  [{ at: 'admission' }, { type: 'admitted' }, connecting],
  [{ at: 'admission' }, { type: 'joinFailed', fault: media }, { at: 'admission' }],
  [{ at: 'admission' }, { type: 'joinFailed', fault: { kind: 'over' } }, asking],
  [
    { at: 'admission' },
    { type: 'told', appointment: appointment('CANCELLED', 'OVER') },
    { at: 'ended', why: 'cancelled' },
  ],
  [connecting, { type: 'connected' }, connected],
  [connecting, { type: 'disconnected', reason: undefined }, { at: 'rejoining', attempt: 1 }],
  [connected, { type: 'reconnecting' }, { ...connected, link: 'reconnecting' }],
  [{ ...connected, link: 'reconnecting' }, { type: 'reconnected' }, connected],
  [connecting, { type: 'reconnecting' }, connecting],
  [connected, { type: 'disconnected', reason: undefined }, { at: 'rejoining', attempt: 1 }],
  [connected, { type: 'disconnected', reason: 'SERVER_SHUTDOWN' }, { at: 'rejoining', attempt: 1 }],
  [connected, { type: 'disconnected', reason: 'DUPLICATE_IDENTITY' }, { at: 'moved' }],
  [connected, { type: 'disconnected', reason: 'CLIENT_INITIATED' }, { at: 'left' }],
  [connected, { type: 'disconnected', reason: 'ROOM_DELETED' }, asking],
  [
    connected,
    { type: 'disconnected', reason: 'PARTICIPANT_REMOVED' },
    { ...asking, removed: true },
  ],
  [asking, { type: 'asked', appointment: DONE }, { at: 'ended', why: 'completed' }],
  [asking, { type: 'asked', appointment: OPEN }, { at: 'rejoining', attempt: 1 }],
  [{ ...asking, removed: true }, { type: 'asked', appointment: OPEN }, { at: 'removed' }],
  [asking, { type: 'askFailed' }, { ...asking, attempt: 1 }],
  [{ at: 'rejoining', attempt: 3 }, { type: 'admitted' }, { ...connecting, attempt: 3 }],
  [
    { ...connecting, attempt: 3 },
    { type: 'disconnected', reason: 'JOIN_FAILURE' },
    { at: 'rejoining', attempt: 4 },
  ],
  [{ ...connecting, attempt: 3 }, { type: 'connected' }, connected],
  [
    { at: 'rejoining', attempt: 3 },
    { type: 'joinFailed', fault: media },
    { at: 'rejoining', attempt: 4, waitMs: 5000 },
  ],
  [
    { at: 'rejoining', attempt: 3 },
    { type: 'joinFailed', fault: { kind: 'refused', why: 'tooEarly' } },
    { ...asking, attempt: 3 },
  ],
  [
    { at: 'rejoining', attempt: 3 },
    { type: 'joinFailed', fault: { kind: 'over' } },
    { ...asking, attempt: 3 },
  ],
  [{ at: 'rejoining', attempt: 9 }, { type: 'leave' }, { at: 'left' }],
  [connected, { type: 'leave' }, { at: 'left' }],
  [connected, { type: 'told', appointment: DONE }, { at: 'ended', why: 'completed' }],
  [connected, { type: 'told', appointment: OPEN }, connected],
  [connected, { type: 'ready' }, connected],
  [{ at: 'left' }, { type: 'again' }, { ...joining, takeOver: true }],
  [{ at: 'left' }, { type: 'disconnected', reason: 'CLIENT_INITIATED' }, { at: 'left' }],
  [{ at: 'left' }, { type: 'told', appointment: DONE }, { at: 'left' }],
  [{ at: 'left' }, { type: 'completed' }, { at: 'ended', why: 'completed' }],
  [{ at: 'removed' }, { type: 'again' }, { ...joining, takeOver: true }],
  [{ at: 'ended', why: 'time' }, { type: 'again' }, { at: 'ended', why: 'time' }],
];

describe('phases', () => {
  test.each(TABLE)('%o, %o', (from, what, to) => {
    expect(step(from, what)).toEqual(to);
  });

  test('what comes late, from a room that was left, changes nothing', () => {
    const late: Happening[] = [
      { type: 'connected' },
      { type: 'reconnecting' },
      { type: 'disconnected', reason: 'DUPLICATE_IDENTITY' },
      { type: 'admitted' },
      { type: 'joinFailed', fault: media },
      { type: 'asked', appointment: DONE },
    ];
    const settled: Phase[] = [{ at: 'left' }, { at: 'moved' }, { at: 'ended', why: 'time' }];
    for (const phase of settled) for (const what of late) expect(step(phase, what)).toBe(phase);
  });

  test('one can leave from wherever something goes on, and only there', () => {
    const phases = TABLE.map(([from]) => from);
    for (const phase of phases) {
      const after = step(phase, { type: 'leave' });
      expect(after.at === 'left').toBe(isUnderWay(phase) || phase.at === 'left');
      if (isLive(phase)) expect(isUnderWay(phase)).toBe(true);
    }
  });
});
