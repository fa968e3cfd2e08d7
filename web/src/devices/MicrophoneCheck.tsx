import { Mic } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';

import { Badge, Notice } from '../ui';
import type { InputState } from './inputs';
import { loudnessOf } from './level';
import styles from './MicrophoneCheck.module.css';
import { useLevel } from './useLevel';

/** How often the words of the meter change at most: readers speak them. */
const WORDS_MS = 1000;

/** Whether the person can be heard. */
export function MicrophoneCheck({ input }: { input: InputState }) {
  const { t } = useTranslation('devices');
  // Another track is another microphone: the judging begins anew.
  if (input.status === 'on') return <Meter key={input.track.id} track={input.track} />;
  return <p role="status">{t(`microphone.${input.status}`)}</p>;
}

function Meter({ track }: { track: MediaStreamTrack }) {
  const { t } = useTranslation('devices');
  const meter = useRef<HTMLDivElement>(null);
  const bar = useRef<HTMLDivElement>(null);
  const draw = useRef<(level: number, nowMs: number) => void>(() => undefined);
  const hearing = useLevel(track, draw);

  useEffect(() => {
    let saidMs = -Infinity;
    draw.current = (level, nowMs) => {
      const percent = Math.round(level * 100);
      if (bar.current) bar.current.style.inlineSize = `${percent}%`;
      if (nowMs - saidMs < WORDS_MS) return;
      saidMs = nowMs;
      meter.current?.setAttribute('aria-valuenow', String(percent));
      meter.current?.setAttribute('aria-valuetext', t(`microphone.${loudnessOf(level)}`));
    };
  }, [t]);

  return (
    <>
      <div className={styles.line}>
        <Mic aria-hidden="true" />
        <div
          ref={meter}
          role="meter"
          aria-label={t('microphone.level')}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={0}
          aria-valuetext={t('microphone.silent')}
          className={styles.meter}
        >
          <div ref={bar} className={styles.bar} />
        </div>
      </div>
      <div role="status">
        {hearing === 'listening' && <p>{t('microphone.listening')}</p>}
        {hearing === 'heard' && <Badge tone="good">{t('microphone.heard')}</Badge>}
      </div>
      {hearing === 'silent' && <Notice tone="warn">{t('microphone.hint')}</Notice>}
    </>
  );
}
