// The clinic's clock beside the viewer's, where they differ.

import { clockTime, isoDay, sameClock, shortDay, type Viewer, zoneName } from './format';

export interface ClinicTime {
  /** "07:30" */
  time: string;
  /** "Tue, 24 Nov", where it is another day there. */
  day: string | null;
  /** "Eastern Standard Time" */
  zone: string;
}

/** What the clinic's clock shows at an instant; null: the same as the viewer's. */
export function clinicTime(
  instant: string | number,
  viewer: Viewer,
  clinicZone: string,
): ClinicTime | null {
  if (sameClock(viewer.timeZone, clinicZone, instant)) return null;
  const there = { locale: viewer.locale, timeZone: clinicZone };
  const sameDay = isoDay(instant, viewer.timeZone) === isoDay(instant, clinicZone);
  return {
    time: clockTime(instant, there),
    day: sameDay ? null : shortDay(instant, there),
    zone: zoneName(clinicZone, viewer.locale, instant),
  };
}
