import type { Draft } from './useBooking';

/** The steps of a booking, in order. */
export const STEPS = ['doctor', 'time', 'reason', 'review'] as const;
export type Step = (typeof STEPS)[number];

/** The step that the address names, as far as what is chosen allows it. */
export function stepOf(named: string | null, draft: Draft): Step {
  const step = STEPS.find((known) => known === named) ?? 'doctor';
  if (!draft.doctor) return 'doctor';
  return draft.slot || step === 'doctor' ? step : 'time';
}
