import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

import { keys } from '../app/queries';
import { client } from '../app/services';
import { Button, FormError } from '../ui';
import { Dialog } from '../ui/Dialog';
import { useCallView } from './view';

/** The doctor ends the call for everybody; nobody comes back in. */
export function EndDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation('call');
  const { engine, appointmentId } = useCallView();
  const queryClient = useQueryClient();
  const end = useMutation({
    mutationFn: () => client.end(appointmentId),
    onSuccess: () => engine.happen({ type: 'completed' }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: keys.appointment(appointmentId) }),
  });
  return (
    <Dialog
      role="alertdialog"
      title={t('endDialog.title')}
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button variant="danger" busy={end.isPending} onClick={() => end.mutate()}>
            {t('endDialog.do')}
          </Button>
          <Button onClick={onClose}>{t('endDialog.cancel')}</Button>
        </>
      }
    >
      <p>{t('endDialog.text')}</p>
      <FormError error={end.error} />
    </Dialog>
  );
}
