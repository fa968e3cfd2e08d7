// @ts-check
// What the app does when the session, the stream or the network is gone and back; that it can be
// installed and starts offline; what a first visit costs, and under which headers.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until } from '../../tools/demo/until.mjs';
import { AppUser, PATIENCE_MS, withUsers } from './app.mjs';
import { addressOf, screensOf, settled } from './screens.mjs';
import { Clinic } from './visit.mjs';

/** @typedef {import('./app.mjs').AppRole} AppRole */
/** @typedef {import('playwright-core').Page} Page */

const TEST_MS = 120_000;
const TOKEN_TTL_MS = 10_000;
const RENEWALS = 3;
/** Of JavaScript, compressed. */
const FIRST_LOAD_MAX_BYTES = 150_000;

/** @type {Clinic} */ let clinic;
/** The browser that all share. @type {AppUser} */ let first;
/** Told once more at the end. @type {string[]} */ const figures = [];

before(async () => {
  clinic = await Clinic.open(`gateway:TELEVISIT_ACCESS_TOKEN_TTL=${TOKEN_TTL_MS / 1000}s`);
  first = await AppUser.open(clinic, 'PATIENT');
});

after(async () => {
  for (const figure of figures) console.log(figure);
  await first?.close();
  await clinic?.close();
});

/**
 * Runs `act` with somebody in a profile of their own.
 * @param {AppRole} role
 * @param {(user: AppUser) => Promise<void>} act
 */
async function somebody(role, act) {
  const user = await AppUser.open(clinic, role, { beside: first });
  await withUsers([user], () => act(user));
}

/** @param {Page} page @param {RegExp} wanted */
async function urlIs(page, wanted) {
  await page.waitForURL(wanted, { timeout: PATIENCE_MS });
}

/** @param {AppUser} user @param {Page} page */
async function logInOn(user, page) {
  const { clinic: slug, email, password } = user.credentials;
  await page.locator('input[autocomplete="username"]').waitFor({ timeout: PATIENCE_MS });
  const short = page.locator('input[name="clinic"]');
  if (await short.count()) await short.fill(slug);
  await page.locator('input[autocomplete="username"]').fill(email);
  await page.locator('input[autocomplete="current-password"]').fill(password);
  await page.keyboard.press('Enter');
}

/** Books by the staff, who log in anew: their token is a short one. @param {number} inMs */
async function bookIn(inMs, confirmed = true) {
  await clinic.staff.logIn();
  const { now } = await clinic.stack.clock();
  return clinic.bookAt(Date.parse(now) + inMs, confirmed);
}

test('whoever logs out in one tab is out in all', { timeout: TEST_MS }, async () => {
  await somebody('PATIENT', async (user) => {
    await user.logIn('/settings');
    const other = await user.context.newPage();
    await other.goto(`${user.origin}/notices`);
    await settled(other);
    await user.page.getByRole('button', { name: /settings and log out/i }).click();
    await user.page.getByRole('button', { name: 'Log out', exact: true }).click();
    for (const page of [user.page, other]) {
      await urlIs(page, /\/login/);
      await page.getByRole('heading', { level: 1, name: 'Log in' }).waitFor();
    }
    await other.goto(`${user.origin}/notices`);
    await urlIs(other, /\/login\?next=%2Fnotices/);
    await logInOn(user, other);
    await urlIs(other, /\/notices$/);
    // The tab that was left comes in by itself.
    await user.page.getByRole('link', { name: /^notices/i }).waitFor({ timeout: PATIENCE_MS });
  });
});

test('a session that is ended elsewhere leads to the log-in, with words, and back',
  { timeout: TEST_MS }, async () => {
    await somebody('PATIENT', async (user) => {
      await user.logIn('/settings');
      await settled(user.page);
      await clinic.askSql(`UPDATE tv.session SET ended_at = tv.tv_now(), end_reason = 'closed'
        WHERE ended_at IS NULL AND person_id = '${clinic.people.PATIENT.self.id}'`);
      await urlIs(user.page, /\/login\?.*reason=expired/);
      await user.page.getByText(/you were logged out/i).waitFor();
      assert.match(user.page.url(), /next=%2Fsettings/);
      await logInOn(user, user.page);
      await urlIs(user.page, /\/settings$/);
    });
  });

test('the session is renewed in silence, three times, with two tabs open', { timeout: TEST_MS },
  async () => {
    await somebody('PATIENT', async (user) => {
      /** @type {number[]} */ const renewed = [];
      /** @type {string[]} */ const refused = [];
      user.context.on('response', (response) => {
        const { pathname } = new URL(response.url());
        if (pathname === '/v1/session/refresh') renewed.push(response.status());
        if (response.status() === 403 || response.status() >= 500)
          refused.push(`${pathname} ${response.status()}`);
      });
      await user.logIn();
      const other = await user.context.newPage();
      await other.goto(`${user.origin}/settings`);
      await settled(other);
      await user.markPage();
      await until(() => renewed.length >= RENEWALS, (RENEWALS + 2) * TOKEN_TTL_MS,
        () => `there were ${renewed.length} renewals`);
      assert.ok(renewed.every((status) => status < 300), `renewals answered ${renewed}`);
      assert.deepEqual(refused, []);
      const visit = await bookIn(6 * 3_600_000);
      await user.card(visit.id).waitFor({ timeout: PATIENCE_MS });
      assert.match(other.url(), /\/settings$/, 'the other tab is where it was');
      await user.assertNotReloaded();
    });
  });

test('next= leads nowhere but to a page of ours', { timeout: TEST_MS }, async () => {
  for (const next of ['https://evil.example/', '//evil.example/', '/\\evil.example/',
    '/%5Cevil.example', 'javascript:alert(1)', '/\t/evil.example']) {
    await somebody('PATIENT', async (user) => {
      await user.goTo(`/login?clinic=demo&next=${encodeURIComponent(next)}`);
      await logInOn(user, user.page);
      await user.page.getByRole('link', { name: /^notices/i }).waitFor({ timeout: PATIENCE_MS });
      assert.equal(new URL(user.page.url()).origin, user.origin, next);
    });
  }
});

for (const part of ['gateway', 'nats']) {
  test(`${part} is killed and comes back: a word about it, then all is fresh`,
    { timeout: TEST_MS }, async () => {
      await somebody('PATIENT', async (user) => {
        await user.logIn();
        await settled(user.page);
        await user.markPage();
        const banner = user.page.getByText(/connection to the clinic is interrupted/i);
        await clinic.stack.ctl('kill', part);
        if (part === 'gateway') await banner.waitFor({ timeout: 2 * PATIENCE_MS });
        await clinic.stack.ctl('start', part);
        const visit = await until(() => bookIn(8 * 3_600_000 + (part === 'nats' ? 600_000 : 0))
          .catch(() => null), PATIENCE_MS, 'nothing can be booked again');
        await user.card(visit.id).waitFor({ timeout: 2 * PATIENCE_MS });
        await banner.waitFor({ state: 'detached', timeout: PATIENCE_MS });
        await user.assertNotReloaded();
      });
    });
}

test('can be installed; nothing of the API is kept; starts offline, with words',
  { timeout: TEST_MS }, async () => {
    const visit = await bookIn(10 * 60_000);
    await somebody('PATIENT', async (user) => {
      const { page } = user;
      await user.logIn();
      await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
      await page.reload();
      await settled(page);
      await page.waitForFunction(() => navigator.serviceWorker.controller !== null, undefined,
        { timeout: PATIENCE_MS });
      const devtools = await user.context.newCDPSession(page);
      const { url, errors, data } = await devtools.send('Page.getAppManifest');
      assert.equal(new URL(url).origin, user.origin);
      assert.deepEqual(errors, [], 'the manifest is valid');
      const manifest = JSON.parse(String(data));
      assert.deepEqual([manifest.display, manifest.start_url], ['standalone', '/']);
      for (const { src, sizes, type } of manifest.icons) {
        const icon = await page.request.get(new URL(src, user.origin).href);
        assert.equal(icon.headers()['content-type'], type, src);
        if (sizes === 'any') continue;
        const png = await icon.body();
        assert.equal(`${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`, sizes, src);
      }
      const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
      // A profile like that of a private window cannot install anything.
      assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito'),
        []);

      for (const screen of screensOf('PATIENT')) {
        await user.goTo(addressOf(screen, visit.id));
        await settled(page);
      }
      const kept = await page.evaluate(async () => {
        const caches = await window.caches.keys();
        const entries = await Promise.all(caches.map(async (name) =>
          (await (await window.caches.open(name)).keys()).map(({ url }) => url)));
        return entries.flat();
      });
      assert.ok(kept.length > 10, `files of the app are kept: ${kept.length}`);
      assert.deepEqual(kept.filter((at) => new URL(at).origin !== user.origin
        || /^\/(v1|healthz|openapi)/.test(new URL(at).pathname)), []);

      await user.context.setOffline(true);
      await user.goTo('/');
      await page.getByText(/cannot be reached|are offline/i).first()
        .waitFor({ timeout: PATIENCE_MS });
      await user.context.setOffline(false);
      await page.getByRole('button', { name: 'Try again' }).first().click({ timeout: 2000 })
        .catch(() => undefined); // it may have come back by itself
      await page.getByRole('heading', { name: /^hello/i }).waitFor({ timeout: PATIENCE_MS });
    });
  });

test('headers: no inline script or style, no eval, no foreign origin', async () => {
  for (const at of ['/', '/login', '/appointments/x', '/sw.js']) {
    const response = await fetch(clinic.publicUrl.replace(/\/$/, '') + at,
      { headers: { Accept: at.endsWith('.js') ? '*/*' : 'text/html' } });
    assert.equal(response.status, 200, at);
    const policy = response.headers.get('Content-Security-Policy') ?? '';
    const rules = new Map(policy.split(';').map((rule) => {
      const [name, ...sources] = rule.trim().split(/\s+/);
      return [name, sources];
    }));
    assert.doesNotMatch(policy, /unsafe|\*/, at);
    assert.deepEqual(rules.get('default-src'), ["'none'"], at);
    assert.deepEqual(rules.get('script-src'), ["'self'"], at);
    assert.deepEqual(rules.get('style-src'), ["'self'"], at);
    assert.deepEqual(rules.get('frame-ancestors'), ["'none'"], at);
    const [self, ...media] = rules.get('connect-src') ?? [];
    assert.equal(self, "'self'");
    assert.deepEqual(media.map((source) => new URL(source).host),
      [clinic.mediaHost, clinic.mediaHost], at);
    assert.equal(response.headers.get('X-Content-Type-Options'), 'nosniff', at);
  }
});

for (const role of /** @type {const} */ (['PATIENT', 'DOCTOR'])) {
  test(`the first load of the home of a ${role} is small`, { timeout: TEST_MS }, async (t) => {
    await bookIn(role === 'PATIENT' ? 12 * 60_000 : 14 * 60_000);
    await somebody(role, async (user) => {
      await user.logIn();
      await user.page.locator('main [data-decision]').first().waitFor({ timeout: PATIENCE_MS });
      // The same session in a page that has loaded nothing yet, and no worker that has.
      const page = await user.context.newPage();
      const devtools = await user.context.newCDPSession(page);
      await devtools.send('Network.enable');
      await devtools.send('Network.clearBrowserCache');
      await devtools.send('Storage.clearDataForOrigin', { origin: user.origin,
        storageTypes: 'service_workers,cache_storage' });
      /** @type {Map<string, { url: string, headers: number }>} */ const scripts = new Map();
      /** @type {Map<string, number>} */ const bytes = new Map();
      devtools.on('Network.responseReceived', ({ requestId, type, response }) => {
        // What was loaded in advance comes a second time, out of memory.
        if (type === 'Script' && !response.fromDiskCache && !response.fromPrefetchCache)
          scripts.set(requestId, { url: response.url, headers: response.encodedDataLength });
      });
      devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) =>
        bytes.set(requestId, encodedDataLength));
      await page.goto(`${user.origin}/`);
      await settled(page);
      await page.locator('main [data-decision]').first().waitFor({ timeout: PATIENCE_MS });
      await until(() => [...scripts.keys()].every((id) => bytes.has(id)), PATIENCE_MS,
        'a script does not come to its end');
      const sizes = [...scripts].map(([id, { url, headers }]) =>
        ({ url, headers, size: (bytes.get(id) ?? 0) - headers }));
      const sum = sizes.reduce((all, { size }) => all + size, 0);
      const all = sizes.reduce((before, { headers }) => before + headers, sum);
      const figure = `${role}: ${sizes.length} scripts, ${sum} bytes compressed, ${all} with headers`;
      figures.push(figure);
      t.diagnostic(figure);
      assert.ok(sizes.length > 2 && sizes.every(({ size }) => size > 0), 'a cold cache');
      assert.equal(new Set(sizes.map(({ url }) => url)).size, sizes.length, 'each once');
      assert.ok(sum <= FIRST_LOAD_MAX_BYTES, `${figure}: ${JSON.stringify(sizes)}`);
      for (const { url } of sizes) {
        const text = await (await user.page.request.get(url)).text();
        assert.ok(!/livekit-server-sdk|RTCPeerConnection/.test(text), `the call is in ${url}`);
      }
      await page.close();
    });
  });
}
