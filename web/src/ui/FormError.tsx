import { useTranslation } from 'react-i18next';

import { Notice } from './Notice';
import { problemText } from './problemText';

/** Why what was asked for did not happen; nothing when there is no error. */
export function FormError({ error }: { error: unknown }) {
  const { t } = useTranslation('problems');
  if (error === null || error === undefined) return null;
  return <Notice tone="bad">{problemText(error, t)}</Notice>;
}
