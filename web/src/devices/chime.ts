// A short, soft chime: two notes, made here, so that nothing has to be fetched.

const NOTES = [
  { hertz: 659.25, at: 0 },
  { hertz: 880, at: 0.3 },
];
const NOTE_SECONDS = 0.9;
const LOUDNESS = 0.35;
const TIMEOUT_MS = 5000;

/** Plays it through that loudspeaker, or the browser's own; resolves when it has sounded. */
export async function playChime(outputId: string | undefined): Promise<void> {
  const context = new AudioContext();
  try {
    await context.resume();
    const target = outputId === undefined ? context.destination : await outlet(context, outputId);
    const notes = NOTES.map((note) => ring(context, target, note));
    await within(TIMEOUT_MS, Promise.all(notes));
  } finally {
    await context.close();
  }
}

function ring(
  context: AudioContext,
  target: AudioNode,
  { hertz, at }: { hertz: number; at: number },
): Promise<void> {
  const from = context.currentTime + at;
  const tone = new OscillatorNode(context, { frequency: hertz });
  const loudness = new GainNode(context, { gain: 0 });
  loudness.gain.setValueAtTime(0, from);
  loudness.gain.linearRampToValueAtTime(LOUDNESS, from + 0.02); // no click
  loudness.gain.exponentialRampToValueAtTime(0.001, from + NOTE_SECONDS);
  tone.connect(loudness).connect(target);
  tone.start(from);
  tone.stop(from + NOTE_SECONDS);
  return new Promise((resolve) => tone.addEventListener('ended', () => resolve(), { once: true }));
}

/** Elements know the way to a chosen loudspeaker in more browsers than contexts do. */
async function outlet(context: AudioContext, outputId: string): Promise<AudioNode> {
  const node = context.createMediaStreamDestination();
  const element = new Audio();
  element.srcObject = node.stream;
  await element.setSinkId(outputId);
  await element.play();
  return node;
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no sound in time')), ms);
    void work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
