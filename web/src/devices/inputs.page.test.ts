import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { type DeviceChoice, EVERYTHING_ON } from './choice';
import { createInputs, type Inputs } from './inputs';
import { LAPTOP, MediaDouble } from './media-double';

// Far more than it takes, for a machine that is busy with other things.
const PATIENCE = { timeout: 10_000 };

let media: MediaDouble;
let close: (() => void) | undefined;

beforeEach(() => {
  media = new MediaDouble().install();
});

afterEach(() => {
  close?.();
  close = undefined;
  vi.unstubAllGlobals();
});

function open(choice: DeviceChoice = EVERYTHING_ON): Inputs {
  const inputs = createInputs(choice);
  close = inputs.open();
  return inputs;
}

/** Waits until both are as named: a status, or the fault of what failed. */
async function become(inputs: Inputs, audio: string, video: string) {
  await vi.waitFor(() => {
    const { audio: a, video: v } = inputs.snapshot();
    const words = [a, v].map((one) => (one.status === 'failed' ? one.fault : one.status));
    expect(words).toEqual([audio, video]);
  }, PATIENCE);
}

function hide(hidden: boolean) {
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(hidden);
  document.dispatchEvent(new Event('visibilitychange'));
}

describe('permission', () => {
  test('what is allowed starts by itself, in one go', async () => {
    await become(open(), 'on', 'on');
    expect(media.asked).toHaveLength(1);
    expect(media.live).toEqual(['audio', 'video']);
  });

  test('the browser asks only after the person pressed', async () => {
    media.permission = { audio: 'prompt', video: 'prompt' };
    const inputs = open();
    await become(inputs, 'unasked', 'unasked');
    expect(media.asked).toHaveLength(0);
    inputs.ask();
    await become(inputs, 'on', 'on');
    expect(media.asked).toHaveLength(1);
  });

  test('a no is a no for both, and is not asked about twice', async () => {
    media.permission = { audio: 'prompt', video: 'prompt' };
    media.answer = 'denied';
    const inputs = open();
    await become(inputs, 'unasked', 'unasked');
    inputs.ask();
    await become(inputs, 'denied', 'denied');
    expect(media.asked).toHaveLength(1);
  });

  test('a camera that is refused does not take the microphone with it', async () => {
    media.permission = { audio: 'granted', video: 'denied' };
    await become(open(), 'on', 'denied');
  });

  test('starts when the permission comes, stops when it goes', async () => {
    media.permission = { audio: 'denied', video: 'denied' };
    const inputs = open();
    await become(inputs, 'denied', 'denied');
    media.permit('granted');
    await become(inputs, 'on', 'on');
    media.permit('denied');
    await become(inputs, 'denied', 'denied');
    expect(media.live).toEqual([]);
  });

  test('a page that may not ask says why', async () => {
    vi.stubGlobal('isSecureContext', false);
    await become(open(), 'insecure', 'insecure');
  });
});

describe('faults', () => {
  test('no camera: the microphone works', async () => {
    media.devices = LAPTOP.filter(({ kind }) => kind !== 'videoinput');
    await become(open(), 'on', 'missing');
  });

  test('a camera that is plugged in later starts', async () => {
    media.devices = LAPTOP.filter(({ kind }) => kind !== 'videoinput');
    const inputs = open();
    await become(inputs, 'on', 'missing');
    media.change(LAPTOP);
    await become(inputs, 'on', 'on');
  });

  test('a busy camera: the microphone works, and trying again helps', async () => {
    media.broken = { video: new DOMException('', 'NotReadableError') };
    const inputs = open();
    await become(inputs, 'on', 'busy');
    media.broken = {};
    inputs.ask();
    await become(inputs, 'on', 'on');
    expect(media.live).toEqual(['audio', 'video']);
  });
});

describe('devices', () => {
  test('a remembered one that is not there is replaced, and that is told', async () => {
    const inputs = open({ ...EVERYTHING_ON, audioInputId: 'gone' });
    await become(inputs, 'on', 'on');
    expect(inputs.snapshot().choice.audioInputId).toBeUndefined();
    expect(inputs.snapshot().replaced).toEqual(['audioinput']);
  });

  test('one that is unplugged is replaced, and that is told', async () => {
    const inputs = open({ ...EVERYTHING_ON, audioInputId: 'headset' });
    await become(inputs, 'on', 'on');
    media.change(LAPTOP.filter(({ deviceId }) => deviceId !== 'headset'));
    await vi.waitFor(() => expect(inputs.snapshot().replaced).toEqual(['audioinput']), PATIENCE);
    await become(inputs, 'on', 'on');
    expect(media.tracks.at(-1)?.deviceId).toBe('mic');
    expect(media.live).toEqual(['video', 'audio']);
  });

  test('the browser’s own that ends comes back from the next one', async () => {
    const inputs = open();
    await become(inputs, 'on', 'on');
    media.tracks[0]?.stop();
    media.tracks[0]?.dispatchEvent(new Event('ended'));
    await vi.waitFor(() => expect(media.live).toEqual(['video', 'audio']), PATIENCE);
  });

  test('another one takes the place of the first', async () => {
    const inputs = open();
    await become(inputs, 'on', 'on');
    inputs.choose({ audioInputId: 'headset' });
    await vi.waitFor(() => expect(media.tracks.at(-1)?.deviceId).toBe('headset'), PATIENCE);
    await become(inputs, 'on', 'on');
    expect(media.live).toHaveLength(2);
  });

  test('the chosen loudspeaker that goes is forgotten, and that is told', async () => {
    const outputs = [...LAPTOP, { kind: 'audiooutput' as const, deviceId: 'out' }];
    media.devices = outputs;
    const inputs = open({ ...EVERYTHING_ON, audioOutputId: 'out' });
    await become(inputs, 'on', 'on');
    media.change(LAPTOP);
    await vi.waitFor(() => expect(inputs.snapshot().replaced).toEqual(['audiooutput']), PATIENCE);
    expect(inputs.snapshot().choice.audioOutputId).toBeUndefined();
  });
});

describe('no light stays on', () => {
  test('off is off at once', async () => {
    const inputs = open();
    await become(inputs, 'on', 'on');
    inputs.choose({ video: false });
    expect(media.live).toEqual(['audio']);
    await become(inputs, 'on', 'off');
  });

  test('when it closes', async () => {
    await become(open(), 'on', 'on');
    close?.();
    expect(media.live).toEqual([]);
  });

  test('when the answer comes after it closed', async () => {
    let answer: () => void = () => undefined;
    media.gate = new Promise((resolve) => (answer = resolve));
    open();
    await vi.waitFor(() => expect(media.asked).toHaveLength(1), PATIENCE);
    close?.();
    answer();
    await vi.waitFor(() => expect(media.tracks).toHaveLength(2), PATIENCE);
    expect(media.live).toEqual([]);
  });

  test('when the page is hidden; back when it is seen', async () => {
    const inputs = open();
    await become(inputs, 'on', 'on');
    hide(true);
    expect(media.live).toEqual([]);
    hide(false);
    await become(inputs, 'on', 'on');
  });

  test('while the call has them; back when it gives up', async () => {
    const inputs = open();
    await become(inputs, 'on', 'on');
    inputs.hold();
    expect(media.live).toEqual([]);
    hide(true);
    hide(false);
    media.change(LAPTOP);
    expect(media.asked).toHaveLength(1);
    inputs.release();
    await become(inputs, 'on', 'on');
  });
});
