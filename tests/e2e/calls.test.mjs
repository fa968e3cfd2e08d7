// @ts-check
// Calls with a real LiveKit and real browsers: the room lives as long as the appointment, the side
// that waits is heard, and the clinic's record is what the browsers saw. All times are compared as
// true ones, whatever the clinic's clock was set to.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { presences, widest } from '../../tools/demo/record.mjs';
import { until } from '../../tools/demo/until.mjs';
import { Clinic, ROLES, SOON_MS } from './visit.mjs';

/** @typedef {import('./visit.mjs').Visit} Visit */
/** @typedef {import('../../tools/demo/record.mjs').Edge} Edge */

const TEST_MS = 90_000;
/** So far may an edge of the record be from what the browser saw. */
const EDGE_MAX_MS = 1000;
/** LiveKit's own detection of somebody who is gone without a word. */
const KILLED_MAX_MS = 25_000;
const HEARD_MAX_MS = 300;
const LIVEKIT_AWAY_MS = 2000;
/** In which LiveKit's client makes its ten tries; six to eleven seconds are usual. */
const RECONNECTED_MAX_MS = 45_000;
const ROOM_MADE_MAX_MS = 2000;
const REFUSAL_MAX_MS = 2000;

/** @type {Clinic} */ let clinic;
/** Told once more at the end. @type {string[]} */ const figures = [];

before(async () => {
  clinic = await Clinic.open();
});

after(async () => {
  for (const figure of figures) console.log(figure);
  await clinic?.close();
});

/**
 * A test with a visit of its own, after which no promise is broken.
 * @param {string} name
 * @param {(visit: Visit, tell: (figure: string) => void) => Promise<void>} act
 */
function visitTest(name, act) {
  test(name, { timeout: TEST_MS }, async (t) => {
    const visit = await clinic.book();
    try {
      await act(visit, (figure) => {
        t.diagnostic(figure);
        figures.push(`${name}: ${figure}`);
      });
      await clinic.stack.ctl('faults');
    } finally {
      await visit.close();
    }
  });
}

/** @param {Edge[]} edges */
function agrees(edges, maxMs = EDGE_MAX_MS) {
  // An end that is unsure lies in the span that is given.
  const wrong = edges.filter(({ apartMs, unsureMs }) =>
    apartMs > maxMs || apartMs + unsureMs < -maxMs);
  assert.ok(wrong.length === 0, `the record is not what they saw: ${JSON.stringify(wrong)}`);
}

visitTest('who comes first is heard, who leaves is gone', async (visit, tell) => {
  await Promise.all(ROLES.flatMap((role) => [visit.takeTicket(role), visit.openBrowser(role)]));
  /** @type {number[]} */ const afterJoined = [];
  /** @type {number[]} */ const afterEntry = [];
  /** @type {number[]} */ const afterRecorded = [];
  for (const round of [1, 2, 3, 4, 5, 6]) {
    const [second, first] = round % 2 ? ROLES : [...ROLES].reverse();
    const enteredAt = await visit.enter(first);
    const notice = await visit.told(second, 'call.waiting', Math.ceil(round / 2));
    assert.equal(notice.data.actorId, clinic.people[first].self.id, 'who waits');
    const { sid } = (await visit.browsers[first].diary()).findLast((e) => e.sid) ?? { sid: '' };
    afterJoined.push(notice.receivedAt - await clinic.joinedAt(String(sid)));
    afterEntry.push(notice.receivedAt - enteredAt);
    afterRecorded.push(Math.round(notice.receivedAt - clinic.trueTime(await clinic.askSql(
      `SELECT to_json(min(recorded_at)) #>> '{}' FROM tv.call_event WHERE sid = '${sid}'`))));
    assert.ok((await visit.place(first)).inCallSince, 'the first is in');
    assert.ok(!(await visit.place(second)).inCallSince, 'the second is not');
    await visit.enter(second);
    await Promise.all(ROLES.map((role) => visit.told(role, 'call.started')));
    await until(async () => (await visit.place(second)).inCallSince, SOON_MS, 'both are not in');
    for (const role of [second, first]) {
      await visit.browsers[role].leave();
      await until(async () => (await visit.place(role)).leftCallAt, SOON_MS, 'has not left');
    }
  }
  for (const role of ROLES) {
    assert.deepEqual(await visit.counts(role, 'call.available', 'call.waiting', 'call.started'),
      [1, 3, 1], `what the ${role} was told`);
  }
  const { record, edges } = await visit.recordAfterwards();
  assert.equal(record.calls.length, 1);
  assert.equal(presences(record).length, 12);
  assert.ok(presences(record).every((/** @type {any} */ p) => p.reason === 'CLIENT_INITIATED'));
  agrees(edges);
  tell(`call.waiting is heard ${afterJoined.join(', ')} ms after LiveKit's participant_joined`);
  tell(`that is ${afterRecorded.join(', ')} ms after the webhook came to the database, `
    + `${afterEntry.join(', ')} ms after the browser saw itself connected`);
  tell(`record and browsers at most ${widest(edges)} ms apart`);
  assert.ok(Math.max(...afterJoined) <= HEARD_MAX_MS, `heard after ${afterJoined} ms`);
});

visitTest('a browser that is killed', async (visit, tell) => {
  await visit.meet();
  const killedAt = await visit.browsers.PATIENT.kill();
  const { leftCallAt } = await until(async () => {
    const place = await visit.place('PATIENT');
    return place.leftCallAt && place;
  }, KILLED_MAX_MS, 'the patient is not known to be gone');
  assert.ok((await visit.place('DOCTOR')).inCallSince, 'the doctor is still in');
  tell(`known ${Date.now() - killedAt} ms after, as gone ${
    Math.round(clinic.trueTime(leftCallAt) - killedAt)} ms after`);
  await visit.browsers.DOCTOR.leave();
  const { edges } = await visit.recordAfterwards();
  const killed = edges.filter((e) => e.edge === 'left' && e.apartMs > EDGE_MAX_MS);
  assert.equal(killed.length, 1, 'all but that edge agree');
  agrees(killed, KILLED_MAX_MS);
  agrees(edges.filter((e) => !killed.includes(e)));
});

visitTest('LiveKit is killed in mid-call and comes back', async (visit, tell) => {
  await visit.meet();
  const before = await visit.record();
  const killedAt = Date.now() + 700; // a program that kills has to start first
  await clinic.stack.ctl('kill', 'livekit', '-9', '--at', String(killedAt / 1000));
  await until(() => Date.now() >= killedAt + LIVEKIT_AWAY_MS, SOON_MS, 'time stands still');
  await clinic.stack.ctl('start', 'livekit');
  // LiveKit's client reconnects by itself unless it asks for the room just before it is there
  // again: then its page asks for another ticket.
  const back = await Promise.all(ROLES.map((role) => until(async () =>
    (await visit.browsers[role].diary()).find((e) => e.at > killedAt && e.sid),
  RECONNECTED_MAX_MS, `the ${role} is not back`)));
  await visit.seeEachOther();
  const seenMs = Date.now() - killedAt;
  const listensAt = await clinic.livekitBackAt(killedAt);
  const told = back.map(({ at, what }, n) => `${ROLES[n]} ${what} after ${at - killedAt}`);
  tell(`LiveKit listens ${listensAt - killedAt} ms after the kill, ${told.join(' and ')} ms, `
    + `pictures move after ${seenMs} ms`);
  assert.ok(back.every(({ at }) => at <= killedAt + RECONNECTED_MAX_MS), told.join());

  const { record, edges } = await visit.recordOnce((read) =>
    presences(read).filter((/** @type {any} */ p) => !p.leftAt).length === 2
    && presences(read).length === 4, 'both are in again');
  const [first, second] = record.calls;
  assert.equal(record.calls.length, 2);
  assert.equal(first.room, second.room, 'the room has its name again');
  assert.notEqual(first.roomSid, second.roomSid);
  assert.equal(first.roomSid, before.calls[0].roomSid);
  agrees(edges);
  const madeMs = Math.round(clinic.trueTime(second.startedAt) - listensAt);
  tell(`the room is there again ${madeMs} ms after LiveKit listens`);
  assert.ok(madeMs <= ROOM_MADE_MAX_MS, `the room was made again after ${madeMs} ms`);
  if (back.every(({ what }) => what === 'reconnected')) { // so no ticket has made it
    assert.ok((await clinic.logs()).tokens.split('\n').some((/** @type {string} */ line) =>
      line.includes('room made again') && line.includes(first.room)), 'who made the room?');
  }
  // Nothing is made up for the time between.
  for (const { leftAt, leftBy, goneAt } of first.presences) {
    assert.notEqual(leftBy, 'WEBHOOK', 'nobody can have told the end');
    assert.ok(clinic.trueTime(leftAt) <= killedAt + EDGE_MAX_MS, `was not there at ${leftAt}`);
    assert.ok(clinic.trueTime(goneAt || leftAt) >= killedAt - EDGE_MAX_MS, `was there: ${goneAt}`);
  }
  assert.ok(clinic.trueTime(first.overAt) <= clinic.trueTime(second.startedAt));
  for (const role of ROLES) {
    assert.deepEqual(await visit.counts(role, 'call.started', 'call.ended'), [1, 0],
      'the call went on');
  }
  const endedAt = Date.now();
  const ended = await clinic.people.DOCTOR.ask('POST', `/v1/appointments/${visit.id}/end`);
  assert.equal(ended.status, 200, JSON.stringify(ended.body));
  await visit.isShut(endedAt);
  agrees((await visit.recordAfterwards()).edges);
});

visitTest('a second device takes over', async (visit, tell) => {
  await visit.meet();
  const { inCallSince } = await visit.place('PATIENT');
  const older = visit.browsers.PATIENT;
  const before = await visit.counts('DOCTOR', 'call.waiting', 'call.started', 'call.ended');
  await visit.openBrowser('PATIENT');
  const asked = await visit.join('PATIENT');
  assert.equal(`${asked.status} ${asked.slug}`, '409 already-in-call');
  assert.equal(asked.body.since, inCallSince);
  await visit.takeTicket('PATIENT', { takeOver: true });
  await visit.enter('PATIENT');
  const put = await older.saw('disconnected', SOON_MS);
  assert.equal(put.reason, 'DUPLICATE_IDENTITY');
  await visit.seeEachOther();

  const taken = await visit.recordOnce((read) => presences(read).length === 3
    && presences(read).filter((/** @type {any} */ p) => p.leftAt).length === 1, 'it took over');
  agrees(taken.edges);
  const place = await visit.place('PATIENT');
  assert.equal(place.inCallSince, inCallSince, 'the person is in without a break');
  assert.ok(!place.leftCallAt, 'the person has not left');
  const diary = await older.diary();
  assert.equal(diary[diary.length - 1], diary.find((e) => e.what === 'disconnected'),
    'the older page stays out');
  await visit.browsers.PATIENT.leave();
  await visit.browsers.DOCTOR.leave();
  const { record, seen, edges } = await visit.recordAfterwards();
  agrees(edges);
  assert.deepEqual(await visit.counts('DOCTOR', 'call.waiting', 'call.started', 'call.ended'),
    before, 'the doctor is told of nothing');
  const { participantId, presentSeconds } = record.people.find(
    (/** @type {any} */ p) => p.type === 'PATIENT');
  const own = presences(record).filter((/** @type {any} */ p) => p.participantId === participantId);
  assert.deepEqual(own.map((/** @type {any} */ p) => p.reason),
    ['DUPLICATE_IDENTITY', 'CLIENT_INITIATED']);
  const mine = seen.filter(({ sid }) => own.some((/** @type {any} */ p) => p.sid === sid));
  const there = (Math.max(...mine.map((stay) => stay.to ?? 0))
    - Math.min(...mine.map((stay) => stay.from))) / 1000;
  assert.ok(Math.abs(Number(presentSeconds) - there) <= 2, `${presentSeconds} s of ${there} s`);
  tell(`record and browsers at most ${widest(edges)} ms apart`);
});

/**
 * Ways in which a call ends from outside: what is done, and when it takes effect, in true time.
 * @type {Array<{ name: string, status: string, notice: string,
 *   end: (visit: Visit) => Promise<number> }>}
 */
const ENDS = [
  { name: 'a cancellation in mid-call', status: 'CANCELLED', notice: 'appointment.cancelled',
    async end(visit) {
      const { etag } = await visit.read();
      const at = Date.now();
      const answer = await clinic.people.DOCTOR.ask('POST', `/v1/appointments/${visit.id}/cancel`,
        { note: 'not today' }, { 'If-Match': etag });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return at;
    } },
  { name: 'the doctor ends the call', status: 'COMPLETED', notice: 'appointment.completed',
    async end(visit) {
      const at = Date.now();
      const answer = await clinic.people.DOCTOR.ask('POST', `/v1/appointments/${visit.id}/end`);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return at;
    } },
  { name: 'the window closes in mid-call', status: 'COMPLETED', notice: 'appointment.completed',
    async end(visit) {
      const to = new Date(visit.closesAt.getTime() - 3000).toISOString();
      const offsetMs = await clinic.moveClock(to);
      await Promise.all(ROLES.map((role) => visit.told(role, 'call.closing')));
      for (const role of ROLES) {
        const diary = await visit.browsers[role].diary();
        assert.ok(!diary.some((e) => e.what === 'disconnected'), 'put out before its time');
      }
      return visit.closesAt.getTime() - offsetMs;
    } },
];

for (const { name, status, notice, end } of ENDS) {
  visitTest(name, async (visit, tell) => {
    await visit.meet();
    const endsAt = await end(visit);
    await visit.told('PATIENT', notice);
    await visit.isShut();
    await visit.becomes(status);
    const { record, seen, edges } = await visit.recordAfterwards();
    agrees(edges);
    const outMs = seen.map((stay) => /** @type {number} */ (stay.to) - endsAt);
    tell(`both are out ${outMs.join(' and ')} ms after, record and browsers at most ${
      widest(edges)} ms apart`);
    assert.ok(outMs.every((ms) => ms >= 0), 'nobody was put out before its time');
    assert.equal(record.calls.length, 1);
    assert.ok(record.calls[0].overAt, 'the call is over');
    await Promise.all(ROLES.map((role) => visit.told(role, 'call.ended')));
    for (const role of ROLES) {
      assert.deepEqual(await visit.counts(role, 'call.started', 'call.ended'), [1, 1]);
    }
  });
}

for (const { how, away, back } of [
  { how: 'dead', away: ['kill', 'livekit', '-9'], back: ['start', 'livekit'] },
  { how: 'frozen', away: ['kill', 'livekit', 'STOP'], back: ['kill', 'livekit', 'CONT'] },
]) {
  visitTest(`LiveKit is ${how} when both want to join`, async (visit, tell) => {
    await Promise.all(ROLES.map((role) => visit.told(role, 'call.available')));
    await clinic.stack.ctl(...away);
    try {
      const begin = Date.now();
      const answers = await Promise.all(ROLES.map(async (role) => {
        const answer = await visit.join(role);
        return { ...answer, tookMs: Date.now() - begin };
      }));
      for (const { status, slug, retryAfterS, tookMs } of answers) {
        assert.equal(`${status} ${slug}`, '503 media-unavailable');
        assert.ok(retryAfterS > 0, 'Retry-After');
        assert.ok(tookMs <= REFUSAL_MAX_MS, `refused after ${tookMs} ms`);
      }
      tell(`refused after ${answers.map((a) => a.tookMs).join(' and ')} ms`);
    } finally {
      await clinic.stack.ctl(...back);
    }
    const backAt = Date.now();
    const told = await Promise.all(ROLES.map((role) => visit.told(role, 'call.media_restored')));
    tell(`told ${told.map((n) => n.receivedAt - backAt).join(' and ')} ms after its return`);
    await visit.meet();
    for (const role of ROLES) {
      assert.deepEqual(await visit.counts(role, 'call.media_restored', 'call.available'), [1, 1]);
      await visit.browsers[role].leave();
    }
    agrees((await visit.recordAfterwards()).edges);
  });
}

test('no token stands in a log', async () => {
  for (const [part, log] of Object.entries(await clinic.logs())) {
    assert.ok(log.length > 0, `${part} has logged nothing`);
    assert.doesNotMatch(log, /eyJ[\w-]+\.[\w-]+/, part);
    assert.doesNotMatch(log, /Sanitizer|runtime error:/, part);
  }
});
