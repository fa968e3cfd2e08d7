// What the screens of a call share: the engine, what it is in, and who takes part by name.

import { useQuery } from '@tanstack/react-query';
import { createContext, useContext, useMemo } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { queries } from '../app/queries';
import { useSession } from '../app/session';
import type { CallEngine, CallSnapshot } from './engine';

export interface CallView {
  engine: CallEngine;
  snapshot: CallSnapshot;
  appointmentId: string;
  as: 'patient' | 'doctor';
  appointment: Appointment | undefined;
  /** The others, as a sentence names them: "Dr. Ada Lindqvist". */
  others: string;
  /** Who has this identity in the room. */
  nameOf: (identity: string) => string;
  /** Takes the overlay away; only when nothing is under way. */
  close: () => void;
}

export const CallViewContext = createContext<CallView | null>(null);

export function useCallView(): CallView {
  const view = useContext(CallViewContext);
  if (!view) throw new Error('used outside of a call');
  return view;
}

/** Names come from the clinic; LiveKit knows none. */
export function useNames(
  appointmentId: string,
): Pick<CallView, 'appointment' | 'others' | 'nameOf'> {
  const { t, i18n } = useTranslation('call');
  const { person } = useSession();
  const { data: appointment } = useQuery(queries.appointment(appointmentId));
  return useMemo(() => {
    const participants = appointment?.participants ?? [];
    const names = new Map(participants.map(({ id, displayName }) => [id, displayName]));
    const others = participants.filter(({ personId }) => personId !== person.id);
    const list = new Intl.ListFormat(i18n.language, { type: 'conjunction' });
    return {
      appointment,
      others: list.format(others.map(({ displayName }) => displayName)) || t('somebody'),
      nameOf: (identity: string) => names.get(identity) ?? t('somebody'),
    };
  }, [appointment, person.id, i18n.language, t]);
}
