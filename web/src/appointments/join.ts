// From what the server decided about joining to what is shown of it. No clock decides anything
// here: times only choose words.

import type { Appointment, JoinDecision, Participant } from '../api';
import { type As, own, present } from './people';

export type JoinView =
  /** The button is there. */
  | {
      kind: 'open';
      closesAt: string;
      /** Of the other side, who is in the call already. */
      waiting: Participant[];
      /** The caller is in this call by another device or page. */
      elsewhere: boolean;
    }
  | { kind: 'early'; opensAt: string }
  /** The doctor will let the caller in. */
  | { kind: 'waiting' }
  | { kind: 'unconfirmed' }
  | { kind: 'late'; closesAt: string }
  | { kind: 'over' }
  /** Not for the caller. */
  | { kind: 'none' };

/** Decisions with which the server would let the caller in now. */
export const OPEN: ReadonlySet<JoinDecision> = new Set(['ALLOWED', 'ALREADY_IN_CALL']);

export function joinView(appointment: Appointment, as: As): JoinView {
  const { decision, opensAt, closesAt } = appointment.join;
  if (as === 'staff') return { kind: 'none' };
  switch (decision) {
    case 'ALLOWED':
    case 'ALREADY_IN_CALL':
      return {
        kind: 'open',
        closesAt,
        waiting: present(appointment, as),
        elsewhere:
          decision === 'ALREADY_IN_CALL' || own(appointment, as)?.inCallSince !== undefined,
      };
    case 'TOO_EARLY':
      return { kind: 'early', opensAt };
    case 'WAITING':
      return { kind: 'waiting' };
    case 'NOT_CONFIRMED':
      return { kind: 'unconfirmed' };
    case 'TOO_LATE':
      return { kind: 'late', closesAt };
    case 'OVER':
      return { kind: 'over' };
    default:
      return { kind: 'none' };
  }
}

/** When the decision may become another one by time alone, milliseconds since 1970; null: never. */
export function nextEdge({ join }: Appointment): number | null {
  switch (join.decision) {
    case 'TOO_EARLY':
      return Date.parse(join.opensAt);
    case 'ALLOWED':
    case 'ALREADY_IN_CALL':
    case 'WAITING':
      return Date.parse(join.closesAt);
    default:
      return null;
  }
}
