import { Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { IconButton, TextField } from '../ui';
import {
  MINUTES_MAX,
  MINUTES_MIN,
  slotsIn,
  type Span,
  type SpanFaults,
  tidyDigits,
  tidyTime,
} from './hours';
import styles from './HoursPage.module.css';

type Field = 'from' | 'to' | 'minutes';

export interface SpanFieldsProps {
  span: Span;
  /** "Monday": told apart from the other days by ear. */
  day: string;
  nth: number;
  faults: SpanFaults | undefined;
  /** All faults are said; else those of fields that were left. */
  strict: boolean;
  onChange: (change: Partial<Omit<Span, 'key'>>) => void;
  onRemove: () => void;
}

/** One span of a day: from, to, and how long a visit is. */
export function SpanFields(props: SpanFieldsProps) {
  const { span, day, nth, faults = {}, strict, onChange, onRemove } = props;
  const { t } = useTranslation('doctor');
  const [left, setLeft] = useState<ReadonlySet<Field>>(new Set());

  const error = (field: Field) => {
    const fault = faults[field];
    if (!fault || !(strict || left.has(field))) return undefined;
    return t(`hours.fault.${fault}`, { min: MINUTES_MIN, max: MINUTES_MAX });
  };
  const leave = (field: Field, tidy: (typed: string) => string) => () => {
    const typed = tidy(span[field]);
    if (typed !== span[field]) onChange({ [field]: typed });
    setLeft((before) => new Set(before).add(field));
  };
  const box = (field: Field, label: string, tidy: (typed: string) => string) => (
    <div className={styles.box}>
      <TextField
        label={label}
        value={span[field]}
        error={error(field)}
        inputMode="numeric"
        autoComplete="off"
        maxLength={8}
        dir="ltr"
        onChange={(event) => onChange({ [field]: event.target.value })}
        onBlur={leave(field, tidy)}
      />
    </div>
  );

  return (
    <div role="group" aria-label={t('hours.spanOf', { day, nth })} className={styles.span}>
      {box('from', t('hours.from'), tidyTime)}
      {box('to', t('hours.to'), tidyTime)}
      {box('minutes', t('hours.minutes'), tidyDigits)}
      <IconButton
        label={t('hours.remove', { day, nth })}
        icon={<Trash2 aria-hidden="true" />}
        onClick={onRemove}
        className={styles.remove}
      />
      <p className={styles.count}>{t('hours.visits', { count: slotsIn(span) })}</p>
    </div>
  );
}
