import { useQuery } from '@tanstack/react-query';
import { UserX } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { queries } from '../app/queries';
import { Button, EmptyState, FormError, layout, RadioCards, Skeleton } from '../ui';
import { BookStep, type StepProps } from './BookStep';

export function DoctorStep({ booking, go }: StepProps) {
  const { t } = useTranslation('patient');
  const doctors = useQuery(queries.doctors());
  const [missing, setMissing] = useState(false);
  const { doctor } = booking.draft;

  if (doctors.isPending) return <Skeleton lines={4} />;
  if (!doctors.data)
    return (
      <div className={layout.stack}>
        <FormError error={doctors.error} />
        <div>
          <Button onClick={() => void doctors.refetch()}>{t('home.retry')}</Button>
        </div>
      </div>
    );
  const known = doctors.data;
  if (known.length === 0) return <EmptyState icon={<UserX />} title={t('book.noDoctors')} />;
  return (
    <BookStep
      step="doctor"
      title={t('book.doctor')}
      missing={missing && !doctor ? t('book.pickDoctor') : null}
      onNext={() => (doctor ? go('time') : setMissing(true))}
      go={go}
    >
      <RadioCards
        legend={t('book.doctorLegend')}
        options={known.map(({ id, displayName, speciality }) => ({
          id,
          label: displayName,
          description: speciality,
        }))}
        value={doctor?.id ?? null}
        onChange={(id) => {
          const chosen = known.find((one) => one.id === id) ?? null;
          // The times of one doctor are not those of another.
          if (chosen?.id !== doctor?.id) booking.choose({ doctor: chosen, slot: null });
        }}
      />
    </BookStep>
  );
}
