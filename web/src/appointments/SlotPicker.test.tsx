import { screen } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';

import { serverClock } from '../app/services';
import { PIA, renderAs } from '../testing/render';
import { installServer, json } from '../testing/server';
import { SlotPicker } from './SlotPicker';

const SLOTS = ['08:00', '08:30'].map((time) => ({
  startsAt: `2026-11-24T${time}:00Z`,
  endsAt: `2026-11-24T${time.slice(0, 3)}59:00Z`,
}));

afterEach(() => vi.unstubAllGlobals());

test('the time that an appointment has is not offered for moving it, though the list be old', async () => {
  const server = installServer();
  serverClock.observe('2026-11-23T12:00:00Z');
  server.on('GET /v1/clinic', () => json({ id: 'clinic', timeZone: 'Europe/Berlin', policy: {} }));
  server.on('GET /v1/doctors/ada/slots', () => json({ slots: SLOTS, timeZone: 'Europe/Berlin' }));
  const except = SLOTS[0]?.startsAt;
  await renderAs(
    PIA,
    <SlotPicker doctorId="ada" except={except} value={null} onChange={() => undefined} />,
  );
  expect(await screen.findByRole('radio', { name: '09:30 AM' })).toBeTruthy();
  expect(screen.queryByRole('radio', { name: '09:00 AM' })).toBeNull();
});
