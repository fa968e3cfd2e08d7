import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { beforeEach, expect, test, vi } from 'vitest';

import type { Person } from '../api';
import { PIA, renderAs, renderAt } from '../testing/render';
import { installServer, json } from '../testing/server';
import { Page } from '../ui';
import { ErrorBoundary } from './ErrorBoundary';
import { Shell } from './Shell';
import { setTheme, startTheme } from './theme';

beforeEach(() => {
  const server = installServer();
  vi.spyOn(window, 'scrollTo').mockImplementation(() => undefined);
  server.on('GET /v1/inbox', () =>
    json({ entries: [], firstSeq: '1', lastSeq: '9', readSeq: '4' }),
  );
});

const frame = (role: Person['role']) =>
  renderAs(
    { ...PIA, role },
    <Shell>
      <Page title="Here">{null}</Page>
    </Shell>,
  );

test.each([
  ['PATIENT', ['Home', 'Schedule', 'Book a visit']],
  ['DOCTOR', ['Home', 'Schedule', 'Hours']],
  ['STAFF', ['Today', 'Book a visit']],
  ['ADMIN', ['Home']],
] as const)('the menu of %s', async (role, places) => {
  await frame(role);
  const menu = await screen.findByRole('navigation', { name: 'Main menu' });
  const links = within(menu).getAllByRole('link');
  expect(links.map((link) => link.textContent)).toEqual(places);
  expect(links[0]?.getAttribute('aria-current')).toBe('page');
});

test('unread notices are counted at the bell and in the title', async () => {
  await frame('PATIENT');
  expect(await screen.findByRole('link', { name: 'Notices, 5 unread' })).toBeTruthy();
  expect(document.title).toBe('(5) Here · Lakeside Clinic');
});

test('the first stop of the keyboard leads past the menu', async () => {
  await frame('PATIENT');
  await userEvent.tab();
  expect(document.activeElement?.textContent).toBe('Skip to the content');
  await userEvent.keyboard('{Enter}');
  expect(document.activeElement).toBe(screen.getByRole('main'));
});

test('the menu of the person opens and closes by keyboard', async () => {
  await frame('PATIENT');
  const button = await screen.findByRole('button', { name: /Pia Sommer/ });
  expect(screen.queryByRole('link', { name: 'Settings' })).toBeNull();
  await userEvent.click(button);
  expect(button.getAttribute('aria-expanded')).toBe('true');
  expect(screen.getByRole('link', { name: 'Settings' })).toBeTruthy();
  expect(screen.getByRole('button', { name: 'Log out' })).toBeTruthy();
  await userEvent.keyboard('{Escape}');
  expect(screen.queryByRole('link', { name: 'Settings' })).toBeNull();
  expect(document.activeElement).toBe(button);
});

test('without a network the page says that it may be old', async () => {
  await frame('PATIENT');
  expect(screen.queryByText(/You are offline/)).toBeNull();
  const onLine = vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
  act(() => void window.dispatchEvent(new Event('offline')));
  expect(screen.getByText(/You are offline/).closest('[role=status]')).not.toBeNull();
  onLine.mockReturnValue(true);
  act(() => void window.dispatchEvent(new Event('online')));
  expect(screen.queryByText(/You are offline/)).toBeNull();
});

test('a fault in one screen leaves a way on, and another screen is a new beginning', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  function Broken(): never {
    throw new Error('ours');
  }
  function Two() {
    const [key, setKey] = useState('a');
    return (
      <>
        <button onClick={() => setKey('b')}>next</button>
        <ErrorBoundary resetKey={key}>{key === 'a' ? <Broken /> : <p>fine</p>}</ErrorBoundary>
      </>
    );
  }
  await renderAt(<Two />);
  expect(screen.getByRole('heading', { name: 'Something went wrong' })).toBeTruthy();
  expect(screen.getByRole('button', { name: 'Load the page again' })).toBeTruthy();
  await userEvent.click(screen.getByRole('button', { name: 'next' }));
  expect(screen.getByText('fine')).toBeTruthy();
});

test('the theme is that of the device until somebody chooses', () => {
  const device = { matches: true, addEventListener: vi.fn() };
  vi.stubGlobal('matchMedia', () => device);
  startTheme();
  expect(document.documentElement.dataset.theme).toBe('dark');
  setTheme('light');
  expect(document.documentElement.dataset.theme).toBe('light');
  expect(localStorage.getItem('televisit.theme')).toBe('light');
  setTheme('device');
  expect(document.documentElement.dataset.theme).toBe('dark');
  expect(localStorage.getItem('televisit.theme')).toBeNull();
  vi.unstubAllGlobals();
});
