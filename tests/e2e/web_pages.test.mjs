// @ts-check
// The app without a call: the way of a visit through everybody's pages, by the keyboard alone, in
// other zones and languages, and on a phone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until } from '../../tools/demo/until.mjs';
import { AppUser, PATIENCE_MS, PHONE, withUsers } from './app.mjs';
import { assertFocusSeen, nameOfFocus, tabTo } from './keyboard.mjs';
import { cutTexts, smallTargets, widerThanScreen } from './layout.mjs';
import { addressOf, choose, dayIn, screensOf, settled, texts } from './screens.mjs';
import { Clinic } from './visit.mjs';

/** @typedef {import('./app.mjs').AppRole} AppRole */
/** @typedef {import('./app.mjs').Options} Options */
/** @typedef {import('playwright-core').Page} Page */

const TEST_MS = 120_000;
const HOUR_MS = 3_600_000;
const NAMESPACES = ['common', 'login', 'settings', 'notices', 'problems', 'appointments',
  'patient', 'doctor', 'staff', 'devices', 'call'];
const NEW_YORK = 'America/New_York';

/** @type {Clinic} */ let clinic;
/** The browser that all share. @type {AppUser} */ let first;
/** Open now; booked before anybody chooses a time. @type {import('./visit.mjs').Visit} */ let visit;

before(async () => {
  clinic = await Clinic.open();
  visit = await clinic.book();
  const { now } = await clinic.stack.clock();
  await clinic.bookAt(Date.parse(now) + 2 * HOUR_MS, false);
  first = await AppUser.open(clinic, 'PATIENT');
});

after(async () => {
  await first?.close();
  await clinic?.close();
});

/**
 * Runs `act` with people who are not logged in, each in a profile of their own.
 * @param {[AppRole, Options?][]} who
 * @param {(...users: AppUser[]) => Promise<void>} act
 */
async function people(who, act) {
  const users = await Promise.all(who.map(([role, options]) =>
    AppUser.open(clinic, role, { ...options, beside: first })));
  await withUsers(users, () => act(...users));
}

/** @param {AppRole} role @param {object} change */
async function changeMe(role, change) {
  const person = role === 'STAFF' ? clinic.staff : clinic.people[/** @type {'PATIENT'} */ (role)];
  const { status, body } = await person.ask('PATCH', '/v1/me', change);
  assert.equal(status, 200, JSON.stringify(body));
}

/** How many notices the bell says are unread. @param {AppUser} user */
async function unread(user) {
  const name = await user.page.locator('header a[href="/notices"]').getAttribute('aria-label');
  return Number(/\d+/.exec(name ?? '')?.[0] ?? 0);
}

/** Waits until something new was told. @param {AppUser} user @param {number} before */
async function isTold(user, before, /** @type {string} */ of) {
  await until(async () => await unread(user) > before, PATIENCE_MS,
    `the ${user.role} is not told of ${of}`);
}

/** What the first free times of the doctor are. */
async function freeTimes() {
  const { id } = clinic.people.DOCTOR.self;
  const { body } = await clinic.people.PATIENT.ask('GET', `/v1/doctors/${id}/slots?days=14`);
  return body.slots.map((/** @type {any} */ slot) => slot.startsAt);
}

/** @param {string} at @param {string} timeZone */
const timeIn = (at, timeZone) => new Intl.DateTimeFormat('en', { timeZone, hour: '2-digit',
  minute: '2-digit' }).format(new Date(at)).replace(/\s+/g, ' ');

/** @param {AppUser} user @param {RegExp | string} name */
const button = ({ page }, name) => page.getByRole('button', { name });

/** @param {import('playwright-core').Locator | Page} part */
const choices = (part) => ({
  days: part.getByRole('group', { name: /choose a day/i }).getByRole('radio'),
  times: part.getByRole('group', { name: /choose a time/i }).getByRole('radio'),
});

/** Books the nth free time of a day; answers with the visit's id. @param {AppUser} user */
async function book(user, day = 0, nth = 0, reason = '') {
  const { page } = user;
  await page.getByRole('navigation').getByRole('link', { name: 'Book a visit' }).click();
  await choose(page.getByRole('radio', { name: clinic.people.DOCTOR.self.displayName }));
  await button(user, 'Continue').click();
  await choose(choices(page).days.nth(day));
  await choose(choices(page).times.nth(nth));
  await button(user, 'Continue').click();
  await page.getByRole('textbox').fill(reason);
  await button(user, 'Continue').click();
  await button(user, /request this/i).click();
  await page.getByRole('heading', { name: /is requested/i }).waitFor({ timeout: PATIENCE_MS });
  const card = page.locator('main [data-testid^="appointment-"]');
  return String(await card.getAttribute('data-testid')).slice('appointment-'.length);
}

test('a visit is booked, confirmed, moved and cancelled, and every page follows by itself',
  { timeout: TEST_MS }, async () => {
    await people([['PATIENT'], ['DOCTOR'], ['STAFF']], async (patient, doctor, staff) => {
      // Not today: what opens soon is not only confirmed.
      const all = await freeTimes();
      const startsAt = all.find((/** @type {string} */ at) =>
        dayIn(at, 'Europe/Berlin') !== dayIn(all[0], 'Europe/Berlin'));
      await Promise.all([patient.logIn(), doctor.logIn(),
        staff.logIn(`/?day=${dayIn(startsAt, 'Europe/Berlin')}`)]);
      await Promise.all([patient, doctor, staff].map(({ page }) => settled(page)));
      await Promise.all([patient, doctor, staff].map((user) => user.markPage()));
      const board = (/** @type {string} */ id, /** @type {string} */ state) =>
        staff.page.locator(`[data-testid="appointment-${id}"][data-state="${state}"]`)
          .waitFor({ timeout: PATIENCE_MS });
      const told = { doctor: await unread(doctor), patient: await unread(patient) };

      const id = await book(patient, 1, 0, 'A cough that stays');
      await doctor.card(id).getByText('A cough that stays').waitFor({ timeout: PATIENCE_MS });
      await isTold(doctor, told.doctor, 'the request');
      await board(id, 'requested');
      await patient.page.getByRole('link', { name: 'To the start page' }).click();
      await patient.card(id).getByText('Waiting for confirmation').first().waitFor();

      told.patient = await unread(patient);
      await doctor.card(id).getByRole('button', { name: /^confirm and tell/i }).click();
      await patient.card(id).getByText('Confirmed', { exact: true })
        .waitFor({ timeout: PATIENCE_MS });
      await isTold(patient, told.patient, 'the confirmation');
      await board(id, 'confirmed');

      told.doctor = await unread(doctor);
      await patient.card(id).getByRole('link').first().click();
      await button(patient, 'Change the time').click();
      const dialog = patient.page.getByRole('dialog');
      await choose(choices(dialog).days.nth(1));
      await choose(choices(dialog).times.first());
      await dialog.getByRole('button', { name: /^move to/i }).click();
      await dialog.waitFor({ state: 'detached', timeout: PATIENCE_MS });
      await isTold(doctor, told.doctor, 'the move');
      // The clinic wants moved visits to be confirmed again.
      await doctor.card(id).getByRole('button', { name: /^confirm and tell/i })
        .waitFor({ timeout: PATIENCE_MS });
      await board(id, 'requested');
      const { body: moved } = await clinic.people.PATIENT.ask('GET', `/v1/appointments/${id}`);
      assert.notEqual(moved.startsAt, startsAt, 'the visit has another time');

      told.patient = await unread(patient);
      await staff.card(id).getByRole('button').first().click();
      await button(staff, /^cancel the visit/i).waitFor();
      assert.equal(await staff.page.evaluate(() =>
        document.activeElement?.getAttribute('aria-expanded')), 'true', 'the row keeps the focus');
      await button(staff, /^cancel the visit/i).click();
      await staff.page.getByRole('alertdialog')
        .getByRole('button', { name: 'Cancel the appointment' }).click();
      await patient.page.locator('main').getByText('Cancelled', { exact: true })
        .waitFor({ timeout: PATIENCE_MS });
      await isTold(patient, told.patient, 'the cancellation');
      await doctor.card(id).getByRole('button', { name: /^confirm and tell/i })
        .waitFor({ state: 'detached', timeout: PATIENCE_MS });
      for (const user of [patient, doctor, staff]) await user.assertNotReloaded();
    });
  });

test('by the keyboard alone: log in, book, and go to the check before a call',
  { timeout: TEST_MS }, async () => {
    await people([['PATIENT']], async (patient) => {
      const { page } = patient;
      const press = (/** @type {string} */ key) => page.keyboard.press(key);
      const { clinic: slug, email, password } = patient.credentials;
      const enter = async (/** @type {RegExp} */ name) => {
        await tabTo(page, name);
        await press('Enter');
      };
      await patient.goTo(`/login?clinic=${slug}`);
      await settled(page);
      await tabTo(page, /^email/i);
      await page.keyboard.type(email);
      await tabTo(page, /^password/i);
      await page.keyboard.type(password);
      await press('Enter');
      await page.waitForURL(`${patient.origin}/`, { timeout: PATIENCE_MS });

      await patient.goTo('/settings');
      await settled(page);
      await press('Tab');
      assert.match(await nameOfFocus(page), /^skip to/i, 'the skip link comes first');
      await assertFocusSeen(page);
      await press('Enter');
      assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
      await press('Tab');
      assert.ok(await page.evaluate(() => document.activeElement?.closest('main')), 'in the page');

      await patient.goTo('/');
      await settled(page);
      await enter(/^book a visit/i);
      await page.getByRole('radio').first().waitFor();
      assert.match(await nameOfFocus(page), /^book a visit/i, 'one starts at the heading');
      await tabTo(page, /^dr\./i);
      await press('ArrowDown');
      await press('ArrowDown');
      await enter(/^continue/i);
      await page.getByRole('group', { name: /choose a time/i }).waitFor({ timeout: PATIENCE_MS });
      await tabTo(page, /^\d+:\d\d/);
      await press('Space');
      await press('ArrowRight');
      const chosen = await nameOfFocus(page);
      await enter(/^continue/i);
      await tabTo(page, /^reason/i);
      await page.keyboard.type('By keyboard');
      await enter(/^continue/i);
      await page.getByText(chosen).first().waitFor();
      await enter(/^request this/i);
      await page.getByRole('heading', { name: /is requested/i }).waitFor({ timeout: PATIENCE_MS });

      await enter(/^to the start page/i);
      await patient.card(visit.id).waitFor({ timeout: PATIENCE_MS });
      await settled(page);
      await enter(/^join video call/i);
      await page.getByRole('button', { name: /join the call/i }).waitFor({ timeout: PATIENCE_MS });
      for (let i = 0; i < 20; i += 1) {
        await press('Tab');
        assert.ok(await page.evaluate(() => document.activeElement?.closest('[role="dialog"]')
          !== null), 'the focus stays in the overlay');
        await assertFocusSeen(page);
      }
      await tabTo(page, /^remember my choice/i);
      await page.getByRole('heading', { name: /^camera and microphone$/i }).evaluate((heading) => {
        heading.style.paddingBlockEnd = '1200px'; // as when devices and results come in late
      });
      await assertFocusSeen(page);
      await tabTo(page, /^back$/i);
      await press('Enter');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      await until(async () => /^join video call/i.test(await nameOfFocus(page)), PATIENCE_MS,
        'the focus is not given back to what opened the call');

      await patient.goTo(`/appointments/${visit.id}`);
      await settled(page);
      await enter(/^cancel the appointment/i);
      await page.getByRole('alertdialog').waitFor();
      await press('Escape');
      await page.getByRole('alertdialog').waitFor({ state: 'detached' });
      await until(async () => /^cancel the appointment/i.test(await nameOfFocus(page)),
        PATIENCE_MS, 'the focus is not given back to what opened the dialog');
    });
  });

test('somebody in another zone sees own times and the clinic\'s, and books the right instant',
  { timeout: TEST_MS }, async () => {
    // The zone of the account counts; to take the device's is one press in the settings.
    const cases = /** @type {const} */ ([[NEW_YORK, /^use the time zone of this device/i],
      ['Europe/Berlin', null]]);
    for (const [timeZone, device] of cases) {
      await people([['PATIENT', { timeZone }]], async (patient) => {
        const { page } = patient;
        await changeMe('PATIENT', { timeZone: device ? 'Europe/Berlin' : NEW_YORK });
        await patient.logIn(device ? '/settings' : '/');
        await settled(page);
        if (device) {
          await button(patient, device).click();
          await button(patient, 'Save').click();
          await page.getByText('Your settings are saved.').first().waitFor();
        }
        // The second of the first day as it is over there.
        const [day] = (await freeTimes()).map((/** @type {string} */ at) => dayIn(at, NEW_YORK));
        const ofDay = (await freeTimes()).filter((/** @type {string} */ at) =>
          dayIn(at, NEW_YORK) === day);
        const place = Math.min(1, ofDay.length - 1);
        const startsAt = ofDay[place];
        const id = await book(patient, 0, place);
        const { body: booked } = await clinic.people.PATIENT.ask('GET', `/v1/appointments/${id}`);
        assert.equal(Date.parse(booked.startsAt), Date.parse(startsAt), 'the instant seen');
        const card = (await patient.card(id).innerText()).replace(/\s+/g, ' ');
        assert.ok(card.includes(timeIn(startsAt, NEW_YORK)), `own time, in: ${card}`);
        const there = `${timeIn(startsAt, 'Europe/Berlin')} at the clinic (`;
        assert.ok(card.includes(there), `${there}, in: ${card}`);
      });
    }
    await changeMe('PATIENT', { timeZone: 'Europe/Berlin' });
  });

/** What a person can read or hear on a page, each text by itself. @param {AppUser} user */
function wordsOf({ page }) {
  return page.evaluate(() => {
    const found = new Set([document.title]);
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode())
      found.add(node.textContent?.trim() ?? '');
    for (const element of document.querySelectorAll('[aria-label], [title], [placeholder]')) {
      for (const name of ['aria-label', 'title', 'placeholder'])
        found.add(element.getAttribute(name)?.trim() ?? '');
    }
    return [...found].filter(Boolean);
  });
}

/** English texts that are others in Arabic, as patterns that fit them with anything filled in. */
async function englishWords() {
  /** @type {[string, RegExp][]} */ const found = [];
  for (const namespace of NAMESPACES) {
    const [english, arabic] = await Promise.all([texts('en', namespace), texts('ar', namespace)]);
    for (const [key, text] of english) {
      if (arabic.get(key) === text || !/[a-z]{3}/i.test(text.replace(/\{\{.*?\}\}/g, ''))) continue;
      const literal = text.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\{.*?\}\}/g, '.+');
      found.push([`${namespace}:${key}`, new RegExp(`^${literal}$`)]);
    }
  }
  assert.ok(found.length > 500, `${found.length} texts are compared`);
  return found;
}

test('Arabic: from right to left, on small screens, nothing left in English',
  { timeout: TEST_MS }, async () => {
    const english = await englishWords();
    for (const role of /** @type {const} */ (['PATIENT', 'DOCTOR', 'STAFF'])) {
      await changeMe(role, { language: 'ar' });
      await people([[role, { viewport: { width: 320, height: 700 } }]], async (user) => {
        await user.logIn();
        await user.page.locator('html[dir="rtl"][lang="ar"]').waitFor({ timeout: PATIENCE_MS });
        for (const screen of screensOf(role)) {
          const what = `${role}, ${screen.name}`;
          await user.goTo(addressOf(screen, visit.id));
          await settled(user.page);
          for (const width of [320, 390]) {
            await user.page.setViewportSize({ width, height: 700 });
            assert.deepEqual(await widerThanScreen(user.page), [], `${what} at ${width} px`);
          }
          const left = (await wordsOf(user)).flatMap((text) => {
            const key = english.find(([, pattern]) => pattern.test(text))?.[0];
            return key ? [`${text} (${key})`] : [];
          });
          assert.deepEqual(left, [], `English in ${what}`);
        }
      });
      await changeMe(role, { language: 'en' });
    }
  });

test('each language is chosen in the settings, holds at once and after a reload',
  { timeout: TEST_MS }, async () => {
    await people([['PATIENT']], async (patient) => {
      const { page } = patient;
      await patient.logIn('/settings');
      await settled(page);
      for (const language of ['de', 'fr', 'es', 'ar', 'en']) {
        const words = await texts(language, 'settings');
        const isSpoken = () => page.getByRole('heading', { level: 1,
          name: words.get('title'), exact: true }).waitFor({ timeout: PATIENCE_MS });
        await page.locator('main select').first().selectOption(language);
        await page.locator('main form button[type="submit"]').click();
        await isSpoken();
        await page.getByText(String(words.get('saved'))).first().waitFor({ timeout: PATIENCE_MS });
        await page.reload();
        await isSpoken();
        assert.equal(await page.locator('html').getAttribute('lang'), language);
        assert.equal(await page.locator('html').getAttribute('dir'),
          language === 'ar' ? 'rtl' : 'ltr');
        await settled(page);
      }
    });
  });

test('on a phone, and at 200 %: nothing is cut, and all can be hit with a finger',
  { timeout: TEST_MS }, async () => {
    /** @type {string[]} */ const faults = [];
    const note = (/** @type {string} */ what, /** @type {string[]} */ found) =>
      faults.push(...found.map((fault) => `${what}: ${fault}`));
    for (const role of /** @type {const} */ (['PATIENT', 'DOCTOR', 'STAFF'])) {
      await people([[role, { viewport: PHONE, touch: true }]], async (user) => {
        const { page } = user;
        await user.logIn();
        for (const screen of screensOf(role)) {
          const what = `${role}, ${screen.name}`;
          await page.setViewportSize(PHONE);
          await user.goTo(addressOf(screen, visit.id));
          await settled(page);
          const bar = await page.locator('header nav').boundingBox();
          assert.equal(Math.round((bar?.y ?? 0) + (bar?.height ?? 0)), PHONE.height,
            `${what}: the menu is at the bottom`);
          note(`${what}, too small`, await smallTargets(page));
          for (const size of [PHONE, { width: 640, height: 400 }, { width: 320, height: 256 }]) {
            await page.setViewportSize(size);
            note(`${what}, wider than ${size.width} px`, await widerThanScreen(page));
            note(`${what}, cut at ${size.width} px`, await cutTexts(page));
          }
        }
      });
    }
    assert.ok(faults.length === 0, `\n${faults.join('\n')}`);
  });
