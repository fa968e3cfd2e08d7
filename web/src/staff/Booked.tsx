import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { useSession } from '../app/session';
import { AppointmentCard } from '../appointments/AppointmentCard';
import { isoDay } from '../time/format';
import { Button, layout, LinkButton } from '../ui';

/** It is booked, and where to go on. */
export function Booked(props: { appointment: Appointment; onAnother: () => void }) {
  const { appointment, onAnother } = props;
  const { t } = useTranslation('staff');
  const { viewer } = useSession();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);

  return (
    <section className={layout.stack}>
      <h2 ref={heading} tabIndex={-1}>
        {t(appointment.status === 'CONFIRMED' ? 'book.doneConfirmed' : 'book.doneRequested')}
      </h2>
      <AppointmentCard appointment={appointment} as="staff" headingLevel={3} />
      <div className={layout.row}>
        <LinkButton variant="primary" to={`/?day=${isoDay(appointment.startsAt, viewer.timeZone)}`}>
          {t('book.toBoard')}
        </LinkButton>
        <Button onClick={onAnother}>{t('book.another')}</Button>
      </div>
    </section>
  );
}
