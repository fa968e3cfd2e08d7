import { useQuery } from '@tanstack/react-query';
import { CalendarX } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useSearchParams } from 'react-router';

import { queries } from '../app/queries';
import { EmptyState, layout, Notice, Page } from '../ui';
import { DonePart } from './DonePart';
import { DoctorStep } from './DoctorStep';
import { ReasonStep } from './ReasonStep';
import { ReviewStep } from './ReviewStep';
import { type Step, stepOf } from './steps';
import { TimeStep } from './TimeStep';
import { useBooking } from './useBooking';

/**
 * Booking a visit: doctor, time, reason, a look at all of it. The step is in the address, so that
 * the browser's "back" goes through them; what is chosen is not, and never leaves the page.
 */
export default function BookPage() {
  const { t } = useTranslation('patient');
  const { data: clinic } = useQuery(queries.clinic());
  const [search, setSearch] = useSearchParams();
  const booking = useBooking();
  const step = stepOf(search.get('step'), booking.draft);
  const go = (next: Step) => setSearch({ step: next });

  if (booking.outcome?.kind === 'booked')
    return <DonePart appointment={booking.outcome.appointment} />;
  if (clinic && !clinic.policy.patientMayBook)
    return (
      <Page title={t('book.title')}>
        <EmptyState icon={<CalendarX />} title={t('book.off')}>
          <p>{t('book.offText')}</p>
        </EmptyState>
      </Page>
    );
  return (
    <Page title={t('book.title')}>
      <div className={layout.stack}>
        <Notice tone="warn">{t('book.emergency')}</Notice>
        {step === 'doctor' && <DoctorStep booking={booking} go={go} />}
        {step === 'time' && <TimeStep booking={booking} go={go} />}
        {step === 'reason' && <ReasonStep booking={booking} go={go} />}
        {step === 'review' && <ReviewStep booking={booking} go={go} />}
      </div>
    </Page>
  );
}
