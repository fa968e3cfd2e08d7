import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { AppointmentCard } from '../appointments/AppointmentCard';
import { layout, LinkButton, Notice, Page } from '../ui';

/** It is requested: what, and what happens now. */
export function DonePart({ appointment }: { appointment: Appointment }) {
  const { t } = useTranslation('patient');
  const top = useRef<HTMLDivElement>(null);
  useEffect(() => {
    top.current?.focus();
    window.scrollTo(0, 0);
  }, []);
  return (
    <Page title={t('book.done')}>
      <div ref={top} tabIndex={-1} className={layout.stack}>
        <Notice tone="good">{t('book.doneText')}</Notice>
        <AppointmentCard appointment={appointment} as="patient" />
        <div className={layout.row}>
          <LinkButton variant="primary" to={`/appointments/${appointment.id}`}>
            {t('book.toAppointment')}
          </LinkButton>
          <LinkButton to="/">{t('book.toHome')}</LinkButton>
        </div>
      </div>
    </Page>
  );
}
