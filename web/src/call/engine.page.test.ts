import type { Room } from 'livekit-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { Appointment, Client, JoinAnswer } from '../api';
import { Problem, Unreachable } from '../api';
import { CallEngine } from './engine';
import { type Line, LineError, type LineHandlers } from './line';
import { recallCall } from './returns';

const ID = '0b6f2d5e-0000-4000-8000-000000000001';
const CLOSES = '2026-11-23T16:00:00Z';

function ticket(more: Partial<JoinAnswer> = {}): JoinAnswer {
  return {
    serverUrl: 'ws://media.example',
    token: 'secret-token',
    room: 'room_1',
    identity: 'me',
    expiresAt: CLOSES,
    closesAt: CLOSES,
    encryptionKey: '',
    ...more,
  };
}

function appointment(status: string, decision: string): Appointment {
  return {
    status,
    join: { decision, opensAt: CLOSES, closesAt: CLOSES, serverTime: '2026-11-23T14:00:00Z' },
  } as Appointment;
}

function problem(slug: string, more: object = {}): Problem {
  return new Problem({ type: `/problems/${slug}`, title: slug, status: 409, ...more });
}

/** A line that connects when the test says so. */
class TestLine implements Line {
  readonly room: Room;
  closed = false;
  enter!: () => void;
  fail!: (error: Error) => void;
  readonly #connected = new Promise<void>((resolve, reject) => {
    this.enter = resolve;
    this.fail = reject;
  });

  constructor(readonly handlers: LineHandlers) {
    const room = {
      remoteParticipants: new Map(),
      localParticipant: {
        createTracks: () => Promise.resolve([]),
        createScreenTracks: () => Promise.resolve([]),
        setMicrophoneEnabled: vi.fn(() => Promise.resolve()),
        setCameraEnabled: vi.fn(() => Promise.reject(new DOMException('', 'NotFoundError'))),
      },
      on: () => room,
    };
    this.room = room as unknown as Room;
  }

  connect = () => this.#connected;
  close = () => {
    this.closed = true;
    return Promise.resolve();
  };
}

let lines: TestLine[];
const joinAppointment = vi.fn<Client['joinAppointment']>();
const askAppointment = vi.fn<() => Promise<Appointment>>();

function makeEngine(canEncrypt = true): CallEngine {
  return new CallEngine({
    client: { joinAppointment, appointment: askAppointment },
    appointmentId: ID,
    as: 'patient',
    openLine: (_, handlers) => {
      const line = new TestLine(handlers);
      lines.push(line);
      return line;
    },
    canEncrypt: () => canEncrypt,
    chance: () => 0,
  });
}

const settle = () => vi.advanceTimersByTimeAsync(0);

async function enter(engine: CallEngine): Promise<TestLine> {
  engine.start();
  engine.ready({ audio: true, video: true });
  await settle();
  return answer();
}

/** The newest line gets through. */
async function answer(): Promise<TestLine> {
  const line = lines.at(-1);
  if (!line) throw new Error('no line was opened');
  line.enter();
  await settle();
  return line;
}

beforeEach(() => {
  vi.useFakeTimers();
  sessionStorage.clear();
  lines = [];
  joinAppointment.mockReset().mockResolvedValue(ticket());
  askAppointment.mockReset().mockResolvedValue(appointment('CONFIRMED', 'ALLOWED'));
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the way in', () => {
  test('one ticket, one line; nothing of the ticket is kept where a page could read it', async () => {
    const engine = makeEngine();
    await enter(engine);
    expect(joinAppointment.mock.calls).toEqual([[ID, 'patient', { takeOver: false }]]);
    expect(lines).toHaveLength(1);
    expect(engine.snapshot).toMatchObject({
      phase: { at: 'inCall', link: 'connected' },
      closesAt: CLOSES,
    });
    expect(JSON.stringify({ ...engine.snapshot, room: null })).not.toContain('secret-token');
    expect(sessionStorage.length).toBe(1);
    expect(sessionStorage.getItem('televisit.call')).not.toContain('secret-token');
  });

  test('mounted, unmounted and mounted again it still makes one connection', async () => {
    const engine = makeEngine();
    engine.start();
    engine.stop();
    engine.start();
    engine.ready({ audio: true, video: true });
    await settle();
    await answer();
    expect(lines).toHaveLength(1);
    expect(lines[0]?.closed).toBe(false);
    engine.stop();
    await settle();
    expect(lines[0]?.closed).toBe(true);
  });

  test('a camera that is not there is a fault, and the call goes on', async () => {
    const engine = makeEngine();
    await enter(engine);
    expect(engine.snapshot.faults).toEqual({ microphone: undefined, camera: 'missing' });
    expect(engine.snapshot.phase.at).toBe('inCall');
  });

  test('in the call elsewhere: only the person moves it here', async () => {
    joinAppointment.mockRejectedValueOnce(problem('already-in-call'));
    const engine = makeEngine();
    engine.start();
    engine.ready({ audio: true, video: true });
    await settle();
    expect(engine.snapshot.phase.at).toBe('elsewhere');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(joinAppointment).toHaveBeenCalledTimes(1);
    engine.happen({ type: 'moveHere' });
    await settle();
    expect(joinAppointment.mock.lastCall).toEqual([ID, 'patient', { takeOver: true }]);
  });

  test('without video server it asks again after Retry-After, or as soon as it is told', async () => {
    const away = problem('media-unavailable', { retryAfterSeconds: 5 });
    joinAppointment.mockRejectedValueOnce(away).mockRejectedValueOnce(away);
    const engine = makeEngine();
    engine.start();
    engine.ready({ audio: true, video: true });
    await vi.advanceTimersByTimeAsync(4999);
    expect(joinAppointment).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(joinAppointment).toHaveBeenCalledTimes(2);
    engine.hear({ type: 'call.media_restored', appointmentId: 'another' });
    await settle();
    expect(joinAppointment).toHaveBeenCalledTimes(2);
    engine.hear({ type: 'call.media_restored', appointmentId: ID });
    await settle();
    await answer();
    expect(engine.snapshot.phase).toMatchObject({ at: 'inCall', link: 'connected' });
  });

  test('a browser that cannot encrypt does not enter an encrypted call', async () => {
    joinAppointment.mockResolvedValue(ticket({ encryptionKey: 'key' }));
    const engine = makeEngine(false);
    engine.start();
    engine.ready({ audio: true, video: true });
    await settle();
    expect(engine.snapshot.phase.at).toBe('unencryptable');
    expect(lines).toHaveLength(0);
  });

  test('whoever waits to be let in asks on, and goes in when told', async () => {
    joinAppointment.mockResolvedValue(ticket({ token: '' }));
    const engine = makeEngine();
    engine.start();
    engine.ready({ audio: true, video: true });
    await vi.advanceTimersByTimeAsync(41_000);
    expect(engine.snapshot.phase.at).toBe('admission');
    expect(joinAppointment).toHaveBeenCalledTimes(3);
    joinAppointment.mockResolvedValue(ticket());
    engine.hear({ type: 'call.admitted', appointmentId: ID });
    await settle();
    expect(engine.snapshot.phase.at).toBe('inCall');
  });
});

describe('in the call', () => {
  test('a lost connection comes back by a fresh ticket, later and later', async () => {
    const engine = makeEngine();
    const first = await enter(engine);
    joinAppointment.mockRejectedValueOnce(new Unreachable('away'));
    first.handlers.onDisconnected(undefined);
    expect(first.closed).toBe(true);
    expect(engine.snapshot).toMatchObject({ phase: { at: 'rejoining', attempt: 1 }, room: null });
    await vi.advanceTimersByTimeAsync(250);
    expect(joinAppointment.mock.lastCall).toEqual([ID, 'patient', { takeOver: true }]);
    expect(engine.snapshot.phase).toMatchObject({ at: 'rejoining', attempt: 2 });
    await vi.advanceTimersByTimeAsync(3000);
    await answer();
    expect(engine.snapshot.phase).toEqual({ at: 'inCall', link: 'connected', attempt: 0 });
    expect(lines).toHaveLength(2);
  });

  test('back at the network it tries at once', async () => {
    const engine = makeEngine();
    const first = await enter(engine);
    joinAppointment.mockRejectedValue(new Unreachable('away'));
    first.handlers.onDisconnected(undefined);
    await vi.advanceTimersByTimeAsync(60_000);
    const before = joinAppointment.mock.calls.length;
    joinAppointment.mockResolvedValue(ticket());
    engine.hurry();
    await settle();
    expect(joinAppointment).toHaveBeenCalledTimes(before + 1);
    expect(engine.snapshot.phase.at).toBe('inCall');
  });

  test('a line that cannot be opened is tried anew', async () => {
    const engine = makeEngine();
    engine.start();
    engine.ready({ audio: true, video: true });
    await settle();
    lines[0]?.fail(new LineError(undefined));
    await settle();
    expect(engine.snapshot.phase).toMatchObject({ at: 'rejoining', attempt: 1 });
  });

  test('another device takes the place: no fight', async () => {
    const engine = makeEngine();
    const line = await enter(engine);
    line.handlers.onDisconnected('DUPLICATE_IDENTITY');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(engine.snapshot.phase.at).toBe('moved');
    expect(joinAppointment).toHaveBeenCalledTimes(1);
    expect(recallCall(ID)).toBeNull();
  });

  test('a closed room: the clinic knows why, also when it answers late', async () => {
    const engine = makeEngine();
    const line = await enter(engine);
    askAppointment
      .mockRejectedValueOnce(new Unreachable('away'))
      .mockResolvedValueOnce(appointment('COMPLETED', 'OVER'));
    line.handlers.onDisconnected('ROOM_DELETED');
    await vi.advanceTimersByTimeAsync(1000);
    expect(engine.snapshot.phase).toEqual({ at: 'ended', why: 'completed' });
  });

  test('cancelled while waiting: told by a notice', async () => {
    const engine = makeEngine();
    const line = await enter(engine);
    askAppointment.mockResolvedValue(appointment('CANCELLED', 'OVER'));
    engine.hear({ type: 'appointment.cancelled', appointmentId: ID });
    await settle();
    expect(engine.snapshot.phase).toEqual({ at: 'ended', why: 'cancelled' });
    expect(line.closed).toBe(true);
  });

  test('an older line is silent for good', async () => {
    const engine = makeEngine();
    const first = await enter(engine);
    first.handlers.onDisconnected(undefined);
    await vi.advanceTimersByTimeAsync(250);
    await answer();
    first.handlers.onDisconnected('DUPLICATE_IDENTITY');
    await settle();
    expect(engine.snapshot.phase).toMatchObject({ at: 'inCall', link: 'connected' });
  });

  test('a page that was put to sleep comes back', async () => {
    const engine = makeEngine();
    const line = await enter(engine);
    line.handlers.onDisconnected('CLIENT_INITIATED');
    await settle();
    expect(engine.snapshot.phase).toMatchObject({ link: 'reconnecting' });
    await vi.advanceTimersByTimeAsync(3250);
    await answer();
    expect(engine.snapshot.phase).toMatchObject({ at: 'inCall', link: 'connected' });
  });

  test('a reload returns with what was switched on; leaving ends that', async () => {
    const before = makeEngine();
    await enter(before);
    await before.media.setMicrophone(false);
    const after = makeEngine();
    after.start();
    await settle();
    await answer();
    expect(joinAppointment.mock.lastCall).toEqual([ID, 'patient', { takeOver: true }]);
    expect(after.snapshot.choice).toMatchObject({ audio: false });
    after.happen({ type: 'leave' });
    expect(recallCall(ID)).toBeNull();
    expect(lines.at(-1)?.closed).toBe(true);
  });

  test('what cannot be decrypted is said as long as it is so', async () => {
    const engine = makeEngine();
    const line = await enter(engine);
    line.handlers.onUndecryptable();
    expect(engine.snapshot.isUndecryptable).toBe(true);
    await vi.advanceTimersByTimeAsync(4000);
    line.handlers.onUndecryptable();
    await vi.advanceTimersByTimeAsync(4000);
    expect(engine.snapshot.isUndecryptable).toBe(true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(engine.snapshot.isUndecryptable).toBe(false);
  });
});
