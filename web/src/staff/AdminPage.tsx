import { Settings } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { EmptyState, LinkButton, Page } from '../ui';

/** The home of who runs the clinic but sees nobody's appointments: the API shows them none. */
export default function AdminPage() {
  const { t } = useTranslation('staff');
  return (
    <Page title={t('admin.title')}>
      <EmptyState
        icon={<Settings aria-hidden="true" />}
        title={t('admin.nothing')}
        action={
          <LinkButton variant="primary" to="/settings">
            {t('admin.settings')}
          </LinkButton>
        }
      >
        {t('admin.why')}
      </EmptyState>
    </Page>
  );
}
