import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import i18next from 'i18next';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { NOTICE_TYPES } from '../api';
import { startI18n } from '../i18n';
import { LANGUAGES } from '../i18n/languages';
import { PIA, renderAs } from '../testing/render';
import { entry, type FakeServer, installServer, json, problem } from '../testing/server';
import { byDay } from './days';
import NoticesPage from './NoticesPage';
import { noticeWords } from './words';

let server: FakeServer;
let readSeq: string;

const at = (occurredAt: string) => ({ occurredAt, startsAt: '2026-11-25T12:00:00Z' });
const ENTRIES = [
  entry(1, 'appointment.confirmed', at('2026-11-20T09:00:00Z')),
  entry(2, 'call.available', at('2026-11-21T23:30:00Z')),
  entry(3, 'of.tomorrow', at('2026-11-22T10:00:00Z')),
];

beforeEach(() => {
  server = installServer();
  vi.spyOn(window, 'scrollTo').mockImplementation(() => undefined);
  readSeq = '1';
  server.on('GET /v1/inbox', () =>
    json({ entries: ENTRIES, firstSeq: '1', lastSeq: '3', readSeq }),
  );
  server.on('POST /v1/inbox/read', async (request) => {
    readSeq = ((await request.json()) as { seq: string }).seq;
    return json({ readSeq, lastSeq: '3' });
  });
});

afterEach(() => {
  vi.useRealTimers();
});

const unreadAsked = () => server.asked.filter((asked) => asked.startsWith('POST /v1/inbox/read'));

test('newest first, by the day of the viewer', () => {
  expect(byDay(ENTRIES, 'Europe/Berlin').map(({ day, entries }) => [day, entries.length])).toEqual([
    ['2026-11-22', 2],
    ['2026-11-20', 1],
  ]);
  expect(byDay(ENTRIES, 'UTC').map(({ day }) => day)).toEqual([
    '2026-11-22',
    '2026-11-21',
    '2026-11-20',
  ]);
});

test('each leads to its appointment, and what is new says so', async () => {
  await renderAs(PIA, <NoticesPage />, { at: '/notices' });
  const links = await screen.findAllByRole('link');
  expect(links.map((link) => link.textContent.includes('New'))).toEqual([true, true, false]);
  expect(links[2]?.textContent).toContain('An appointment was confirmed');
  expect(links[2]?.textContent).toContain('Wednesday, November 25');
  expect(links[0]?.textContent).toContain('There is news about an appointment');
  expect(links[0]?.getAttribute('href')).toBe(`/appointments/${ENTRIES[2]?.appointmentId}`);
});

test('what was in sight for a while is read, and stays marked as new meanwhile', async () => {
  await renderAs(PIA, <NoticesPage />, { at: '/notices' });
  await screen.findAllByRole('link');
  expect(unreadAsked()).toHaveLength(0);
  await vi.waitFor(() => expect(unreadAsked()).toHaveLength(1), { timeout: 4000 });
  expect(readSeq).toBe('3');
  expect(screen.getAllByText('New')).toHaveLength(2);
});

test('nothing is read in a tab that nobody sees', async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
  await renderAs(PIA, <NoticesPage />, { at: '/notices' });
  await screen.findAllByRole('link');
  await act(() => vi.advanceTimersByTimeAsync(10_000));
  expect(unreadAsked()).toHaveLength(0);
});

test('all can be marked as read at once', async () => {
  await renderAs(PIA, <NoticesPage />, { at: '/notices' });
  await userEvent.click(await screen.findByRole('button', { name: 'Mark all as read' }));
  await vi.waitFor(() => expect(screen.queryByText('New')).toBeNull());
  expect(screen.queryByRole('button', { name: 'Mark all as read' })).toBeNull();
  expect(readSeq).toBe('3');
});

test('no notices, and no answer', async () => {
  server.on('GET /v1/inbox', () =>
    json({ entries: [], firstSeq: '0', lastSeq: '0', readSeq: '0' }),
  );
  const { unmount } = await renderAs(PIA, <NoticesPage />, { at: '/notices' });
  expect(await screen.findByText('No notices yet')).toBeTruthy();
  unmount();

  server.on('GET /v1/inbox', () => problem(403, 'forbidden'));
  await renderAs(PIA, <NoticesPage />, { at: '/notices' });
  const alert = await screen.findByRole('alert');
  expect(within(alert).getByText(/not allowed to do this/)).toBeTruthy();
  expect(screen.getByRole('button', { name: 'Try again' })).toBeTruthy();
});

describe('words', () => {
  test.each(LANGUAGES)('every type has its own in %s', async (language) => {
    await startI18n();
    await i18next.changeLanguage(language);
    await i18next.loadNamespaces('notices');
    const t = i18next.getFixedT(language, 'notices');
    const viewer = { locale: language, timeZone: 'UTC' };
    const titles = [...NOTICE_TYPES, 'of.tomorrow'].map(
      (type) => noticeWords(entry(1, type, at('2026-11-20T09:00:00Z')), viewer, t).title,
    );
    expect(new Set(titles).size).toBe(NOTICE_TYPES.length + 1);
    expect(titles.filter((title) => title.startsWith('types.'))).toEqual([]);
    await i18next.changeLanguage('en');
  });
});
