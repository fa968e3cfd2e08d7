import type { ReactNode } from 'react';

import styles from './Badge.module.css';
import type { Tone } from './Card';

/** A word about the state of something. The word says it; the colour only helps. */
export function Badge(props: { tone?: Tone; icon?: ReactNode; children: ReactNode }) {
  return (
    <span className={[styles.badge, styles[props.tone ?? 'neutral']].join(' ')}>
      {props.icon}
      {props.children}
    </span>
  );
}
