import {
  isTrackReference,
  type TrackReferenceOrPlaceholder,
  useConnectionQualityIndicator,
  useFacingMode,
  useIsEncrypted,
  useIsMuted,
  useIsSpeaking,
  VideoTrack,
} from '@livekit/components-react';
import { ConnectionQuality, Track } from 'livekit-client';
import {
  MicOff,
  Signal,
  SignalHigh,
  SignalLow,
  SignalMedium,
  SignalZero,
  Unlock,
} from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

import { initialsOf } from './layout';
import styles from './Tile.module.css';
import { useCallView } from './view';

const SIGNALS = {
  [ConnectionQuality.Excellent]: SignalHigh,
  [ConnectionQuality.Good]: SignalMedium,
  [ConnectionQuality.Poor]: SignalLow,
  [ConnectionQuality.Lost]: SignalZero,
  [ConnectionQuality.Unknown]: Signal,
};

export interface TileProps {
  trackRef: TrackReferenceOrPlaceholder;
  children?: ReactNode;
}

/** One person, or one screen: the picture or who it would be of, and how they are heard and linked. */
export function Tile({ trackRef, children }: TileProps) {
  const { t } = useTranslation('call');
  const { nameOf } = useCallView();
  const { participant, source } = trackRef;
  const isScreen = source === Track.Source.ScreenShare;
  const isSpeaking = useIsSpeaking(participant);
  const isOff = useIsMuted(trackRef);
  const hasPicture = isTrackReference(trackRef) && !isOff && trackRef.publication.isSubscribed;
  const who = participant.isLocal ? t('you') : nameOf(participant.identity);
  const label = isScreen ? t('screenOf', { name: who }) : who;
  return (
    <figure
      className={styles.tile}
      data-speaking={isSpeaking && !isScreen}
      data-screen={isScreen}
      data-mine={participant.isLocal}
    >
      {hasPicture ? (
        <Picture trackRef={trackRef} label={label} />
      ) : (
        <NoPicture name={who} trackRef={trackRef} />
      )}
      <figcaption className={styles.caption}>
        <span className={styles.name}>{label}</span>
        {!isScreen && <Signs trackRef={trackRef} />}
      </figcaption>
      {children}
    </figure>
  );
}

function Picture({ trackRef, label }: { trackRef: TrackReferenceOrPlaceholder; label: string }) {
  const facing = useFacingMode(trackRef);
  const isScreen = trackRef.source === Track.Source.ScreenShare;
  // People know themselves from the mirror; what a back camera shows is not oneself.
  const isMirrored = trackRef.participant.isLocal && !isScreen && facing !== 'environment';
  if (!isTrackReference(trackRef)) return null;
  return (
    <VideoTrack
      trackRef={trackRef}
      className={styles.video}
      data-mirrored={isMirrored}
      aria-label={label}
    />
  );
}

/** Initials instead of a picture, and why there is none. */
function NoPicture({ name, trackRef }: { name: string; trackRef: TrackReferenceOrPlaceholder }) {
  const { t } = useTranslation('call');
  const { snapshot, others, nameOf } = useCallView();
  const { participant } = trackRef;
  const { quality, choice, faults } = snapshot;
  const isPaused = quality === 'audio' && !participant.isLocal && !!trackRef.publication;
  const isComing = participant.isLocal && choice.video && quality !== 'audio' && !faults.camera;
  const person = participant.isLocal ? nameOf(participant.identity) : name || others;
  return (
    <div className={styles.blank}>
      <span className={styles.initials} aria-hidden="true">
        {initialsOf(person)}
      </span>
      <span>{t(isPaused ? 'picturePaused' : isComing ? 'cameraComing' : 'cameraOff')}</span>
    </div>
  );
}

/** Muted, unprotected, and how good the way to the others is: as icons with words. */
function Signs({ trackRef: { participant } }: { trackRef: TrackReferenceOrPlaceholder }) {
  const { t } = useTranslation('call');
  const { snapshot } = useCallView();
  const isMuted = useIsMuted({ participant, source: Track.Source.Microphone });
  const isEncrypted = useIsEncrypted(participant);
  const { quality } = useConnectionQualityIndicator({ participant });
  const Bars = SIGNALS[quality];
  const sends = participant.trackPublications.size > 0;
  const isComing = participant.isLocal && snapshot.choice.audio && !snapshot.faults.microphone;
  const isSilent = isMuted || !participant.getTrackPublication(Track.Source.Microphone);
  return (
    <>
      {isSilent && !isComing && (
        <span className={styles.sign}>
          <MicOff aria-hidden="true" />
          <span className={styles.word}>{t('muted')}</span>
        </span>
      )}
      {snapshot.isEncrypted && sends && !participant.isLocal && !isEncrypted && (
        <span className={styles.sign}>
          <Unlock aria-hidden="true" />
          <span className={styles.word}>{t('encryption.theirsOff')}</span>
        </span>
      )}
      {quality !== ConnectionQuality.Unknown && (
        <span className={styles.sign} data-quality={quality}>
          <Bars aria-hidden="true" />
          <span className={styles.word}>{t(`network.${quality}`)}</span>
        </span>
      )}
    </>
  );
}
