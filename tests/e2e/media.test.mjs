// @ts-check
// The media half by itself: LiveKit as the stack runs it, tokens made here, two real browsers.
// Run by `make test-e2e`, or: node --test tests/e2e/

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { Participant, mediaFlows, servePage, stays } from '../../tools/demo/media.mjs';
import { TestStack } from '../../tools/demo/stack.mjs';

/** @type {TestStack} */ let stack;
/** @type {Awaited<ReturnType<typeof servePage>>} */ let page;
/** @type {any} */ let info;
let secret = '';

before(async () => {
  stack = await TestStack.start(['livekit']);
  info = await stack.info();
  secret = (await readFile(info.livekitSecretFile, 'utf8')).trim();
  page = await servePage();
});

after(async () => {
  await page?.close();
  await stack?.remove();
});

/** @param {object} claims */
function token(claims) {
  const now = Math.floor(Date.now() / 1000);
  const part = (/** @type {object} */ value) =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({
    iss: info.livekitKey, nbf: now - 5, exp: now + 600, ...claims })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** @param {string} room */
async function createRoom(room) {
  const url = info.livekitUrl.replace('ws:', 'http:');
  return fetch(`${url}/twirp/livekit.RoomService/CreateRoom`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Authorization: `Bearer ${token({ video: { roomCreate: true } })}`,
    },
    body: JSON.stringify({ name: room }),
  });
}

/** @param {string} room @param {string} identity */
const ticket = (room, identity) => ({
  serverUrl: info.livekitUrl,
  token: token({ sub: identity, video: { room, roomJoin: true } }),
});

for (const encryptionKey of ['', randomBytes(16).toString('hex')]) {
  const how = encryptionKey ? 'encrypted between them' : 'plain';
  test(`two browsers see and hear each other, ${how}`, { timeout: 90_000 }, async () => {
    const room = `room_${randomBytes(8).toString('hex')}`;
    assert.equal((await createRoom(room)).status, 200);
    const both = await Promise.all([Participant.open(page.url), Participant.open(page.url)]);
    try {
      await Promise.all(both.map((participant, index) =>
        participant.join({ ...ticket(room, `person-${index}`), encryptionKey })));
      for (const grown of await Promise.all(both.map((participant) => mediaFlows(participant)))) {
        assert.ok(grown.frames >= 15, `frames decoded: ${grown.frames}`);
        assert.ok(grown.energy > 0, `sound heard: ${grown.energy}`);
      }
    } finally {
      await Promise.all(both.map((participant) => participant.close()));
    }
  });
}

test('a browser tells when it was where, and why it was put out', { timeout: 90_000 }, async () => {
  const room = `room_${randomBytes(8).toString('hex')}`;
  assert.equal((await createRoom(room)).status, 200);
  const both = await Promise.all([Participant.open(page.url), Participant.open(page.url)]);
  const [older, newer] = both;
  try {
    const begin = Date.now();
    await older.join(ticket(room, 'person-0'));
    await newer.join(ticket(room, 'person-0'));
    await older.saw('disconnected', 10_000);
    const [stay, ...more] = stays(await older.diary());
    assert.deepEqual(more, []);
    assert.equal(stay.how, 'DUPLICATE_IDENTITY');
    assert.ok(begin <= stay.from && stay.from < /** @type {number} */ (stay.to), String(stay));
    await newer.leave();
    const [second] = stays(await newer.diary());
    assert.equal(second.how, 'CLIENT_INITIATED');
    assert.notEqual(second.sid, stay.sid);

    await older.join(ticket(room, 'person-1'));
    const killedAt = await older.kill();
    const last = stays(await older.diary())[1];
    assert.deepEqual([last.how, last.to], ['killed', killedAt]);
    const expired = { ...ticket(room, 'person-2'),
      token: token({ sub: 'person-2', exp: 1, video: { room, roomJoin: true } }) };
    const refusal = await newer.joinFails(expired);
    assert.equal(refusal?.status, 401);
    assert.ok(!refusal?.message.includes(expired.token.slice(0, 30)), refusal?.message);
  } finally {
    await Promise.all(both.map((participant) => participant.close()));
  }
});

test('nobody makes a room by joining it', { timeout: 60_000 }, async () => {
  const participant = await Participant.open(page.url);
  try {
    await assert.rejects(participant.join(ticket('room_nobody_made', 'person-0')),
      /does not exist/);
  } finally {
    await participant.close();
  }
});

test('another key than the service\'s makes no room', async () => {
  const real = secret;
  secret = randomBytes(32).toString('hex');
  try {
    assert.equal((await createRoom('room_forged')).status, 401);
  } finally {
    secret = real;
  }
});
