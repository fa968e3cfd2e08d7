import { useTranslation } from 'react-i18next';

import { TextField } from '../ui';
import { BookStep, type StepProps } from './BookStep';

/** As the API allows. */
const REASON_MAX = 2000;

export function ReasonStep({ booking, go }: StepProps) {
  const { t } = useTranslation('patient');
  return (
    <BookStep step="reason" title={t('book.reason')} onNext={() => go('review')} go={go}>
      <TextField
        multiline
        label={t('book.reasonLabel')}
        description={t('book.reasonHelp')}
        maxLength={REASON_MAX}
        rows={4}
        value={booking.draft.reason}
        onChange={(event) => booking.choose({ reason: event.target.value })}
      />
    </BookStep>
  );
}
