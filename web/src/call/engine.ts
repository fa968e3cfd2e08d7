// Drives a call: does what each phase demands (asks for a ticket, connects, waits, asks why) and
// tells the phases what came of it. It lives outside of React, so that a component that is mounted
// twice, as in StrictMode, still makes one connection. Screens read `snapshot` and press its buttons.

import type { Room } from 'livekit-client';

import type { Client, Notice } from '../api';
import type { DeviceChoice } from '../devices/choice';
import { rejoinDelay } from './backoff';
import type { LeaveReason } from './disconnect';
import { joinFaultOf } from './faults';
import { canEncrypt, type Line, LineError, openLine } from './line';
import { Media, type MediaState } from './media';
import { type Happening, isLive, isUnderWay, type Phase, step } from './phases';
import { forgetCall, recallCall, rememberCall } from './returns';

export interface CallSnapshot extends MediaState {
  phase: Phase;
  /** While in the room, or entering it. */
  room: Room | null;
  isEncrypted: boolean;
  /** What the others send cannot be decrypted: it would be noise. */
  isUndecryptable: boolean;
  closesAt: string | null;
  /** How long this page was in the call, up to when it left the room last. */
  spentMs: number;
}

export interface EngineParts {
  client: Pick<Client, 'appointment' | 'joinAppointment'>;
  appointmentId: string;
  as: 'patient' | 'doctor';
  /** For tests; else the real ones. */
  openLine?: typeof openLine;
  canEncrypt?: () => boolean;
  chance?: () => number;
}

/** Who has a place in the waiting room asks so often whether they may go in, besides being told. */
const ADMISSION_MS = 20_000;
/** LiveKit says about twice a second that something cannot be decrypted, as long as it is so. */
const UNDECRYPTABLE_MS = 5000;
/** A page that is being left is gone by then; one that was only put to sleep comes back. */
const ASLEEP_MS = 3000;

const OPENS = ['call.available', 'call.admitted', 'call.media_restored'];

/** Whether the phase that began this is over. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

export class CallEngine {
  #snapshot: CallSnapshot;
  readonly #listeners = new Set<() => void>();
  readonly #parts: Required<EngineParts>;
  readonly #media = new Media(() => this.#mediaChanged());
  #line: Line | null = null;
  /** Of the phase: what it has begun is of no interest when it is over. */
  #work = new AbortController();
  /** Ends the present pause early. */
  #wake: (() => void) | null = null;
  #enteredAt: number | null = null;
  #undecryptableTimer: ReturnType<typeof setTimeout> | undefined;
  #stopTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: EngineParts) {
    this.#parts = { openLine, canEncrypt, chance: Math.random, ...parts };
    this.#snapshot = {
      phase: { at: 'check' },
      room: null,
      isEncrypted: false,
      isUndecryptable: false,
      closesAt: null,
      spentMs: 0,
      ...this.#media.state,
    };
  }

  get snapshot(): CallSnapshot {
    return this.#snapshot;
  }

  get media(): Media {
    return this.#media;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Begins, or goes on after a stop() that was taken back at once (StrictMode). */
  start(): void {
    clearTimeout(this.#stopTimer);
    const choice = recallCall(this.#parts.appointmentId);
    if (this.#snapshot.phase.at !== 'check' || !choice) return;
    this.#media.choose(choice);
    this.happen({ type: 'resume' });
  }

  stop(): void {
    this.#stopTimer = setTimeout(() => {
      this.#work.abort();
      this.#hangUp();
      forgetCall();
    }, 0);
  }

  ready(choice: DeviceChoice): void {
    this.#media.choose(choice);
    this.happen({ type: 'ready' });
  }

  /** The clinic has told something; `notice` is of any appointment. */
  hear(notice: Pick<Notice, 'type' | 'appointmentId'>): void {
    if (notice.appointmentId !== this.#parts.appointmentId) return;
    if (OPENS.includes(notice.type)) this.hurry();
    else if (notice.type.startsWith('appointment.') || notice.type === 'call.closing')
      void this.look();
  }

  /** Something may be possible now that was not: try at once instead of after the pause. */
  hurry(): void {
    if (this.#snapshot.phase.at === 'refused') this.happen({ type: 'again' });
    else this.#wake?.();
  }

  /** Asks the clinic whether the call is still on. */
  async look(): Promise<void> {
    try {
      const appointment = await this.#parts.client.appointment(this.#parts.appointmentId);
      this.happen({ type: 'told', appointment });
    } catch {
      // Whatever is over is also told by LiveKit, or by the next join.
    }
  }

  happen(what: Happening): void {
    const before = this.#snapshot.phase;
    const phase = step(before, what);
    if (phase === before) return;
    this.#set({ phase });
    this.#enter(before, phase);
  }

  #enter(before: Phase, phase: Phase): void {
    if (phase.at === 'inCall' && before.at === 'inCall') {
      if (phase.link === 'connected') this.#enteredAt ??= performance.now();
      return;
    }
    this.#work.abort();
    this.#work = new AbortController();
    const { signal } = this.#work;
    if (phase.at !== 'inCall') this.#hangUp();
    if (isLive(before) && !isUnderWay(phase)) forgetCall();
    switch (phase.at) {
      case 'joining':
        void this.#join(phase.takeOver, signal);
        break;
      case 'rejoining':
        void this.#rejoin(phase, signal);
        break;
      case 'admission':
        void this.#waitForAdmission(signal);
        break;
      case 'asking':
        void this.#ask(phase.attempt, signal);
        break;
      case 'refused':
        if (phase.retryMs !== undefined) void this.#retry(phase.retryMs, phase.tries, signal);
        break;
      default:
        break;
    }
  }

  async #join(takeOver: boolean, signal: AbortSignal): Promise<void> {
    if (isOver(signal)) return;
    const { client, appointmentId, as } = this.#parts;
    try {
      const answer = await client.joinAppointment(appointmentId, as, { takeOver });
      if (isOver(signal)) return;
      this.#set({ closesAt: answer.closesAt, isEncrypted: answer.encryptionKey !== '' });
      if (answer.token === '') this.happen({ type: 'keptWaiting' });
      else if (answer.encryptionKey && !this.#parts.canEncrypt())
        this.happen({ type: 'cannotEncrypt' });
      else {
        this.happen({ type: 'admitted' });
        await this.#connect(answer);
      }
    } catch (error) {
      if (!isOver(signal)) this.happen({ type: 'joinFailed', fault: joinFaultOf(error) });
    }
  }

  async #connect(ticket: Parameters<typeof openLine>[0]): Promise<void> {
    const line = this.#parts.openLine(ticket, {
      onReconnecting: () => this.happen({ type: 'reconnecting' }),
      onReconnected: () => this.happen({ type: 'reconnected' }),
      onDisconnected: (reason) => void this.#lost(line, reason),
      onUndecryptable: () => this.#undecryptable(),
    });
    this.#line = line;
    rememberCall(this.#parts.appointmentId, this.#media.state.choice);
    this.#set({ room: line.room });
    try {
      await line.connect();
    } catch (error) {
      const reason = error instanceof LineError ? error.reason : undefined;
      if (line === this.#line) this.happen({ type: 'disconnected', reason });
      return;
    }
    if (line !== this.#line) return;
    this.happen({ type: 'connected' });
    await this.#media.enter(line.room);
  }

  async #lost(line: Line, reason: LeaveReason): Promise<void> {
    if (line !== this.#line) return;
    // Not asked for here: LiveKit's client leaves when the page is left or put to sleep.
    if (reason === 'CLIENT_INITIATED') {
      this.happen({ type: 'reconnecting' });
      await this.#pause(ASLEEP_MS, this.#work.signal);
      if (line === this.#line) this.happen({ type: 'disconnected', reason: undefined });
    } else this.happen({ type: 'disconnected', reason });
  }

  async #rejoin(phase: Extract<Phase, { at: 'rejoining' }>, signal: AbortSignal): Promise<void> {
    const { attempt, waitMs = 0 } = phase;
    await this.#pause(Math.max(waitMs, this.#delay(attempt)), signal);
    await this.#join(true, signal);
  }

  async #waitForAdmission(signal: AbortSignal): Promise<void> {
    while (!isOver(signal)) {
      await this.#pause(ADMISSION_MS, signal);
      await this.#join(false, signal);
    }
  }

  async #ask(attempt: number, signal: AbortSignal): Promise<void> {
    if (attempt > 0) await this.#pause(this.#delay(attempt), signal);
    try {
      const appointment = await this.#parts.client.appointment(this.#parts.appointmentId);
      if (!isOver(signal)) this.happen({ type: 'asked', appointment });
    } catch {
      if (!isOver(signal)) this.happen({ type: 'askFailed' });
    }
  }

  async #retry(retryMs: number, tries: number, signal: AbortSignal): Promise<void> {
    await this.#pause(Math.max(retryMs, this.#delay(tries)), signal);
    if (!isOver(signal)) this.happen({ type: 'again' });
  }

  #delay(attempt: number): number {
    return rejoinDelay(attempt, this.#parts.chance());
  }

  /** Ends after the time, when hurried, or when the phase is over. */
  #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (isOver(signal)) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        if (this.#wake === end) this.#wake = null;
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
      this.#wake = end;
    });
  }

  #hangUp(): void {
    clearTimeout(this.#undecryptableTimer);
    this.#media.leave();
    void this.#line?.close();
    this.#line = null;
    const spentMs =
      this.#snapshot.spentMs + (this.#enteredAt === null ? 0 : performance.now() - this.#enteredAt);
    this.#enteredAt = null;
    if (this.#snapshot.room) this.#set({ room: null, isUndecryptable: false, spentMs });
  }

  #undecryptable(): void {
    clearTimeout(this.#undecryptableTimer);
    this.#undecryptableTimer = setTimeout(
      () => this.#set({ isUndecryptable: false }),
      UNDECRYPTABLE_MS,
    );
    if (!this.#snapshot.isUndecryptable) this.#set({ isUndecryptable: true });
  }

  #mediaChanged(): void {
    const { choice } = this.#media.state;
    if (isLive(this.#snapshot.phase)) rememberCall(this.#parts.appointmentId, choice);
    this.#set(this.#media.state);
  }

  #set(part: Partial<CallSnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...part };
    for (const listener of this.#listeners) listener();
  }
}
