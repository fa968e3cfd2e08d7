// @ts-check
// Every screen of the app: what people open by an address. A route of App.tsx that is not here
// fails the tests that go through all of them.

import { readFile } from 'node:fs/promises';

import { PATIENCE_MS } from './app.mjs';

/** @typedef {import('./app.mjs').AppRole} AppRole */
/** @typedef {import('playwright-core').Page} Page */
/**
 * @typedef {object} Screen
 * @property {string} name
 * @property {string} route as in App.tsx
 * @property {(AppRole | 'NOBODY')[]} roles for whom it is a screen of its own
 * @property {(appointmentId: string) => string} [at] its address, where it is not the route
 */

/** @type {AppRole[]} */ export const APP_ROLES = ['PATIENT', 'DOCTOR', 'STAFF', 'ADMIN'];

/** @type {Screen[]} */
export const SCREENS = [
  { name: 'login', route: '/login', roles: ['NOBODY'], at: () => '/login?clinic=demo' },
  { name: 'home', route: '/', roles: APP_ROLES },
  { name: 'schedule', route: '/schedule', roles: ['PATIENT', 'DOCTOR'] },
  { name: 'past', route: '/schedule', roles: ['PATIENT'], at: () => '/schedule?show=past' },
  { name: 'book', route: '/book', roles: ['PATIENT', 'STAFF'] },
  { name: 'hours', route: '/hours', roles: ['DOCTOR'] },
  { name: 'appointment', route: '/appointments/:id', roles: APP_ROLES,
    at: (appointmentId) => `/appointments/${appointmentId}` },
  { name: 'notices', route: '/notices', roles: ['PATIENT', 'DOCTOR', 'STAFF'] },
  { name: 'settings', route: '/settings', roles: ['PATIENT', 'DOCTOR'] },
  { name: 'check', route: '/check', roles: ['PATIENT'] },
  { name: 'not-found', route: '*', roles: ['PATIENT'], at: () => '/nowhere' },
];

/** @param {AppRole | 'NOBODY'} role */
export function screensOf(role) {
  return SCREENS.filter(({ roles }) => roles.includes(role));
}

/** @param {Screen} screen @param {string} appointmentId */
export function addressOf({ route, at }, appointmentId) {
  return at ? at(appointmentId) : route;
}

const source = new URL('../../web/src/', import.meta.url);

/** The routes that App.tsx has and those that are here, each once, in order. */
export async function routes() {
  const app = await readFile(new URL('app/App.tsx', source), 'utf8');
  const inOrder = (/** @type {string[]} */ found) => [...new Set(found)].sort();
  return {
    ofApp: inOrder([...app.matchAll(/<Route\s+path="([^"]+)"/g)].map(([, path]) => path)),
    known: inOrder(SCREENS.map(({ route }) => route)),
  };
}

/**
 * The texts of a namespace, flat: dotted name to text.
 * @param {string} language
 * @param {string} namespace
 * @returns {Promise<Map<string, string>>}
 */
export async function texts(language, namespace) {
  const file = new URL(`i18n/locales/${language}/${namespace}.json`, source);
  /** @type {Map<string, string>} */ const found = new Map();
  const walk = (/** @type {any} */ value, /** @type {string} */ name) => {
    if (typeof value === 'string') found.set(name, value);
    else for (const [key, part] of Object.entries(value)) walk(part, name ? `${name}.${key}` : key);
  };
  walk(JSON.parse(await readFile(file, 'utf8')), '');
  return found;
}

const LOADING = await Promise.all(['en', 'fr', 'de', 'es', 'ar'].map(async (language) =>
  (await texts(language, 'common')).get('loading') ?? ''));

/** Waits until nothing loads any more in a part of the page. @param {Page} page */
export async function loaded(page, part = 'main') {
  await page.waitForFunction(([selector, words]) =>
    [...document.querySelectorAll(`:is(${selector}) [role="status"]`)].every((element) =>
      !words.some((word) => element.textContent?.includes(word))),
  /** @type {[string, string[]]} */ ([part, LOADING]), { timeout: PATIENCE_MS });
}

/** Waits until a screen is there with what it shows, whatever its language. @param {Page} page */
export async function settled(page) {
  await page.locator('main h1').first().waitFor({ timeout: PATIENCE_MS });
  await loaded(page);
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
}

/**
 * Chooses one of many: its box may be hidden behind its label, as eyes see it.
 * @param {import('playwright-core').Locator} radio
 */
export async function choose(radio) {
  await radio.locator('xpath=ancestor::label').click({ timeout: PATIENCE_MS });
}

/** The day of an instant somewhere, "2026-11-30". @param {string} at @param {string} timeZone */
export function dayIn(at, timeZone) {
  return new Intl.DateTimeFormat('sv-SE', { timeZone }).format(new Date(at));
}
