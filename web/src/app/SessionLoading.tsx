import { useTranslation } from 'react-i18next';

import { Page, Spinner, useOnline } from '../ui';

/** It is being found out who this is; without a network, when there is one again. */
export function SessionLoading() {
  const { t } = useTranslation('common');
  const online = useOnline();
  if (online) return <Spinner />;
  return (
    <Page title={t('away.title')}>
      <p role="status">{t('away.offline')}</p>
    </Page>
  );
}
