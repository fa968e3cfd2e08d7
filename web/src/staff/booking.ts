// Booking for a patient, without a screen.

import type { BookRequest, Patient, Slot } from '../api';

export interface Booking {
  patient: Patient | null;
  doctorId: string | null;
  slot: Slot | null;
  reason: string;
  /** Without asking the doctor. */
  confirmed: boolean;
}

export const EMPTY_BOOKING: Booking = {
  patient: null,
  doctorId: null,
  slot: null,
  reason: '',
  confirmed: true,
};

export type Missing = 'patient' | 'doctor' | 'slot';

export function missingIn({ patient, doctorId, slot }: Booking): Missing[] {
  const missing: Missing[] = [];
  if (!patient) missing.push('patient');
  if (!doctorId) missing.push('doctor');
  else if (!slot) missing.push('slot');
  return missing;
}

/** What is sent; null as long as something is missing. */
export function requestOf(booking: Booking): BookRequest | null {
  const { patient, doctorId, slot, reason, confirmed } = booking;
  if (!patient || !doctorId || !slot) return null;
  return {
    patientId: patient.id,
    doctorId,
    startsAt: slot.startsAt,
    reason: reason.trim(),
    confirmed,
  };
}

/** The key of an attempt: the same as long as the same is sent, so that it is booked once. */
export function createAttempts(newKey: () => string = () => crypto.randomUUID()) {
  let last: { body: string; key: string } | undefined;
  return {
    keyFor(request: BookRequest): string {
      const body = JSON.stringify(request);
      if (last?.body !== body) last = { body, key: newKey() };
      return last.key;
    },
    /** It is booked: the same once more is another appointment. */
    done(): void {
      last = undefined;
    },
  };
}
