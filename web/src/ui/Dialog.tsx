// Import it where it is used, not from the kit's index: it brings React Aria's overlays, which a
// page that opens no dialog does not need.

import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { useTranslation } from 'react-i18next';

import { IconButton } from './Button';
import styles from './Dialog.module.css';

export interface DialogProps {
  title: string;
  isOpen: boolean;
  /** Escape, the cross, and a press outside of an ordinary dialog. */
  onClose: () => void;
  children: ReactNode;
  /** The buttons, the one that does it first. */
  footer?: ReactNode;
  /** `alertdialog`: a question that must be answered. */
  role?: 'dialog' | 'alertdialog';
}

/** A question or a form above the page. Focus stays in it and goes back to what opened it. */
export function Dialog({ title, isOpen, onClose, children, footer, role }: DialogProps) {
  const { t } = useTranslation('common');
  return (
    <ModalOverlay
      isOpen={isOpen}
      isDismissable={role !== 'alertdialog'}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      className={styles.scrim ?? ''}
    >
      <Modal className={styles.modal ?? ''}>
        <AriaDialog role={role ?? 'dialog'} className={styles.dialog ?? ''}>
          <div className={styles.head}>
            <Heading slot="title" level={2}>
              {title}
            </Heading>
            <IconButton label={t('close')} icon={<X aria-hidden="true" />} onClick={onClose} />
          </div>
          <div className={styles.body}>{children}</div>
          {footer && <div className={styles.footer}>{footer}</div>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
