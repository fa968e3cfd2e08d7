import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

import type { Slot } from '../api';
import { queries } from '../app/queries';
import { useSession } from '../app/session';
import { When } from '../appointments/When';
import { Button, layout } from '../ui';
import { BookStep, type StepProps } from './BookStep';
import { OutcomeNotice } from './OutcomeNotice';
import styles from './ReviewStep.module.css';
import type { Step } from './steps';

export function ReviewStep({ booking, go }: StepProps) {
  const { t } = useTranslation('patient');
  const { draft } = booking;
  if (!draft.doctor || !draft.slot) return null;
  return (
    <BookStep
      step="review"
      title={t('book.review')}
      next={t('book.send')}
      busy={booking.sending}
      onNext={() => void booking.send()}
      go={go}
    >
      <dl className={styles.facts}>
        <Fact term={t('book.reviewDoctor')} change={t('book.changeDoctor')} step="doctor" go={go}>
          {draft.doctor.displayName}
        </Fact>
        <Fact term={t('book.reviewWhen')} change={t('book.changeTime')} step="time" go={go}>
          <WhenOf slot={draft.slot} />
        </Fact>
        <Fact term={t('book.reviewReason')} change={t('book.changeReason')} step="reason" go={go}>
          {draft.reason.trim() || t('book.noReason')}
        </Fact>
      </dl>
      <OutcomeNotice booking={booking} />
    </BookStep>
  );
}

interface FactProps {
  term: string;
  change: string;
  step: Step;
  go: (step: Step) => void;
  children: ReactNode;
}

function Fact({ term, change, step, go, children }: FactProps) {
  const { t } = useTranslation('patient');
  return (
    <div className={styles.fact}>
      <dt className={layout.quiet}>{term}</dt>
      <dd className={styles.value}>{children}</dd>
      <dd>
        <Button variant="quiet" aria-label={change} onClick={() => go(step)}>
          {t('book.change')}
        </Button>
      </dd>
    </div>
  );
}

/** As an appointment would say it, with the clinic's clock beside where that is another. */
function WhenOf({ slot }: { slot: Slot }) {
  const { viewer } = useSession();
  const { data: clinic } = useQuery(queries.clinic());
  return <When appointment={{ ...slot, timeZone: clinic?.timeZone ?? viewer.timeZone }} />;
}
