import { VideoOff } from 'lucide-react';
import { type Ref, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { InputState } from './inputs';
import styles from './Preview.module.css';

/** The person's own picture as in a mirror, or why there is none. */
export function Preview({ input, ref }: { input: InputState; ref?: Ref<HTMLDivElement> }) {
  const { t } = useTranslation('devices');
  const video = useRef<HTMLVideoElement>(null);
  const track = input.status === 'on' ? input.track : undefined;
  const covered = useMuted(track);

  useEffect(() => {
    const element = video.current;
    if (!element || !track) return;
    element.srcObject = new MediaStream([track]);
    return () => {
      element.srcObject = null;
    };
  }, [track]);

  return (
    // It takes the focus when what was pressed beside it is gone.
    <div ref={ref} tabIndex={-1} className={styles.frame}>
      {track && (
        <video
          ref={video}
          aria-label={t('preview.label')}
          className={styles.video}
          autoPlay
          muted
          playsInline
        />
      )}
      <p role="status" className={!track || covered ? styles.words : undefined}>
        {(!track || covered) && (
          <>
            <VideoOff aria-hidden="true" />
            {t(`preview.${wordOf(input)}`)}
          </>
        )}
      </p>
    </div>
  );
}

function wordOf(input: InputState) {
  if (input.status === 'failed') return input.fault;
  return input.status === 'on' ? 'covered' : input.status;
}

/** Whether the track is there and sends nothing: a lid, a key, or the system took it away. */
function useMuted(track: MediaStreamTrack | undefined): boolean {
  const [muted, setMuted] = useState<MediaStreamTrack>();
  useEffect(() => {
    if (!track) return;
    const follow = () => setMuted(track.muted ? track : undefined);
    track.addEventListener('mute', follow);
    track.addEventListener('unmute', follow);
    return () => {
      track.removeEventListener('mute', follow);
      track.removeEventListener('unmute', follow);
    };
  }, [track]);
  return track !== undefined && muted === track;
}
