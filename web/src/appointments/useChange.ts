import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { type Appointment, isProblem } from '../api';
import type { Change } from '../api/client';
import { keys } from '../app/queries';
import { client } from '../app/services';
import { remember } from './useFresh';

/** Somebody else was quicker: what the appointment was when this was asked, and what it is. */
export interface Overtaken {
  before: Appointment;
  after: Appointment;
}

export interface Changing<Input> {
  /** Sends it by the version that is shown. */
  send: (input: Input) => void;
  busy: boolean;
  /** Why not; null also when the appointment was changed meanwhile: see `overtaken`. */
  error: unknown;
  overtaken: Overtaken | null;
  reset: () => void;
}

/** The appointment is no longer as it was when the person decided. */
const isOvertaken = (error: unknown) =>
  isProblem(error, 'stale') || isProblem(error, 'illegal-transition');

/** One change of an appointment. What the server says is shown wherever the app shows it. */
export function useChange<Input>(
  appointment: Appointment,
  change: (to: Change, input: Input) => Promise<Appointment>,
  onDone: (told: Appointment) => void,
): Changing<Input> {
  const cache = useQueryClient();
  const [overtaken, setOvertaken] = useState<Overtaken | null>(null);

  function show(told: Appointment): void {
    remember(cache, told);
    void cache.invalidateQueries({ queryKey: keys.appointments });
    void cache.invalidateQueries({ queryKey: ['slots'] });
  }

  const mutation = useMutation({
    mutationFn: async (input: Input) => {
      setOvertaken(null);
      try {
        return await change(appointment, input);
      } catch (error) {
        if (!isOvertaken(error)) throw error;
        const after = await client.appointment(appointment.id);
        show(after);
        setOvertaken({ before: appointment, after });
        return null;
      }
    },
    onSuccess: (told) => {
      if (!told) return;
      show(told);
      onDone(told);
    },
  });

  return {
    send: (input) => mutation.mutate(input),
    busy: mutation.isPending,
    error: mutation.error,
    overtaken,
    reset: () => {
      setOvertaken(null);
      mutation.reset();
    },
  };
}
