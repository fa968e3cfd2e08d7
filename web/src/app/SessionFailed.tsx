import { useTranslation } from 'react-i18next';

import { Button, Page, useProblemText } from '../ui';

/** Who this is could not be found out, because the server is away. */
export function SessionFailed({ error, retry }: { error: unknown; retry: () => void }) {
  const { t } = useTranslation('common');
  const problem = useProblemText();
  return (
    <Page title={t('away.title')}>
      <p role="alert">{problem(error)}</p>
      <p>
        <Button variant="primary" onClick={retry}>
          {t('tryAgain')}
        </Button>
      </p>
    </Page>
  );
}
