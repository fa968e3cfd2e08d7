import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import type { Doctor, Slot } from '../api';
import { keys } from '../app/queries';
import { client } from '../app/services';
import { remember } from '../appointments/useFresh';
import { createKeys, type Outcome, sendBooking } from './booking';

/** What somebody has chosen so far. */
export interface Draft {
  doctor: Doctor | null;
  slot: Slot | null;
  reason: string;
}

const NOTHING: Draft = { doctor: null, slot: null, reason: '' };

export interface Booking {
  draft: Draft;
  /** Another choice makes the last outcome void. */
  choose: (more: Partial<Draft>) => void;
  sending: boolean;
  outcome: Outcome | null;
  /** Sends what is chosen; the outcome also as the answer. */
  send: () => Promise<Outcome | null>;
}

export function useBooking(): Booking {
  const cache = useQueryClient();
  const [draft, setDraft] = useState(NOTHING);
  const [sending, setSending] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [attempt] = useState(() => createKeys());

  async function send(): Promise<Outcome | null> {
    const { doctor, slot, reason } = draft;
    if (!doctor || !slot) return null;
    const request = { doctorId: doctor.id, startsAt: slot.startsAt, reason: reason.trim() };
    setSending(true);
    setOutcome(null);
    const told = await sendBooking(client.book, request, attempt.keyOf(request));
    // What is not known stays one attempt: sent again, it has the same key.
    if (told.kind !== 'unknown') attempt.settle();
    if (told.kind === 'booked') remember(cache, told.appointment);
    void cache.invalidateQueries({ queryKey: keys.appointments });
    void cache.invalidateQueries({ queryKey: keys.slots(doctor.id) });
    setOutcome(told);
    setSending(false);
    return told;
  }

  return {
    draft,
    choose: (more) => {
      setDraft((known) => ({ ...known, ...more }));
      setOutcome(null);
    },
    sending,
    outcome,
    send,
  };
}
