// Free slots as somebody looks for them: by day and part of the day in their own zone.

import type { Slot } from '../api';
import { isoDay } from '../time/format';

export type PartOfDay = 'morning' | 'afternoon' | 'evening';

export interface DayOfSlots {
  /** "2026-11-24" in the viewer's zone */
  day: string;
  slots: Slot[];
}

const hours = new Map<string, Intl.DateTimeFormat>();

function hourIn(instant: string, timeZone: string): number {
  let format = hours.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en', { hour: 'numeric', hourCycle: 'h23', timeZone });
    hours.set(timeZone, format);
  }
  return Number(format.format(new Date(instant)));
}

export function partOf(instant: string, timeZone: string): PartOfDay {
  const hour = hourIn(instant, timeZone);
  if (hour < 12) return 'morning';
  return hour < 18 ? 'afternoon' : 'evening';
}

/**
 * The days up to `until` that have free slots, in order; each slot once, though it came twice.
 * Later ones are left out: the last days that were asked for are not whole in every zone.
 */
export function byDay(slots: readonly Slot[], timeZone: string, until: string): DayOfSlots[] {
  const known = new Map(slots.map((slot) => [slot.startsAt, slot]));
  const sorted = [...known.values()].sort(
    (a, b) => Date.parse(a.startsAt) - Date.parse(b.startsAt),
  );
  const days = new Map<string, Slot[]>();
  for (const slot of sorted) {
    const day = isoDay(slot.startsAt, timeZone);
    const found = days.get(day);
    if (found) found.push(slot);
    else days.set(day, [slot]);
  }
  return [...days].filter(([day]) => day <= until).map(([day, found]) => ({ day, slots: found }));
}

/** The parts of a day that have slots, in order. */
export function byPart(slots: readonly Slot[], timeZone: string): [PartOfDay, Slot[]][] {
  const parts: PartOfDay[] = ['morning', 'afternoon', 'evening'];
  return parts
    .map((part): [PartOfDay, Slot[]] => [
      part,
      slots.filter((slot) => partOf(slot.startsAt, timeZone) === part),
    ])
    .filter(([, found]) => found.length > 0);
}

/** Up to `count` of the slots that are nearest to an instant, in order. */
export function nearest(slots: readonly Slot[], to: string, count: number): Slot[] {
  const wanted = Date.parse(to);
  const distance = (slot: Slot) => Math.abs(Date.parse(slot.startsAt) - wanted);
  return [...slots]
    .filter((slot) => slot.startsAt !== to)
    .sort((a, b) => distance(a) - distance(b))
    .slice(0, count)
    .sort((a, b) => Date.parse(a.startsAt) - Date.parse(b.startsAt));
}

/** A day some days after another, both "2026-11-24": calendar days, whatever clocks do. */
export function plusDays(day: string, count: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + count);
  return date.toISOString().slice(0, 10);
}
