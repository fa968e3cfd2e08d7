// Calendar days in a zone: where a day begins, which week it is in. A day is "2026-11-23".

import { parseDate } from '@internationalized/date';

import type { Appointment } from '../api';
import { isoDay } from '../time/format';

export function plusDays(day: string, days: number): string {
  return parseDate(day).add({ days }).toString();
}

/** Where the day begins in that zone, RFC 3339; not always at midnight, when clocks are changed. */
export function startOf(day: string, timeZone: string): string {
  return parseDate(day).toDate(timeZone).toISOString();
}

/** The instants from the begin of `day` to the begin of the day `days` later. */
export function spanOf(day: string, days: number, timeZone: string): { from: string; to: string } {
  return { from: startOf(day, timeZone), to: startOf(plusDays(day, days), timeZone) };
}

/** ISO: Monday is 1. */
export function weekdayOf(day: string): number {
  return new Date(`${day}T00:00:00Z`).getUTCDay() || 7;
}

/** Monday of the week that a day is in: a clinic's week, whatever a language begins it with. */
export function weekOf(day: string): string {
  return plusDays(day, 1 - weekdayOf(day));
}

/** An instant in the middle of the day, for formatting it in that zone. */
export function middleOf(day: string, timeZone: string): number {
  return parseDate(day).toDate(timeZone).getTime() + 12 * 3_600_000;
}

/** Whether this is a day of the calendar as we write it; what an address says may be anything. */
export function isDay(text: string | null): text is string {
  if (text === null || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  try {
    parseDate(text);
    return true;
  } catch {
    return false;
  }
}

const weekdayNames = new Map<string, Intl.DateTimeFormat>();

/** "Monday", in that language. */
export function weekdayName(weekday: number, locale: string): string {
  let format = weekdayNames.get(locale);
  if (!format) {
    format = new Intl.DateTimeFormat(locale, { weekday: 'long', timeZone: 'UTC' });
    weekdayNames.set(locale, format);
  }
  return format.format(Date.UTC(2024, 0, weekday)); // the first of that month was a Monday
}

/** "23 – 29 November 2026" */
export function weekName(monday: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  }).formatRange(Date.parse(`${monday}T00:00:00Z`), Date.parse(`${plusDays(monday, 6)}T00:00:00Z`));
}

export interface Day {
  day: string;
  appointments: Appointment[];
}

/** `count` days from `first`, each with the appointments that start on it in that zone. */
export function groupByDay(
  appointments: readonly Appointment[],
  first: string,
  count: number,
  timeZone: string,
): Day[] {
  const days = Array.from({ length: count }, (_, n): Day => ({
    day: plusDays(first, n),
    appointments: [],
  }));
  const byDay = new Map(days.map((day) => [day.day, day]));
  for (const appointment of appointments)
    byDay.get(isoDay(appointment.startsAt, timeZone))?.appointments.push(appointment);
  return days;
}
