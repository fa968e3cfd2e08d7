// @ts-check
// The way into a call, the call and the ways out of it, in the app: real browsers with cameras whose
// pictures are known, a whole stack and a real LiveKit. People press buttons and read words; that
// somebody is seen and heard is told by pixels and by the energy of the sound.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { until } from '../../tools/demo/until.mjs';
import { PATIENCE_MS, PHONE, AppUser, withUsers } from './app.mjs';
import { Caller, isInReach, meet, openHosts, recorded, seeEachOther, withCallers } from './caller.mjs';
import { Clinic, SOON_MS, Visit } from './visit.mjs';

/** @typedef {import('./app.mjs').Options} Options */
/** @typedef {import('./visit.mjs').Role} Role */
/** @typedef {Options & { before?: (user: AppUser) => Promise<void> }} Given */

const TEST_MS = 120_000;
const MINUTE_MS = 60_000;

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

/** @param {import('node:test').TestContext} t @param {string} figure */
function tell(t, figure) {
  t.diagnostic(figure);
  figures.push(`${t.name}: ${figure}`);
}

/**
 * A test with a visit of its own, its patient and its doctor; after it no promise is broken.
 * @param {string} name
 * @param {Partial<Record<Role, Given>>} given who has what other browser
 * @param {(patient: Caller, doctor: Caller, t: import('node:test').TestContext) => Promise<void>}
 *   act
 */
function callTest(name, given, act) {
  test(name, { timeout: TEST_MS }, async (t) => {
    const visit = await clinic.book();
    const as = (/** @type {Role} */ role) => ({ role,
      // Somebody with other devices has a browser of their own: devices are of the whole browser.
      ...(given[role]?.devices ? {} : { beside: hosts[role] }), ...given[role] });
    await withCallers(visit, [as('PATIENT'), as('DOCTOR')],
      (patient, doctor) => act(patient, doctor, t));
    await clinic.stack.ctl('faults');
  });
}

/** Books a time of the doctor's next day but one, so that no call is open yet. @param {AppUser} patient @returns the appointment */
async function bookNext({ page }) {
  await page.getByRole('link', { name: 'Book a visit' }).first().click();
  await page.getByRole('radio', { name: clinic.people.DOCTOR.self.displayName }).check();
  const next = page.getByRole('button', { name: 'Continue' });
  await next.click();
  const days = page.getByRole('group', { name: 'Choose a day' });
  await days.locator('label').nth(1).click({ timeout: PATIENCE_MS });
  const times = page.getByRole('group', { name: /^Choose a time on/ });
  await times.locator('label').first().click({ timeout: PATIENCE_MS });
  await next.click();
  await page.getByRole('textbox', { name: /^Reason/ }).fill('A cough that stays');
  await next.click();
  await page.getByRole('button', { name: 'Request this appointment' }).click();
  const card = page.getByTestId(/^appointment-/).first();
  await card.waitFor({ timeout: PATIENCE_MS });
  const id = String(await card.getAttribute('data-testid')).replace('appointment-', '');
  const { body } = await clinic.people.PATIENT.ask('GET', `/v1/appointments/${id}`);
  return body;
}

test('from the booking to a clean leave', { timeout: TEST_MS }, async (t) => {
  const users = await Promise.all(['PATIENT', 'DOCTOR'].map((role) => AppUser.open(clinic,
    /** @type {Role} */ (role), { beside: hosts[/** @type {Role} */ (role)] })));
  const [one, other] = users;
  await withUsers(users, async () => {
    await Promise.all(users.map((user) => user.logIn()));
    const appointment = await bookNext(one);
    const visit = new Visit(clinic, appointment);
    const patient = new Caller(one, visit);
    const doctor = new Caller(other, visit);
    await doctor.page.getByRole('button', { name: /^Confirm and tell the patient/ })
      .click({ timeout: PATIENCE_MS });
    await visit.becomes('CONFIRMED');
    await one.page.getByRole('link', { name: 'To the start page' }).click();
    await one.card(visit.id).getByText('Confirmed').waitFor({ timeout: PATIENCE_MS });
    assert.equal(await patient.door.count(), 0, 'a door before its time');

    // Ten minutes before it begins the call has been open for twenty, and the page knows.
    await clinic.moveClock(new Date(Date.parse(appointment.startsAt) - 10 * MINUTE_MS).toISOString());
    const joinedAt = await patient.join();
    await patient.waits();
    const waitsMs = Date.now() - joinedAt;
    assert.ok(await patient.ownTile.isVisible(), 'one sees oneself meanwhile');

    // The doctor's page says so by itself: on the card, in the title, by ear, as a notice.
    await other.card(visit.id).getByText(`${doctor.other} has been waiting since`).first()
      .waitFor({ timeout: PATIENCE_MS });
    await until(async () => /\(1 waiting\)/.test(await doctor.page.title()), PATIENCE_MS,
      'the title of the doctor\'s page does not say that somebody waits');
    await doctor.page.getByRole('link', { name: /^Notices, \d+ unread$/ }).click();
    await doctor.page.getByText('Somebody is waiting in the video call').first()
      .waitFor({ timeout: PATIENCE_MS });
    await doctor.page.getByRole('link', { name: 'Home', exact: true }).click();

    const pressedAt = await doctor.join();
    await Promise.all([patient.connected(), doctor.connected()]);
    await other.remoteVideo.waitFor({ timeout: PATIENCE_MS });
    await seeEachOther(patient, doctor);
    tell(t, `waits ${waitsMs} ms after pressing the button; both see and hear each other `
      + `${Date.now() - pressedAt} ms after the second did`);
    await until(async () => !/waiting/.test(await doctor.page.title()), PATIENCE_MS,
      'the title still says that somebody waits');
    for (const person of [patient, doctor]) {
      await person.reads('Encrypted between you');
      assert.equal(await person.tiles.count(), 2, 'people on the page');
    }

    await patient.press('Mute');
    await doctor.otherTile.getByText('Microphone off').waitFor({ timeout: PATIENCE_MS });
    await patient.press('Unmute');
    await doctor.otherTile.getByText('Microphone off')
      .waitFor({ state: 'detached', timeout: PATIENCE_MS });
    await doctor.press('Camera off');
    await patient.otherHasNoPicture('Camera off');
    await doctor.press('Camera on');
    await seeEachOther(patient, doctor);

    await patient.leave();
    await patient.reads('Your camera and microphone are off.');
    await doctor.stands(`${doctor.other} is not in the call at the moment`);
    await patient.goHome();
    await patient.door.waitFor({ timeout: PATIENCE_MS }); // open still
    await doctor.leave();
    await doctor.page.getByRole('textbox', { name: 'Note (optional)' }).fill('All well');
    await doctor.press('Mark as completed');
    await doctor.headed('The visit has ended');
    await visit.becomes('COMPLETED');
    const { calls, people } = await recorded(visit, (stays) =>
      stays.length === 2 && stays.every(({ leftAt }) => leftAt), 'both were there and have left');
    assert.equal(calls.length, 1);
    assert.deepEqual(calls[0].presences.map((/** @type {any} */ p) => p.reason),
      ['CLIENT_INITIATED', 'CLIENT_INITIATED']);
    assert.ok(people.every((/** @type {any} */ p) => Number(p.talkSeconds) > 0), 'they talked');
    await patient.door.waitFor({ state: 'detached', timeout: PATIENCE_MS });
  });
  await clinic.stack.ctl('faults');
});

callTest('the doctor shows a screen', { PATIENT: { viewport: PHONE, touch: true, before: noScreens } },
  async (patient, doctor) => {
    await meet(patient, doctor);
    assert.equal(await patient.button('Share screen').count(), 0, 'this browser shows no screens');
    await doctor.press('Share screen');
    await doctor.reads('The others see your screen.');
    await patient.reads(`Screen of ${patient.other}`);
    await until(() => patient.screen.evaluate((/** @type {HTMLVideoElement} */ v) =>
      v.videoWidth > 0 && v.currentTime > 0).catch(() => false), PATIENCE_MS,
    'the screen is not shown');
    // Large, whole, and the people aside.
    const [large, ...small] = await Promise.all([patient.screen, patient.otherTile.page()
      .locator('figure[data-screen="false"]').first(), patient.ownTile].map((shown) =>
      shown.boundingBox()));
    for (const tile of small) {
      assert.ok(large && tile && large.width * large.height > 3 * tile.width * tile.height,
        `the screen has ${JSON.stringify(large)}, a person ${JSON.stringify(tile)}`);
    }
    assert.equal(await patient.tiles.count(), 3);
    await doctor.press('Stop sharing');
    await patient.screen.waitFor({ state: 'detached', timeout: PATIENCE_MS });
    await doctor.button('Share screen').waitFor();
    await seeEachOther(patient, doctor);
  });

/** A browser that cannot show its screen, as on phones. @param {AppUser} user */
async function noScreens(user) {
  await user.context.addInitScript(() => {
    // @ts-expect-error: the type says that it is always there
    delete MediaDevices.prototype.getDisplayMedia;
  });
}

/** A browser whose devices come when `letDevicesCome` is called. @param {AppUser} user */
async function slowDevices(user) {
  await user.context.addInitScript(() => {
    const come = new Promise((resolve) => Object.assign(window, { letDevicesCome: resolve }));
    const ask = MediaDevices.prototype.getUserMedia;
    MediaDevices.prototype.getUserMedia = async function wait(...given) {
      await come;
      return ask.apply(this, given);
    };
  });
}

/** A browser that cannot encrypt what it sends. @param {AppUser} user */
async function noEncryption(user) {
  await user.context.addInitScript(() => {
    Reflect.deleteProperty(window, 'RTCRtpScriptTransform');
    Reflect.deleteProperty(RTCRtpSender.prototype, 'createEncodedStreams');
  });
}

/** Whether calls are encrypted from one to the other. */
async function setEncryption(/** @type {boolean} */ on) {
  await clinic.askSql(`UPDATE tv.clinic SET end_to_end_encryption = ${on}
    WHERE slug = '${clinic.staff.credentials.clinic}'`);
}

/** How each track of a visit came to LiveKit, as its log has it. @param {Visit} visit */
async function sentAs(visit) {
  const log = await readFile(clinic.livekitLog, 'utf8');
  return log.split('\n')
    .filter((line) => line.includes('mediaTrack published') && line.includes(visit.id))
    .map((line) => /"encryption": *"(\w+)"/.exec(line)?.[1] ?? 'NONE');
}

callTest('encrypted from one to the other, and not', {}, async (patient, doctor) => {
  const ways = [
    { on: true, sent: 'GCM', words: 'Encrypted between you', more: 'the media server cannot see them' },
    { on: false, sent: 'NONE', words: 'Encrypted on the way', more: 'The media server itself can see them' },
  ];
  try {
    for (const { on, sent, words, more } of ways) {
      await setEncryption(on);
      const before = (await sentAs(patient.visit)).length;
      await meet(patient, doctor);
      for (const person of [patient, doctor]) await person.reads(words);
      await patient.press('Settings');
      await patient.page.getByText(more).waitFor({ timeout: PATIENCE_MS });
      await patient.press('Close');
      const tracks = (await sentAs(patient.visit)).slice(before);
      assert.ok(tracks.length >= 4, `two pictures and two sounds, not ${tracks}`);
      assert.deepEqual(new Set(tracks), new Set([sent]));
      for (const person of [patient, doctor]) {
        await person.leave();
        await person.goHome();
      }
    }
  } finally {
    await setEncryption(true);
  }
});

callTest('a browser that cannot encrypt', { PATIENT: { before: noEncryption } },
  async (patient, doctor) => {
    await doctor.join();
    await patient.door.click();
    await patient.headed('This browser cannot protect the call');
    await patient.reads(/Please open this page in a current version of/);
    assert.equal(patient.joins, 0, 'nobody was asked to let it in');
    await patient.goHome();
    // Another page of it has not heard yet that the clinic encrypts.
    await doctor.waits();
    assert.equal(patient.lines, 0, 'it never went to LiveKit');
    await doctor.leave();
  });

/**
 * Ways in which a call ends from outside: by whom, and what each then reads.
 * @type {Array<{ name: string, ends: 'all' | 'patient', given?: Partial<Record<Role, Given>>,
 *   words: Record<Role, string>, end: (patient: Caller, doctor: Caller) => Promise<void> }>}
 */
const ENDS = [
  { name: 'the doctor ends the call for everyone', ends: 'all',
    words: { PATIENT: 'The visit has ended', DOCTOR: 'The visit has ended' },
    async end(_, doctor) {
      await doctor.press('End for everyone');
      const question = doctor.page.getByRole('alertdialog', { name: 'End the call for everyone?' });
      await question.getByRole('button', { name: 'Go on with the call' }).click();
      await question.waitFor({ state: 'detached' });
      await doctor.connected();
      await doctor.press('End for everyone');
      await question.getByRole('button', { name: 'End for everyone' }).click();
    } },
  { name: 'the time runs out', ends: 'all',
    words: { PATIENT: 'The time is over', DOCTOR: 'The time is over' },
    async end(patient, doctor) {
      const { visit } = patient;
      const leftIs = (/** @type {string} */ words) => Promise.all([patient, doctor].map((person) =>
        person.reads(words)));
      await clinic.moveClock(new Date(visit.closesAt.getTime() - 4 * MINUTE_MS).toISOString());
      await leftIs('4 minutes left');
      await patient.reads('The call closes soon.');
      await seeEachOther(patient, doctor); // and goes on meanwhile
      await clinic.moveClock(new Date(visit.closesAt.getTime() - 5000).toISOString());
      await leftIs('1 minute left');
    } },
  // The devices come only when it is all over: their lights must not stay on.
  { name: 'the clinic cancels while the patient waits', ends: 'patient',
    given: { PATIENT: { before: slowDevices } },
    words: { PATIENT: 'This visit was cancelled', DOCTOR: '' },
    async end(patient) {
      const { visit } = patient;
      const { etag } = await visit.read();
      const { status } = await clinic.staff.ask('POST', `/v1/appointments/${visit.id}/cancel`,
        { note: 'The doctor is ill' }, { 'If-Match': etag });
      assert.equal(status, 200);
      await patient.headed('This visit was cancelled');
      await patient.page.evaluate(() => /** @type {any} */ (window).letDevicesCome());
    } },
];

for (const { name, ends, given = {}, words, end } of ENDS) {
  callTest(name, given, async (patient, doctor) => {
    const inside = ends === 'all' ? [patient, doctor] : [patient];
    if (ends === 'all') await meet(patient, doctor);
    else {
      await patient.join();
      await patient.waits();
    }
    await end(patient, doctor);
    await Promise.all(inside.map(async (person) => {
      await person.headed(words[person.role]);
      await person.isQuiet();
      await person.reads('Your camera and microphone are off.');
      const asked = person.joins;
      assert.equal(await person.button('Join again').count(), 0, 'a way back');
      await person.goHome();
      assert.equal(person.joins, asked, 'it asked to be let in again');
    }));
    for (const person of [patient, doctor])
      await person.door.waitFor({ state: 'detached', timeout: PATIENCE_MS });
    const again = await patient.visit.join('PATIENT');
    assert.equal(again.status, 410, 'joining again');
  });
}

callTest('camera and microphone are denied', { PATIENT: { devices: 'denied' } },
  async (patient, doctor) => {
    await doctor.join();
    await patient.openCheck();
    const allow = patient.button('Allow camera and microphone');
    const blocked = patient.overlay.getByText('Camera and microphone: blocked');
    await allow.or(blocked).first().waitFor({ timeout: PATIENCE_MS });
    if (await allow.count()) await allow.click();
    await blocked.waitFor({ timeout: PATIENCE_MS });
    await patient.reads('In Chrome');
    await patient.reads('Switch on “Camera” and “Microphone”.');
    await patient.reads('They will not see you and not hear you. You will see and hear them.');
    await patient.press('Join the call');
    await joinsUnseen(patient, doctor);
  });

callTest('neither camera nor microphone', { PATIENT: { devices: 'missing' } },
  async (patient, doctor) => {
    await doctor.join();
    await patient.openCheck();
    await patient.reads('Camera and microphone: not found');
    await patient.reads('They will not see you and not hear you. You will see and hear them.');
    for (const size of [{ width: 1280, height: 800 }, { width: 1280, height: 2400 }, PHONE])
      await staysWhereItIs(patient, 'Join the call', size);
    await patient.press('Join the call');
    await joinsUnseen(patient, doctor);
  });

/**
 * A button that moves between press and release does nothing: what comes in above it, as devices
 * and results do, must not push it away.
 * @param {Caller} caller
 * @param {string} name
 * @param {{ width: number, height: number }} size of the screen
 */
async function staysWhereItIs(caller, name, size) {
  await caller.page.setViewportSize(size);
  await isInReach(caller, name);
  const places = [];
  for (const pushed of ['0px', '300px', '1200px']) {
    await caller.overlay.getByRole('heading', { level: 2 }).first().evaluate(
      (heading, padding) => { heading.style.paddingBlockEnd = padding; }, pushed);
    places.push(await caller.button(name).boundingBox());
  }
  assert.deepEqual(places, Array(3).fill(places[0]), `${name} at ${size.width} x ${size.height}`);
}

/** Who sends nothing is in all the same, and sees the other. @param {Caller[]} callers */
async function joinsUnseen(patient, doctor) {
  await Promise.all([patient.connected(), doctor.connected()]);
  await patient.seesOther();
  await doctor.otherHasNoPicture('Camera off');
  await doctor.otherTile.getByText('Microphone off').waitFor({ timeout: PATIENCE_MS });
  await patient.leave();
  await doctor.leave();
}

/** The way into the call, from the corner of its card. @param {Caller} caller */
async function placeOfDoor({ card, door }) {
  await door.waitFor({ timeout: PATIENCE_MS });
  const [outer, inner] = await Promise.all([card.boundingBox(), door.boundingBox()]);
  assert.ok(outer && inner);
  return [inner.x - outer.x, inner.y - outer.y, inner.width, inner.height].map(Math.round);
}

callTest('on a phone', { PATIENT: { viewport: PHONE, touch: true } }, async (patient, doctor, t) => {
  const { page } = patient;
  await patient.door.tap();
  await patient.headed('Before you join');
  await fitsWidth(patient);
  const before = await placeOfDoor(doctor);
  const pressedAt = Date.now();
  await patient.button('Join the call').tap();
  await patient.waits();
  await doctor.card.getByText(`${doctor.other} has been waiting since`)
    .waitFor({ timeout: PATIENCE_MS });
  assert.deepEqual(await placeOfDoor(doctor), before, 'the door moves when somebody comes');
  await doctor.join();
  await seeEachOther(patient, doctor);
  tell(t, `sees and is seen ${Date.now() - pressedAt} ms after pressing the button`);
  for (const { width, height } of [PHONE, { width: PHONE.height, height: PHONE.width },
    { width: 320, height: 568 }]) {
    await page.setViewportSize({ width, height });
    for (const name of ['Mute', 'Camera off', 'Settings', 'Leave']) await isInReach(patient, name);
    await fitsWidth(patient);
    assert.ok(await patient.user.remoteVideo.isVisible());
  }
  await page.setViewportSize(PHONE);

  await patient.button('Settings').tap();
  const settings = page.getByRole('dialog', { name: 'Settings of the call' });
  await settings.getByText('Sound only', { exact: true }).tap();
  assert.ok(await settings.getByRole('radio', { name: 'Sound only' }).isChecked());
  await patient.button('Close').tap();
  await patient.otherTile.getByText('Sound only').waitFor({ timeout: PATIENCE_MS });
  await patient.user.remoteVideo.waitFor({ state: 'detached', timeout: PATIENCE_MS });
  await doctor.otherHasNoPicture('Camera off');
  // No more pictures come, while the sound goes on.
  const silent = await until(async () => {
    const earlier = await patient.user.received();
    const later = await until(async () => {
      const now = await patient.user.received();
      return now.energy > earlier.energy && now;
    }, PATIENCE_MS, 'the sound stopped as well');
    return later.frames === earlier.frames && later;
  }, PATIENCE_MS, 'pictures still come');
  assert.ok(silent.energy > 0);
  // Whoever switches the camera on wants pictures again.
  await patient.button('Camera on').tap();
  await seeEachOther(patient, doctor);
  await patient.button('Leave').tap();
  await patient.headed('You have left the call');
  await fitsWidth(patient);
  await doctor.leave();
});

/** Nothing sticks out at the side. @param {Caller} caller */
async function fitsWidth({ page }) {
  const { wide, have } = await page.evaluate(() => ({ have: window.innerWidth,
    wide: Math.max(document.documentElement.scrollWidth,
      ...[...document.querySelectorAll('[role="dialog"]')].map((d) => d.scrollWidth)) }));
  assert.ok(wide <= have, `${wide} px on a screen of ${have} px`);
}

test('one call at a time, and the keyboard stays in it', { timeout: TEST_MS }, async () => {
  const [visit, second] = [await clinic.book(), await clinic.book()];
  await withCallers(visit, [{ role: 'DOCTOR', beside: hosts.DOCTOR }], async (doctor) => {
    const { page } = doctor;
    const otherDoor = doctor.user.card(second.id).getByRole('button', { name: 'Video Call',
      includeHidden: true });
    await otherDoor.waitFor({ timeout: PATIENCE_MS });
    await doctor.door.focus();
    await page.keyboard.press('Enter');
    await doctor.headed('Before you join');
    await doctor.button('Join the call').focus();
    await page.keyboard.press('Enter');
    await doctor.waits();
    assert.equal(await otherDoor.getAttribute('aria-disabled'), 'true');
    assert.match(String(await doctor.user.card(second.id).textContent()),
      /You are in another call\. Leave it first\./);

    // Escape does not leave, and Tab goes round in the call.
    await page.keyboard.press('Escape');
    await doctor.waits();
    /** @type {string[]} */ const reached = [];
    for (let i = 0; i < 14; i += 1) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => ({ name: document.activeElement?.textContent ?? '',
        inside: document.activeElement?.closest('[role="dialog"]') !== null }));
      assert.ok(at.inside, `the focus went out of the call, to ${at.name}`);
      reached.push(at.name);
    }
    for (const name of ['Mute', 'Camera off', 'Settings', 'End for everyone', 'Leave'])
      assert.ok(reached.includes(name), `${name} is not reached by Tab: ${reached}`);
    // Single keys as well, but not while one writes.
    await page.keyboard.press('m');
    await doctor.button('Unmute').waitFor({ timeout: PATIENCE_MS });
    await page.keyboard.press('m');
    await doctor.button('Mute').waitFor({ timeout: PATIENCE_MS });

    // The way back in the browser asks first.
    await page.goBack();
    const question = page.getByRole('alertdialog', { name: 'Leave the call?' });
    await question.getByRole('button', { name: 'Stay in the call' }).click();
    await question.waitFor({ state: 'detached', timeout: PATIENCE_MS });
    await doctor.waits();
    await doctor.leave();
    await page.keyboard.press('Tab');
    await doctor.button('Back to the overview').focus();
    await page.keyboard.press('Enter');
    await doctor.overlay.waitFor({ state: 'detached', timeout: PATIENCE_MS });
    await until(() => doctor.door.evaluate((element) => element === document.activeElement), SOON_MS,
      'the focus is not back on what opened the call');
    assert.equal(await otherDoor.getAttribute('aria-disabled'), null);
  });
  await clinic.stack.ctl('faults');
});

test('no token stands in a log', async () => {
  for (const [part, log] of Object.entries(await clinic.logs())) {
    assert.ok(log.length > 0, `${part} has logged nothing`);
    assert.doesNotMatch(log, /eyJ[\w-]+\.[\w-]+/, part);
    assert.doesNotMatch(log, /Sanitizer|runtime error:/, part);
  }
});

