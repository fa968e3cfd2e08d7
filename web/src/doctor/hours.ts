// The editor of weekly hours, without a screen: what is being written, what is wrong with it, and
// what is sent. Days are ISO weekdays (Monday is 1), times are "HH:MM" in the clinic's zone.

import type { WeeklyHours } from '../api';

export const WEEKDAYS = [1, 2, 3, 4, 5, 6, 7] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** A span as it is typed; `key` tells it from the others while it is moved and changed. */
export interface Span {
  key: number;
  from: string;
  to: string;
  /** As typed: a person may be between two digits. */
  minutes: string;
}

export type Week = Record<Weekday, readonly Span[]>;

/** What is wrong with one field of a span; the texts are `hours.faults.…`. */
export type Fault =
  | 'time'
  | 'endBeforeStart'
  | 'overlap'
  | 'minutes'
  /** No slot fits between the two times. */
  | 'tooShort';

export interface SpanFaults {
  from?: Fault;
  to?: Fault;
  minutes?: Fault;
}

export const MINUTES_MIN = 5;
export const MINUTES_MAX = 480;
const MINUTES_USUAL = '30';
const DAY_MINUTES = 24 * 60;

/** Minutes since midnight; undefined: no time. 24:00 is the end of the day and no begin. */
export function minutesOf(time: string): number | undefined {
  const match = /^(\d{1,2}):(\d{2})$/.exec(time.trim());
  if (!match) return undefined;
  const minutes = Number(match[1]) * 60 + Number(match[2]);
  return Number(match[2]) < 60 && minutes <= DAY_MINUTES ? minutes : undefined;
}

const ARABIC_ZERO = 0x0660;

/** Digits of an Arabic keyboard as ASCII ones, and no space around. */
export function tidyDigits(typed: string): string {
  return typed
    .trim()
    .replace(/[\u0660-\u0669]/g, (digit) => String(digit.charCodeAt(0) - ARABIC_ZERO));
}

/** "9:00", "9", "900", "9.30" as people type them, to "09:00"; what is no time stays as it is. */
export function tidyTime(typed: string): string {
  const digits = tidyDigits(typed);
  const match = /^(\d{1,2})(?:[:.h]?(\d{2}))?$/.exec(digits);
  if (!match?.[1]) return digits;
  const time = `${match[1].padStart(2, '0')}:${match[2] ?? '00'}`;
  return minutesOf(time) === undefined ? digits : time;
}

export function timeOf(minutes: number): string {
  const two = (number: number) => String(number).padStart(2, '0');
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

let lastKey = 0;
const newKey = () => (lastKey += 1);

export function weekFrom(hours: readonly WeeklyHours[]): Week {
  const day = (weekday: Weekday): Span[] =>
    hours
      .filter((span) => span.weekday === weekday)
      .map((span) => ({
        key: newKey(),
        from: span.from,
        to: span.to,
        minutes: String(span.slotMinutes),
      }))
      .sort((a, b) => a.from.localeCompare(b.from));
  return { 1: day(1), 2: day(2), 3: day(3), 4: day(4), 5: day(5), 6: day(6), 7: day(7) };
}

/** What is sent; only of a week without faults. */
export function hoursFrom(week: Week): WeeklyHours[] {
  return WEEKDAYS.flatMap((weekday) =>
    week[weekday]
      .map((span) => ({
        weekday,
        from: tidyTime(span.from),
        to: tidyTime(span.to),
        slotMinutes: Number(tidyDigits(span.minutes)),
      }))
      .sort((a, b) => a.from.localeCompare(b.from)),
  );
}

/** Whether both would be the same to patients, however they are typed. */
export function sameWeek(a: Week, b: Week): boolean {
  return JSON.stringify(hoursFrom(a)) === JSON.stringify(hoursFrom(b));
}

/** The faults of the spans of a day, by key; spans without one are not in it. */
export function faultsOf(day: readonly Span[]): Map<number, SpanFaults> {
  const faults = new Map<number, SpanFaults>();
  const add = (span: Span, fault: SpanFaults) =>
    faults.set(span.key, { ...fault, ...faults.get(span.key) });
  const whole: { span: Span; from: number; to: number }[] = [];

  for (const span of day) {
    const from = minutesOf(tidyTime(span.from));
    const to = minutesOf(tidyTime(span.to));
    const typed = tidyDigits(span.minutes);
    const minutes = /^\d+$/.test(typed) ? Number(typed) : NaN;
    const fits = minutes >= MINUTES_MIN && minutes <= MINUTES_MAX;
    if (from === undefined || from === DAY_MINUTES) add(span, { from: 'time' });
    if (to === undefined) add(span, { to: 'time' });
    if (!fits) add(span, { minutes: 'minutes' });
    if (from === undefined || from === DAY_MINUTES || to === undefined) continue;
    if (to <= from) add(span, { to: 'endBeforeStart' });
    else {
      whole.push({ span, from, to });
      if (fits && to - from < minutes) add(span, { minutes: 'tooShort' });
    }
  }

  // Of two that overlap the later one is told: that is the one to be changed, in most cases.
  whole.sort((a, b) => a.from - b.from);
  let end = -1;
  for (const { span, from, to } of whole) {
    if (from < end) add(span, { from: 'overlap' });
    end = Math.max(end, to);
  }
  return faults;
}

export function hasFaults(week: Week): boolean {
  return WEEKDAYS.some((weekday) => faultsOf(week[weekday]).size > 0);
}

/** How many patients a span takes. */
export function slotsIn(span: Span): number {
  const from = minutesOf(tidyTime(span.from));
  const to = minutesOf(tidyTime(span.to));
  const minutes = Number(tidyDigits(span.minutes));
  if (from === undefined || to === undefined || !(minutes >= MINUTES_MIN) || to <= from) return 0;
  return Math.floor((to - from) / minutes);
}

// Changes. Each gives a new week; the old one stays for comparing.

/** One more span: four hours after the last one of the day and an hour's break, else a morning. */
export function withSpan(week: Week, weekday: Weekday): Week {
  const day = week[weekday];
  const last = day.at(-1);
  const end = last && minutesOf(tidyTime(last.to));
  const begins = end === undefined ? 9 * 60 : Math.min(end + 60, DAY_MINUTES - 60);
  const span: Span = {
    key: newKey(),
    from: timeOf(begins),
    to: timeOf(Math.min(begins + (day.length === 0 ? 3 : 4) * 60, DAY_MINUTES)),
    minutes: last?.minutes ?? MINUTES_USUAL,
  };
  return { ...week, [weekday]: [...day, span] };
}

export function withChange(
  week: Week,
  weekday: Weekday,
  key: number,
  change: Partial<Omit<Span, 'key'>>,
): Week {
  const day = week[weekday].map((span) => (span.key === key ? { ...span, ...change } : span));
  return { ...week, [weekday]: day };
}

export function withoutSpan(week: Week, weekday: Weekday, key: number): Week {
  return { ...week, [weekday]: week[weekday].filter((span) => span.key !== key) };
}

/** Other days get what this one has, in place of what they had. */
export function withCopies(week: Week, from: Weekday, to: readonly Weekday[]): Week {
  const changed = { ...week };
  for (const weekday of to)
    if (weekday !== from) changed[weekday] = week[from].map((span) => ({ ...span, key: newKey() }));
  return changed;
}

export function withoutDay(week: Week, weekday: Weekday): Week {
  return { ...week, [weekday]: [] };
}
