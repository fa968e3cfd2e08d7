// The life of a call on this page as one pure function: what it is in now, what happened, what it
// is in then. Nothing here waits, asks or connects; engine.ts does what a phase demands.
//
//   check -> joining -> inCall -> left | moved | ended
//              |  ^       |  ^
//              v  |       v  |
//     refused, elsewhere, rejoining <-> asking
//     admission, failed

import type { Appointment } from '../api';
import { afterLeave, type LeaveReason } from './disconnect';
import { type Ending, endingOf } from './endings';

/** The way to the room. */
export type Link = 'connecting' | 'connected' | 'reconnecting';

/** Why the clinic does not let somebody in now. */
export type Refusal =
  'tooEarly' | 'notConfirmed' | 'notFound' | 'notYours' | 'media' | 'unreachable' | 'busy';

export type Phase =
  /** Camera and microphone are being looked at. */
  | { at: 'check' }
  /** `tries`: how often this was refused in a row, so that it is asked less and less often. */
  | { at: 'joining'; takeOver: boolean; tries: number }
  /** The place in the waiting room is kept; the doctor has still to let this person in. */
  | { at: 'admission' }
  /** The same person is in the call on another device. */
  | { at: 'elsewhere' }
  /** The call is encrypted, and this browser cannot do that. */
  | { at: 'unencryptable' }
  /** `attempt` is 0 unless this is a way back that has not succeeded yet. */
  | { at: 'inCall'; link: Link; attempt: number }
  /** Out of the room against everybody's will; the next try is on its way, not before `waitMs`. */
  | { at: 'rejoining'; attempt: number; waitMs?: number }
  /** The room was closed, or one was put out of it; the clinic is being asked why. */
  | { at: 'asking'; attempt: number; removed: boolean }
  | { at: 'left' }
  /** Another device has taken the place. */
  | { at: 'moved' }
  | { at: 'ended'; why: Ending }
  /** Put out of a call that goes on. */
  | { at: 'removed' }
  /** `retryMs`: it is worth asking again by itself after that time; `opensAt`: of tooEarly. */
  | { at: 'refused'; why: Refusal; tries: number; retryMs?: number; opensAt?: string }
  | { at: 'failed'; error: unknown };

/** What a refused join amounts to (faults.ts). */
export type JoinFault =
  | { kind: 'refused'; why: Refusal; retryMs?: number; opensAt?: string }
  | { kind: 'elsewhere' }
  | { kind: 'over' }
  | { kind: 'failed'; error: unknown };

export type Happening =
  | { type: 'ready' }
  | { type: 'resume' }
  | { type: 'admitted' }
  | { type: 'keptWaiting' }
  | { type: 'cannotEncrypt' }
  | { type: 'joinFailed'; fault: JoinFault }
  | { type: 'connected' }
  | { type: 'reconnecting' }
  | { type: 'reconnected' }
  | { type: 'disconnected'; reason: LeaveReason }
  | { type: 'asked'; appointment: Appointment }
  | { type: 'askFailed' }
  /** The clinic has told something that may concern this call. */
  | { type: 'told'; appointment: Appointment }
  | { type: 'again' }
  | { type: 'moveHere' }
  /** This page itself has completed the appointment. */
  | { type: 'completed' }
  | { type: 'leave' };

/** Phases in which this page is in the call or on its way back: the devices are wanted. */
export function isLive(phase: Phase): boolean {
  return phase.at === 'inCall' || phase.at === 'rejoining' || phase.at === 'asking';
}

/** Phases in which something goes on that leaving would break off. */
export function isUnderWay(phase: Phase): boolean {
  return isLive(phase) || phase.at === 'joining' || phase.at === 'admission';
}

/** Phases in which the clinic is asked for a way in. */
function isAtTheDoor(phase: Phase): boolean {
  return phase.at === 'joining' || phase.at === 'rejoining' || phase.at === 'admission';
}

function joining(takeOver: boolean, tries = 0): Phase {
  return { at: 'joining', takeOver, tries };
}

function attemptOf(phase: Phase): number {
  return phase.at === 'inCall' || phase.at === 'rejoining' || phase.at === 'asking'
    ? phase.attempt
    : 0;
}

function afterJoinFault(phase: Phase, fault: JoinFault): Phase {
  switch (fault.kind) {
    case 'over':
      return { at: 'asking', attempt: attemptOf(phase), removed: false };
    case 'elsewhere':
      return { at: 'elsewhere' };
    case 'failed':
      return { at: 'failed', error: fault.error };
    case 'refused':
      break;
  }
  const { why, retryMs, opensAt } = fault;
  if (phase.at === 'rejoining') {
    // Who was in stays on the way back as long as the call may be open.
    if (why === 'tooEarly' || why === 'notConfirmed' || why === 'notFound')
      return { at: 'asking', attempt: phase.attempt, removed: false };
    return { at: 'rejoining', attempt: phase.attempt + 1, waitMs: retryMs };
  }
  // The place in the waiting room is not lost by a question that got no answer.
  if (phase.at === 'admission' && retryMs !== undefined) return phase;
  const tries = phase.at === 'joining' ? phase.tries + 1 : 1;
  return { at: 'refused', why, tries, retryMs, opensAt };
}

function afterDisconnect(phase: Phase, reason: LeaveReason): Phase {
  const attempt = attemptOf(phase);
  switch (afterLeave(reason)) {
    case 'left':
      return { at: 'left' };
    case 'moved':
      return { at: 'moved' };
    case 'ask':
      return { at: 'asking', attempt, removed: false };
    case 'removed':
      return { at: 'asking', attempt, removed: true };
    case 'rejoin':
      return { at: 'rejoining', attempt: attempt + 1 };
  }
}

function afterAnswer(phase: Extract<Phase, { at: 'asking' }>, appointment: Appointment): Phase {
  const why = endingOf(appointment);
  if (why) return { at: 'ended', why };
  return phase.removed ? { at: 'removed' } : { at: 'rejoining', attempt: phase.attempt + 1 };
}

/** What the call is in after `what` happened; the same phase when that changes nothing. */
export function step(phase: Phase, what: Happening): Phase {
  switch (what.type) {
    case 'ready':
      return phase.at === 'check' ? joining(false) : phase;
    case 'resume':
      return phase.at === 'check' ? joining(true) : phase;
    case 'completed':
      return { at: 'ended', why: 'completed' };
    case 'moveHere':
      return phase.at === 'elsewhere' || phase.at === 'moved' ? joining(true) : phase;
    case 'again':
      return again(phase);
    case 'admitted':
      return isAtTheDoor(phase)
        ? { at: 'inCall', link: 'connecting', attempt: attemptOf(phase) }
        : phase;
    case 'keptWaiting':
      return isAtTheDoor(phase) && phase.at !== 'admission' ? { at: 'admission' } : phase;
    case 'cannotEncrypt':
      return { at: 'unencryptable' };
    case 'joinFailed':
      return isAtTheDoor(phase) ? afterJoinFault(phase, what.fault) : phase;
    case 'connected':
    case 'reconnected':
      return phase.at === 'inCall' ? { at: 'inCall', link: 'connected', attempt: 0 } : phase;
    case 'reconnecting':
      return phase.at === 'inCall' && phase.link === 'connected'
        ? { ...phase, link: 'reconnecting' }
        : phase;
    case 'disconnected':
      return phase.at === 'inCall' ? afterDisconnect(phase, what.reason) : phase;
    case 'asked':
      return phase.at === 'asking' ? afterAnswer(phase, what.appointment) : phase;
    case 'askFailed':
      return phase.at === 'asking' ? { ...phase, attempt: phase.attempt + 1 } : phase;
    case 'told': {
      const why = endingOf(what.appointment);
      return why && concerns(phase, why) ? { at: 'ended', why } : phase;
    }
    case 'leave':
      return isUnderWay(phase) ? { at: 'left' } : phase;
  }
}

/** Whether it matters in this phase that the call is over. Who is not in yet may have come early. */
function concerns(phase: Phase, why: Ending): boolean {
  if (isUnderWay(phase)) return true;
  const waits = phase.at === 'check' || phase.at === 'refused' || phase.at === 'elsewhere';
  return waits && why !== 'rescheduled';
}

/** Asked for anew: by the person, by a timer, or because the clinic has told that it may go now. */
function again(phase: Phase): Phase {
  switch (phase.at) {
    case 'refused':
      return joining(false, phase.tries);
    case 'failed':
      return joining(false);
    case 'left':
    case 'removed':
      // The clinic may not have seen yet that this page is gone.
      return joining(true);
    default:
      return phase;
  }
}
