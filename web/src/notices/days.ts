import type { InboxEntry } from '../api';
import { isoDay } from '../time/format';

export interface NoticeDay {
  /** "2026-11-23" */
  day: string;
  entries: InboxEntry[];
}

/** Newest first, by the day of the viewer. `entries` come oldest first. */
export function byDay(entries: readonly InboxEntry[], timeZone: string): NoticeDay[] {
  const days: NoticeDay[] = [];
  for (const entry of entries.toReversed()) {
    const day = isoDay(entry.occurredAt, timeZone);
    const last = days.at(-1);
    if (last?.day === day) last.entries.push(entry);
    else days.push({ day, entries: [entry] });
  }
  return days;
}
