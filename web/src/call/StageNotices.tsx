import { useAudioPlayback } from '@livekit/components-react';
import type { Room } from 'livekit-client';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { Button, Notice } from '../ui';
import { usePoorNetwork } from './hooks';
import type { Sender } from './media';
import styles from './Stage.module.css';
import { useCallView } from './view';

const SENDERS: readonly Sender[] = ['microphone', 'camera', 'screen'];

/** What went wrong without ending the call, each with what can be done. */
export function StageNotices({ room }: { room: Room | null }) {
  const { t } = useTranslation('call');
  const { snapshot } = useCallView();
  return (
    <div className={styles.notices}>
      {room && <TapToHear room={room} />}
      {snapshot.isUndecryptable && (
        <Notice tone="bad" title={t('undecryptable.title')}>
          <p>{t('undecryptable.text')}</p>
        </Notice>
      )}
      {SENDERS.map((sender) => (
        <Fault key={sender} sender={sender} />
      ))}
      {snapshot.isSharing && (
        <Notice>
          <p>{t('sharing')}</p>
        </Notice>
      )}
      <PoorNetwork room={room} />
    </div>
  );
}

/** Browsers keep quiet until somebody has touched the page. */
function TapToHear({ room }: { room: Room }) {
  const { t } = useTranslation('call');
  const { canPlayAudio, startAudio } = useAudioPlayback(room);
  if (canPlayAudio) return null;
  return (
    <Button variant="primary" onClick={() => void startAudio()}>
      {t('tapToHear')}
    </Button>
  );
}

function Fault({ sender }: { sender: Sender }) {
  const { t } = useTranslation('call');
  const { engine, snapshot } = useCallView();
  const fault = snapshot.faults[sender];
  if (!fault) return null;
  const { media } = engine;
  const retry = {
    microphone: () => media.setMicrophone(true),
    camera: () => media.setCamera(true),
    screen: () => media.setScreen(true),
  }[sender];
  return (
    <Notice
      tone="warn"
      title={t(`fault.${sender}`)}
      actions={
        fault !== 'notAllowed' && (
          <>
            <Button onClick={() => void retry()}>{t('tryNow')}</Button>
            <Button variant="quiet" onClick={() => media.dismiss(sender)}>
              {t('goOnWithout')}
            </Button>
          </>
        )
      }
    >
      <p>{t(`why.${fault}`)}</p>
    </Notice>
  );
}

/** Suggested once in a call, never done by itself. */
function PoorNetwork({ room }: { room: Room | null }) {
  const { t } = useTranslation('call');
  const { engine, snapshot } = useCallView();
  const isPoor = usePoorNetwork(room);
  const [wasSaid, setWasSaid] = useState(false);
  if (!isPoor || wasSaid || snapshot.quality === 'audio') return null;
  return (
    <Notice
      tone="warn"
      title={t('poor.title')}
      actions={
        <>
          <Button
            onClick={() => {
              setWasSaid(true);
              void engine.media.setQuality('audio');
            }}
          >
            {t('poor.do')}
          </Button>
          <Button variant="quiet" onClick={() => setWasSaid(true)}>
            {t('poor.no')}
          </Button>
        </>
      }
    >
      <p>{t('poor.text')}</p>
    </Notice>
  );
}
