// The icons of the app as PNG, for the phones that take no SVG. They are drawn here, at build, from
// the same shapes as public/icon.svg: no picture is committed, no tool is needed.

import { crc32, deflateSync } from 'node:zlib';

import type { Plugin } from 'vite';

/** On the 64 x 64 of icon.svg. */
const FIELD = 64;
const FROM = [0x6a, 0x3d, 0xf5] as const;
const TO = [0x9b, 0x2f, 0xd6] as const;

/** So many points each way are looked at for one pixel: smooth edges. */
const FINE = 4;

function inRounded(x: number, y: number, box: readonly number[], radius: number): boolean {
  const [left = 0, top = 0, right = 0, bottom = 0] = box;
  if (x < left || x > right || y < top || y > bottom) return false;
  const dx = Math.max(left + radius - x, x - (right - radius), 0);
  const dy = Math.max(top + radius - y, y - (bottom - radius), 0);
  return dx * dx + dy * dy <= radius * radius;
}

/** The camera: its body, and the lens, which is higher the farther it is from the body. */
function inCamera(x: number, y: number): boolean {
  if (inRounded(x, y, [12, 20, 39, 44], 6)) return true;
  if (x < 42 || x > 52) return false;
  const half = 2 + ((x - 42) / 10) * 7;
  return Math.abs(y - 32) <= half;
}

type Pixel = readonly [red: number, green: number, blue: number, alpha: number];

/** `maskable`: the system cuts its own shape out, so the ground goes to the edge. */
function pixelAt(x: number, y: number, maskable: boolean): Pixel {
  if (!maskable && !inRounded(x, y, [0, 0, FIELD, FIELD], 14)) return [0, 0, 0, 0];
  // The safe zone of a maskable icon is its inner 80 %.
  const scale = maskable ? 0.8 : 1;
  const centre = FIELD / 2;
  if (inCamera(centre + (x - centre) / scale, centre + (y - centre) / scale))
    return [255, 255, 255, 255];
  const way = (x + y) / (2 * FIELD);
  const mix = (i: 0 | 1 | 2) => FROM[i] + (TO[i] - FROM[i]) * way;
  return [mix(0), mix(1), mix(2), 255];
}

/** Rows of RGBA, each after the byte that says "not filtered". */
function draw(size: number, maskable: boolean): Buffer {
  const rows = Buffer.alloc(size * (1 + size * 4));
  const step = FIELD / (size * FINE);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const sum = [0, 0, 0, 0];
      for (let point = 0; point < FINE * FINE; point++) {
        const x = (column * FINE + (point % FINE) + 0.5) * step;
        const y = (row * FINE + Math.floor(point / FINE) + 0.5) * step;
        const [red, green, blue, alpha] = pixelAt(x, y, maskable);
        [red, green, blue].forEach((part, i) => (sum[i] = (sum[i] ?? 0) + (part * alpha) / 255));
        sum[3] = (sum[3] ?? 0) + alpha;
      }
      const [red = 0, green = 0, blue = 0, alpha = 0] = sum;
      const opaque = alpha / 255 || 1;
      const at = row * (1 + size * 4) + 1 + column * 4;
      rows.set([red / opaque, green / opaque, blue / opaque, alpha / (FINE * FINE)], at);
    }
  }
  return rows;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** The picture as a PNG file: 8 bits a channel, with alpha. */
export function png(size: number, maskable: boolean): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head.set([8, 6, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(draw(size, maskable), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const FILES = [
  { fileName: 'icon-180.png', size: 180, maskable: true },
  { fileName: 'icon-192.png', size: 192, maskable: false },
  { fileName: 'icon-512.png', size: 512, maskable: false },
  { fileName: 'icon-maskable.png', size: 512, maskable: true },
];

export function icons(): Plugin {
  return {
    name: 'televisit-icons',
    apply: 'build',
    generateBundle() {
      for (const { fileName, size, maskable } of FILES)
        this.emitFile({ type: 'asset', fileName, source: png(size, maskable) });
    },
  };
}
