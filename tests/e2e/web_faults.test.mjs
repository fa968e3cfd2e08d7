// @ts-check
// Calls in the app when something breaks or comes twice: a reload, a network that is gone, a LiveKit
// that dies, another device. People do nothing for it but read; what they read is tested as well.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until } from '../../tools/demo/until.mjs';
import { PATIENCE_MS } from './app.mjs';
import { meet, openHosts, recorded, seeEachOther, staysOf, withCallers } from './caller.mjs';
import { Clinic, SOON_MS } from './visit.mjs';

/** @typedef {import('./app.mjs').AppUser} AppUser */
/** @typedef {import('./caller.mjs').Caller} Caller */
/** @typedef {import('./visit.mjs').Role} Role */

const TEST_MS = 150_000;
const CUT_MS = 20_000;
const LIVEKIT_AWAY_MS = 2000;
/** LiveKit's client and the app both try again after pauses that grow up to 8 s. */
const BACK_MAX_MS = 30_000;
/** Moving pictures for about five seconds: a page that fights would have done so by then. */
const LONG_FRAMES = 80;
const LOST = 'The connection was lost. You are being brought back…';
const UNSTABLE = 'The connection is unstable. Reconnecting…';

/** @type {Clinic} */ let clinic;
/** @type {Record<Role, AppUser>} */ let hosts;
/** Told once more at the end. @type {string[]} */ const figures = [];

before(async () => {
  clinic = await Clinic.open();
  hosts = await openHosts(clinic);
});

after(async () => {
  for (const figure of figures) console.log(figure);
  await Promise.all(Object.values(hosts ?? {}).map((host) => host.close()));
  await clinic?.close();
});

/**
 * A test with a visit of its own, its doctor and its patients (the same person on each device);
 * after it no promise is broken.
 * @param {string} name
 * @param {number} devices of the patient
 * @param {(people: { doctor: Caller, patient: Caller, second: Caller },
 *   tell: (figure: string) => void) => Promise<void>} act
 */
function faultTest(name, devices, act) {
  test(name, { timeout: TEST_MS }, async (t) => {
    const visit = await clinic.book();
    const roles = /** @type {Role[]} */ (['DOCTOR', ...Array.from({ length: devices },
      () => 'PATIENT')]);
    await withCallers(visit, roles.map((role) => ({ role, beside: hosts[role] })),
      (doctor, patient, second) => act({ doctor, patient, second }, (figure) => {
        t.diagnostic(figure);
        figures.push(`${name}: ${figure}`);
      }));
    await clinic.stack.ctl('faults');
  });
}

/** Waits until a time has come. @param {number} at */
const comes = (at) => until(() => Date.now() >= at, at - Date.now() + SOON_MS, 'time stands still');

faultTest('a reload in mid-call', 1, async ({ doctor, patient }, tell) => {
  const { visit } = doctor;
  await meet(patient, doctor);
  await patient.press('Mute');
  const begin = Date.now();
  await patient.page.reload();
  await patient.connected();
  tell(`back in the call ${Date.now() - begin} ms after the reload began`);
  // As it was: muted still, and seen by the other as one person.
  await patient.button('Unmute').waitFor({ timeout: PATIENCE_MS });
  await doctor.otherTile.getByText('Microphone off').waitFor({ timeout: PATIENCE_MS });
  await patient.press('Unmute');
  await seeEachOther(patient, doctor);
  tell(`both see and hear each other ${Date.now() - begin} ms after it`);
  for (const person of [patient, doctor]) assert.equal(await person.tiles.count(), 2);
  assert.equal(patient.joins, 2, 'how often it asked to be let in');

  const open = await recorded(visit, (stays) => stays.length === 3
    && stays.filter(({ leftAt }) => !leftAt).length === 2, 'the patient came a second time');
  assert.equal(open.calls.length, 1);
  assert.equal(open.people.length, 2);
  await Promise.all([patient.leave(), doctor.leave()]);
  const over = await recorded(visit, (stays) => stays.every(({ leftAt }) => leftAt),
    'all have left');
  assert.equal((await staysOf(visit, over.calls[0].presences, 'PATIENT')).length, 2);
  assert.equal((await staysOf(visit, over.calls[0].presences, 'DOCTOR')).length, 1);
  // Whoever has left is not brought back by a reload.
  await patient.page.reload();
  await patient.headed('Before you join');
});

faultTest('the network is gone for 20 s', 1, async ({ doctor, patient }, tell) => {
  const { visit } = doctor;
  await meet(patient, doctor);
  // What is really cut: all that the patient's browser says by HTTP and WebSocket (offline), which
  // is the clinic's API, its notices and LiveKit's signalling; and, as no browser can be told to
  // drop its own UDP, LiveKit is frozen, so that no picture and no sound comes through either way.
  const cutAt = Date.now();
  await patient.user.context.setOffline(true);
  await clinic.stack.ctl('kill', 'livekit', 'STOP');
  try {
    const noticed = await Promise.all([patient, doctor].map((person) =>
      person.stands(new RegExp(`^(${UNSTABLE}|${LOST})$`), CUT_MS + SOON_MS)));
    tell(`said ${noticed.map((at) => at - cutAt).join(' and ')} ms after the cut`);
    await comes(cutAt + CUT_MS);
    await patient.button('Leave').waitFor(); // always there
  } finally {
    await patient.user.context.setOffline(false);
    await clinic.stack.ctl('kill', 'livekit', 'CONT');
  }
  const backAt = Date.now();
  await Promise.all([patient, doctor].map((person) => person.connected(BACK_MAX_MS)));
  await seeEachOther(patient, doctor);
  tell(`both see and hear each other again ${Date.now() - backAt} ms after its return`);
  for (const person of [patient, doctor]) assert.equal(await person.tiles.count(), 2);
  await Promise.all([patient.leave(), doctor.leave()]);
  const { people } = await recorded(visit, (stays) => stays.every(({ leftAt }) => leftAt),
    'all have left');
  assert.equal(people.length, 2);
});

faultTest('LiveKit is killed and comes back', 1, async ({ doctor, patient }, tell) => {
  await meet(patient, doctor);
  const killedAt = Date.now() + 700; // a program that kills has to start first
  await clinic.stack.ctl('kill', 'livekit', '-9', '--at', String(killedAt / 1000));
  const said = await Promise.all([patient, doctor].map((person) =>
    person.stands(new RegExp(`^(${UNSTABLE}|${LOST})$`))));
  await comes(killedAt + LIVEKIT_AWAY_MS);
  await clinic.stack.ctl('start', 'livekit');
  await Promise.all([patient, doctor].map((person) => person.connected(BACK_MAX_MS)));
  await seeEachOther(patient, doctor);
  tell(`said ${said.map((at) => at - killedAt).join(' and ')} ms after the kill, pictures move `
    + `again ${Date.now() - killedAt} ms after it`);
  await Promise.all([patient.leave(), doctor.leave()]);
});

faultTest('LiveKit comes back without the room', 1, async ({ doctor, patient }, tell) => {
  await meet(patient, doctor);
  // Nobody makes the room again, so LiveKit's client gives up, and the app has to ask for new
  // tickets as soon as there are some.
  await clinic.stack.ctl('stop', 'tokens');
  const killedAt = Date.now();
  await clinic.stack.ctl('kill', 'livekit', '-9');
  await clinic.stack.ctl('start', 'livekit');
  const before = [patient, doctor].map(({ joins }) => joins);
  await Promise.all([patient, doctor].map((person) => person.stands(LOST)));
  await patient.reads('You are brought back by itself. You need not do anything.');
  await until(() => [patient, doctor].every(({ joins }, n) => joins > before[n]), SOON_MS,
    'not both have asked for another ticket');
  await clinic.stack.ctl('start', 'tokens');
  const startedAt = Date.now();
  await Promise.all([patient, doctor].map((person) => person.connected(BACK_MAX_MS)));
  await seeEachOther(patient, doctor);
  tell(`pictures move again ${Date.now() - startedAt} ms after there are tickets, ${
    Date.now() - killedAt} ms after the kill; asked ${[patient, doctor].map(({ joins }, n) =>
    joins - before[n]).join(' and ')} times`);
  for (const person of [patient, doctor]) {
    assert.ok(!person.answers.includes(409), 'came back as somebody who is in already');
    assert.equal(await person.tiles.count(), 2);
  }
  await Promise.all([patient.leave(), doctor.leave()]);
});

faultTest('another device takes the place', 2, async ({ doctor, patient, second }, tell) => {
  const { visit } = doctor;
  await meet(patient, doctor);
  await second.page.getByText('You are in this call on another device or in another window.')
    .waitFor({ timeout: PATIENCE_MS });
  await second.user.card(visit.id).getByRole('button', { name: 'Move the call to this device' })
    .click();
  await second.headed('Before you join');
  await second.press('Join the call');
  await second.headed('You are in this call on another device');
  await patient.connected(); // nothing has happened to it yet

  let [older, newer] = [patient, second];
  for (const round of [1, 2]) {
    const asked = older.joins;
    const begin = Date.now();
    await newer.press('Move it here');
    await older.headed('The call was opened on another device');
    await newer.connected();
    await seeEachOther(newer, doctor);
    tell(`moved within ${Date.now() - begin} ms`);
    await older.isQuiet();
    const seen = await newer.user.received();
    await until(async () => (await newer.user.received()).frames > seen.frames + LONG_FRAMES,
      PATIENCE_MS, 'the pictures stop');
    assert.equal(older.joins, asked, `round ${round}: the older page fights for its place`);
    await older.headed('The call was opened on another device');
    assert.equal(await doctor.tiles.count(), 2);
    [older, newer] = [newer, older];
  }
  await patient.leave();
  await doctor.leave();
  const { calls } = await recorded(visit, (stays) => stays.length === 4
    && stays.every(({ leftAt }) => leftAt), 'all have left');
  const own = await staysOf(visit, calls[0].presences, 'PATIENT');
  assert.deepEqual(own.map(({ reason }) => reason),
    ['DUPLICATE_IDENTITY', 'DUPLICATE_IDENTITY', 'CLIENT_INITIATED']);
});

faultTest('no LiveKit when one wants to join', 1, async ({ doctor, patient }, tell) => {
  await clinic.stack.ctl('kill', 'livekit', '-9');
  try {
    await patient.askIn();
    await patient.headed('Video is not available just now');
    await patient.reads(/^Next try in \d+ seconds?\.$|^Trying again now…$/);
    const asked = patient.joins;
    await patient.press('Try again');
    await until(() => patient.joins > asked, SOON_MS, 'the button does nothing');
    await patient.headed('Video is not available just now');
    assert.equal(patient.lines, 0, 'there was nothing to connect to');
  } finally {
    await clinic.stack.ctl('start', 'livekit');
  }
  const startedAt = Date.now();
  await patient.waits(); // by itself
  tell(`in the call ${Date.now() - startedAt} ms after LiveKit is back`);
  await doctor.join();
  await seeEachOther(patient, doctor);
  await Promise.all([patient.leave(), doctor.leave()]);
});

test('no token stands in a log', async () => {
  for (const [part, log] of Object.entries(await clinic.logs())) {
    assert.ok(log.length > 0, `${part} has logged nothing`);
    assert.doesNotMatch(log, /eyJ[\w-]+\.[\w-]+/, part);
    assert.doesNotMatch(log, /Sanitizer|runtime error:/, part);
  }
});
