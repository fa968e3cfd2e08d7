import { lazy, type ReactNode, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, NavLink, useLocation } from 'react-router';

import { Spinner } from '../ui';
import { MAIN_ID } from '../ui/Page';
import { useFrameTitle } from '../ui/title';
import { Bell } from './Bell';
import { ConnectionBanner } from './ConnectionBanner';
import { ErrorBoundary } from './ErrorBoundary';
import { placesOf } from './navigation';
import { PersonMenu } from './PersonMenu';
import { useSession } from './session';
import styles from './Shell.module.css';
import { useUnread } from './unread';

const WaitingAlert = lazy(() => import('../doctor/WaitingAlert'));

/** The frame around every screen of who is logged in. */
export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation('common');
  const { person } = useSession();
  const { pathname } = useLocation();
  const unread = useUnread();
  useFrameTitle(person.clinicName, unread);

  return (
    <div className={styles.shell}>
      <SkipLink />
      <header className={styles.header}>
        <div className={styles.bar}>
          <Link to="/" className={styles.clinic}>
            {person.clinicName}
          </Link>
          <Places />
          <div className={styles.own}>
            <Bell unread={unread} />
            <PersonMenu />
          </div>
        </div>
      </header>
      <ConnectionBanner />
      {person.role === 'DOCTOR' && (
        <Suspense>
          <WaitingAlert />
        </Suspense>
      )}
      <div className={styles.page}>
        <ErrorBoundary resetKey={pathname}>
          <Suspense fallback={<Spinner label={t('loading')} />}>{children}</Suspense>
        </ErrorBoundary>
      </div>
    </div>
  );
}

function SkipLink() {
  const { t } = useTranslation('common');
  return (
    <a
      href={`#${MAIN_ID}`}
      className={styles.skip}
      onClick={(event) => {
        // The address stays as it is: what follows # is nobody's page.
        event.preventDefault();
        document.getElementById(MAIN_ID)?.focus();
      }}
    >
      {t('skip')}
    </a>
  );
}

/** In the header on wide screens; on phones at the bottom, where the thumb is. */
function Places() {
  const { t } = useTranslation('common');
  const { person } = useSession();
  return (
    <nav aria-label={t('nav.label')} className={styles.nav}>
      <ul className={styles.places}>
        {placesOf(person.role).map(({ name, to, icon: Icon }) => (
          <li key={name}>
            <NavLink to={to} end className={styles.place ?? ''}>
              <Icon aria-hidden="true" />
              <span>{t(`nav.${name}`)}</span>
            </NavLink>
          </li>
        ))}
      </ul>
    </nav>
  );
}
