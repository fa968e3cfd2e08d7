#!/usr/bin/env node
// @ts-check
// Pictures of every screen, on a phone and on a desktop, in build/shots: to be looked at by people.
// A stack of its own with the demo clinic, whose clock stands at the same day and hour each time.

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { AppUser, PATIENCE_MS, PHONE } from '../tests/e2e/app.mjs';
import { addressOf, choose, loaded, screensOf, settled } from '../tests/e2e/screens.mjs';
import { Clinic } from '../tests/e2e/visit.mjs';
import { Person } from './demo/api.mjs';
import { TestStack } from './demo/stack.mjs';
import { drawCamera } from './shots/camera.mjs';

/** @typedef {import('../tests/e2e/app.mjs').AppRole} AppRole */
/** @typedef {import('../tests/e2e/app.mjs').Options} Options */

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const OUT = path.join(root, 'build/shots');
/** A Wednesday, in the middle of the clinic's morning. */
const NOW = '2027-03-10T08:20:00Z';
/** The day of the request that nobody has answered. */
const TOMORROW = '2027-03-11';
const DESKTOP = { width: 1280, height: 800 };
const SIZES = /** @type {const} */ ([
  ['phone', { viewport: PHONE, touch: true }],
  ['desktop', { viewport: DESKTOP }],
]);
const WHO = { PATIENT: 'pia', DOCTOR: 'ada', STAFF: 'sam' };

/** The demo clinic with its visits, at NOW. */
async function openClinic() {
  const stack = await TestStack.start(['--no-seed'], ['gateway:TELEVISIT_RATE_PERCENT=0']);
  try {
    await stack.ctl('clock', NOW);
    startedAt = Date.now();
    await stack.ctl('stop', 'gateway');
    await stack.ctl('up', '--detach', '--with-visits');
    const info = await stack.info();
    const clinic = new Clinic(stack, info, { url: '', close: async () => undefined });
    const person = (/** @type {string} */ name) => new Person(info.parts.gateway.url, {
      clinic: info.demo.clinic, password: info.demo.password,
      email: info.demo.people.find((/** @type {any} */ p) => p.email.startsWith(name)).email });
    clinic.people = { DOCTOR: person(WHO.DOCTOR), PATIENT: person(WHO.PATIENT) };
    for (const one of [...Object.values(clinic.people), clinic.staff]) await one.logIn();
    return clinic;
  } catch (fault) {
    await stack.remove();
    throw fault;
  }
}

/** @type {AppUser[]} */ const opened = [];
/** Since when it is NOW, by the true clock. */
let startedAt = 0;

/** @param {Clinic} clinic @param {AppRole} role @param {Options} options */
async function open(clinic, role, options) {
  const user = await AppUser.open(clinic, role,
    { ...options, clockOffsetMs: Date.parse(NOW) - startedAt });
  opened.push(user);
  return user;
}

/**
 * Writes one picture, all of the page unless something lies over it.
 * @param {AppUser} user
 * @param {string} name
 */
async function shoot(user, name, whole = true) {
  const { page } = user;
  const file = path.join(OUT, `${name}.png`);
  const size = page.viewportSize() ?? DESKTOP;
  // As high as the page: what is fixed to the edge of the screen then lies below all the rest.
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  if (whole) await page.setViewportSize({ ...size, height: Math.max(size.height, height) });
  await page.screenshot({ path: file, animations: 'disabled', caret: 'hide' });
  if (whole) await page.setViewportSize(size);
  console.log(path.relative(root, file));
}

/** @param {AppUser} user @param {string} at */
async function visit(user, at) {
  await user.goTo(at);
  await settled(user.page);
}

/**
 * @param {AppUser} user
 * @param {string} appointmentId
 * @param {string} kind of picture: phone, desktop, …
 */
async function shootScreens(user, appointmentId, kind) {
  const role = user.role.toLowerCase();
  for (const screen of screensOf(user.role)) {
    await visit(user, addressOf(screen, appointmentId));
    if (screen.name === 'check') await checked(user);
    await shoot(user, `${role}-${screen.name}-${kind}`);
  }
}

/** Waits until camera and connection are found out. @param {AppUser} user */
async function checked({ page }) {
  await page.locator('video').waitFor({ timeout: PATIENCE_MS });
  await page.locator('button[aria-disabled="true"]').first()
    .waitFor({ state: 'detached', timeout: PATIENCE_MS });
}

/** Dialogs that a press on a button of a page opens, by the name of each. */
const DIALOGS = /** @type {const} */ ([
  ['PATIENT', 'move', /change the time/i],
  ['PATIENT', 'cancel', /cancel the appointment/i],
  ['DOCTOR', 'decline', /^decline/i],
]);

/** @param {AppUser} user @param {Record<string, string>} ids @param {string} kind */
async function shootDialogs(user, ids, kind) {
  for (const [role, name, button] of DIALOGS) {
    if (role !== user.role) continue;
    await visit(user, `/appointments/${name === 'decline' ? ids.request : ids.open}`);
    await user.page.locator('main').getByRole('button', { name: button }).first().click();
    await user.page.getByRole('dialog').or(user.page.getByRole('alertdialog')).first().waitFor();
    await settledDialog(user);
    await shoot(user, `${role.toLowerCase()}-${name}-dialog-${kind}`, false);
  }
}

/** @param {AppUser} user */
async function settledDialog({ page }) {
  await page.waitForFunction(() => !document.querySelector('[data-entering]'), undefined,
    { timeout: PATIENCE_MS });
  await loaded(page, '[role="dialog"], [role="alertdialog"]');
}

/** The steps of booking. @param {AppUser} user @param {string} kind */
async function shootBooking(user, kind) {
  const { page } = user;
  const next = () => page.getByRole('button', { name: 'Continue' }).click();
  await visit(user, '/book');
  await choose(page.getByRole('radio').nth(2));
  await next();
  await choose(page.getByRole('group', { name: /choose a time/i }).getByRole('radio').first());
  await shoot(user, `patient-book-time-${kind}`);
  await next();
  await page.getByRole('textbox').fill('My knee hurts when I take the stairs.');
  await shoot(user, `patient-book-reason-${kind}`);
  await next();
  await page.getByRole('button', { name: /request this/i }).waitFor();
  await shoot(user, `patient-book-review-${kind}`);
}

/** From the device check to the page after the call. @param {Record<AppRole, AppUser>} users */
async function shootCall({ PATIENT: patient, DOCTOR: doctor }, /** @type {string} */ id) {
  const join = async (/** @type {AppUser} */ user) => {
    await visit(user, '/');
    await user.card(id).getByRole('button', { name: /video call/i }).click();
    await user.page.getByRole('dialog').getByRole('button', { name: /join the call/i }).waitFor();
    const allow = user.page.getByRole('button', { name: /allow camera and microphone/i });
    const preview = user.page.getByRole('dialog').locator('video');
    await allow.or(preview).first().waitFor();
    if (await allow.isVisible()) await allow.click();
    await preview.waitFor();
    await checked(user);
  };
  const enter = (/** @type {AppUser} */ user) =>
    user.page.getByRole('button', { name: /join the call/i }).click();
  await join(patient);
  await shoot(patient, 'call-check-phone', false);
  await enter(patient);
  await patient.page.getByText(/^Waiting for/).first().waitFor({ timeout: PATIENCE_MS });
  await shoot(patient, 'call-waiting-phone', false);
  await visit(doctor, '/');
  await doctor.card(id).getByText(/waiting/i).first().waitFor();
  await shoot(doctor, 'doctor-home-waiting-desktop');
  await join(doctor);
  await shoot(doctor, 'call-check-desktop', false);
  await enter(doctor);
  for (const [user, kind] of /** @type {const} */ ([[patient, 'phone'], [doctor, 'desktop']])) {
    await user.page.getByText(/^Connected with/).first().waitFor({ timeout: PATIENCE_MS });
    await user.hears();
    // A machine that is busy with other things has a poor one to the end.
    await user.page.getByText(/good connection/i).first().waitFor({ timeout: PATIENCE_MS })
      .catch(() => undefined);
    await shoot(user, `call-${kind}`, false);
  }
  await doctor.page.getByRole('button', { name: 'Settings', exact: true }).click();
  await settledDialog(doctor);
  await shoot(doctor, 'call-settings-desktop', false);
  await doctor.page.keyboard.press('Escape');
}

/** Leaving, after the pictures of who looks on. @param {Record<AppRole, AppUser>} users */
async function shootLeaving({ PATIENT: patient, DOCTOR: doctor }) {
  for (const [user, kind] of /** @type {const} */ ([[patient, 'phone'], [doctor, 'desktop']])) {
    await user.page.getByRole('button', { name: 'Leave', exact: true }).click();
    await user.page.getByRole('heading', { name: /you have left/i }).waitFor();
    await shoot(user, `call-left-${kind}`, false);
  }
}

async function main() {
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  const cameras = { PATIENT: path.join(OUT, 'patient.y4m'), DOCTOR: path.join(OUT, 'doctor.y4m') };
  await drawCamera(cameras.PATIENT, { wall: '#d9c7b0', coat: '#3f6f8f', hair: '#6b4a2f' });
  await drawCamera(cameras.DOCTOR, { wall: '#bcd3d9', coat: '#f4f6f8', hair: '#2d2a2a' });
  const clinic = await openClinic();
  try {
    const visits = (await clinic.staff.ask('GET', `/v1/appointments?limit=100&from=${NOW}`))
      .body.appointments;
    const of = (/** @type {string} */ patient, /** @type {string} */ status) =>
      visits.find((/** @type {any} */ v) => v.status === status && v.participants.some(
        (/** @type {any} */ p) => p.displayName.startsWith(patient))).id;
    const ids = { open: of('Pia', 'CONFIRMED'), request: of('Rosa', 'REQUESTED') };

    const first = await open(clinic, 'PATIENT', { camera: cameras.PATIENT,
      ...SIZES[0][1] });
    const doctor = await open(clinic, 'DOCTOR', { camera: cameras.DOCTOR, ...SIZES[1][1] });
    for (const [kind, size] of SIZES) {
      const nobody = await open(clinic, 'PATIENT', { ...size, beside: first });
      await visit(nobody, '/login?clinic=demo');
      await shoot(nobody, `login-${kind}`);
    }
    for (const role of /** @type {const} */ (['PATIENT', 'DOCTOR', 'STAFF'])) {
      for (const [kind, size] of SIZES) {
        const user = role === 'PATIENT' && kind === 'phone' ? first
          : role === 'DOCTOR' && kind === 'desktop' ? doctor
            : await open(clinic, role, { ...size, beside: role === 'DOCTOR' ? doctor : first });
        await user.logIn();
        const own = role === 'STAFF' ? ids.request : ids.open;
        await shootScreens(user, own, kind);
        await shootDialogs(user, ids, kind);
        if (role === 'PATIENT') await shootBooking(user, kind);
      }
      const dark = await open(clinic, role, { theme: 'dark', beside: first,
        ...SIZES[role === 'PATIENT' ? 0 : 1][1] });
      await dark.logIn();
      await shootScreens(dark, role === 'STAFF' ? ids.request : ids.open, 'dark');
    }
    const board = await open(clinic, 'STAFF', { ...SIZES[1][1], beside: first });
    await board.logIn();
    const users = /** @type {any} */ ({ PATIENT: first, DOCTOR: doctor });
    await shootCall(users, ids.open);
    await settled(board.page);
    await board.card(ids.open).getByText(/in the call/i).first().waitFor();
    await shoot(board, 'staff-home-in-call-desktop');
    await visit(board, `/?day=${TOMORROW}`);
    await board.card(ids.request).getByRole('button').first().click();
    await board.card(ids.request).getByRole('link', { name: 'Details' }).waitFor();
    await shoot(board, 'staff-home-open-row-desktop');
    await shootLeaving(users);
    const arabic = await open(clinic, 'PATIENT', { ...SIZES[0][1], locale: 'ar', beside: first });
    await visit(arabic, '/login?clinic=demo');
    await shoot(arabic, 'login-arabic');
    await arabic.logIn();
    await visit(arabic, '/settings');
    await arabic.page.locator('main select').first().selectOption('ar');
    await arabic.page.locator('main form button[type="submit"]').click();
    await arabic.page.locator('html[dir="rtl"]').waitFor();
    await shootScreens(arabic, ids.open, 'arabic');
  } finally {
    for (const user of opened) await user.close();
    await clinic.close();
    await Promise.all(Object.values(cameras).map((file) => rm(file, { force: true })));
  }
}

await main();
