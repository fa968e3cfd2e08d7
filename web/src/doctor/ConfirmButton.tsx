import { Check } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { client } from '../app/services';
import { OvertakenNotice } from '../appointments/OvertakenNotice';
import { participant } from '../appointments/people';
import { useChange } from '../appointments/useChange';
import { Button, FormError, toast } from '../ui';

/** Takes a request by one press. The patient is told at once, and the words say so. */
export function ConfirmButton({ appointment }: { appointment: Appointment }) {
  const { t } = useTranslation('doctor');
  const name = participant(appointment, 'PATIENT')?.displayName ?? '';
  const confirm = useChange<undefined>(
    appointment,
    (to) => client.confirm(to),
    () => toast(t('requests.confirmed', { name }), { tone: 'good' }),
  );

  return (
    <>
      <Button
        variant="primary"
        icon={<Check aria-hidden="true" />}
        busy={confirm.busy}
        aria-label={t('requests.confirmOf', { name })}
        onClick={() => confirm.send(undefined)}
      >
        {t('requests.confirm')}
      </Button>
      <OvertakenNotice overtaken={confirm.overtaken} />
      <FormError error={confirm.error} />
    </>
  );
}
