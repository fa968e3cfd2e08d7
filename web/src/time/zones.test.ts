import { expect, test } from 'vitest';

import { clinicTime } from './zones';

const viewer = (timeZone: string, locale = 'en-GB') => ({ locale, timeZone });

test('nothing is said where both clocks show the same', () => {
  expect(clinicTime('2026-11-24T13:30:00Z', viewer('Europe/Paris'), 'Europe/Berlin')).toBeNull();
});

test('the time at the clinic, and its day where that is another', () => {
  expect(clinicTime('2026-11-24T13:30:00Z', viewer('Asia/Tokyo'), 'Europe/Berlin')).toEqual({
    time: '14:30',
    day: null,
    zone: 'Central European Standard Time',
  });
  const night = clinicTime('2026-11-24T23:30:00Z', viewer('America/New_York'), 'Europe/Berlin');
  expect(night?.time).toBe('00:30');
  expect(night?.day).toMatch(/^Wed,? 25 Nov$/);
});

test('two zones that differ only for some weeks of the year', () => {
  const phoenix = viewer('America/Phoenix');
  expect(clinicTime('2026-01-15T18:00:00Z', phoenix, 'America/Denver')).toBeNull();
  expect(clinicTime('2026-07-15T18:00:00Z', phoenix, 'America/Denver')).toMatchObject({
    time: '12:00',
  });
});
