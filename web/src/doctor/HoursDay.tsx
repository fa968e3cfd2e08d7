import { Copy, Eraser, Plus } from 'lucide-react';
import { useRef } from 'react';
import { useTranslation } from 'react-i18next';

import { Button, Card } from '../ui';
import {
  faultsOf,
  type Span,
  type Week,
  type Weekday,
  withChange,
  withoutDay,
  withoutSpan,
  withSpan,
} from './hours';
import styles from './HoursPage.module.css';
import { SpanFields } from './SpanFields';

export interface HoursDayProps {
  weekday: Weekday;
  name: string;
  spans: readonly Span[];
  strict: boolean;
  onChange: (next: (week: Week) => Week) => void;
  onCopy: () => void;
}

/** One weekday: its spans, and what can be done with all of them. */
export function HoursDay({ weekday, name, spans, strict, onChange, onCopy }: HoursDayProps) {
  const { t } = useTranslation('doctor');
  const add = useRef<HTMLButtonElement>(null);
  const faults = faultsOf(spans);
  const empty = spans.length === 0;

  /** What had the focus goes away with it: it moves to where one goes on. */
  const removing = (next: (week: Week) => Week) => () => {
    onChange(next);
    add.current?.focus();
  };

  return (
    <Card
      heading={name}
      footer={
        <>
          <Button
            ref={add}
            icon={<Plus aria-hidden="true" />}
            aria-label={t('hours.addTo', { day: name })}
            onClick={() => onChange((week) => withSpan(week, weekday))}
          >
            {t('hours.add')}
          </Button>
          {!empty && (
            <>
              <Button
                variant="quiet"
                icon={<Copy aria-hidden="true" />}
                aria-label={t('hours.copyOf', { day: name })}
                onClick={onCopy}
              >
                {t('hours.copy')}
              </Button>
              <Button
                variant="quiet"
                icon={<Eraser aria-hidden="true" />}
                aria-label={t('hours.clearOf', { day: name })}
                onClick={removing((week) => withoutDay(week, weekday))}
              >
                {t('hours.clear')}
              </Button>
            </>
          )}
        </>
      }
    >
      {empty && <p className={styles.closed}>{t('hours.closed')}</p>}
      {spans.map((span, place) => (
        <SpanFields
          key={span.key}
          span={span}
          day={name}
          nth={place + 1}
          faults={faults.get(span.key)}
          strict={strict}
          onChange={(change) => onChange((week) => withChange(week, weekday, span.key, change))}
          onRemove={removing((week) => withoutSpan(week, weekday, span.key))}
        />
      ))}
    </Card>
  );
}
