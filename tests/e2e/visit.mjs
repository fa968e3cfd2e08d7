// @ts-check
// What the tests of calls share: a clinic with a stack of its own, and visits that are open now,
// each with its people, their tickets and their browsers.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

import { Person } from '../../tools/demo/api.mjs';
import { Participant, mediaFlows, servePage, stays } from '../../tools/demo/media.mjs';
import { compare, presences } from '../../tools/demo/record.mjs';
import { TestStack } from '../../tools/demo/stack.mjs';
import { until } from '../../tools/demo/until.mjs';

/** @typedef {import('../../tools/demo/api.mjs').NoticeStream} NoticeStream */
/** @typedef {'DOCTOR' | 'PATIENT'} Role */
/** @type {Role[]} */ export const ROLES = ['DOCTOR', 'PATIENT'];
/** Far more than anything takes that is told at once. */
export const SOON_MS = 10_000;
const MINUTE_MS = 60_000;
const run = promisify(execFile);

export class Clinic {
  #visits = 0;
  /** Each offset of the clinic's clock, and since when. */
  #offsets = [{ from: 0, offsetMs: 0 }];

  /**
   * @param {TestStack} stack
   * @param {any} info
   * @param {Awaited<ReturnType<typeof servePage>>} page
   */
  constructor(stack, info, page) {
    this.stack = stack;
    this.page = page;
    this.databaseUrlFile = info.databaseUrlFile;
    this.livekitLog = info.parts.livekit.log;
    this.publicUrl = info.publicUrl;
    this.mediaHost = new URL(info.livekitUrl).host;
    const { clinic, password, people } = info.demo;
    const of = (/** @type {string} */ role) => new Person(info.parts.gateway.url, {
      clinic, password, email: people.findLast((/** @type {any} */ p) => p.role === role).email });
    this.admin = of('ADMIN');
    /** @type {Record<Role, Person>} */
    this.people = { DOCTOR: of('DOCTOR'), PATIENT: of('PATIENT') };
    this.staff = of('STAFF');
    /** What each is told. @type {Record<Role, NoticeStream>} */
    this.streams = /** @type {any} */ ({});
  }

  /** @param {string[]} settings PART:NAME=VALUE, for our programs */
  static async open(...settings) {
    // No limits: some tests join more often than a person would.
    const stack = await TestStack.start([], ['gateway:TELEVISIT_RATE_PERCENT=0', ...settings]);
    const clinic = new Clinic(stack, await stack.info(), await servePage());
    try {
      for (const person of [...Object.values(clinic.people), clinic.staff]) {
        assert.equal((await person.logIn()).status, 201);
      }
      for (const role of ROLES) clinic.streams[role] = await clinic.people[role].listen();
      return clinic;
    } catch (fault) {
      await clinic.close();
      throw fault;
    }
  }

  async close() {
    for (const stream of Object.values(this.streams)) stream.close();
    await this.page.close();
    await this.stack.remove();
  }

  /** What our own programs have logged, by the name of the part. */
  async logs() {
    const { parts } = await this.stack.info();
    const named = ['appointments', 'tokens', 'notifier', 'gateway'].map(async (name) =>
      [name, await readFile(parts[name].log, 'utf8')]);
    return Object.fromEntries(await Promise.all(named));
  }

  /** @param {string[]} shift as stackctl wants it; it may only go forward */
  async moveClock(...shift) {
    const from = Date.now();
    const { offsetMs } = await this.stack.clock(...shift);
    this.#offsets.unshift({ from, offsetMs });
    return offsetMs;
  }

  /**
   * The true time of a time that the clinic has written down, in milliseconds.
   * @param {string} time
   */
  trueTime(time) {
    const ms = Date.parse(time);
    const { offsetMs } = /** @type {{ offsetMs: number }} */ (
      this.#offsets.find(({ from, offsetMs }) => ms - offsetMs >= from));
    return ms - offsetMs;
  }

  /**
   * When LiveKit had somebody's media connected and says so by participant_joined, in milliseconds.
   * The webhook itself has whole seconds only; LiveKit's log has the same instant.
   * @param {string} sid
   */
  joinedAt(sid) {
    return until(async () => {
      const line = (await readFile(this.livekitLog, 'utf8')).split('\n').find((text) =>
        text.includes('participant active') && text.includes(`"${sid}"`));
      return line ? Date.parse(line.split('\t')[0]) : null;
    }, SOON_MS, `LiveKit's log does not show when ${sid} was connected`);
  }

  /**
   * When LiveKit began to take connections, the first time after `since`, in milliseconds.
   * @param {number} since
   */
  livekitBackAt(since) {
    return until(async () => (await readFile(this.livekitLog, 'utf8')).split('\n')
      .filter((text) => text.includes('starting LiveKit server'))
      .map((line) => Date.parse(line.split('\t')[0])).find((at) => at >= since), SOON_MS,
    'LiveKit\'s log does not show that it has started');
  }

  /** @param {string} text SQL that gives one value */
  async askSql(text) {
    const url = (await readFile(this.databaseUrlFile, 'utf8')).trim();
    return (await run('psql', ['-XAtc', text, url])).stdout.trim();
  }

  /** A confirmed visit whose window is open. */
  async book() {
    const { now } = await this.stack.clock();
    this.#visits += 1; // another minute for each, so that they never overlap
    return this.bookAt(Date.parse(now) + (5 + this.#visits) * MINUTE_MS);
  }

  /** @param {number} startsMs on the clinic's clock */
  async bookAt(startsMs, confirmed = true) {
    const { DOCTOR, PATIENT } = this.people;
    const booked = await this.staff.ask('POST', '/v1/appointments', { doctorId: DOCTOR.self.id,
      patientId: PATIENT.self.id, startsAt: new Date(startsMs).toISOString(), minutes: 1,
      confirmed }, { 'Idempotency-Key': randomUUID() });
    assert.equal(booked.status, 201, JSON.stringify(booked.body));
    return new Visit(this, booked.body);
  }
}

export class Visit {
  /** @type {Participant[]} */ #opened = [];

  /** @param {Clinic} clinic @param {any} appointment */
  constructor(clinic, appointment) {
    this.clinic = clinic;
    this.id = appointment.id;
    this.startsAt = String(appointment.startsAt);
    this.closesAt = new Date(appointment.join.closesAt);
    /** @type {Record<Role, any>} */ this.tickets = { DOCTOR: null, PATIENT: null };
    /** The newest browser of each. @type {Record<Role, Participant>} */
    this.browsers = /** @type {any} */ ({});
  }

  /** @param {Role} role @param {{ takeOver?: boolean }} [more] */
  join(role, more) {
    return this.clinic.people[role].join(this.id, role, more);
  }

  /** @param {Role} role */
  async takeTicket(role, more = {}) {
    const answer = await this.join(role, more);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    this.tickets[role] = answer.body;
  }

  /** @param {Role} role */
  async openBrowser(role) {
    const browser = await Participant.open(this.clinic.page.url);
    this.#opened.push(browser);
    this.browsers[role] = browser;
    // As the web app does: whoever was thrown out without a reason asks again by itself.
    await browser.comesBackWith(() => until(async () => {
      const { status, body } = await this.join(role, { takeOver: true });
      return status === 200 && (this.tickets[role] = body);
    }, SOON_MS, `no other ticket for the ${role}`));
    return browser;
  }

  /**
   * Goes in with the newest ticket and browser.
   * @param {Role} role
   * @returns the time, in milliseconds
   */
  async enter(role) {
    const since = Date.now();
    await this.browsers[role].join(this.tickets[role]);
    return (await this.browsers[role].saw('connected', 0, since)).at;
  }

  /** Both are in and see and hear each other; each was told so. */
  async meet() {
    await Promise.all(ROLES.flatMap((role) => [this.takeTicket(role), this.openBrowser(role)]));
    await Promise.all(ROLES.map((role) => this.enter(role)));
    await Promise.all(ROLES.map((role) => this.told(role, 'call.started')));
    await this.seeEachOther();
  }

  async seeEachOther() {
    await Promise.all(ROLES.map((role) => mediaFlows(this.browsers[role])));
  }

  /**
   * Waits for a notice, the nth of its type about this visit.
   * @param {Role} role
   * @param {string} type
   */
  told(role, type, nth = 1) {
    return until(() => this.notices(role, type)[nth - 1], SOON_MS,
      () => `no ${nth === 1 ? '' : `${nth}th `}${type} came to the ${role} (but: ${
        this.clinic.streams[role].notices.map((n) => n.event).join(', ')})`);
  }

  /** @param {Role} role @param {string} type */
  notices(role, type) {
    const stream = this.clinic.streams[role];
    if (stream.failure) throw stream.failure;
    return stream.about(type, this.id);
  }

  /**
   * How often each of these was told, in the stream and in the inbox alike.
   * @param {Role} role
   * @param {string[]} types
   */
  async counts(role, ...types) {
    const inbox = await this.clinic.people[role].inbox();
    return types.map((type) => {
      const kept = inbox.filter((entry) => entry.type === type
        && entry.appointmentId === this.id).length;
      assert.equal(this.notices(role, type).length, kept, `${type} in stream and inbox`);
      return kept;
    });
  }

  async read() {
    const answer = await this.clinic.people.DOCTOR.ask('GET', `/v1/appointments/${this.id}`);
    assert.equal(answer.status, 200);
    return { ...answer.body, etag: answer.etag };
  }

  /** What the appointment says of one of them. @param {Role} role */
  async place(role) {
    const { participants } = await this.read();
    return participants.find((/** @type {any} */ p) => p.type === role);
  }

  /** Who was there when, as the clinic has it. */
  async record() {
    const answer = await this.clinic.people.PATIENT.ask('GET', `/v1/appointments/${this.id}/calls`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  }

  /**
   * The record once it holds, with its distances from what the browsers saw.
   * @param {(record: any) => boolean} holds
   * @param {string} otherwise
   */
  async recordOnce(holds, otherwise, timeoutMs = SOON_MS) {
    const record = await until(async () => {
      const read = await this.record();
      return holds(read) && read;
    }, timeoutMs, `the record does not show that ${otherwise}`);
    const diaries = await Promise.all(this.#opened.map((b) => b.diary()));
    const seen = diaries.flatMap(stays);
    try {
      return { record, seen,
        edges: compare(record, seen, (time) => this.clinic.trueTime(time)) };
    } catch (fault) {
      const { message } = /** @type {Error} */ (fault);
      throw new Error([message, JSON.stringify(record), ...diaries.map((d) => JSON.stringify(d)),
        ...await this.#livekitLines(record)].join('\n'), { cause: fault });
    }
  }

  /** What LiveKit's log says of the stays in a record. @param {any} record */
  async #livekitLines(record) {
    const sids = presences(record).map((/** @type {any} */ p) => p.sid);
    return (await readFile(this.clinic.livekitLog, 'utf8')).split('\n').filter((line) =>
      sids.some((/** @type {string} */ sid) => line.includes(sid)));
  }

  /** The record when everybody is out of it. */
  recordAfterwards(timeoutMs = SOON_MS) {
    return this.recordOnce((record) => record.calls.length > 0
      && presences(record).every((/** @type {any} */ p) => p.leftAt), 'all have left', timeoutMs);
  }

  /** @param {string} status */
  becomes(status) {
    return until(async () => (await this.read()).status === status, SOON_MS,
      `the visit is not ${status}`);
  }

  /** Everybody was put out, and LiveKit lets nobody in with a ticket that was good before. */
  async isShut(since = 0) {
    await Promise.all(ROLES.map(async (role) => {
      const { reason } = await this.browsers[role].saw('disconnected', SOON_MS, since);
      assert.equal(reason, 'ROOM_DELETED', `why the ${role} was put out`);
      const refusal = await this.browsers[role].joinFails(this.tickets[role]);
      assert.equal(refusal?.status, 404, `the old ticket of the ${role}: ${refusal?.message}`);
      const again = await this.join(role);
      assert.equal(again.status, 410, `joining again as ${role}: ${again.slug}`);
    }));
  }

  async close() {
    await Promise.all(this.#opened.map((browser) => browser.close()));
  }
}
