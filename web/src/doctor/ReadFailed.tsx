import { useTranslation } from 'react-i18next';

import { Button, Notice, useProblemText } from '../ui';

/** What a screen is made of could not be read. */
export function ReadFailed({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { t } = useTranslation('common');
  const words = useProblemText();
  return (
    <Notice tone="bad" actions={<Button onClick={onRetry}>{t('tryAgain')}</Button>}>
      {words(error)}
    </Notice>
  );
}
