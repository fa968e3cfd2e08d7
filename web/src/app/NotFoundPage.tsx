import { useTranslation } from 'react-i18next';

import { LinkButton, Page } from '../ui';

/** There is nothing at this address, or not for this person. */
export default function NotFoundPage() {
  const { t } = useTranslation('common');
  return (
    <Page title={t('notFound.title')}>
      <p>{t('notFound.text')}</p>
      <p>
        <LinkButton to="/" variant="primary">
          {t('notFound.home')}
        </LinkButton>
      </p>
    </Page>
  );
}
