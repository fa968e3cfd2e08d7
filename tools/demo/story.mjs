// @ts-check
// The story of one visit, from the booking to the end of its window, with everything that may and
// everything that must not happen on the way.

import { randomUUID } from 'node:crypto';

import { Person } from './api.mjs';
import { Participant, mediaFlows, servePage, stays } from './media.mjs';
import { compare, presences, widest } from './record.mjs';
import { Timeline, expect, expectThat } from './timeline.mjs';
import { until } from './until.mjs';

/** @typedef {import('./stack.mjs').Stack} Stack */
/** @typedef {import('./api.mjs').Answer} Answer */
/** @typedef {import('./api.mjs').NoticeStream} NoticeStream */
/** @typedef {{ notifiers: number, killNotifier: boolean }} Options */

const MINUTE_MS = 60_000;
/** So long before the call opens is the clock set: time for the notifiers to see the due row. */
const HEAD_START_MS = 2000;
const LATENESS_MAX_MS = 1000;
/**
 * A notifier that dies between its commit and the nudge takes the nudge with it; the gateway finds
 * the notice when it next compares its streams with the inboxes, every 5 s.
 */
const LATENESS_MAX_AFTER_CRASH_MS = 6000;
/** Until something in the room is told to those outside: far more than it takes. */
const TOLD_MS = 5000;
/** Until a visit whose window is over is settled and its room closed. */
const SETTLED_MS = 10_000;
/** So far may the record be from what the browsers saw. */
const EDGE_MAX_MS = 1000;
/** Everything that a token for a room may claim. */
const CLAIMS = ['exp', 'iat', 'iss', 'jti', 'nbf', 'sub', 'video'];
const GRANTS = ['canPublish', 'canPublishData', 'canPublishSources', 'canSubscribe', 'room',
  'roomJoin'];
const TOKEN_LIFE_MAX_S = 600;
const CLOCK_SKEW_S = 60;

/**
 * Tells the story against a stack that is up. Cleans up behind itself, also when a step fails.
 * @param {Stack} stack
 * @param {Options} options
 * @param {AbortSignal} signal breaks it off
 */
export async function tell(stack, options, signal) {
  const story = new Story(stack, await stack.info(), options, signal);
  try {
    await story.logIn();
    await story.book();
    await story.confirm();
    await story.open();
    await story.refuseStrangers();
    await story.meet();
    await story.countNotices();
    await story.leave();
    await story.close();
    await story.audit();
  } finally {
    await story.cleanUp();
  }
  return story.timeline.summary;
}

class Story {
  /** Notices to the doctor, and to the patient. @type {NoticeStream[]} */ streams = [];
  /** What they join with. @type {any[]} */ tickets = [];
  /** @type {Participant[]} */ browsers = [];
  appointment = '';
  etag = '';
  /** @type {Date} */ opensAt = new Date(0);
  /** @type {Date} */ closesAt = new Date(0);
  /** How far the clinic's clock is ahead of the true one. */
  offsetMs = 0;
  /** @type {Array<() => Promise<unknown> | void>} */ #undo = [];
  #over = false;

  /**
   * @param {Stack} stack
   * @param {any} info
   * @param {Options} options
   * @param {AbortSignal} signal
   */
  constructor(stack, info, options, signal) {
    this.timeline = new Timeline(signal);
    this.stack = stack;
    this.options = options;
    this.gateway = info.parts.gateway.url;
    const { clinic, password, people } = info.demo;
    const of = (/** @type {string} */ role, /** @type {number} */ index) => new Person(
      this.gateway, { clinic, password,
        email: people.filter((/** @type {any} */ p) => p.role === role)[index].email });
    this.doctor = of('DOCTOR', 1);
    this.patient = of('PATIENT', 2);
    this.stranger = of('PATIENT', 0);
    this.staff = of('STAFF', 0);
    this.everybody = [this.doctor, this.patient, this.stranger, this.staff];
    this.both = [this.doctor, this.patient];
  }

  async logIn() {
    await this.timeline.step('doctor, patient, another patient and staff log in', async (told) => {
      for (const person of this.everybody) {
        const answer = await person.logIn();
        expect('status', 201, answer.status);
      }
      told(this.everybody.map((p) => p.self.displayName).join(', '));
    });
    await this.timeline.step('a wrong password is refused', async () => {
      const wrong = new Person(this.gateway,
        { ...this.patient.credentials, password: randomUUID() });
      refused(await wrong.logIn(), 401, 'bad-credentials');
    });
    await this.timeline.step('without a session nothing is shown', async () => {
      const nobody = new Person(this.gateway, this.patient.credentials);
      expect('status', 401, (await nobody.ask('GET', '/v1/appointments')).status);
    });
    this.streams = await this.timeline.step('both listen to their notices', async () => {
      return Promise.all(this.both.map((person) =>
        this.#owned(person.listen(), (stream) => stream.close())));
    });
  }

  async book() {
    const { now, offsetMs } = await this.stack.clock();
    const slot = await this.timeline.step('the patient lists free slots', async (told) => {
      const answer = await this.patient.ask('GET', `/v1/doctors/${this.doctor.self.id}/slots`);
      expect('status', 200, answer.status);
      // Its window must still be shut.
      const free = answer.body.slots.filter((/** @type {any} */ s) =>
        Date.parse(s.startsAt) > Date.parse(now) + 40 * MINUTE_MS);
      expectThat('free slots', free.length > 0, 'at least one', free.length);
      told(`${free.length} of ${this.doctor.self.displayName}, the first at ${free[0].startsAt}`);
      return free[0];
    });
    this.offsetMs = offsetMs;
    await this.timeline.step('the patient books the first', async (told) => {
      const request = { doctorId: this.doctor.self.id, startsAt: slot.startsAt, reason: 'demo' };
      const key = { 'Idempotency-Key': randomUUID() };
      const booked = await this.patient.ask('POST', '/v1/appointments', request, key);
      expect('status', 201, booked.status);
      expect('status of the appointment', 'REQUESTED', booked.body.status);
      const again = await this.patient.ask('POST', '/v1/appointments', request, key);
      expect('the same key gives the same appointment', booked.body.id, again.body.id);
      this.appointment = booked.body.id;
      this.etag = booked.etag;
      this.opensAt = new Date(booked.body.join.opensAt);
      this.closesAt = new Date(booked.body.join.closesAt);
      expect('minutes from opening to start', 30,
        (Date.parse(slot.startsAt) - this.opensAt.getTime()) / MINUTE_MS);
      told(this.appointment);
    });
    await this.timeline.step('the same slot a second time is refused', async () => {
      refused(await this.stranger.ask('POST', '/v1/appointments',
        { doctorId: this.doctor.self.id, startsAt: slot.startsAt },
        { 'Idempotency-Key': randomUUID() }), 409, 'slot-taken');
    });
    await this.timeline.step('the doctor is told of the request', async () => {
      await this.streams[0].waitFor('appointment.requested', this.appointment, 5000);
    });
    await this.timeline.step('nobody may join what is not confirmed', async () => {
      refused(await this.patient.join(this.appointment, 'PATIENT'), 409, 'not-confirmed');
    });
  }

  async confirm() {
    const path = `/v1/appointments/${this.appointment}/confirm`;
    await this.timeline.step('confirming needs the version that was seen', async () => {
      expect('status without If-Match', 428, (await this.doctor.ask('POST', path, {})).status);
      expect('status with another', 412,
        (await this.doctor.ask('POST', path, {}, { 'If-Match': '"99"' })).status);
      expect('status for the patient', 403,
        (await this.patient.ask('POST', path, {}, { 'If-Match': this.etag })).status);
    });
    await this.timeline.step('the doctor confirms, the patient is told', async (told) => {
      const seen = await this.doctor.ask('GET', `/v1/appointments/${this.appointment}`);
      const answer = await this.doctor.ask('POST', path, {}, { 'If-Match': seen.etag });
      expect('status', 200, answer.status);
      expect('status of the appointment', 'CONFIRMED', answer.body.status);
      await this.streams[1].waitFor('appointment.confirmed', this.appointment, 5000);
      told(`version ${answer.body.version}`);
    });
    await this.timeline.step('it is too early to join', async (told) => {
      const answer = await this.patient.join(this.appointment, 'PATIENT');
      refused(answer, 403, 'too-early');
      expect('opensAt', this.opensAt.toISOString(), new Date(answer.body.opensAt).toISOString());
      told(`opens at ${answer.body.opensAt}`);
    });
  }

  /** The clock comes to the opening, and both are told of it. */
  async open() {
    await this.#moreNotifiers();
    this.#undo.push(() => this.stack.clock('reset'));
    await this.timeline.step('the clock goes to 2 s before the call opens', async (told) => {
      const to = new Date(this.opensAt.getTime() - HEAD_START_MS).toISOString();
      ({ offsetMs: this.offsetMs } = await this.stack.clock(to));
      told(to);
      refused(await this.patient.join(this.appointment, 'PATIENT'), 403, 'too-early');
    });
    const killed = this.options.killNotifier ? this.#killNotifier() : Promise.resolve();
    await this.timeline.step('both are told that the call is open', async (told) => {
      const limit = this.options.killNotifier ? LATENESS_MAX_AFTER_CRASH_MS : LATENESS_MAX_MS;
      const notices = await Promise.all(this.streams.map((stream) =>
        stream.waitFor('call.available', this.appointment, HEAD_START_MS + limit + 5000)));
      const late = notices.map((notice) =>
        notice.receivedAt + this.offsetMs - this.opensAt.getTime());
      told(`${late[0]} ms (doctor) and ${late[1]} ms (patient) after the opening`);
      expectThat('lateness in ms', late.every((ms) => ms >= 0 && ms <= limit),
        `0 to ${limit}`, late);
    });
    await killed;
  }

  async #moreNotifiers() {
    for (let n = 2; n <= this.options.notifiers; n += 1) {
      await this.timeline.step(`one more notifier starts`, async (told) => {
        await this.stack.ctl('start', `notifier-${n}`);
        this.#undo.push(() => this.stack.ctl('stop', `notifier-${n}`));
        told(`notifier-${n}`);
      });
    }
  }

  #killNotifier() {
    const at = (this.opensAt.getTime() - this.offsetMs) / 1000;
    this.#undo.push(() => this.stack.ctl('start', 'notifier'));
    return this.timeline.step('a notifier is killed at that instant', async (told) => {
      await this.stack.ctl('kill', 'notifier', '-9', '--at', String(at));
      told('kill -9');
    });
  }

  async refuseStrangers() {
    await this.timeline.step('for another patient the visit does not exist', async () => {
      refused(await this.stranger.join(this.appointment, 'PATIENT'), 404, 'not-found');
      const read = await this.stranger.ask('GET', `/v1/appointments/${this.appointment}`);
      refused(read, 404, 'not-found');
      const unknown = await this.stranger.ask('GET', `/v1/appointments/${randomUUID()}`);
      expect('an unknown id answers alike', unknown.body.detail, read.body.detail);
    });
    await this.timeline.step('the patient may not join as a doctor', async () => {
      refused(await this.patient.join(this.appointment, 'DOCTOR'), 403, 'wrong-participant-type');
    });
  }

  /** Who comes first waits, and is heard; then each sees and hears the other. */
  async meet() {
    this.tickets = await this.timeline.step('both may join', async (told) => {
      const begin = performance.now();
      const answers = await Promise.all([
        this.doctor.join(this.appointment, 'DOCTOR'),
        this.patient.join(this.appointment, 'PATIENT')]);
      const tookMs = performance.now() - begin;
      for (const answer of answers) {
        expect('status', 200, answer.status);
        expect('room', `room_${this.appointment}`, answer.body.room);
        this.#checkToken(answer.body);
      }
      told(`${tookMs.toFixed(0)} ms for both, ${answers[0].body.encryptionKey
        ? 'media encrypted between them' : 'no end-to-end encryption'}`);
      return answers.map((answer) => answer.body);
    });
    const page = await this.#owned(servePage(), (server) => server.close());
    this.browsers = await this.timeline.step('both open a browser', async () =>
      Promise.all(this.tickets.map(() =>
        this.#owned(Participant.open(page.url), (participant) => participant.close()))));
    await this.timeline.step('the patient enters; the doctor hears who waits', async (told) => {
      const enteredAt = await this.#enter(1, told);
      const notice = await this.streams[0].waitFor('call.waiting', this.appointment, TOLD_MS);
      expect('who waits', this.patient.self.id, notice.data.actorId);
      told(heard(notice.receivedAt - enteredAt));
    });
    await this.timeline.step('the doctor enters; both hear that it begins', async (told) => {
      const enteredAt = await this.#enter(0, told);
      const notices = await Promise.all(this.streams.map((stream) =>
        stream.waitFor('call.started', this.appointment, TOLD_MS)));
      told(heard(Math.max(...notices.map((notice) => notice.receivedAt)) - enteredAt));
    });
    await this.timeline.step('each sees and hears the other', async (told) => {
      const grown = await Promise.all(this.browsers.map((browser) => mediaFlows(browser)));
      for (const [n, who] of ['doctor', 'patient'].entries()) {
        const { frames, audioBytes, energy, width } = grown[n];
        told(`${who}: ${frames} frames of width ${width}, ${audioBytes} bytes of sound, `
          + `energy ${energy.toFixed(3)}`);
      }
      for (const [n, browser] of this.browsers.entries()) {
        expect('the other one in the room', [this.tickets[1 - n].identity],
          (await browser.sample()).others);
      }
    });
    await this.timeline.step('a second device is asked first', async (told) => {
      const answer = await this.patient.join(this.appointment, 'PATIENT');
      refused(answer, 409, 'already-in-call');
      told(`in the call since ${answer.body.since}`);
    });
  }

  /**
   * One of them enters the room.
   * @param {number} n
   * @param {(text: string) => void} told
   * @returns the time, in milliseconds
   */
  async #enter(n, told) {
    const { tookMs } = await this.browsers[n].join(this.tickets[n]);
    told(`in after ${tookMs} ms`);
    return (await this.browsers[n].saw('connected', 0)).at;
  }

  /** @param {any} ticket */
  #checkToken(ticket) {
    const claims = JSON.parse(Buffer.from(ticket.token.split('.')[1], 'base64url').toString());
    const known = (/** @type {object} */ of, /** @type {string[]} */ allowed) =>
      Object.keys(of).filter((name) => !allowed.includes(name));
    expect('claims that a token must not have', [], known(claims, CLAIMS));
    expect('grants that a token must not have', [], known(claims.video, GRANTS));
    expect('room of the token', ticket.room, claims.video.room);
    expect('identity of the token', ticket.identity, claims.sub);
    expect('the token lets into a room', true, claims.video.roomJoin);
    const now = Date.now() / 1000;
    expectThat('seconds until the token ends', claims.exp > now
      && claims.exp <= now + TOKEN_LIFE_MAX_S + 1, `up to ${TOKEN_LIFE_MAX_S}`, claims.exp - now);
    expectThat('seconds since the token began', claims.nbf <= now
      && claims.nbf >= now - CLOCK_SKEW_S - 1, `0 to ${CLOCK_SKEW_S}`, now - claims.nbf);
    expectThat('the token ends before the call does',
      claims.exp * 1000 + this.offsetMs <= this.closesAt.getTime() + 1000,
      this.closesAt.toISOString(), new Date(claims.exp * 1000 + this.offsetMs).toISOString());
  }

  /** Nothing was told twice, in the streams as little as in the inboxes. */
  async countNotices() {
    await this.timeline.step('each was told exactly once', async (told) => {
      for (const [n, person] of this.both.entries()) {
        const inbox = await person.inbox();
        const types = ['call.available', ...(n === 0 ? ['call.waiting'] : []), 'call.started'];
        for (const type of types) {
          const kept = inbox.filter((entry) => entry.type === type
            && entry.appointmentId === this.appointment);
          const streamed = this.streams[n].about(type, this.appointment);
          expect(`${type} in the inbox`, 1, kept.length);
          expect(`${type} in the stream`, 1, streamed.length);
          expect('its number in the stream', String(kept[0].seq), streamed[0].id);
        }
        const numbers = this.streams[n].notices.map((notice) => Number(notice.id));
        expect('the numbers in the stream go up by one',
          numbers.map((_, index) => numbers[0] + index), numbers);
        told(`${numbers.length} notices to ${person.self.displayName}`);
      }
    });
  }

  /** One leaves; what the clinic has written down is what the browsers saw. */
  async leave() {
    await this.timeline.step('the patient leaves; the record is true', async (told) => {
      await this.browsers[1].leave();
      const record = await until(async () => {
        const { body } = await this.doctor.ask('GET',
          `/v1/appointments/${this.appointment}/calls`);
        return presences(body).some((/** @type {any} */ p) => p.leftAt) && body;
      }, TOLD_MS, 'the record does not show that the patient has left');
      expect('calls', 1, record.calls.length);
      const seen = (await Promise.all(this.browsers.map((b) => b.diary()))).flatMap(stays);
      const edges = compare(record, seen, (time) => Date.parse(time) - this.offsetMs);
      expectThat('ms between the record and the browsers', widest(edges) <= EDGE_MAX_MS,
        `at most ${EDGE_MAX_MS}`, edges);
      const together = Number(record.togetherSeconds);
      for (const one of record.people) {
        expect(`seconds of talk of the ${one.type}`, together, Number(one.talkSeconds));
      }
      told(`${together} s together, edges at most ${widest(edges)} ms apart`);
    });
  }

  /** The window ends, and so does the visit, for those inside as well. */
  async close() {
    await this.timeline.step('the window ends: the visit is completed', async (told) => {
      const to = new Date(this.closesAt.getTime() + 1000).toISOString();
      ({ offsetMs: this.offsetMs } = await this.stack.clock(to));
      const begin = performance.now();
      await Promise.all(this.streams.map((stream) =>
        stream.waitFor('appointment.completed', this.appointment, SETTLED_MS)));
      const { body } = await this.doctor.ask('GET', `/v1/appointments/${this.appointment}`);
      expect('status', 'COMPLETED', body.status);
      told(`both hear of it within ${(performance.now() - begin).toFixed(0)} ms`);
    });
    await this.timeline.step('who is inside is put out, and nobody comes back', async (told) => {
      const { reason } = await this.browsers[0].saw('disconnected', SETTLED_MS);
      expect('why the doctor was put out', 'ROOM_DELETED', reason);
      for (const [n, browser] of this.browsers.entries()) {
        expect('LiveKit\'s answer to the old token', 404,
          (await browser.joinFails(this.tickets[n]))?.status);
      }
      const answer = await this.patient.join(this.appointment, 'PATIENT');
      expectThat('refusal', answer.status === 410 && ['too-late', 'over'].includes(answer.slug),
        '410 too-late or over', `${answer.status} ${answer.slug}`);
      told(`410 ${answer.slug}`);
    });
    await this.timeline.step('the clock is set back; what is over stays over', async (told) => {
      const { now, offsetMs } = await this.stack.clock('reset');
      expect('offset of the clock in ms', 0, offsetMs);
      refused(await this.patient.join(this.appointment, 'PATIENT'), 410, 'over');
      told(now);
    });
  }

  /**
   * What `making` gives is disposed of when the story is over, also when it comes after the end.
   * @template T
   * @param {Promise<T>} making
   * @param {(made: T) => Promise<unknown> | void} dispose
   */
  async #owned(making, dispose) {
    const made = await making;
    if (this.#over) await dispose(made);
    else this.#undo.push(() => dispose(made));
    return made;
  }

  /** The tables agree with what was seen: nothing lost, nothing twice, nobody left out. */
  async audit() {
    await this.timeline.step('the tables prove what was promised', async (told) => {
      told(await this.stack.ctl('faults'));
    });
  }

  async cleanUp() {
    this.#over = true;
    for (const undo of this.#undo.reverse()) {
      try {
        await undo();
      } catch (fault) {
        console.error(`clean-up: ${fault instanceof Error ? fault.message : fault}`);
      }
    }
    this.#undo = [];
  }
}

/**
 * LiveKit tells the clinic that somebody is in a moment before their browser knows.
 * @param {number} ms
 */
const heard = (ms) => (ms < 0 ? `heard ${-ms} ms before the browser knows that it is in`
  : `heard ${ms} ms after the browser knows that it is in`);

/** @param {Answer} answer @param {number} status @param {string} slug */
function refused(answer, status, slug) {
  expect('refusal', `${status} ${slug}`, `${answer.status} ${answer.slug}`);
}
