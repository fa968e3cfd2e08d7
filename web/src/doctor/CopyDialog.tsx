import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { Button } from '../ui';
import { Dialog } from '../ui/Dialog';
import { type Weekday, WEEKDAYS } from './hours';
import styles from './HoursPage.module.css';

export interface CopyDialogProps {
  from: Weekday;
  nameOf: (weekday: Weekday) => string;
  onCopy: (to: readonly Weekday[]) => void;
  onClose: () => void;
}

/** Which other days get the hours of this one. */
export default function CopyDialog({ from, nameOf, onCopy, onClose }: CopyDialogProps) {
  const { t } = useTranslation('doctor');
  const { t: common } = useTranslation('common');
  const [chosen, setChosen] = useState<ReadonlySet<Weekday>>(new Set());

  const toggle = (weekday: Weekday) => {
    const next = new Set(chosen);
    if (!next.delete(weekday)) next.add(weekday);
    setChosen(next);
  };

  return (
    <Dialog
      title={t('hours.copyTitle', { day: nameOf(from) })}
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button
            variant="primary"
            disabled={chosen.size === 0}
            onClick={() => onCopy([...chosen])}
          >
            {t('hours.copyDo')}
          </Button>
          <Button onClick={onClose}>{common('cancel')}</Button>
        </>
      }
    >
      <fieldset className={styles.days}>
        <legend>{t('hours.copyWhat')}</legend>
        {WEEKDAYS.filter((weekday) => weekday !== from).map((weekday) => (
          <label key={weekday} className={styles.day}>
            <input type="checkbox" checked={chosen.has(weekday)} onChange={() => toggle(weekday)} />
            {nameOf(weekday)}
          </label>
        ))}
      </fieldset>
    </Dialog>
  );
}
