// What a refused join amounts to, by the problem that the clinic answered.

import { isProblem, type Problem, Unreachable } from '../api';
import type { JoinFault, Refusal } from './phases';

/** When the clinic does not say when it is worth asking again. */
const RETRY_MS = 3000;

interface Rule {
  why: Refusal;
  /** It may be otherwise in a moment, and nobody needs to do anything for it. */
  passes: boolean;
}

const REFUSALS: Readonly<Record<string, Rule>> = {
  'too-early': { why: 'tooEarly', passes: false },
  'not-confirmed': { why: 'notConfirmed', passes: false },
  'not-found': { why: 'notFound', passes: false },
  'wrong-participant-type': { why: 'notYours', passes: false },
  forbidden: { why: 'notYours', passes: false },
  'media-unavailable': { why: 'media', passes: true },
  'rate-limited': { why: 'busy', passes: true },
  unavailable: { why: 'unreachable', passes: true },
  deadline: { why: 'unreachable', passes: true },
  'unknown-outcome': { why: 'unreachable', passes: true },
};

const OVER = ['over', 'too-late', 'gone'];

export function joinFaultOf(error: unknown): JoinFault {
  if (error instanceof Unreachable)
    return { kind: 'refused', why: 'unreachable', retryMs: RETRY_MS };
  if (!isProblem(error)) return { kind: 'failed', error };
  if (error.slug === 'already-in-call') return { kind: 'elsewhere' };
  if (OVER.includes(error.slug)) return { kind: 'over' };
  const rule = REFUSALS[error.slug];
  return rule ? refused(rule, error) : { kind: 'failed', error };
}

function refused({ why, passes }: Rule, problem: Problem): JoinFault {
  return {
    kind: 'refused',
    why,
    ...(passes && { retryMs: (problem.retryAfterSeconds ?? RETRY_MS / 1000) * 1000 }),
    ...(problem.details.opensAt !== undefined && { opensAt: problem.details.opensAt }),
  };
}
