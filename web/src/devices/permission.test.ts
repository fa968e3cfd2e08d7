import { expect, test } from 'vitest';

import english from '../i18n/locales/en/devices.json';
import { browserOf, HELP, SYSTEM_HELP, systemOf } from './permission';

const WINDOWS = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)';
const MAC =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)';
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)';
const ANDROID = 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)';

test.each([
  [`${WINDOWS} Chrome/131.0.0.0 Safari/537.36`, 0, 'chrome', 'windows'],
  [`${WINDOWS} Chrome/131.0.0.0 Safari/537.36`, 10, 'chrome', 'windows'],
  [`${WINDOWS} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0`, 0, 'edge', 'windows'],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0', 0, 'firefox', 'other'],
  [`${MAC} Version/18.1 Safari/605.1.15`, 0, 'safari', 'macos'],
  [`${MAC} Version/18.1 Safari/605.1.15`, 5, 'ios-safari', 'ios'], // an iPad
  [`${IPHONE} Version/18.1 Mobile/15E148 Safari/604.1`, 5, 'ios-safari', 'ios'],
  [`${IPHONE} CriOS/131.0 Mobile/15E148 Safari/604.1`, 5, 'ios-other', 'ios'],
  [`${IPHONE} FxiOS/132.0 Mobile/15E148 Safari/605.1.15`, 5, 'ios-other', 'ios'],
  [`${IPHONE} Mobile/15E148`, 5, 'in-app', 'ios'],
  [`${IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/400.0]`, 5, 'in-app', 'ios'],
  [`${IPHONE} GSA/300.0 Mobile/15E148 Safari/604.1`, 5, 'in-app', 'ios'],
  [`${ANDROID} Chrome/131.0.0.0 Mobile Safari/537.36`, 5, 'android-chrome', 'android'],
  [
    'Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0',
    5,
    'android-firefox',
    'android',
  ],
  [
    'Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP1; wv) AppleWebKit/537.36 Chrome/131.0 Mobile',
    5,
    'in-app',
    'android',
  ],
  [`${ANDROID} Chrome/131.0 Mobile Safari/537.36 Instagram 350.0`, 5, 'in-app', 'android'],
  ['Lynx/2.9', 0, 'other', 'other'],
])('%s with %d touch points is %s on %s', (userAgent, maxTouchPoints, browser, system) => {
  const signature = { userAgent, maxTouchPoints };
  expect(browserOf(signature)).toBe(browser);
  expect(systemOf(signature)).toBe(system);
});

const words = (key: string) =>
  key.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], english);

test.each([...Object.entries(HELP), ...Object.entries(SYSTEM_HELP)])(
  '%s: a heading and at least two steps, all with words',
  (_, { title, steps }) => {
    expect(steps.length).toBeGreaterThanOrEqual(2);
    for (const key of [title, ...steps]) expect(words(key), key).toBeTypeOf('string');
  },
);
