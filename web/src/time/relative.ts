// How long until, and how long ago. Rounding never promises too much: what is still to come is
// rounded up ("in 2 min" may be a little less), what has passed is rounded down.

import type { Viewer } from './format';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type Unit = 'day' | 'hour' | 'minute' | 'second';
const LENGTH: Record<Unit, number> = { day: DAY, hour: HOUR, minute: MINUTE, second: SECOND };

/** Arabic's abbreviations are single letters that few know. */
const displayOf = (locale: string) => (locale.startsWith('ar') ? 'long' : 'short');

const amounts = new Map<string, Intl.NumberFormat>();

function amount(value: number, unit: Unit, locale: string): string {
  const key = `${locale} ${unit}`;
  let format = amounts.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale, {
      style: 'unit',
      unit,
      unitDisplay: displayOf(locale),
    });
    amounts.set(key, format);
  }
  return format.format(value);
}

function joined(parts: string[], locale: string): string {
  const style = displayOf(locale) === 'long' ? 'long' : 'narrow';
  return new Intl.ListFormat(locale, { type: 'unit', style }).format(parts);
}

/** The two units that say a length well enough: days and hours, hours and minutes, seconds. */
function unitsOf(ms: number): [Unit, Unit?] {
  if (ms >= DAY) return ['day', 'hour'];
  if (ms >= HOUR) return ['hour', 'minute'];
  return ms >= MINUTE ? ['minute'] : ['second'];
}

/** The finest unit in the words for a length: so often they change. */
function grainOf(ms: number): number {
  const [coarse, fine] = unitsOf(ms);
  return LENGTH[fine ?? coarse];
}

function spell(ms: number, round: (value: number) => number, locale: string): string {
  const grain = grainOf(ms);
  const rounded = round(ms / grain) * grain;
  const [coarse, fine] = unitsOf(rounded);
  const whole = Math.floor(rounded / LENGTH[coarse]);
  const rest = fine ? Math.round((rounded % LENGTH[coarse]) / LENGTH[fine]) : 0;
  const parts = [amount(whole, coarse, locale)];
  if (fine && rest > 0) parts.push(amount(rest, fine, locale));
  return joined(parts, locale);
}

/** "2 hr 5 min": what is left until something opens; never less than is left. */
export function timeUntil(ms: number, { locale }: Pick<Viewer, 'locale'>): string {
  return spell(Math.max(ms, 0), Math.ceil, locale);
}

/** "2 hr 5 min": how long something took, or still lasts; never more than it is. */
export function timeSpent(ms: number, { locale }: Pick<Viewer, 'locale'>): string {
  return spell(Math.max(ms, 0), Math.floor, locale);
}

/**
 * In how many milliseconds the words of timeUntil() change: each hour while days are left, each
 * minute, and each second in the last minute.
 */
export function untilNextWords(ms: number): number {
  if (ms <= 0) return Infinity;
  // Rounded up, they stay until a whole grain less is left; just below a limit the grain is finer.
  const grain = grainOf(ms - 1);
  return ms % grain || grain;
}

/** "2 minutes ago"; "now" within the first minute, also of what a clock places just ahead. */
export function ago(instant: string | number, now: number, { locale }: Pick<Viewer, 'locale'>) {
  const passed = Math.max(0, now - new Date(instant).getTime());
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const unit = passed >= DAY ? 'day' : passed >= HOUR ? 'hour' : 'minute';
  const count = Math.floor(passed / LENGTH[unit]);
  if (count === 0) return format.format(0, 'second');
  return new Intl.RelativeTimeFormat(locale, { numeric: 'always' }).format(-count, unit);
}
