// @ts-check
// One person in a call of the app, as they see and use it: by the words on its pages and its
// buttons. What LiveKit's client, the phases or the queries hold, nobody here can see.

import assert from 'node:assert/strict';

import { presences } from '../../tools/demo/record.mjs';
import { until } from '../../tools/demo/until.mjs';
import { AppUser, PATIENCE_MS, SOON_MS, withUsers } from './app.mjs';

/** @typedef {import('./app.mjs').Options} Options */
/** @typedef {import('./visit.mjs').Clinic} Clinic */
/** @typedef {import('./visit.mjs').Role} Role */
/** @typedef {import('./visit.mjs').Visit} Visit */

/** The button on the card of a visit whose call is open. */
const DOORS = { PATIENT: 'Join Video Call', DOCTOR: 'Video Call' };
const JOIN = 'Join the call';

export class Caller {
  /** How often the page asked to be let in. */
  joins = 0;
  /** What it was answered then. */
  answers = /** @type {number[]} */ ([]);
  /** How often it opened a connection to LiveKit. */
  lines = 0;

  /** @param {AppUser} user @param {Visit} visit */
  constructor(user, visit) {
    this.user = user;
    this.visit = visit;
    this.page = user.page;
    this.role = /** @type {Role} */ (user.role);
    user.context.on('request', (request) => {
      if (request.url().endsWith(`/${visit.id}/join`)) this.joins += 1;
    });
    user.context.on('response', (response) => {
      if (response.url().endsWith(`/${visit.id}/join`)) this.answers.push(response.status());
    });
    user.page.on('websocket', (socket) => {
      if (new URL(socket.url()).host === visit.clinic.mediaHost) this.lines += 1;
    });
  }

  /** The name of the other, as the clinic has it. */
  get other() {
    const { DOCTOR, PATIENT } = this.visit.clinic.people;
    return (this.role === 'DOCTOR' ? PATIENT : DOCTOR).self.displayName;
  }

  /** What covers the app while a call, or what comes before and after it, is on. */
  get overlay() {
    return this.page.getByRole('dialog', { name: `Video visit with ${this.other}` });
  }

  /** The visit on the home page. */
  get card() {
    return this.user.card(this.visit.id);
  }

  /** The way into the call, on the card. */
  get door() {
    return this.card.getByRole('button', { name: DOORS[this.role] });
  }

  /** @param {string} name of a button in the overlay, or in a dialog above it */
  button(name) {
    return this.page.getByRole('button', { name, exact: true });
  }

  /** @param {string} name */
  async press(name) {
    await this.button(name).click({ timeout: PATIENCE_MS });
  }

  /** Opens the check of the devices from the home page. */
  async openCheck() {
    await this.door.click({ timeout: PATIENCE_MS });
    await this.headed('Before you join');
  }

  /** Comes from the home page into the call. @returns when the button was pressed */
  async join() {
    await this.openCheck();
    const at = Date.now();
    await this.press(JOIN);
    await this.page.locator('[data-status]').waitFor({ timeout: PATIENCE_MS });
    return at;
  }

  /** Presses the button of the check, whatever comes of it. */
  async askIn() {
    await this.openCheck();
    await this.press(JOIN);
  }

  /** Waits until what is in front has this heading. @param {string} title */
  async headed(title) {
    await this.page.getByRole('heading', { level: 1, name: title, exact: true })
      .waitFor({ timeout: PATIENCE_MS });
  }

  /** Waits until some text is there to be read. @param {string | RegExp} text */
  async reads(text, timeoutMs = PATIENCE_MS) {
    await this.overlay.getByText(text).first().waitFor({ timeout: timeoutMs });
  }

  /** The line in words above the pictures, which is also said. */
  async status() {
    const line = this.page.locator('[data-status] header').getByRole('status').first();
    return await line.textContent({ timeout: 500 }).catch(() => null) ?? 'no call';
  }

  /** Waits for the status line. @param {string | RegExp} wanted */
  async stands(wanted, timeoutMs = PATIENCE_MS) {
    let seen = '';
    await until(async () => {
      seen = await this.status();
      return typeof wanted === 'string' ? seen === wanted : wanted.test(seen);
    }, timeoutMs, () => `the ${this.role} reads "${seen}", not "${wanted}"`);
    return Date.now();
  }

  waits() {
    return this.stands(`Waiting for ${this.other}`);
  }

  connected(timeoutMs = PATIENCE_MS) {
    return this.stands(`Connected with ${this.other}`, timeoutMs);
  }

  /** Everybody in the room, or their screens, as the page shows them. */
  get tiles() {
    return this.overlay.locator('figure');
  }

  get otherTile() {
    return this.overlay.locator('figure[data-mine="false"]').first();
  }

  get ownTile() {
    return this.overlay.locator('figure[data-mine="true"]').first();
  }

  /** The screen that the other shows. */
  get screen() {
    return this.page.locator(
      'video[data-lk-local-participant="false"][data-lk-source="screen_share"]').first();
  }

  seesOther(timeoutMs = PATIENCE_MS) {
    return this.user.seesAndHears(this.role === 'DOCTOR' ? 'PATIENT' : 'DOCTOR', timeoutMs);
  }

  /** Waits until the other's tile has these words, and no picture. @param {string} words */
  async otherHasNoPicture(words) {
    await this.otherTile.getByText(words, { exact: true }).waitFor({ timeout: PATIENCE_MS });
    await this.user.remoteVideo.waitFor({ state: 'detached', timeout: PATIENCE_MS });
  }

  /** Waits until the page has let go of camera, microphone and screen, and of every connection. */
  async isQuiet() {
    let held = '';
    await until(async () => {
      held = await this.page.evaluate(() => {
        const { peers, tracks } = /** @type {any} */ (window).televisitTest;
        const live = tracks.filter((/** @type {MediaStreamTrack} */ t) => t.readyState === 'live');
        const open = peers.filter((/** @type {RTCPeerConnection} */ p) =>
          p.connectionState !== 'closed');
        return [...live.map((/** @type {MediaStreamTrack} */ t) => t.kind),
          ...open.map((/** @type {RTCPeerConnection} */ p) => p.connectionState)].join();
      });
      return held === '';
    }, SOON_MS, () => `the page of the ${this.role} still holds ${held}`);
  }

  /** Goes out by the button, comes to the page after it and back to the app. */
  async leave() {
    await this.press('Leave');
    await this.headed('You have left the call');
    await this.isQuiet();
  }

  async goHome() {
    await this.press('Back to the overview');
    await this.overlay.waitFor({ state: 'detached', timeout: PATIENCE_MS });
  }
}

/**
 * Browsers of their own for the two sides, each with its camera, for a whole file of tests.
 * @param {Clinic} clinic
 * @returns {Promise<Record<Role, AppUser>>}
 */
export async function openHosts(clinic) {
  const [DOCTOR, PATIENT] = await Promise.all([
    AppUser.open(clinic, 'DOCTOR'), AppUser.open(clinic, 'PATIENT')]);
  return { DOCTOR, PATIENT };
}

/**
 * Runs `act` with people in front of their home pages, logged in; ends clean.
 * @param {Visit} visit
 * @param {(Options & { role: Role, before?: (user: AppUser) => Promise<void> })[]} wanted
 * @param {(...callers: Caller[]) => Promise<void>} act
 */
export async function withCallers(visit, wanted, act) {
  const users = await Promise.all(wanted.map(async ({ role, before, ...options }) => {
    const user = await AppUser.open(visit.clinic, role, options);
    await before?.(user);
    return user;
  }));
  await withUsers(users, async () => {
    await Promise.all(users.map((user) => user.logIn()));
    await act(...users.map((user) => new Caller(user, visit)));
  });
}

/** Both join, and see and hear each other. @param {Caller[]} callers */
export async function meet(...callers) {
  await Promise.all(callers.map((caller) => caller.join()));
  await Promise.all(callers.map((caller) => caller.connected()));
  await seeEachOther(...callers);
}

/** @param {Caller[]} callers */
export async function seeEachOther(...callers) {
  await Promise.all(callers.map((caller) => caller.seesOther()));
}

/**
 * Waits until the clinic's record holds.
 * @param {Visit} visit
 * @param {(stays: any[], record: any) => boolean} holds all stays of all people
 * @param {string} otherwise
 */
export async function recorded(visit, holds, otherwise) {
  let seen = '';
  return until(async () => {
    const record = await visit.record();
    const stays = presences(record);
    seen = JSON.stringify(stays.map((/** @type {any} */ { participantId, leftAt, reason }) =>
      ({ participantId, leftAt, reason })));
    return holds(stays, record) && record;
  }, PATIENCE_MS, () => `the record does not show that ${otherwise}: ${seen}`);
}

/** Stays of one side. @param {Visit} visit @param {any[]} stays @param {Role} role */
export async function staysOf(visit, stays, role) {
  const { id } = await visit.place(role);
  return stays.filter(({ participantId }) => participantId === id);
}

/**
 * A button that is really in reach of a finger: on the screen, large enough, not covered.
 * @param {Caller} caller
 * @param {string} name
 */
export async function isInReach(caller, name) {
  const box = await caller.button(name).boundingBox();
  assert.ok(box, `${name} is not there`);
  const { width, height } = /** @type {{ width: number, height: number }} */ (
    caller.page.viewportSize());
  assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width + 0.5
    && box.y + box.height <= height + 0.5, `${name} is not whole on the screen`);
  assert.ok(box.width >= 44 && box.height >= 44, `${name} has ${box.width} x ${box.height} px`);
  const hit = await caller.button(name).evaluate((element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    const top = document.elementFromPoint(x + width / 2, y + height / 2);
    return element.contains(top);
  });
  assert.ok(hit, `${name} is covered`);
}
