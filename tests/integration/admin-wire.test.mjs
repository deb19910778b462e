// SPDX-License-Identifier: Apache-2.0
// Requests to the admin side that can be read in two ways, that take their time, or that are too large: bytes by hand.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { caller, signIn } from './lib/admin.mjs';
import { RawClient } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort } from './lib/util.mjs';

const limit = { timeout: 60000 };
let upstream;
let postern;
let port;
let token;
let call;

before(async () => {
  upstream = await Upstream.start((x) => x.answer(200, 'ok'));
  port = await freePort();
  postern = await Postern.start({ upstream: upstream.url, admin_listen: `127.0.0.1:${port}` });
  token = await eventually(20000, 'the first token', () => readFileSync(path.join(postern.settings.data_dir, 'admin.token'), 'utf8').trim());
  call = caller({ port }, { authorization: `Bearer ${token}` });
  await eventually(20000, 'the admin side', () => call('GET', '/admin/v1/status'));
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

const make = async (name) => (await call('POST', '/admin/v1/keys', { body: { name } })).json;
const total = async () => (await call('GET', '/admin/v1/keys?limit=1')).json.total;

/** Sends the pieces, functions among them are waited for; the answer, parsed. */
async function send(...pieces) {
  const client = await RawClient.connect(port);
  try {
    for (const piece of pieces) await (typeof piece === 'function' ? piece() : client.write(piece));
    return await client.response();
  } finally {
    client.destroy();
  }
}

const head = (line, fields = [`Authorization: Bearer ${token}`]) => [line + ' HTTP/1.1', 'Host: localhost', 'Connection: close', ...fields, '', ''].join('\r\n');

test('an encoded NUL or slash in a path is no end and no separator', limit, async () => {
  const key = await make('not to be deleted');
  for (const [method, target] of [
    ['DELETE', `/admin/v1/keys/${key.id}%00/secrets/key1`], ['DELETE', `/admin/v1/keys/${key.id}%00`], ['DELETE', `/admin/v1/keys%2F${key.id}`], ['DELETE', `/admin/v1/keys%2f${key.id}`],
    ['DELETE', `/admin/v1/keys/${key.id}%2Fsecrets%2Fkey1`], ['GET', `/admin/v1/keys%00/x`], ['GET', '/%00'], ['GET', '/index.html%00.css'],
  ]) {
    const answer = await send(head(`${method} ${target}`));
    assert.equal(answer.status, 404, `${method} ${target}: ${answer.text}`);
  }
  const now = await call('GET', `/admin/v1/keys/${key.id}`);
  assert.equal(now.status, 200);
  assert.ok(now.json.secrets.key1 && now.json.secrets.key2);
  // In a query both are data, and a letter may be encoded anywhere.
  assert.equal((await call('GET', '/admin/v1/usage?route=%2Fa%2Fb')).status, 200);
  assert.equal((await call('GET', '/admin/v1/keys?text=%00')).status, 400);
  assert.equal((await send(head(`GET /admin/v1/%6Beys/${key.id}`))).status, 200);
});

test('an id that is no UTF-8 gets its 404', limit, async () => {
  for (const method of ['GET', 'DELETE']) {
    const answer = await send(head(`${method} /admin/v1/keys/%ff%fe`));
    assert.equal(answer.status, 404);
    assert.equal(JSON.parse(answer.text).error.code, 'NotFound');
  }
});

test('a target may name its host, if it is the one of Host', limit, async () => {
  for (const [target, status] of [
    ['https://localhost/admin/v1/status', 200], ['HTTPS://LOCALHOST/admin/v1/keys?limit=1', 200], ['http://localhost/admin/v1/status', 200], ['https://localhost', 200],
    ['https://elsewhere.example/admin/v1/status', 400], ['https://localhost:1/admin/v1/status', 400], ['https://localhost@elsewhere.example/admin/v1/status', 400],
    ['https:///admin/v1/status', 400], ['ftp://localhost/admin/v1/status', 404], ['https://localhost//admin/v1/status', 404],
  ]) assert.equal((await send(head(`GET ${target}`))).status, status, target);
});

test('a field that has one value, and is there twice, is refused', limit, async () => {
  const before = await total();
  const body = '{"name":"twice"}';
  const authorization = `Authorization: Bearer ${token}`;
  const whole = [authorization, 'Content-Type: application/json', `Content-Length: ${body.length}`];
  for (const more of [
    ['Authorization: Bearer pa_x'], ['authorization: Basic eA=='], ['Host: elsewhere.example'], [`Content-Length: 5`], [`content-length: ${body.length}`], ['Content-Type: text/plain'],
    ['Idempotency-Key: a', 'Idempotency-Key: b'], ['If-Match: *', 'If-Match: "1"'], ['Origin: https://localhost', 'Origin: https://elsewhere.example'],
    ['Sec-Fetch-Site: none', 'Sec-Fetch-Site: cross-site'], ['X-CSRF-Token: a', 'X-CSRF-Token: b'], ['Cookie: a=b', 'Cookie: c=d'],
  ]) {
    const answer = await send(head('POST /admin/v1/keys', [...whole, ...more]) + body);
    assert.equal(answer.status, 400, `${more}: ${answer.text}`);
    assert.match(JSON.parse(answer.text).error.message, /twice/);
  }
  assert.equal(await total(), before);
});

test('who is shown out while the body comes changes nothing any more', limit, async () => {
  const before = await total();
  const body = '{"name":"too late"}';
  const late = async (fields, meanwhile) => {
    const answer = await send(head('POST /admin/v1/keys', [...fields, 'Content-Type: application/json', `Content-Length: ${body.length}`]), body.slice(0, 5), meanwhile, body.slice(5));
    return [answer.status, JSON.parse(answer.text).error?.code];
  };
  const newToken = async () => (await call('POST', '/admin/v1/tokens', { body: { name: 'short-lived', role: 'admin' } })).json;
  const revoke = async (made) => assert.equal((await call('DELETE', `/admin/v1/tokens/${made.id}`)).status, 204);

  const bearer = await newToken();
  assert.deepEqual(await late([`Authorization: Bearer ${bearer.token}`], () => revoke(bearer)), [401, 'Unauthorized']);

  const behind = await newToken();
  const session = await signIn(caller({ port }), behind.token);
  assert.deepEqual(await late([`Cookie: ${session.cookie}`, `X-CSRF-Token: ${session.csrf}`], () => revoke(behind)), [401, 'Unauthorized']);

  // The session is ended, and another one has its place: it is not asked in its stead.
  const ended = await signIn(caller({ port }), token);
  const fields = [`Cookie: ${ended.cookie}`, `X-CSRF-Token: ${ended.csrf}`];
  assert.deepEqual(await late(fields, async () => {
    assert.equal((await call('DELETE', `/admin/v1/sessions/${ended.session.id}`)).status, 204);
    await signIn(caller({ port }), token);
  }), [401, 'Unauthorized']);
  assert.equal(await total(), before);
});

test('a body that is too large gets 413, whether its length is said before or not; one without end is cut off', limit, async () => {
  const fields = [`Authorization: Bearer ${token}`, 'Content-Type: application/json'];
  const piece = `1000\r\n${' '.repeat(4096)}\r\n`;
  assert.equal((await send(head('POST /admin/v1/keys', [...fields, 'Content-Length: 65537']))).status, 413);
  const chunked = head('POST /admin/v1/keys', [...fields, 'Transfer-Encoding: chunked']);
  assert.equal((await send(chunked, piece.repeat(20), '0\r\n\r\n')).status, 413);
  assert.equal((await send(chunked, piece.repeat(3), '11\r\n{"name":"padded"}\r\n', '0\r\n\r\n')).status, 201);
  // Of more than a MiB the rest is not read; the 413 may be lost to the reset.
  const cut = await send(chunked, piece.repeat(400)).catch((error) => ({ status: 413, error }));
  assert.equal(cut.status, 413);
  assert.equal((await call('GET', '/admin/v1/status')).status, 200);
});
