import { type TrackReferenceOrPlaceholder, useTracks } from '@livekit/components-react';
import { Track } from 'livekit-client';

import { arrange } from './layout';
import { SelfView } from './SelfView';
import styles from './Stage.module.css';
import { Tile } from './Tile';

const SOURCES = [
  { source: Track.Source.Camera, withPlaceholder: true },
  { source: Track.Source.ScreenShare, withPlaceholder: false },
];

interface ShownTrack {
  key: string;
  trackRef: TrackReferenceOrPlaceholder;
  isMine: boolean;
  isScreen: boolean;
}

/** Everybody in the room, and the screen that is shared. */
export function Tiles() {
  const tracks: ShownTrack[] = useTracks(SOURCES, { onlySubscribed: false }).map((trackRef) => ({
    key: `${trackRef.participant.identity} ${trackRef.source}`,
    trackRef,
    isMine: trackRef.participant.isLocal,
    isScreen: trackRef.source === Track.Source.ScreenShare,
  }));
  const { kind, main, aside, corner } = arrange(tracks);
  return (
    <div className={styles.tiles} data-kind={kind} data-count={main.length}>
      <ul className={styles.main}>
        {main.map(({ key, trackRef }) => (
          <li key={key}>
            <Tile trackRef={trackRef} />
          </li>
        ))}
      </ul>
      {aside.length > 0 && (
        <ul className={styles.aside}>
          {aside.map(({ key, trackRef }) => (
            <li key={key}>
              <Tile trackRef={trackRef} />
            </li>
          ))}
        </ul>
      )}
      {corner && <SelfView trackRef={corner.trackRef} />}
    </div>
  );
}
