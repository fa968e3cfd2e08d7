import { Video } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { useSession } from '../app/session';
import { clockTime } from '../time/format';
import styles from './AppointmentCard.module.css';
import { type As, own, present } from './people';

/** Who of the others is in the call, and since when; nothing when nobody is. */
export function Presence({ appointment, as }: { appointment: Appointment; as: As }) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const there = present(appointment, as);
  if (there.length === 0) return null;
  const together =
    as === 'staff' ? there.length > 1 : own(appointment, as)?.inCallSince !== undefined;
  return (
    <ul className={styles.presence}>
      {there.map(({ id, displayName, inCallSince }) => (
        <li key={id}>
          <Video aria-hidden="true" />
          {t(together ? 'presence.inCall' : 'presence.since', {
            name: displayName,
            time: inCallSince ? clockTime(inCallSince, viewer) : '',
          })}
        </li>
      ))}
    </ul>
  );
}
