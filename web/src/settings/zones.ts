// The time zones of the world, as people look for them: by the name of a city.

export interface ZoneItem {
  id: string;
  /** "Berlin" */
  label: string;
  /** "Central European Standard Time", "Europe": what else it can be found by. */
  more: string;
}

/** "America/Argentina/Buenos_Aires" is "Buenos Aires". */
export function cityOf(zone: string): string {
  return zone.slice(zone.lastIndexOf('/') + 1).replaceAll('_', ' ');
}

export function deviceZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** The name of a zone and its distance from UTC: "GMT+1". */
export function zoneOffset(zone: string, locale: string, at: number): string {
  const format = new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: 'shortOffset' });
  return format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

/** All that this browser knows, and `also` ones, by city. */
export function zoneItems(locale: string, at: number, also: readonly string[]): ZoneItem[] {
  const zones = new Set([...Intl.supportedValuesOf('timeZone'), 'UTC', ...also]);
  return [...zones]
    .map((zone) => {
      const area = zone.includes('/') ? zone.slice(0, zone.indexOf('/')) : '';
      return {
        id: zone,
        label: cityOf(zone),
        more: [area, zoneOffset(zone, locale, at)].filter(Boolean).join(' · '),
      };
    })
    .sort((a, b) => a.label.localeCompare(b.label, locale));
}
