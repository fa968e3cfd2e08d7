import { type ReactNode, useEffect, useRef } from 'react';

import { layout } from '../ui';
import styles from './Message.module.css';

export interface MessageProps {
  icon?: ReactNode;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}

/** A page of the call that says something. Whoever comes to it starts at its heading, also by ear. */
export function Message({ icon, title, children, actions }: MessageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <div className={styles.page}>
      <div className={styles.message}>
        {icon && (
          <div className={styles.icon} aria-hidden="true">
            {icon}
          </div>
        )}
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {children}
        {actions && <div className={layout.row}>{actions}</div>}
      </div>
    </div>
  );
}
