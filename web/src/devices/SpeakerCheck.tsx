import { Volume2 } from 'lucide-react';
import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { Badge, Button, layout, Notice } from '../ui';
import { playChime } from './chime';
import styles from './steps.module.css';

type Stage = 'idle' | 'playing' | 'asked' | 'heard' | 'not-heard' | 'failed';

const HELP = ['volume', 'mute', 'headset', 'other'] as const;

/** Whether the person can hear: a sound, then the question. */
export function SpeakerCheck({ outputId }: { outputId: string | undefined }) {
  const { t } = useTranslation('devices');
  const [stage, setStage] = useState<Stage>('idle');
  const playButton = useRef<HTMLButtonElement>(null);

  async function play() {
    setStage('playing');
    try {
      await playChime(outputId);
      setStage('asked');
    } catch {
      setStage('failed');
    }
  }

  /** The buttons of the answer go away; the focus stays here. */
  function answer(next: Stage) {
    setStage(next);
    playButton.current?.focus();
  }

  return (
    <>
      <div className={layout.row}>
        <Button
          ref={playButton}
          icon={<Volume2 aria-hidden="true" />}
          busy={stage === 'playing'}
          onClick={() => void play()}
        >
          {t(stage === 'playing' ? 'speaker.playing' : 'speaker.play')}
        </Button>
        <span role="status">
          {stage === 'asked' && t('speaker.question')}
          {stage === 'heard' && <Badge tone="good">{t('speaker.heard')}</Badge>}
        </span>
        {stage === 'asked' && (
          <>
            <Button onClick={() => answer('heard')}>{t('speaker.yes')}</Button>
            <Button onClick={() => answer('not-heard')}>{t('speaker.no')}</Button>
          </>
        )}
      </div>
      {stage === 'not-heard' && (
        <Notice tone="info" title={t('speaker.help')}>
          <ul className={styles.bullets}>
            {HELP.map((step) => (
              <li key={step}>{t(`speaker.${step}`)}</li>
            ))}
          </ul>
        </Notice>
      )}
      {stage === 'failed' && <Notice tone="warn">{t('speaker.failed')}</Notice>}
    </>
  );
}
