import { useTranslation } from 'react-i18next';

import { Badge, Button, layout, Notice, type NoticeTone, type Tone } from '../ui';
import styles from './ConnectionCheck.module.css';
import { ConnectionDetails } from './ConnectionDetails';
import { type Report, STEPS, type StepState } from './connection';
import type { InputsState } from './inputs';
import { useConnectionCheck } from './useConnectionCheck';
import type { Verdict } from './verdict';

const NOTICE_TONE: Record<Verdict, NoticeTone> = {
  good: 'good',
  fair: 'info',
  poor: 'warn',
  blocked: 'bad',
};

const STATE_TONE: Record<StepState, Tone> = {
  waiting: 'neutral',
  running: 'info',
  done: 'good',
  failed: 'bad',
  skipped: 'neutral',
};

export interface ConnectionCheckProps {
  state: InputsState;
  /** Offered when the connection is poor; the person decides. */
  onAudioOnly: () => void;
}

/** Whether a call can work from here: each step as it goes, then one plain answer. */
export function ConnectionCheck({ state, onAudioOnly }: ConnectionCheckProps) {
  const { t } = useTranslation('devices');
  const [report, again] = useConnectionCheck();
  return (
    <>
      <ul className={styles.steps}>
        {STEPS.map((step) => (
          <li key={step}>
            <span>{t(`connection.step.${step}`)}</span>
            <Badge tone={STATE_TONE[report.steps[step]]}>
              {t(`connection.state.${report.steps[step]}`)}
            </Badge>
          </li>
        ))}
      </ul>
      <Answer report={report} offer={state.choice.video ? onAudioOnly : undefined} />
      <div className={layout.row}>
        <Button busy={!report.verdict} onClick={again}>
          {t(report.verdict ? 'connection.again' : 'connection.checking')}
        </Button>
      </div>
      <ConnectionDetails report={report} state={state} />
    </>
  );
}

interface AnswerProps {
  report: Report;
  /** Turning the camera off, while it is on. */
  offer: (() => void) | undefined;
}

function Answer({ report: { verdict, measures }, offer }: AnswerProps) {
  const { t } = useTranslation('devices');
  if (!verdict) return null;
  return (
    <Notice
      tone={NOTICE_TONE[verdict]}
      title={t(`connection.${verdict}.title`)}
      actions={
        verdict === 'poor' && offer && <Button onClick={offer}>{t('connection.audioOnly')}</Button>
      }
    >
      {verdict === 'blocked' ? (
        measures.blocked.map((part) => <p key={part}>{t(`connection.blocked.${part}`)}</p>)
      ) : (
        <p>{t(`connection.${verdict}.text`)}</p>
      )}
    </Notice>
  );
}
