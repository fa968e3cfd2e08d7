// @ts-check
// One person at the gateway: a session, requests, the stream of notices.

import { until } from './until.mjs';

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {any} body
 * @property {string} etag
 * @property {string} slug of a problem: too-early for /problems/too-early
 * @property {number} retryAfterS when to ask again, in seconds; 0: not said
 */

/**
 * @typedef {object} Notice
 * @property {string} id of the SSE event: the number among this person's notices
 * @property {string} event
 * @property {any} data
 * @property {number} receivedAt by this machine's clock, in milliseconds
 */

const REQUEST_TIMEOUT_MS = 15_000;

export class Person {
  #token = '';

  /**
   * @param {string} gateway
   * @param {{ clinic: string, email: string, password: string }} credentials
   */
  constructor(gateway, credentials) {
    this.gateway = gateway;
    this.credentials = credentials;
    /** @type {any} */ this.self = null;
  }

  async logIn() {
    this.#token = '';
    const answer = await this.ask('POST', '/v1/session', this.credentials);
    if (answer.status === 201) {
      this.#token = answer.body.accessToken;
      this.self = answer.body.person;
    }
    return answer;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {Record<string, string>} [headers]
   * @returns {Promise<Answer>}
   */
  async ask(method, path, body, headers = {}) {
    const response = await fetch(this.gateway + path, {
      method,
      headers: {
        ...(body ? { 'Content-Type': 'application/json' } : {}),
        ...(this.#token ? { Authorization: `Bearer ${this.#token}` } : {}),
        ...headers,
      },
      body: body ? JSON.stringify(body) : undefined,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const text = await response.text();
    const json = /[/+]json/.test(response.headers.get('Content-Type') ?? '');
    const content = json && text ? JSON.parse(text) : text;
    return {
      status: response.status,
      body: content,
      etag: response.headers.get('ETag') ?? '',
      slug: String(content?.type ?? '').replace(/^.*\/problems\//, ''),
      retryAfterS: Number(response.headers.get('Retry-After') ?? 0),
    };
  }

  /**
   * @param {string} appointment
   * @param {string} participantType
   * @param {{ takeOver?: boolean }} [more]
   */
  join(appointment, participantType, more = {}) {
    return this.ask('POST', `/v1/appointments/${appointment}/join`, { participantType, ...more });
  }

  /** All notices that the clinic keeps for this person. */
  async inbox() {
    const entries = [];
    for (let after = '0'; ;) {
      const { status, body } = await this.ask('GET', `/v1/inbox?after=${after}&limit=500`);
      if (status !== 200) throw new Error(`GET /v1/inbox answered ${status}`);
      if (body.entries.length === 0) return entries;
      entries.push(...body.entries);
      after = entries[entries.length - 1].seq;
    }
  }

  /** Opens the stream of notices; the caller closes it. */
  async listen() {
    const abort = new AbortController();
    const response = await fetch(`${this.gateway}/v1/events`, {
      headers: { Authorization: `Bearer ${this.#token}`, Accept: 'text/event-stream' },
      signal: abort.signal,
    });
    if (response.status !== 200 || !response.body) {
      throw new Error(`GET /v1/events answered ${response.status}: ${await response.text()}`);
    }
    return new NoticeStream(response.body, abort);
  }
}

/** Server-sent events as they come in, each with its time. */
export class NoticeStream {
  /** @type {Notice[]} */ notices = [];
  /** @type {Error | null} */ failure = null;
  #abort;

  /**
   * @param {ReadableStream<Uint8Array>} body
   * @param {AbortController} abort
   */
  constructor(body, abort) {
    this.#abort = abort;
    this.#read(body).catch((fault) => {
      if (!abort.signal.aborted) this.failure = fault;
    });
  }

  /** @param {ReadableStream<Uint8Array>} body */
  async #read(body) {
    const decoder = new TextDecoder();
    let text = '';
    for await (const bytes of /** @type {any} */ (body)) {
      text += decoder.decode(bytes, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) this.#take(block);
    }
    throw new Error('the gateway closed the stream');
  }

  /** @param {string} block */
  #take(block) {
    const notice = { id: '', event: 'message', data: '', receivedAt: Date.now() };
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      if (colon <= 0) continue; // a comment, which keeps the connection warm
      const value = line.slice(colon + 1).replace(/^ /, '');
      const field = line.slice(0, colon);
      if (field === 'id' || field === 'event') notice[field] = value;
      else if (field === 'data') notice.data += value;
    }
    // Without a number it is no notice but a hint that something changed (ADR 0012).
    if (notice.id) this.notices.push({ ...notice, data: JSON.parse(notice.data) });
  }

  /**
   * The notices of one kind about one appointment, so far.
   * @param {string} event
   * @param {string} appointment
   */
  about(event, appointment) {
    return this.notices.filter((n) => n.event === event && n.data.appointmentId === appointment);
  }

  /**
   * Waits for the first of them.
   * @param {string} event
   * @param {string} appointment
   * @param {number} timeoutMs
   */
  waitFor(event, appointment, timeoutMs) {
    return until(() => {
      if (this.failure) throw this.failure;
      return this.about(event, appointment)[0];
    }, timeoutMs, () => `no ${event} came (but: ${this.notices.map((n) => n.event).join(', ')
      || 'nothing'})`);
  }

  close() {
    this.#abort.abort();
  }
}
