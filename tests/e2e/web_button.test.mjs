// @ts-check
// The join button follows the clinic's clock and no other: shown and hidden within a second of the
// true edge, without a reload, whatever the clock, the zone or the sleep of the page.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AppUser, PATIENCE_MS, withUsers } from './app.mjs';
import { Clinic } from './visit.mjs';

/** @typedef {import('./app.mjs').Options} Options */
/** @typedef {import('./visit.mjs').Visit} Visit */

const TEST_MS = 120_000;
const EDGE_MAX_MS = 1000;
/** Long enough for all pages to show the visit before the edge comes. */
const LEAD_MS = 15_000;
const OPENS_BEFORE_MS = 30 * 60_000;
const CLOSES_AFTER_MS = 2 * 3600_000;
const HOUR_MS = 3600_000;
/** So exact are two clocks of one machine, one of them read by way of an offset. */
const CLOCK_MS = 50;

/** @type {Clinic} */ let clinic;
before(async () => {
  clinic = await Clinic.open();
});
after(async () => {
  await clinic?.close();
});

/** Pages that all show the same visit. @type {(Options & { name: string })[]} */
const PAGES = [
  { name: 'a right clock' },
  { name: 'a clock that is seven hours slow', clockOffsetMs: -7 * HOUR_MS },
  { name: 'a clock that is five hours fast', clockOffsetMs: 5 * HOUR_MS },
  { name: 'another zone', timeZone: 'Pacific/Auckland' },
];

/** @returns {Promise<AppUser[]>} */
async function openPages() {
  /** @type {AppUser[]} */ const users = [];
  for (const options of PAGES) {
    const user = await AppUser.open(clinic, 'PATIENT',
      { ...options, ...(users[0] && { beside: users[0] }) });
    users.push(user);
    await user.logIn();
  }
  return users;
}

/**
 * Waits in the page until the join area of the visit says so; when that was, in milliseconds, by a
 * clock of the page that the tests do not bend.
 * @param {AppUser} user
 * @param {Visit} visit
 * @param {string | null} wanted null: there is no button any more
 * @returns {Promise<number>}
 */
function decisionIs(user, visit, wanted) {
  return user.page.evaluate(([id, decision, patienceMs]) => new Promise((done, fail) => {
    const look = () => {
      const area = document.querySelector(`[data-testid="appointment-${id}"] [data-decision]`);
      const there = decision === null ? area?.querySelector('button') == null
        : area?.getAttribute('data-decision') === decision;
      if (there) done(Math.round(performance.timeOrigin + performance.now()));
      return there;
    };
    if (look()) return;
    const observer = new MutationObserver(() => {
      if (look()) observer.disconnect();
    });
    observer.observe(document, { subtree: true, childList: true, attributes: true });
    setTimeout(() => fail(new Error(`the page never said ${decision}`)), Number(patienceMs));
  }), /** @type {const} */ ([visit.id, wanted, PATIENCE_MS]));
}

/** The button can be pressed. @param {AppUser} user @param {Visit} visit */
const button = (user, visit) =>
  user.card(visit.id).getByRole('button', { name: /join video call/i });

/** Marks the page, so that a reload would be noticed. @param {AppUser} user */
const mark = (user) => user.page.evaluate(() => Object.assign(window, { notReloaded: true }));

/** @param {AppUser} user */
async function wasNotReloaded(user) {
  assert.equal(await user.page.evaluate(() => 'notReloaded' in window), true, 'it was reloaded');
}

test('appears at opensAt and goes at closesAt, on every page', { timeout: TEST_MS }, async (t) => {
  const users = await openPages();
  await withUsers(users, async () => {
    const { now } = await clinic.stack.clock();
    const visit = await clinic.bookAt(Date.parse(now) + OPENS_BEFORE_MS + LEAD_MS);
    const opensAt = clinic.trueTime(new Date(visit.closesAt.getTime() - CLOSES_AFTER_MS
      - OPENS_BEFORE_MS).toISOString());
    await Promise.all(users.map(async (user, i) => {
      await decisionIs(user, visit, 'TOO_EARLY');
      assert.equal(await button(user, visit).count(), 0, `${PAGES[i].name}: before the edge`);
      await mark(user);
    }));
    assert.ok(Date.now() < opensAt, 'all pages were ready before the edge');
    await Promise.all(users.map(async (user, i) => {
      const at = await decisionIs(user, visit, 'ALLOWED');
      t.diagnostic(`${PAGES[i].name}: shown ${at - opensAt} ms after the edge`);
      assert.ok(at >= opensAt - CLOCK_MS, `${PAGES[i].name}: ${opensAt - at} ms too early`);
      assert.ok(at - opensAt < EDGE_MAX_MS, `${PAGES[i].name}: ${at - opensAt} ms late`);
      await button(user, visit).waitFor();
    }));
    // The clock of the clinic jumps, as it would seem to a page that was asleep.
    await clinic.moveClock(new Date(visit.closesAt.getTime() - 6000).toISOString());
    const closesAt = clinic.trueTime(visit.closesAt.toISOString());
    for (const [i, user] of users.entries())
      assert.equal(await button(user, visit).count(), 1, `${PAGES[i].name}: still open`);
    await Promise.all(users.map(async (user, i) => {
      const at = await decisionIs(user, visit, null);
      t.diagnostic(`${PAGES[i].name}: gone ${at - closesAt} ms after the edge`);
      assert.ok(at >= closesAt - CLOCK_MS, `${PAGES[i].name}: ${closesAt - at} ms too early`);
      assert.ok(at - closesAt < EDGE_MAX_MS, `${PAGES[i].name}: ${at - closesAt} ms late`);
      await wasNotReloaded(user);
    }));
  });
});

test('is right again within a second of waking up and of being online again', { timeout: TEST_MS },
  async (t) => {
    const asleep = await AppUser.open(clinic, 'PATIENT');
    const offline = await AppUser.open(clinic, 'PATIENT', { beside: asleep });
    await withUsers([asleep, offline], async () => {
      const { now } = await clinic.stack.clock();
      const visit = await clinic.bookAt(Date.parse(now) + OPENS_BEFORE_MS + 600_000);
      for (const user of [asleep, offline]) {
        await user.logIn();
        await decisionIs(user, visit, 'TOO_EARLY');
        await mark(user);
      }
      const devtools = await asleep.context.newCDPSession(asleep.page);
      await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
      await offline.context.setOffline(true);
      await clinic.moveClock('+PT11M');
      assert.equal(await button(offline, visit).count(), 0, 'nobody told the page yet');

      const wokenAt = Date.now();
      await devtools.send('Page.setWebLifecycleState', { state: 'active' });
      const seenAt = await decisionIs(asleep, visit, 'ALLOWED');
      t.diagnostic(`awake: shown after ${seenAt - wokenAt} ms`);
      assert.ok(seenAt - wokenAt < EDGE_MAX_MS, `awake: after ${seenAt - wokenAt} ms`);

      const onlineAt = Date.now();
      await offline.context.setOffline(false);
      const shownAt = await decisionIs(offline, visit, 'ALLOWED');
      t.diagnostic(`online: shown after ${shownAt - onlineAt} ms`);
      assert.ok(shownAt - onlineAt < EDGE_MAX_MS, `online: after ${shownAt - onlineAt} ms`);
      for (const user of [asleep, offline]) await wasNotReloaded(user);
    });
  });
