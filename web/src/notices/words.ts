import type { TFunction } from 'i18next';

import { type InboxEntry, NOTICE_TYPES } from '../api';
import { clockTime, longDay, type Viewer } from '../time/format';

/** What a notice says; of a type that only a newer server knows, that there is news. */
export function noticeWords(
  entry: InboxEntry,
  viewer: Viewer,
  t: TFunction<'notices'>,
): { title: string; text: string } {
  const type = NOTICE_TYPES.find((known) => known === entry.type) ?? 'other';
  const text = entry.startsAt
    ? t('about', {
        day: longDay(entry.startsAt, viewer),
        time: clockTime(entry.startsAt, viewer),
      })
    : t('aboutOne');
  return { title: t(`types.${type}`), text };
}
