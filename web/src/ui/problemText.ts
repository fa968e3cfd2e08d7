// Words for what went wrong.

import type { TFunction } from 'i18next';
import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';

import { isProblem, Unreachable } from '../api';

/** Words for an error of the API; `t` is of the namespace problems. */
export function problemText(error: unknown, t: TFunction<'problems'>): string {
  if (error instanceof Unreachable) return t('unreachable');
  if (!isProblem(error)) return t('unexpected');
  if (error.slug === 'rate-limited' && error.retryAfterSeconds !== undefined)
    return t('rate-limited-until', { count: Math.ceil(error.retryAfterSeconds / 60) });
  // A newer server may say what we have no words for.
  return t([error.slug as 'internal', 'unexpected']);
}

/** The same where there is no `t` of that namespace at hand. */
export function useProblemText(): (error: unknown) => string {
  const { t } = useTranslation('problems');
  return useCallback((error) => problemText(error, t), [t]);
}

/**
 * What a field should say about an answer `invalid`: something, if the answer names it. `pointer`
 * as in the API: "/email".
 */
export function fieldError(
  error: unknown,
  pointer: string,
  t: TFunction<'problems'>,
): string | undefined {
  if (!isProblem(error)) return undefined;
  return error.fields.some((field) => field.pointer === pointer) ? t('field') : undefined;
}
