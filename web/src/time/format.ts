// Instants as people read them: in the viewer's zone and language. Intl does the work; formatters
// are kept, because making one is slow.

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale} ${JSON.stringify(options)}`;
  let found = formatters.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(locale, options);
    formatters.set(key, found);
  }
  return found;
}

/** How somebody wants times shown. */
export interface Viewer {
  /** BCP 47 */
  locale: string;
  /** IANA */
  timeZone: string;
}

/** "13:30" */
export function clockTime(instant: string | number, viewer: Viewer): string {
  return formatter(viewer.locale, {
    hour: '2-digit',
    minute: '2-digit',
    timeZone: viewer.timeZone,
  }).format(new Date(instant));
}

/** "Monday, 23 November" */
export function longDay(instant: string | number, viewer: Viewer): string {
  return formatter(viewer.locale, {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    timeZone: viewer.timeZone,
  }).format(new Date(instant));
}

/** "Mon, 23 Nov" */
export function shortDay(instant: string | number, viewer: Viewer): string {
  return formatter(viewer.locale, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    timeZone: viewer.timeZone,
  }).format(new Date(instant));
}

/** "November 2026" */
export function monthName(instant: string | number, viewer: Viewer): string {
  return formatter(viewer.locale, {
    month: 'long',
    year: 'numeric',
    timeZone: viewer.timeZone,
  }).format(new Date(instant));
}

/** The calendar day in a zone, "2026-11-23": for grouping and for parameters of the API. */
export function isoDay(instant: string | number, timeZone: string): string {
  return formatter('en-CA', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    timeZone,
  }).format(new Date(instant));
}

/** A zone in words: "Berlin", "Central European Standard Time" as the language has it. */
export function zoneName(timeZone: string, locale: string, at: string | number): string {
  const parts = formatter(locale, { timeZone, timeZoneName: 'long' }).formatToParts(new Date(at));
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? timeZone;
}

/** Whether two zones show the same clock at that instant. */
export function sameClock(a: string, b: string, at: string | number): boolean {
  const read = (timeZone: string) =>
    formatter('en-CA', { dateStyle: 'short', timeStyle: 'short', timeZone }).format(new Date(at));
  return a === b || read(a) === read(b);
}
