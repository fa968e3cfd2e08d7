import { Video } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { Card, LinkButton, Page } from '../ui';
import { AccountForm } from './AccountForm';
import { BrowserSettings } from './BrowserSettings';

/** How somebody wants the app, and where each wish is kept. */
export default function SettingsPage() {
  const { t } = useTranslation('settings');
  return (
    <Page title={t('title')}>
      <AccountForm />
      <BrowserSettings />
      <Card heading={t('devices.title')}>
        <p>{t('devices.text')}</p>
        <p>
          <LinkButton to="/check" icon={<Video aria-hidden="true" />}>
            {t('devices.check')}
          </LinkButton>
        </p>
      </Card>
    </Page>
  );
}
