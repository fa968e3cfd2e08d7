import { beforeEach, expect, test } from 'vitest';

import { type DeviceChoice, forgetChoice, rememberChoice, rememberedChoice } from './choice';

beforeEach(() => localStorage.clear());

test('nothing is remembered unless somebody asked for it', () => {
  expect(rememberedChoice()).toBeNull();
});

test('what was remembered comes back whole, until it is forgotten', () => {
  const choice: DeviceChoice = { audio: true, video: false, audioOutputId: 'headset' };
  rememberChoice(choice);
  expect(rememberedChoice()).toEqual(choice);
  forgetChoice();
  expect(rememberedChoice()).toBeNull();
  expect(localStorage).toHaveLength(0);
});

test('keeps known members only', () => {
  rememberChoice({ audio: true, video: true, label: 'Headset of Pia' } as DeviceChoice);
  expect(localStorage.getItem('televisit.devices')).toBe('{"audio":true,"video":true}');
});

test.each(['{', '[]', '7', '{"audio":true}', '{"audio":"yes","video":true}'])(
  'what cannot be read is nothing: %s',
  (text) => {
    localStorage.setItem('televisit.devices', text);
    expect(rememberedChoice()).toBeNull();
  },
);

test('an id that is no text is left out', () => {
  localStorage.setItem(
    'televisit.devices',
    '{"audio":true,"video":true,"audioInputId":3,"videoInputId":""}',
  );
  expect(rememberedChoice()).toEqual({ audio: true, video: true });
});
