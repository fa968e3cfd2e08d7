// Sending a booking so that it happens once, whatever becomes of the answer.

import { type Appointment, type BookRequest, isProblem, Unreachable } from '../api';

export type Outcome =
  | { kind: 'booked'; appointment: Appointment }
  /** Somebody has an appointment at that time, the doctor or the patient. */
  | { kind: 'taken' }
  /** No answer: it may be booked. The same may be sent again. */
  | { kind: 'unknown' }
  | { kind: 'refused'; error: unknown };

type Send = (request: BookRequest, key: string) => Promise<Appointment>;

/** Waits before the same is sent again. */
export const AGAIN_AFTER_MS: readonly number[] = [1_000, 3_000];

const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

/** After these the fate of the booking is not known, or it may be tried again. */
function mayTryAgain(error: unknown): boolean {
  if (error instanceof Unreachable) return true;
  return isProblem(error) && (error.status === 503 || error.status === 504);
}

/** Sends it, and again with the same key while no answer says what became of it. */
export async function sendBooking(
  send: Send,
  request: BookRequest,
  key: string,
  wait: (ms: number) => Promise<void> = sleep,
): Promise<Outcome> {
  for (const pause of [...AGAIN_AFTER_MS, null]) {
    try {
      return { kind: 'booked', appointment: await send(request, key) };
    } catch (error) {
      if (isProblem(error, 'slot-taken')) return { kind: 'taken' };
      if (!mayTryAgain(error)) return { kind: 'refused', error };
    }
    if (pause !== null) await wait(pause);
  }
  return { kind: 'unknown' };
}

/**
 * The key of each attempt: the same for the same request until it is settled, another one for
 * another request, because the server holds key and request together.
 */
export function createKeys(make: () => string = () => crypto.randomUUID()) {
  let wanted = '';
  let key = '';
  return {
    keyOf(request: BookRequest): string {
      const now = JSON.stringify([request.doctorId, request.startsAt, request.reason ?? '']);
      if (now !== wanted) {
        wanted = now;
        key = make();
      }
      return key;
    },
    /** The attempt has its answer; the same request again is another attempt. */
    settle(): void {
      wanted = '';
    },
  };
}
