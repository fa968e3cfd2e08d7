// @ts-check
// axe-core on every screen and every dialog: no violation of WCAG 2.2 A and AA, nor of what axe
// calls best practice, in both themes, on a desktop and on a phone, and in Arabic.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { AppUser, PATIENCE_MS, PHONE, withUsers } from './app.mjs';
import { APP_ROLES, addressOf, choose, dayIn, routes, screensOf, settled } from './screens.mjs';
import { Clinic } from './visit.mjs';

/** @typedef {import('./app.mjs').AppRole} AppRole */
/** @typedef {import('./visit.mjs').Visit} Visit */
/** @typedef {import('playwright-core').Page} Page */

const TEST_MS = 120_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const LOOKS = /** @type {const} */ ([
  { name: 'desktop, light', viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  { name: 'phone, dark', viewport: PHONE, colorScheme: 'dark' },
]);

const axe = await readFile(new URL('../../web/node_modules/axe-core/axe.min.js', import.meta.url),
  'utf8');

/** @type {Clinic} */ let clinic;
/** Open now. @type {Visit} */ let visit;
/** Not answered. @type {Visit} */ let request;
/** Begun, and nobody is there. @type {Visit} */ let begun;
/** How many states of how many pages were looked at. */
let checks = 0;

before(async () => {
  clinic = await Clinic.open();
  visit = await clinic.book();
  const { now } = await clinic.stack.clock();
  request = await clinic.bookAt(Date.parse(now) + 3 * HOUR_MS, false);
  begun = await clinic.bookAt(Date.parse(now) - 2 * MINUTE_MS);
});

after(async () => {
  console.log(`${checks} pages and dialogs were looked at`);
  await clinic?.close();
});

/** What axe finds, in words. @param {Page} page @returns {Promise<string[]>} */
async function violations(page) {
  if (!await page.evaluate(() => 'axe' in window)) await page.evaluate(axe);
  checks += 1;
  const { passes, found } = await page.evaluate(async (tags) => {
    const results = await /** @type {any} */ (window).axe.run(document, {
      runOnly: { type: 'tag', values: tags }, resultTypes: ['violations', 'passes'] });
    return { passes: results.passes.length, found: results.violations };
  }, TAGS);
  assert.ok(passes > 10, `axe looked at something: ${passes} rules were met`);
  return found.flatMap((/** @type {any} */ { id, nodes }) => nodes.map((/** @type {any} */ node) =>
    `${id}: ${node.target.join(' ')}\n      ${node.html.slice(0, 200)}\n      ${
      (node.failureSummary ?? '').replace(/\s+/g, ' ').slice(0, 300)}`));
}

/** Waits until no colour is on its way to another. @param {Page} page */
async function atRest(page) {
  await page.evaluate(async () => {
    const frame = () => new Promise((done) => { requestAnimationFrame(done); });
    await frame();
    do await frame();
    while (document.getAnimations().some((one) => one.playState === 'running'));
  });
}

/**
 * Looks at a page as it is now, in both looks.
 * @param {AppUser} user
 * @param {string} what
 * @param {string[]} faults to which those of this page are added
 */
async function look({ page }, what, faults) {
  for (const { name, viewport, colorScheme } of LOOKS) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await atRest(page);
    const found = await violations(page);
    faults.push(...found.map((fault) => `${what} (${name}): ${fault}`));
  }
  await page.setViewportSize(LOOKS[0].viewport);
}

/** @param {string[]} faults */
function assertNone(faults) {
  assert.ok(faults.length === 0, `${faults.length} violations:\n    ${faults.join('\n    ')}`);
}

/**
 * A test with one person in front of a browser.
 * @param {AppRole} role
 * @param {string} name
 * @param {(user: AppUser, faults: string[]) => Promise<void>} act
 */
function axeTest(role, name, act, options = {}) {
  test(name, { timeout: TEST_MS }, async () => {
    const user = await AppUser.open(clinic, role, options);
    await withUsers([user], async () => {
      /** @type {string[]} */ const faults = [];
      await act(user, faults);
      assertNone(faults);
    });
  });
}

/** @param {AppUser} user @param {string} at */
async function goTo(user, at) {
  await user.goTo(at);
  await settled(user.page);
}

/** The board on the day of a visit, which may be tomorrow. @param {Visit} visit */
const boardOf = ({ startsAt }) => `/?day=${dayIn(startsAt, 'Europe/Berlin')}`;

/** Opens a dialog of a page, in the row of a visit if one is given, and looks at it. */
async function lookAtDialog(/** @type {AppUser} */ user, /** @type {string} */ at,
  /** @type {RegExp} */ button, /** @type {string[]} */ faults,
  /** @type {Visit | undefined} */ row = undefined) {
  await goTo(user, at);
  if (row) await user.card(row.id).getByRole('button').first().click();
  await user.page.locator('main').getByRole('button', { name: button }).first().click();
  const dialog = user.page.getByRole('dialog').or(user.page.getByRole('alertdialog')).first();
  await dialog.waitFor();
  await dialog.getByRole('heading').first().waitFor();
  await look(user, `${at}, dialog of ${button}`, faults);
  await user.page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
}

test('every route of the app is among the screens', async () => {
  const { ofApp, known } = await routes();
  assert.deepEqual(known, ofApp);
});

axeTest('PATIENT', 'the way in', async (user, faults) => {
  for (const screen of screensOf('NOBODY')) {
    await goTo(user, addressOf(screen, ''));
    await look(user, screen.name, faults);
    await user.page.locator('button[type="submit"]').click();
    await user.page.locator('[aria-invalid="true"]').first().waitFor();
    await look(user, `${screen.name}, with faults`, faults);
  }
});

for (const role of APP_ROLES) {
  axeTest(role, `the screens of: ${role}`, async (user, faults) => {
    await user.logIn();
    for (const screen of screensOf(role)) {
      await goTo(user, addressOf(screen, visit.id));
      await look(user, screen.name, faults);
    }
    await goTo(user, '/settings');
    await user.page.locator('header button[aria-expanded]').click();
    await user.page.locator('header a[href="/settings"]').waitFor();
    await look(user, 'the menu of the person', faults);
  });
}

axeTest('PATIENT', 'the screens in Arabic', async (user, faults) => {
  await clinic.people.PATIENT.ask('PATCH', '/v1/me', { language: 'ar' });
  await goTo(user, '/login?clinic=demo');
  await look(user, 'login', faults);
  await user.logIn();
  for (const screen of screensOf('PATIENT')) {
    await goTo(user, addressOf(screen, visit.id));
    await look(user, screen.name, faults);
  }
  assert.equal(await user.page.locator('html').getAttribute('dir'), 'rtl');
  await clinic.people.PATIENT.ask('PATCH', '/v1/me', { language: 'en' });
}, { locale: 'ar' });

axeTest('PATIENT', 'booking, and the dialogs of a patient', async (user, faults) => {
  const { page } = user;
  await user.logIn('/book');
  await settled(page);
  const next = () => page.getByRole('button', { name: 'Continue' }).click();
  await next(); // nothing chosen
  await page.getByText('Please choose a doctor.').waitFor();
  await look(user, 'booking, no doctor', faults);
  await choose(page.getByRole('radio').first());
  await next();
  await choose(page.getByRole('group', { name: /choose a time/i }).getByRole('radio').first());
  await look(user, 'booking, time', faults);
  await next();
  await page.getByRole('textbox').fill('A cough');
  await look(user, 'booking, reason', faults);
  await next();
  await page.getByRole('button', { name: /request this/i }).waitFor();
  await look(user, 'booking, review', faults);
  const at = `/appointments/${visit.id}`;
  await lookAtDialog(user, at, /change the time/i, faults);
  await lookAtDialog(user, at, /cancel the appointment/i, faults);
});

axeTest('DOCTOR', 'the dialogs of a doctor', async (user, faults) => {
  await user.logIn();
  await lookAtDialog(user, `/appointments/${request.id}`, /decline/i, faults);
  await lookAtDialog(user, '/', /decline/i, faults);
  await lookAtDialog(user, '/', /^complete the visit/i, faults);
  await lookAtDialog(user, '/hours', /copy to other days/i, faults);
});

axeTest('STAFF', 'the rows and dialogs of the board', async (user, faults) => {
  await user.logIn();
  await settled(user.page);
  for (const one of [visit, request]) {
    await goTo(user, boardOf(one));
    await user.card(one.id).getByRole('button').first().click();
    await user.card(one.id).getByRole('link', { name: 'Details' }).waitFor();
    await look(user, 'a row of the board', faults);
  }
  await lookAtDialog(user, `/appointments/${request.id}`, /cancel the appointment/i, faults);
  await lookAtDialog(user, boardOf(begun), /^mark as missed/i, faults, begun);
});

test('the call, from the check of devices to the page after it', { timeout: TEST_MS }, async () => {
  const patient = await AppUser.open(clinic, 'PATIENT');
  const doctor = await AppUser.open(clinic, 'DOCTOR', { beside: patient });
  /** @type {string[]} */ const faults = [];
  const words = (/** @type {AppUser} */ user, /** @type {RegExp} */ text) =>
    user.page.getByRole('dialog').getByText(text).first().waitFor({ timeout: PATIENCE_MS });
  const join = (/** @type {AppUser} */ user) =>
    user.page.getByRole('button', { name: /join the call/i });
  await withUsers([patient, doctor], async () => {
    for (const user of [patient, doctor]) {
      await user.logIn();
      await user.card(visit.id).getByRole('button', { name: /video call/i }).click();
      await join(user).waitFor({ timeout: PATIENCE_MS });
      if (user === patient) await look(user, 'the check of devices', faults);
      await join(user).click();
      await words(user, user === patient ? /^waiting for/i : /^connected with/i);
      await look(user, `the call of the ${user.role}`, faults);
    }
    await lookInCall(doctor, 'Settings', faults);
    await lookInCall(doctor, 'End for everyone', faults);
    for (const user of [patient, doctor]) {
      await user.page.getByRole('button', { name: 'Leave', exact: true }).click();
      await words(user, /you have left/i);
      await look(user, `after the call of the ${user.role}`, faults);
    }
    assertNone(faults);
  });
});

/** @param {AppUser} user @param {string} button @param {string[]} faults */
async function lookInCall(user, button, faults) {
  await user.page.getByRole('button', { name: button, exact: true }).click();
  const dialogs = user.page.getByRole('dialog').or(user.page.getByRole('alertdialog'));
  const inner = dialogs.nth(1);
  await inner.waitFor();
  await look(user, `the call, dialog of ${button}`, faults);
  await user.page.keyboard.press('Escape');
  await inner.waitFor({ state: 'detached' });
}
