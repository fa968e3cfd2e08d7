import { ChevronLeft, ChevronRight } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { isDay, plusDays } from '../doctor/days';
import { Button, IconButton, TextField } from '../ui';
import styles from './board.module.css';

export interface DayTurnerProps {
  day: string;
  today: string;
  onChange: (day: string) => void;
}

/** The day before, today, the day after, or any. */
export function DayTurner({ day, today, onChange }: DayTurnerProps) {
  const { t } = useTranslation('staff');
  return (
    <div role="group" aria-label={t('day.label')} className={styles.turner}>
      <IconButton
        variant="secondary"
        label={t('day.previous')}
        icon={<ChevronLeft aria-hidden="true" />}
        onClick={() => onChange(plusDays(day, -1))}
      />
      <Button
        className={day === today ? styles.pressed : undefined}
        aria-pressed={day === today}
        onClick={() => onChange(today)}
      >
        {t('day.today')}
      </Button>
      <IconButton
        variant="secondary"
        label={t('day.next')}
        icon={<ChevronRight aria-hidden="true" />}
        onClick={() => onChange(plusDays(day, 1))}
      />
      <TextField
        type="date"
        label={t('day.pick')}
        value={day}
        required
        onChange={(event) => {
          if (isDay(event.target.value)) onChange(event.target.value);
        }}
      />
    </div>
  );
}
