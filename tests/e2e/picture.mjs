// @ts-check
// A camera whose picture is known: the left half of one colour, the right half of another, so that
// what the other side shows can be told from any other picture by its pixels.

import { writeFile } from 'node:fs/promises';

const WIDTH = 320;
const HEIGHT = 240;
const FRAMES = 8;

/** BT.601, studio range, as Chromium reads a .y4m: [Y, U, V]. */
const COLOURS = /** @type {const} */ ({
  red: [81, 90, 240],
  green: [145, 54, 34],
  blue: [41, 240, 110],
  yellow: [210, 16, 146],
});
/** @typedef {keyof typeof COLOURS} Colour */

/**
 * Which of the colours a pixel is; null: none of them.
 * @param {number[]} rgb
 * @returns {Colour | null}
 */
export function colourOf([r, g, b]) {
  const high = (/** @type {number} */ v) => v > 140;
  const low = (/** @type {number} */ v) => v < 110;
  if (high(r) && high(g) && low(b)) return 'yellow';
  if (high(r) && low(g) && low(b)) return 'red';
  if (low(r) && high(g) && low(b)) return 'green';
  if (low(r) && low(g) && high(b)) return 'blue';
  return null;
}

/** @param {Colour} left @param {Colour} right @param {number} index */
function plane(left, right, index, width = WIDTH, height = HEIGHT) {
  const row = Buffer.alloc(width, COLOURS[right][index]);
  row.fill(COLOURS[left][index], 0, width / 2);
  return Buffer.concat(Array.from({ length: height }, () => row));
}

/**
 * Writes the camera as a file for --use-file-for-fake-video-capture.
 * @param {string} file
 * @param {Colour} left
 * @param {Colour} right
 */
export async function writeCamera(file, left, right) {
  const frame = Buffer.concat([
    Buffer.from('FRAME\n'),
    plane(left, right, 0),
    plane(left, right, 1, WIDTH / 2, HEIGHT / 2),
    plane(left, right, 2, WIDTH / 2, HEIGHT / 2),
  ]);
  const head = Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420\n`);
  await writeFile(file, Buffer.concat([head, ...Array.from({ length: FRAMES }, () => frame)]));
}
