// @ts-check
// Two real browsers in one call: a page on loopback, headless Chromium with a fake camera, and the
// proof that each decodes what the other sends.

import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

import { until } from './until.mjs';

/** @typedef {{ serverUrl: string, token: string, encryptionKey?: string }} Ticket */
/**
 * @typedef {object} Sample
 * @property {string[]} others
 * @property {string | null} closedBecause
 * @property {{ framesDecoded: number, bytes: number, width: number }} video
 * @property {{ bytes: number, energy: number }} audio
 */
/**
 * What happened to one participant, as their own browser saw it: connected, reconnecting,
 * reconnected, leaving, disconnected; and killed, which no browser sees.
 * @typedef {{ at: number, what: string, sid?: string, reason?: string }} Entry
 */
/**
 * One stay in the room, in milliseconds of this machine's clock. `lost`: the way to LiveKit broke
 * off at `to`; who comes back after that is somebody new.
 * @typedef {{ sid: string, from: number, to?: number, how?: string }} Stay
 */

const here = path.dirname(fileURLToPath(import.meta.url));
const livekit = path.dirname(createRequire(import.meta.url).resolve('livekit-client'));

/** Everything that the page may ask for; nothing else is served. */
const FILES = new Map([
  ['/', [path.join(here, 'page/index.html'), 'text/html; charset=utf-8']],
  ['/visit.js', [path.join(here, 'page/visit.js'), 'text/javascript']],
  ['/livekit-client.umd.js', [path.join(livekit, 'livekit-client.umd.js'), 'text/javascript']],
  ['/livekit-client.e2ee.worker.js',
    [path.join(livekit, 'livekit-client.e2ee.worker.js'), 'text/javascript']],
]);

const FLAGS = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

/** Serves the page on a free loopback port. */
export async function servePage() {
  const server = createServer((request, response) => {
    const file = FILES.get(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': file[1], 'Cache-Control': 'no-store' });
    createReadStream(file[0]).pipe(response);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', () => done(undefined)));
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    // localhost, not 127.0.0.1: only a secure context has cameras, and localhost is one.
    url: `http://localhost:${address.port}/`,
    close() {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

/** Chromium without a window's parts needs a third less of a processor. */
const HEADLESS = '/usr/bin/chromium-headless-shell';
const WHOLE = ['/usr/bin/chromium', '/usr/bin/chromium-browser'];

/** The first there is of Debian's, or the one named by CHROMIUM. @param {string[]} files */
async function findChromium(files) {
  const asked = process.env.CHROMIUM;
  for (const file of asked ? [asked] : files) {
    const found = await access(file).then(() => true, () => false);
    if (found) return file;
  }
  throw new Error(`Chromium is missing${asked ? ` (${asked})` : ''}: install the package chromium, `
    + 'run `make deps`, or name one: CHROMIUM=/path/to/chromium');
}

/**
 * Debian's Chromium, headless.
 * @param {string[]} flags
 * @param {{ asksPeople?: boolean }} [options] whether it can be asked for a camera: only the whole
 *   one answers a page when nobody is there to allow it
 */
export async function launch(flags, { asksPeople = false } = {}) {
  return chromium.launch({
    executablePath: await findChromium(asksPeople ? WHOLE : [HEADLESS, ...WHOLE]),
    headless: true,
    // Chromium's own sandbox refuses to run as root.
    chromiumSandbox: process.getuid?.() !== 0,
    // Without the loopback flag a machine that has no other network finds no way to LiveKit.
    args: ['--allow-loopback-in-peer-connection', ...flags],
    // The program that opened it decides when it ends.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}

/** One participant: a browser of their own. */
export class Participant {
  /** @type {import('playwright-core').Browser} */ #browser;
  /** @type {import('playwright-core').Page} */ #page;
  /** Kept when the browser is gone. @type {Entry[] | null} */ #diary = null;

  /**
   * @param {import('playwright-core').Browser} browser
   * @param {import('playwright-core').Page} page
   */
  constructor(browser, page) {
    this.#browser = browser;
    this.#page = page;
  }

  /** @param {string} url of the page */
  static async open(url) {
    const browser = await launch(FLAGS);
    try {
      const page = await browser.newPage();
      await page.goto(url);
      return new Participant(browser, page);
    } catch (fault) {
      await browser.close();
      throw fault;
    }
  }

  /**
   * Calls a function of the page (visit.js).
   * @param {string} name
   * @param {unknown} [argument]
   * @returns {Promise<any>}
   */
  #visit(name, argument) {
    return this.#page.evaluate(([called, given]) =>
      /** @type {any} */ (window).visit[/** @type {string} */ (called)](given), [name, argument]);
  }

  /**
   * @param {Ticket} ticket
   * @returns {Promise<{ tookMs: number, name: string }>}
   */
  join({ serverUrl, token, encryptionKey }) {
    return this.#visit('join', { serverUrl, token, encryptionKey });
  }

  /**
   * From now on the page may ask for another ticket when it has lost its way to LiveKit.
   * @param {() => Promise<Ticket>} renew
   */
  async comesBackWith(renew) {
    await this.#page.exposeFunction('renewTicket', renew);
  }

  /**
   * Why LiveKit lets nobody in with this ticket; null when it does.
   * @param {Ticket} ticket
   * @returns {Promise<{ status: number, reason: string, message: string } | null>}
   */
  joinFails({ serverUrl, token }) {
    return this.#visit('joinFails', { serverUrl, token });
  }

  /** @returns {Promise<Sample>} */
  sample() {
    return this.#visit('sample');
  }

  /** @returns {Promise<Entry[]>} */
  async diary() {
    return this.#diary ?? this.#visit('diary');
  }

  /**
   * Waits until something has happened to it, from a time on.
   * @param {string} what
   * @param {number} timeoutMs
   * @param {number} [since]
   */
  saw(what, timeoutMs, since = 0) {
    let seen = '';
    return until(async () => {
      const entries = (await this.diary()).filter((entry) => entry.at >= since);
      seen = entries.map((entry) => entry.what).join(', ') || 'nothing';
      return entries.find((entry) => entry.what === what);
    }, timeoutMs, () => `the browser has not seen itself ${what} (but: ${seen})`);
  }

  /** Leaves the room and stays on the page. */
  leave() {
    return this.#visit('leave');
  }

  /** The whole browser ends by SIGKILL and says goodbye to nobody. */
  async kill() {
    const session = await this.#browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    const { id } = /** @type {{ id: number }} */ (
      processInfo.find((process) => process.type === 'browser'));
    const entries = await this.diary();
    const gone = new Promise((done) => this.#browser.once('disconnected', done));
    const at = Date.now();
    process.kill(id, 'SIGKILL');
    this.#diary = [...entries, { at, what: 'killed' }];
    await gone;
    return at;
  }

  async close() {
    if (this.#diary) return;
    await this.leave().catch(() => {});
    this.#diary = await this.diary().catch(() => []);
    await this.#browser.close();
  }
}

/**
 * The stays that a diary tells of.
 * @param {Entry[]} diary
 */
export function stays(diary) {
  /** @type {Stay[]} */ const found = [];
  const open = () => found.find((stay) => stay.to === undefined);
  const end = (/** @type {number} */ to, /** @type {string} */ how) =>
    Object.assign(open() ?? {}, { to, how });
  let shakenAt = 0; // reconnecting since
  for (const { at, what, sid, reason } of diary) {
    if (what === 'reconnecting') shakenAt ||= at;
    if (reason === 'LOST') end(shakenAt || at, 'lost');
    else if (what === 'disconnected' || what === 'killed') end(at, reason ?? what);
    if (!sid) continue; // connected and reconnected have one
    if (open()?.sid !== sid) {
      end(shakenAt || at, 'lost');
      found.push({ sid, from: at });
    }
    shakenAt = 0;
  }
  return found;
}

/**
 * What was decoded between two samples.
 * @param {Sample} before
 * @param {Sample} after
 */
export function growth(before, after) {
  return {
    frames: after.video.framesDecoded - before.video.framesDecoded,
    audioBytes: after.audio.bytes - before.audio.bytes,
    energy: after.audio.energy - before.audio.energy,
    width: after.video.width,
  };
}

/** Frames that count as a moving picture: more than the first one again and again. */
const FRAMES_MIN = 15;

/**
 * Waits until a participant has decoded moving pictures and sound of the other.
 * @param {Participant} participant
 * @param {number} [timeoutMs]
 */
export async function mediaFlows(participant, timeoutMs = 20_000) {
  const before = await until(async () => {
    const seen = await participant.sample();
    return seen.video.framesDecoded > 0 && seen.audio.bytes > 0 ? seen : null;
  }, timeoutMs, 'no first frame of the other participant');
  return until(async () => {
    const grown = growth(before, await participant.sample());
    return grown.frames >= FRAMES_MIN && grown.audioBytes > 0 && grown.energy > 0 ? grown : null;
  }, timeoutMs, 'the picture or the sound of the other participant does not move on');
}
