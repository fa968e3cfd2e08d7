import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { useSession } from '../app/session';
import { participant } from '../appointments/people';
import { clockTime } from '../time/format';
import type { BoardState, Side } from './board-state';

/** What is to be said about a state besides its name: who, and since when. */
export function useStateText(): (appointment: Appointment, state: BoardState) => string[] {
  const { t } = useTranslation('staff');
  const { viewer } = useSession();
  const names = new Intl.ListFormat(viewer.locale, { type: 'conjunction' });

  return (appointment, state) => {
    const nameOf = (side: Side) =>
      participant(appointment, side === 'patient' ? 'PATIENT' : 'DOCTOR')?.displayName ?? '';
    const who = names.format(state.who.map(nameOf));
    const time = state.since === undefined ? '' : clockTime(state.since, viewer);
    const lines: string[] = [];
    if (state.kind === 'soon')
      lines.push(t('detail.soon', { time: clockTime(appointment.join.opensAt, viewer) }));
    if (state.kind === 'late') lines.push(t('detail.late', { who }));
    if (state.waiting) lines.push(t('detail.waiting', { who: nameOf(state.waiting), time }));
    if (state.kind === 'inCall') lines.push(t('detail.inCall', { time }));
    if (state.kind === 'left') lines.push(t('detail.left', { time }));
    if (state.kind === 'noShow')
      lines.push(state.who.length > 0 ? t('detail.noShow', { who }) : t('detail.missed'));
    return lines;
  };
}
