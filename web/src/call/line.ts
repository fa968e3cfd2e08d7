// The way to LiveKit for one ticket: one Room, one connection, ended for good by close(). A way back
// into the call is another line with another ticket, so nothing of an older one can come late.

import {
  ConnectionError,
  ConnectionErrorReason,
  DisconnectReason,
  ExternalE2EEKeyProvider,
  isE2EESupported,
  LogLevel,
  Room,
  RoomEvent,
  setLogLevel,
} from 'livekit-client';

import type { JoinAnswer } from '../api';
import type { LeaveReason } from './disconnect';

/** What is needed of the clinic's answer to enter. It lives in memory only. */
export type Ticket = Pick<JoinAnswer, 'serverUrl' | 'token' | 'encryptionKey'>;

export interface LineHandlers {
  onReconnecting(): void;
  onReconnected(): void;
  /** Not by close(). */
  onDisconnected(reason: LeaveReason): void;
  /** Something that was received could not be decrypted. */
  onUndecryptable(): void;
}

export interface Line {
  readonly room: Room;
  /** Rejects with a LineError. */
  connect(): Promise<void>;
  /** Leaves, switches off camera and microphone, and is silent from then on. */
  close(): Promise<void>;
}

/** The room could not be entered; `reason` when LiveKit said one. */
export class LineError extends Error {
  override readonly name = 'LineError';
  constructor(readonly reason: LeaveReason) {
    super('The room could not be entered');
  }
}

// LiveKit's client writes errors to the console, and in those of a refused token stands the token.
setLogLevel(LogLevel.silent);

export function canEncrypt(): boolean {
  return isE2EESupported();
}

export function openLine(ticket: Ticket, handlers: LineHandlers): Line {
  const encryption = ticket.encryptionKey ? encryptionParts() : undefined;
  const room = new Room({
    adaptiveStream: true,
    dynacast: true,
    disconnectOnPageLeave: true,
    ...(encryption && { encryption }),
  });
  let isEntered = false;
  let isClosed = false;
  room
    .on(RoomEvent.SignalReconnecting, () => handlers.onReconnecting())
    .on(RoomEvent.Reconnecting, () => {
      // The client would begin anew in the same Room, with keys that are not always set up again:
      // one then sees nothing of the others. A new line has a worker and keys of its own.
      if (encryption && isEntered && !isClosed) handlers.onDisconnected(undefined);
      else handlers.onReconnecting();
    })
    .on(RoomEvent.Reconnected, () => handlers.onReconnected())
    .on(RoomEvent.EncryptionError, () => handlers.onUndecryptable())
    .on(RoomEvent.Disconnected, (reason) => {
      // Before it was entered, connect() tells what was wrong.
      if (isEntered && !isClosed) handlers.onDisconnected(nameOf(reason));
    });

  return {
    room,
    async connect() {
      try {
        if (encryption) {
          await encryption.keyProvider.setKey(ticket.encryptionKey);
          await room.setE2EEEnabled(true);
        }
        await room.connect(ticket.serverUrl, ticket.token);
        isEntered = true;
      } catch (error) {
        // Not passed on: its text may hold the token.
        throw new LineError(reasonOf(error));
      }
    },
    async close() {
      isClosed = true;
      await room.disconnect(true).catch(() => undefined);
      encryption?.worker.terminate();
    },
  };
}

function encryptionParts() {
  return {
    keyProvider: new ExternalE2EEKeyProvider(),
    worker: new Worker(new URL('livekit-client/e2ee-worker', import.meta.url), { type: 'module' }),
  };
}

function nameOf(reason: DisconnectReason | undefined): LeaveReason {
  return reason === undefined ? undefined : (DisconnectReason[reason] as LeaveReason);
}

function reasonOf(error: unknown): LeaveReason {
  if (error instanceof ConnectionError && error.reason === ConnectionErrorReason.LeaveRequest)
    return nameOf(error.context as DisconnectReason | undefined);
  return undefined;
}
