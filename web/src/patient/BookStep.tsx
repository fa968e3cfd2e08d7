import { type ReactNode, useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';

import { Button, layout, Notice } from '../ui';
import { type Step, STEPS } from './steps';
import type { Booking } from './useBooking';

export interface StepProps {
  booking: Booking;
  go: (step: Step) => void;
}

interface BookStepProps {
  step: Step;
  title: string;
  children: ReactNode;
  /** What is missing before one can go on. */
  missing?: string | null;
  onNext: () => void;
  next?: string;
  busy?: boolean;
  go: (step: Step) => void;
}

/** One step of a booking: its heading has the focus when one comes to it; Enter goes on. */
export function BookStep(props: BookStepProps) {
  const { t } = useTranslation('patient');
  const heading = useRef<HTMLHeadingElement>(null);
  const place = STEPS.indexOf(props.step);
  const before = STEPS[place - 1];

  const isFirst = place === 0;
  useEffect(() => {
    // On the first step the page's own heading has it.
    if (!isFirst) heading.current?.focus();
  }, [isFirst]);

  return (
    <form
      noValidate
      className={layout.stack}
      onSubmit={(event) => {
        event.preventDefault();
        if (!props.busy) props.onNext();
      }}
    >
      <div>
        <p className={`${layout.quiet} ${layout.small}`}>
          {t('book.step', { step: place + 1, all: STEPS.length })}
        </p>
        <h2 ref={heading} tabIndex={-1}>
          {props.title}
        </h2>
      </div>
      {props.children}
      {props.missing && <Notice tone="bad">{props.missing}</Notice>}
      <div className={layout.row}>
        <Button type="submit" variant="primary" busy={props.busy ?? false}>
          {props.next ?? t('book.continue')}
        </Button>
        {before && (
          <Button variant="quiet" onClick={() => props.go(before)}>
            {t('book.back')}
          </Button>
        )}
      </div>
    </form>
  );
}
