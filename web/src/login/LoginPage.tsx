import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Navigate, useSearchParams } from 'react-router';

import { chooseLanguage, useAuth } from '../app/session';
import { LANGUAGE_NAMES, LANGUAGES, languageOf } from '../i18n/languages';
import { Notice, Page, Select, Spinner } from '../ui';
import { knownClinic } from './clinic';
import styles from './Login.module.css';
import { LoginForm } from './LoginForm';
import { ownPath } from './next';

const CHOICES = LANGUAGES.map((id) => ({ id, label: LANGUAGE_NAMES[id] }));

/** The way in. Who is in already goes straight on. */
export default function LoginPage() {
  const { t, i18n } = useTranslation('login');
  const { status } = useAuth();
  const [parameters] = useSearchParams();
  const [clinic] = useState(() => knownClinic(parameters.get('clinic')));

  if (status === 'in') return <Navigate to={ownPath(parameters.get('next'))} replace />;
  if (status === 'loading') return <Spinner />;
  return (
    <div className={styles.frame}>
      <header className={styles.header}>
        <span className={styles.product}>televisit</span>
        <div className={styles.language}>
          <Select
            label={t('language')}
            items={CHOICES}
            value={languageOf(i18n.language) ?? LANGUAGES[0]}
            onChange={(language) => void chooseLanguage(language)}
          />
        </div>
      </header>
      <div className={styles.page}>
        <Page title={t('title')}>
          {parameters.get('reason') === 'expired' && <Notice tone="info">{t('expired')}</Notice>}
          <LoginForm clinic={clinic} />
        </Page>
      </div>
    </div>
  );
}
