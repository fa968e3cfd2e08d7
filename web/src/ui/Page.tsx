import { type ReactNode, useEffect, useRef } from 'react';
import { useLocation } from 'react-router';

import styles from './Page.module.css';
import { usePageTitle } from './title';

/** Where the skip link of the shell leads. */
export const MAIN_ID = 'main';

export interface PageProps {
  /** The heading, and the title of the tab. */
  title: string;
  /** Buttons beside the heading. */
  actions?: ReactNode;
  children: ReactNode;
  /** For boards and weeks: as wide as the window. */
  wide?: boolean;
}

/** One screen. Who comes to it from another one starts at its heading, also by ear. */
export function Page({ title, actions, children, wide = false }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { key, pathname } = useLocation();
  // The first page of a visit is read from its top by the browser itself.
  const isFirst = useRef(key === 'default');
  usePageTitle(title);

  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false;
      return;
    }
    window.scrollTo(0, 0);
    heading.current?.focus({ preventScroll: true });
  }, [pathname]);

  return (
    <main id={MAIN_ID} tabIndex={-1} className={wide ? styles.wide : styles.page}>
      <div className={styles.head}>
        <h1 ref={heading} tabIndex={-1} className={styles.title}>
          {title}
        </h1>
        {actions && <div className={styles.actions}>{actions}</div>}
      </div>
      {children}
    </main>
  );
}
