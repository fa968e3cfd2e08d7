import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { Page } from '../ui';
import { Booked } from './Booked';
import { BookForm } from './BookForm';

/** Books a visit for a patient. */
export default function BookPage() {
  const { t } = useTranslation('staff');
  const [booked, setBooked] = useState<Appointment | null>(null);
  return (
    <Page title={t('book.title')}>
      {booked ? (
        <Booked appointment={booked} onAnother={() => setBooked(null)} />
      ) : (
        <BookForm onBooked={setBooked} />
      )}
    </Page>
  );
}
