import { type RefObject, useEffect, useState } from 'react';

import { createListener, type Hearing, levelOf } from './level';

/** Samples of one look: about 40 ms, so that no syllable falls between two. */
const WINDOW = 2048;

/**
 * Listens to the track. `draw` is called for every frame and must not render; what is returned
 * changes a few times at most.
 */
export function useLevel(
  track: MediaStreamTrack,
  draw: RefObject<(level: number, nowMs: number) => void>,
): Hearing {
  const [hearing, setHearing] = useState<Hearing>('listening');
  useEffect(() => {
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: WINDOW });
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(WINDOW);
    const listener = createListener();
    let frame = requestAnimationFrame(look);
    function look(nowMs: number) {
      frame = requestAnimationFrame(look);
      // Browsers may hold back sound until something was pressed; that silence is not theirs.
      if (context.state !== 'running') return;
      analyser.getFloatTimeDomainData(samples);
      const level = levelOf(samples);
      draw.current(level, nowMs);
      setHearing(listener.hear(level, nowMs));
    }
    const wake = () => void context.resume().catch(() => undefined);
    wake();
    document.addEventListener('pointerdown', wake);
    document.addEventListener('keydown', wake);
    return () => {
      cancelAnimationFrame(frame);
      document.removeEventListener('pointerdown', wake);
      document.removeEventListener('keydown', wake);
      void context.close();
    };
  }, [track, draw]);
  return hearing;
}
