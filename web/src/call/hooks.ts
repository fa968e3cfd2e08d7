// What a call needs of the browser while it is on.

import { ConnectionQuality, type Room, RoomEvent } from 'livekit-client';
import { useEffect, useEffectEvent, useState, useSyncExternalStore } from 'react';

/** Keeps the screen lit, also after the page was out of sight for a while. */
export function useWakeLock(isWanted: boolean): void {
  useEffect(() => {
    // The type says that it is always there; older browsers say otherwise.
    const wakeLock = navigator.wakeLock as WakeLock | undefined;
    if (!isWanted || !wakeLock) return;
    let isOver = false;
    let held: WakeLockSentinel | undefined;
    const take = async () => {
      if (document.visibilityState !== 'visible') return;
      // A battery that is nearly empty refuses; the call goes on.
      const lock = await wakeLock.request('screen').catch(() => undefined);
      if (isOver) await lock?.release();
      else held = lock;
    };
    const again = () => void take();
    again();
    document.addEventListener('visibilitychange', again);
    return () => {
      isOver = true;
      document.removeEventListener('visibilitychange', again);
      void held?.release();
    };
  }, [isWanted]);
}

const fullscreenChanges = (changed: () => void) => {
  document.addEventListener('fullscreenchange', changed);
  return () => document.removeEventListener('fullscreenchange', changed);
};

/** The whole page, so that dialogs above the call are seen as well. */
export function useFullscreen(): { can: boolean; isOn: boolean; toggle: () => void } {
  const isOn = useSyncExternalStore(fullscreenChanges, () => document.fullscreenElement !== null);
  useEffect(
    () => () => {
      if (document.fullscreenElement) void document.exitFullscreen().catch(() => undefined);
    },
    [],
  );
  return {
    can: document.fullscreenEnabled,
    isOn,
    toggle: () => {
      const change = isOn
        ? document.exitFullscreen()
        : document.documentElement.requestFullscreen();
      // Refused by a rule of the browser or the device: nothing is lost.
      change.catch(() => undefined);
    },
  };
}

const TYPING = 'input:not([type="radio"], [type="checkbox"], [type="range"]), textarea, select';

/** Whether keys go into a text just now. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || !!target.closest(TYPING));
}

/** Single keys that do something, unless somebody writes or a key of the browser is meant. */
export function useKeys(keys: Readonly<Record<string, () => void>>, isOn: boolean): void {
  const press = useEffectEvent((event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const act = keys[event.key.toLowerCase()];
    if (!act || isTyping(event.target)) return;
    event.preventDefault();
    act();
  });
  useEffect(() => {
    if (!isOn) return;
    const listen = (event: KeyboardEvent) => press(event);
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [isOn]);
}

/** How many others are in the room. */
export function useOthers(room: Room | null): number {
  return useSyncExternalStore(
    (changed) => {
      if (!room) return () => undefined;
      room
        .on(RoomEvent.ParticipantConnected, changed)
        .on(RoomEvent.ParticipantDisconnected, changed)
        .on(RoomEvent.ConnectionStateChanged, changed);
      return () => {
        room
          .off(RoomEvent.ParticipantConnected, changed)
          .off(RoomEvent.ParticipantDisconnected, changed)
          .off(RoomEvent.ConnectionStateChanged, changed);
      };
    },
    () => room?.remoteParticipants.size ?? 0,
  );
}

const POOR = [ConnectionQuality.Poor, ConnectionQuality.Lost];
const POOR_FOR_MS = 10_000;

/** Whether the own network has been poor for so long that pictures should be given up. */
export function usePoorNetwork(room: Room | null): boolean {
  const [isPoor, setIsPoor] = useState(false);
  useEffect(() => {
    if (!room) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      const poor = POOR.includes(room.localParticipant.connectionQuality);
      if (poor) timer ??= setTimeout(() => setIsPoor(true), POOR_FOR_MS);
      else {
        clearTimeout(timer);
        timer = undefined;
        setIsPoor(false);
      }
    };
    room.on(RoomEvent.ConnectionQualityChanged, look);
    return () => {
      clearTimeout(timer);
      room.off(RoomEvent.ConnectionQualityChanged, look);
    };
  }, [room]);
  return isPoor;
}
