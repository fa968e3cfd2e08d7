import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { SlotPicker } from '../appointments/SlotPicker';
import { BookStep, type StepProps } from './BookStep';

export function TimeStep({ booking, go }: StepProps) {
  const { t } = useTranslation('patient');
  const [missing, setMissing] = useState(false);
  const { doctor, slot } = booking.draft;
  if (!doctor) return null;
  return (
    <BookStep
      step="time"
      title={t('book.time')}
      missing={missing && !slot ? t('book.pickTime') : null}
      onNext={() => (slot ? go('reason') : setMissing(true))}
      go={go}
    >
      <p>{t('book.timeWith', { name: doctor.displayName })}</p>
      <SlotPicker
        doctorId={doctor.id}
        value={slot}
        onChange={(next) => booking.choose({ slot: next })}
      />
    </BookStep>
  );
}
