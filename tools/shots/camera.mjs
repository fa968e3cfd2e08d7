// @ts-check
// A fake camera that shows a drawn person before a wall, so that pictures of calls look like calls.

import { writeFile } from 'node:fs/promises';

import { launch } from '../demo/media.mjs';

const WIDTH = 640;
const HEIGHT = 480;
const FRAMES = 4;

/** @typedef {{ wall: string, coat: string, hair: string }} Look */

/** Runs in a page: the pixels of the drawing, RGBA. @param {Look & { w: number, h: number }} look */
function draw({ wall, coat, hair, w, h }) {
  const canvas = new OffscreenCanvas(w, h);
  const c = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const shape = (/** @type {string} */ colour, /** @type {() => void} */ path) => {
    c.fillStyle = colour;
    c.beginPath();
    path();
    c.fill();
  };
  const light = c.createLinearGradient(0, 0, w, h);
  light.addColorStop(0, '#ffffff');
  light.addColorStop(1, wall);
  c.fillStyle = light;
  c.fillRect(0, 0, w, h);
  const x = w / 2;
  shape(hair, () => c.ellipse(x, h * 0.4, w * 0.135, h * 0.235, 0, 0, 7));
  shape('#d3a283', () => c.roundRect(x - w * 0.045, h * 0.5, w * 0.09, h * 0.2, 20));
  shape('#e3b596', () => c.ellipse(x, h * 0.43, w * 0.105, h * 0.185, 0, 0, 7));
  shape(hair, () => c.ellipse(x, h * 0.29, w * 0.115, h * 0.09, 0, Math.PI, 0));
  shape(coat, () => c.roundRect(x - w * 0.26, h * 0.67, w * 0.52, h * 0.5, 90));
  shape('#3a2a24', () => c.ellipse(x - w * 0.04, h * 0.42, 6, 8, 0, 0, 7));
  shape('#3a2a24', () => c.ellipse(x + w * 0.04, h * 0.42, 6, 8, 0, 0, 7));
  shape('#a8584f', () => c.ellipse(x, h * 0.5, w * 0.032, h * 0.018, 0, 0, Math.PI));
  return [...c.getImageData(0, 0, w, h).data];
}

/** BT.601, studio range. @param {number[]} rgba */
function toYuv(rgba) {
  const size = WIDTH * HEIGHT;
  const out = Buffer.alloc(size + size / 2);
  const chroma = (WIDTH / 2) * (HEIGHT / 2);
  for (let i = 0; i < size; i += 1) {
    const [r, g, b] = [rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]];
    out[i] = 16 + 0.257 * r + 0.504 * g + 0.098 * b;
    const [px, py] = [i % WIDTH, Math.floor(i / WIDTH)];
    if (px % 2 || py % 2) continue;
    const at = size + (py / 2) * (WIDTH / 2) + px / 2;
    out[at] = 128 - 0.148 * r - 0.291 * g + 0.439 * b;
    out[at + chroma] = 128 + 0.439 * r - 0.368 * g - 0.071 * b;
  }
  return out;
}

/**
 * Writes the camera as a file for --use-file-for-fake-video-capture.
 * @param {string} file
 * @param {Look} look
 */
export async function drawCamera(file, look) {
  const browser = await launch([]);
  try {
    const page = await browser.newPage();
    const picture = toYuv(await page.evaluate(draw, { ...look, w: WIDTH, h: HEIGHT }));
    const frame = Buffer.concat([Buffer.from('FRAME\n'), picture]);
    const head = Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F15:1 Ip A1:1 C420\n`);
    await writeFile(file, Buffer.concat([head, ...Array.from({ length: FRAMES }, () => frame)]));
  } finally {
    await browser.close();
  }
}
