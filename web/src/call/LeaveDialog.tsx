import { useTranslation } from 'react-i18next';

import { Button } from '../ui';
import { Dialog } from '../ui/Dialog';

export interface LeaveDialogProps {
  isOpen: boolean;
  onClose: () => void;
  onLeave: () => void;
}

/** Asked when somebody goes back in the browser during a call. */
export function LeaveDialog({ isOpen, onClose, onLeave }: LeaveDialogProps) {
  const { t } = useTranslation('call');
  return (
    <Dialog
      role="alertdialog"
      title={t('leaveDialog.title')}
      isOpen={isOpen}
      onClose={onClose}
      footer={
        <>
          <Button variant="primary" onClick={onClose}>
            {t('leaveDialog.stay')}
          </Button>
          <Button variant="danger" onClick={onLeave}>
            {t('leave')}
          </Button>
        </>
      }
    >
      <p>{t('leaveDialog.text')}</p>
    </Dialog>
  );
}
