// @ts-check
// People who use the app, each in a browser of their own; and what is watched in every page: no
// request to a foreign origin, no violation of the content security policy, no token where it does
// not belong, no error that nobody caught.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { launch } from '../../tools/demo/media.mjs';
import { until } from '../../tools/demo/until.mjs';
import { colourOf, writeCamera } from './picture.mjs';
import { SOON_MS } from './visit.mjs';

/** @typedef {import('./visit.mjs').Clinic} Clinic */
/** @typedef {import('./visit.mjs').Role | 'STAFF' | 'ADMIN'} AppRole */
/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('./picture.mjs').Colour} Colour */

/** What the camera of each shows, left and right. @type {Record<string, [Colour, Colour]>} */
export const CAMERAS = { PATIENT: ['red', 'blue'], DOCTOR: ['green', 'yellow'],
  STAFF: ['red', 'green'], ADMIN: ['blue', 'green'] };
const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };
/** Far more than a page or a call needs to come up while the machine is busy. */
export const PATIENCE_MS = 20_000;
const JWT = /eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/;

/**
 * @typedef {object} Options
 * @property {{ width: number, height: number }} [viewport]
 * @property {string} [locale] of the browser
 * @property {string} [timeZone] of the browser
 * @property {'light' | 'dark'} [theme] of the browser
 * @property {'granted' | 'denied' | 'missing'} [devices] camera and microphone
 * @property {number} [clockOffsetMs] how far the clock of the page is off
 * @property {boolean} [touch]
 * @property {string} [camera] a file to show instead of the two colours
 * @property {AppUser} [beside] whose browser is shared: another profile in it
 */

/** Runs in the page before all else: keeps what the tests ask for afterwards. */
function watchPage(/** @type {number} */ clockOffsetMs) {
  const kept = { violations: /** @type {string[]} */ ([]),
    peers: /** @type {RTCPeerConnection[]} */ ([]),
    tracks: /** @type {MediaStreamTrack[]} */ ([]) };
  Object.assign(window, { televisitTest: kept });
  document.addEventListener('securitypolicyviolation', (e) =>
    kept.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(/** @type {RTCConfiguration | undefined} */ config) {
      super(config);
      kept.peers.push(this);
    }
  };
  // What the page was given of camera, microphone and screen.
  const devices = window.MediaDevices?.prototype; // none where a page is not secure
  for (const name of /** @type {const} */ (['getUserMedia', 'getDisplayMedia'])) {
    const ask = devices?.[name];
    if (!ask) continue;
    devices[name] = async function keep(...given) {
      const stream = await ask.apply(this, given);
      kept.tracks.push(...stream.getTracks());
      return stream;
    };
  }
  if (clockOffsetMs) {
    const True = Date;
    // @ts-expect-error: a clock that is wrong, not a whole Date
    window.Date = class extends True {
      constructor(/** @type {any[]} */ ...given) {
        // @ts-expect-error: whatever Date takes
        super(...(given.length ? given : [True.now() + clockOffsetMs]));
      }

      static now() {
        return True.now() + clockOffsetMs;
      }
    };
  }
}

export class AppUser {
  /** @type {string[]} */ #faults = [];
  /** In whose browser this is. @type {AppUser | undefined} */ beside;

  /**
   * @param {Clinic} clinic
   * @param {AppRole} role
   * @param {import('playwright-core').Browser} browser
   * @param {import('playwright-core').BrowserContext} context
   * @param {Page} page
   * @param {string} dir
   */
  constructor(clinic, role, browser, context, page, dir) {
    this.clinic = clinic;
    this.role = role;
    this.browser = browser;
    this.context = context;
    this.page = page;
    this.dir = dir;
    this.origin = new URL(clinic.publicUrl).origin;
  }

  /**
   * A browser with its page, not logged in.
   * @param {Clinic} clinic
   * @param {AppRole} role
   * @param {Options} [options]
   */
  static async open(clinic, role, options = {}) {
    const { devices = 'granted', clockOffsetMs = 0 } = options;
    const dir = await mkdtemp(path.join(os.tmpdir(), 'televisit-browser-'));
    const camera = options.camera ?? path.join(dir, 'camera.y4m');
    if (!options.camera && !options.beside) await writeCamera(camera, ...CAMERAS[role]);
    const flags = devices === 'missing' ? [] : ['--use-fake-device-for-media-stream',
      `--use-file-for-fake-video-capture=${camera}`];
    // The fake UI grants everything, the screen as well; without it a page may be refused.
    if (devices === 'granted') flags.push('--use-fake-ui-for-media-stream');
    const browser = options.beside?.browser
      ?? await launch(flags, { asksPeople: devices === 'denied' });
    try {
      const context = await browser.newContext({
        viewport: options.viewport ?? DESKTOP,
        locale: options.locale ?? 'en-GB',
        timezoneId: options.timeZone ?? 'Europe/Berlin',
        colorScheme: options.theme ?? 'light',
        hasTouch: options.touch ?? false,
        isMobile: options.touch ?? false,
      });
      await context.addInitScript(watchPage, clockOffsetMs);
      const page = await context.newPage();
      const user = new AppUser(clinic, role, browser, context, page, dir);
      user.beside = options.beside;
      context.on('request', (request) => user.#watchRequest(request.url()));
      context.on('page', (opened) => user.#watch(opened));
      user.#watch(page);
      return user;
    } catch (fault) {
      if (!options.beside) await browser.close();
      throw fault;
    }
  }

  /** @param {string} url */
  #watchRequest(url) {
    const { origin, protocol } = new URL(url);
    if (protocol === 'blob:' || protocol === 'data:') return;
    const ours = origin === this.origin;
    const media = new URL(origin).host === this.clinic.mediaHost;
    if (!ours && !media) this.#faults.push(`a request to ${origin}`);
    if (ours && JWT.test(url)) this.#faults.push('a token in an address of ours');
  }

  /** @param {Page} page */
  #watch(page) {
    page.on('websocket', (socket) => this.#watchRequest(socket.url()));
    page.on('pageerror', (error) => this.#faults.push(`uncaught: ${error.message}`));
    page.on('console', (message) => {
      if (JWT.test(this.#saidByPage(message))) this.#faults.push('a token in the log');
      if (/Content.Security.Policy/i.test(message.text())) this.#faults.push(message.text());
    });
    page.on('framenavigated', (frame) => {
      if (JWT.test(frame.url())) this.#faults.push('a token in the address');
    });
  }

  /**
   * A line of the console without what the browser itself adds: that it cannot reach LiveKit, with
   * the whole address. LiveKit wants the token in there, since a WebSocket has no headers.
   * @param {import('playwright-core').ConsoleMessage} message
   */
  #saidByPage(message) {
    const text = message.text();
    if (message.args().length > 0) return text; // a script wrote it
    return text.replaceAll(/\b(?:ws|http)s?:\/\/[^\s']+/g, (url) =>
      (new URL(url).host === this.clinic.mediaHost ? 'LiveKit' : url));
  }

  /** Nothing happened in this browser that must not happen. */
  async assertClean() {
    for (const page of this.context.pages()) {
      const { violations, stored } = await page.evaluate(() => ({
        violations: /** @type {any} */ (window).televisitTest?.violations ?? [],
        stored: JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
      }));
      this.#faults.push(...violations);
      if (JWT.test(stored)) this.#faults.push('a token in web storage');
    }
    assert.deepEqual(this.#faults, [], `in the browser of the ${this.role}`);
  }

  get credentials() {
    if (this.role === 'STAFF') return this.clinic.staff.credentials;
    if (this.role === 'ADMIN') return this.clinic.admin.credentials;
    return this.clinic.people[this.role].credentials;
  }

  /** @param {string} [at] path of the app */
  async goTo(at = '/') {
    await this.page.goto(this.origin + at);
  }

  /** Logs in as a person does, and comes to `at`. @param {string} [at] */
  async logIn(at = '/') {
    const { clinic, email, password } = this.credentials;
    await this.goTo(`/login?clinic=${clinic}&next=${encodeURIComponent(at)}`);
    await this.page.locator('input[autocomplete="username"]').fill(email);
    await this.page.locator('input[autocomplete="current-password"]').fill(password);
    await this.page.keyboard.press('Enter');
    await this.page.waitForURL(this.origin + at, { timeout: PATIENCE_MS });
  }

  /** From now on a reload would be noticed. */
  async markPage() {
    await this.page.evaluate(() => Object.assign(window, { notReloaded: true }));
  }

  /** Everything since `markPage` came without a reload. */
  async assertNotReloaded() {
    const isSame = await this.page.evaluate(() => 'notReloaded' in window);
    assert.ok(isSame, `the page of the ${this.role} was loaded again`);
  }

  /** The card of a visit. @param {string} appointmentId */
  card(appointmentId) {
    return this.page.getByTestId(`appointment-${appointmentId}`).first();
  }

  /** The picture of the other person, in the call. */
  get remoteVideo() {
    return this.page.locator('video[data-lk-local-participant="false"][data-lk-source="camera"]')
      .first();
  }

  /**
   * The colours of the left and the right half of a video; null where there is none.
   * @param {import('playwright-core').Locator} video
   */
  async coloursOf(video) {
    const pixels = await video.evaluate((/** @type {HTMLVideoElement} */ v) => {
      if (!v.videoWidth) return null;
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [64, 48];
      const context = canvas.getContext('2d');
      context?.drawImage(v, 0, 0, 64, 48);
      return [16, 48].map((x) => [...(context?.getImageData(x, 24, 1, 1).data ?? [])]);
    }).catch(() => null);
    return pixels ? pixels.map((rgb) => colourOf(rgb)) : null;
  }

  /** What was received so far, over all connections of the page. */
  received() {
    return this.page.evaluate(async () => {
      const sum = { frames: 0, energy: 0 };
      for (const peer of /** @type {any} */ (window).televisitTest.peers) {
        if (peer.connectionState === 'closed') continue;
        for (const report of (await peer.getStats()).values()) {
          if (report.type !== 'inbound-rtp') continue;
          sum.frames += report.framesDecoded ?? 0;
          sum.energy += report.totalAudioEnergy ?? 0;
        }
      }
      return sum;
    });
  }

  /** Waits until pictures and sound of the other move on, and the picture is theirs. */
  async seesAndHears(/** @type {AppRole} */ other, timeoutMs = PATIENCE_MS) {
    await this.hears(timeoutMs);
    const [left, right] = CAMERAS[other];
    let seen = '';
    await until(async () => {
      const colours = await this.coloursOf(this.remoteVideo);
      seen = JSON.stringify(colours);
      return colours?.[0] === left && colours[1] === right;
    }, timeoutMs, () => `the ${this.role} sees ${seen}, not ${left} and ${right}`);
  }

  /** Waits until frames and sound of the other grow. */
  async hears(timeoutMs = PATIENCE_MS) {
    const before = await this.received();
    await until(async () => {
      const now = await this.received();
      // A new connection counts from nothing.
      if (now.frames < before.frames || now.energy < before.energy) Object.assign(before, now);
      return now.frames >= before.frames + 10 && now.energy > before.energy;
    }, timeoutMs, `pictures and sound of the other do not move on for the ${this.role}`);
  }

  /** What stands in front of them, for whoever has to find out why a test failed. */
  async sight() {
    const text = await this.page.locator('body').innerText({ timeout: 2000 })
      .catch((/** @type {Error} */ fault) => fault.message);
    return `${this.role} at ${new URL(this.page.url()).pathname}: ${
      text.replace(/\s+/g, ' ').slice(-1200)}\n  ${this.#faults.join('\n  ')}`;
  }

  async close() {
    // A guest in another's browser leaves it running, unless it is closed just now.
    if (this.beside) await this.context.close().catch(() => undefined);
    else await this.browser.close();
    await rm(this.dir, { recursive: true, force: true });
  }
}

/**
 * Runs `act` with these people in front of their browsers, logged in, and ends with nothing to
 * complain about in any of them.
 * @param {AppUser[]} users
 * @param {() => Promise<void>} act
 */
export async function withUsers(users, act) {
  try {
    await act();
    for (const user of users) await user.assertClean();
  } catch (fault) {
    for (const user of users) console.log(await user.sight());
    throw fault;
  } finally {
    await Promise.all(users.map((user) => user.close()));
  }
}

export { SOON_MS };
