import { render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';

import common from '../i18n/locales/en/common.json';
import devices from '../i18n/locales/en/devices.json';
import { rememberedChoice } from './choice';
import { NOT_STARTED, type Report } from './connection';
import { DeviceCheck, type DeviceCheckProps } from './DeviceCheck';
import { LAPTOP, MediaDouble } from './media-double';

const measured = vi.hoisted(() => ({ report: {} }));
// The measuring has tests of its own; here only what comes of it matters.
vi.mock(import('./connection'), async (original) => ({
  ...(await original()),
  checkConnection: (_means, _signal, tell) => {
    tell(measured.report as Report);
    return Promise.resolve();
  },
}));

let media: MediaDouble;

beforeAll(async () => {
  await i18next.use(initReactI18next).init({ lng: 'en', resources: { en: { common, devices } } });
});

beforeEach(() => {
  localStorage.clear();
  media = new MediaDouble().install();
  measured.report = { ...NOT_STARTED, verdict: 'good' };
  vi.stubGlobal('MediaStream', Object);
  // No sound in jsdom: the microphone is on and says nothing.
  vi.stubGlobal(
    'AudioContext',
    class {
      state = 'suspended';
      createMediaStreamSource = () => ({ connect: () => undefined });
      resume = () => Promise.resolve();
      close = () => Promise.resolve();
    },
  );
  vi.stubGlobal('AnalyserNode', Object);
});

afterEach(() => vi.unstubAllGlobals());

function show(props: Partial<DeviceCheckProps> = {}) {
  const onReady = vi.fn<DeviceCheckProps['onReady']>();
  const all = { joinLabel: 'Join the visit', onReady, onCancel: () => undefined, ...props };
  const view = render(<DeviceCheck {...all} />);
  return {
    onReady,
    user: userEvent.setup(),
    again: (more: Partial<DeviceCheckProps>) => view.rerender(<DeviceCheck {...all} {...more} />),
    ...view,
  };
}

const join = () => screen.getByRole('button', { name: 'Join the visit' });
const seen = (text: string) => screen.findByText(text);

test('with both: they are said to be seen and heard, and handed over let go', async () => {
  const { user, onReady } = show();
  await seen('They will see and hear you.');
  await screen.findByLabelText('Your own picture, as in a mirror');
  await user.click(join());
  expect(onReady).toHaveBeenCalledExactlyOnceWith({ audio: true, video: true });
  expect(media.live).toEqual([]);
});

test('joining without a camera is possible and plainly said', async () => {
  media.devices = LAPTOP.filter(({ kind }) => kind !== 'videoinput');
  const { user, onReady } = show();
  await seen('We find no camera.');
  screen.getByText('Camera: not found');
  screen.getByRole('button', { description: 'They will hear you. They will not see you.' });
  await user.click(join());
  expect(onReady).toHaveBeenCalledWith({ audio: true, video: false });
});

test('refused: the way to allow it is told, and joining stays possible', async () => {
  media.permission = { audio: 'prompt', video: 'prompt' };
  media.answer = 'denied';
  const { user, onReady } = show();
  await user.click(await screen.findByRole('button', { name: 'Allow camera and microphone' }));
  await seen('Camera and microphone: blocked');
  expect(screen.getAllByRole('listitem').length).toBeGreaterThan(4);
  await seen('They will not see you and not hear you. You will see and hear them.');
  await user.click(join());
  expect(onReady).toHaveBeenCalledWith({ audio: false, video: false });
});

test('the focus goes to the picture when the button that asked is gone', async () => {
  media.permission = { audio: 'prompt', video: 'prompt' };
  const { user } = show();
  await user.click(await screen.findByRole('button', { name: 'Allow camera and microphone' }));
  const picture = await screen.findByLabelText('Your own picture, as in a mirror');
  expect(document.activeElement).toBe(picture.parentElement);
});

test('a busy camera has its own words', async () => {
  media.broken = { video: new DOMException('', 'NotReadableError') };
  show();
  await seen('Your camera is in use by another program.');
  screen.getByText('Camera: in use by another program');
});

test('keeps nothing by itself', async () => {
  const { user } = show();
  await seen('They will see and hear you.');
  await user.click(join());
  expect(localStorage).toHaveLength(0);
});

test('keeps what is wanted when asked to, also what does not work today, and forgets', async () => {
  media.broken = { video: new DOMException('', 'NotReadableError') };
  const { user, onReady } = show();
  await seen('They will hear you. They will not see you.');
  await user.click(screen.getByRole('switch', { name: 'Remember my choice on this device' }));
  await user.click(join());
  expect(onReady).toHaveBeenCalledWith({ audio: true, video: false });
  expect(rememberedChoice()).toEqual({ audio: true, video: true });
  await user.click(screen.getByRole('switch', { name: 'Remember my choice on this device' }));
  expect(localStorage).toHaveLength(0);
});

test('a poor connection suggests sound only; the person decides', async () => {
  measured.report = { ...NOT_STARTED, verdict: 'poor' };
  const { user } = show();
  await seen('Your connection is poor');
  await seen('They will see and hear you.');
  await user.click(screen.getByRole('button', { name: 'Turn my camera off' }));
  await seen('They will hear you. They will not see you.');
  expect(media.live).toEqual(['audio']);
  expect(screen.queryByRole('button', { name: 'Turn my camera off' })).toBeNull();
});

test('names what is in the way of a call', async () => {
  measured.report = { ...NOT_STARTED, verdict: 'blocked', measures: { blocked: ['video'] } };
  show();
  const alert = await screen.findByRole('alert');
  expect(alert.textContent).toContain('The video server does not answer.');
});

test('lets go when it is taken away', async () => {
  const { unmount } = show();
  await waitFor(() => expect(media.live).toEqual(['audio', 'video']));
  unmount();
  expect(media.live).toEqual([]);
});

test('goes on when joining did not work', async () => {
  const { user, again } = show();
  await seen('They will see and hear you.');
  await user.click(join());
  again({ busy: true });
  expect(media.live).toEqual([]);
  again({ busy: false });
  await waitFor(() => expect(media.live).toEqual(['audio', 'video']));
});

test('details for support have no names of devices', async () => {
  show();
  await screen.findByLabelText('Your own picture, as in a mirror');
  const details = screen.getByText('Details for support').closest('details');
  expect(details?.textContent).toContain('Result');
  expect(details?.textContent).not.toContain('The cam');
});
