import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { SessionProvider } from '../app/session';
import { PIA, renderAt } from '../testing/render';
import { type FakeServer, installServer, json, problem } from '../testing/server';
import LoginPage from './LoginPage';

let server: FakeServer;

beforeEach(() => {
  server = installServer();
  vi.spyOn(window, 'scrollTo').mockImplementation(() => undefined);
});

afterEach(() => localStorage.clear());

async function open(at: string) {
  await renderAt(
    <SessionProvider>
      <LoginPage />
    </SessionProvider>,
    { at },
  );
  await screen.findByRole('heading', { level: 1, name: 'Log in' });
}

const box = (name: string) => screen.getByRole<HTMLInputElement>('textbox', { name });
const send = () => userEvent.click(screen.getByRole('button', { name: 'Log in' }));

/** As a password manager or a hurried hand does it: what is pasted counts. */
async function paste(control: HTMLElement, text: string) {
  await userEvent.click(control);
  await userEvent.paste(text);
}

async function fill() {
  await paste(box('Email address'), 'pia@example.org');
  await paste(screen.getByLabelText('Password'), 'secret');
}

test('what is missing is said at each field, and the first one gets the focus', async () => {
  await open('/login');
  await send();
  expect(document.activeElement).toBe(box('Clinic short name'));
  expect(screen.getByText('Please write the short name of your clinic.')).toBeTruthy();
  expect(screen.getByText('Please write your email address.')).toBeTruthy();
  expect(screen.getByLabelText('Password').getAttribute('aria-invalid')).toBe('true');
  expect(server.asked).toEqual([]);
});

test('a clinic of the link is not asked for, and can be changed', async () => {
  await open('/login?clinic=lakeside');
  expect(screen.getByText('Clinic: lakeside')).toBeTruthy();
  expect(screen.queryByRole('textbox', { name: 'Clinic short name' })).toBeNull();
  await userEvent.click(screen.getByRole('button', { name: 'Another clinic' }));
  expect(document.activeElement).toBe(box('Clinic short name'));
});

test('logs in by keyboard, and the clinic is remembered', async () => {
  let sent: unknown;
  server.on('POST /v1/session', async (request) => {
    sent = await request.json();
    return json({ person: PIA });
  });
  server.on('GET /v1/inbox', () =>
    json({ entries: [], firstSeq: '0', lastSeq: '0', readSeq: '0' }),
  );
  server.on('GET /v1/me', () => json(PIA));
  await open('/login');
  await paste(box('Clinic short name'), ' LakeSide ');
  await fill();
  await userEvent.keyboard('{Enter}');
  await vi.waitFor(() => expect(localStorage.getItem('televisit.clinic')).toBe('lakeside'));
  expect(sent).toEqual({
    clinic: 'lakeside',
    email: 'pia@example.org',
    password: 'secret',
    cookie: true,
  });
  await vi.waitFor(() => expect(screen.queryByRole('heading')).toBeNull());
});

test.each([
  [401, 'bad-credentials', {}, /email address or the password is not right/],
  [429, 'rate-limited', { retryAfterSeconds: 300 }, /try again in 5 minutes/],
])('an answer %s is said in words, what was written stays', async (status, slug, more, words) => {
  server.on('POST /v1/session', () => problem(status, slug, more));
  await open('/login?clinic=lakeside');
  await fill();
  await send();
  const alert = await screen.findByText(words);
  expect(alert.closest('[role=alert]')).not.toBeNull();
  expect(box('Email address').value).toBe('pia@example.org');
  expect(screen.getByRole('button', { name: 'Log in' }).hasAttribute('aria-disabled')).toBe(false);
});

test('a server that cannot be reached is said', async () => {
  server.on('POST /v1/session', () => Promise.reject(new TypeError('Failed to fetch')));
  await open('/login?clinic=lakeside');
  await fill();
  await send();
  expect(await screen.findByText(/cannot reach the clinic/)).toBeTruthy();
});

test('the password can be shown and hidden', async () => {
  await open('/login?clinic=lakeside');
  const password = screen.getByLabelText<HTMLInputElement>('Password');
  expect([password.type, password.autocomplete]).toEqual(['password', 'current-password']);
  await userEvent.click(screen.getByRole('button', { name: 'Show password' }));
  expect(password.type).toBe('text');
  await userEvent.click(screen.getByRole('button', { name: 'Hide password' }));
  expect(password.type).toBe('password');
});

test('a session that ended is explained', async () => {
  await open('/login?reason=expired&clinic=lakeside');
  expect(screen.getByRole('status').textContent).toMatch(/You were logged out/);
});
