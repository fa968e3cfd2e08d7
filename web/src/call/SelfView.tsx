import type { TrackReferenceOrPlaceholder } from '@livekit/components-react';
import { Move } from 'lucide-react';
import { type PointerEvent, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { directionOf, languageOf } from '../i18n/languages';
import { type Corner, cornerAt, nextCorner } from './layout';
import styles from './Stage.module.css';
import { Tile } from './Tile';

/** Below this it was a press that trembled. */
const DRAG_PX = 8;

/** On a phone the lower edge belongs to the other's name, which oneself would cover. */
const firstCorner = (): Corner =>
  window.matchMedia('(width < 36rem)').matches ? 'start-end' : 'end-end';

/** Oneself, small, in a corner: dragged to another one, or sent round by its button. */
export function SelfView({ trackRef }: { trackRef: TrackReferenceOrPlaceholder }) {
  const { t, i18n } = useTranslation('call');
  const [corner, setCorner] = useState(firstCorner);
  const [shift, setShift] = useState<{ x: number; y: number } | null>(null);
  const begin = useRef({ x: 0, y: 0 });

  function drop(event: PointerEvent<HTMLDivElement>) {
    const area = event.currentTarget.parentElement?.getBoundingClientRect();
    const moved = shift && Math.hypot(shift.x, shift.y) > DRAG_PX;
    setShift(null);
    if (!moved || !area) return;
    const x = (event.clientX - area.left) / area.width;
    const y = (event.clientY - area.top) / area.height;
    setCorner(cornerAt(x, y, directionOf(languageOf(i18n.language) ?? 'en')));
  }

  return (
    <div
      className={styles.self}
      data-corner={corner}
      style={shift ? { translate: `${shift.x}px ${shift.y}px` } : undefined}
      onPointerDown={(event) => {
        if (event.target instanceof Element && event.target.closest('button')) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        begin.current = { x: event.clientX, y: event.clientY };
        setShift({ x: 0, y: 0 });
      }}
      onPointerMove={(event) => {
        if (shift)
          setShift({ x: event.clientX - begin.current.x, y: event.clientY - begin.current.y });
      }}
      onPointerUp={drop}
      onPointerCancel={() => setShift(null)}
    >
      <Tile trackRef={trackRef}>
        <button
          type="button"
          className={styles.move}
          aria-label={t('moveSelf')}
          title={t('moveSelf')}
          onClick={() => setCorner(nextCorner)}
        >
          <Move aria-hidden="true" />
        </button>
      </Tile>
    </div>
  );
}
