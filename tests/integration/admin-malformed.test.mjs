// SPDX-License-Identifier: Apache-2.0
// Requests to the admin side that are no HTTP, or none that it takes: over HTTPS and over a Unix socket each gets JSON
// in the shape of every error, with the fields that protect browsers, and the end of the connection.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import Ajv2020 from 'ajv/dist/2020.js';

import { caller, document } from './lib/admin.mjs';
import { RawClient } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { eventually, freePort, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 120000 };
const socketPath = path.join(temporaryDirectory('s'), 'admin.sock');
const isError = (() => {
  const ajv = new Ajv2020.default({ strict: false });
  ajv.addSchema({ ...document, $id: 'api' });
  return ajv.compile({ $ref: 'api#/components/schemas/Error' });
})();
let postern;
let port;
let token;

before(async () => {
  port = await freePort();
  postern = await Postern.start({ admin_listen: `127.0.0.1:${port}, unix:${socketPath}` });
  token = await eventually(20000, 'the first token', () => readFileSync(path.join(postern.settings.data_dir, 'admin.token'), 'utf8').trim());
  await eventually(20000, 'the admin side', () => caller({ socketPath })('GET', '/admin/v1/status'));
}, limit);

after(() => postern?.stop(), limit);

const ways = {
  'over HTTPS': () => RawClient.connect(port),
  'over a Unix socket': async () => new RawClient(net.connect(socketPath)),
};

async function send(way, bytes, { method, half } = {}) {
  const client = await ways[way]();
  try {
    await client.write(bytes);
    if (half) client.socket.end();
    const answer = await client.response({ method });
    return { ...answer, closed: await client.closes() };
  } finally {
    client.destroy();
  }
}

function assertOurs(answer, what) {
  assert.equal(answer.get('content-type'), 'application/json; charset=utf-8', what);
  const body = JSON.parse(answer.text);
  assert.ok(isError(body), `${what}: ${answer.text}`);
  assert.equal(body.error.request_id, answer.get('x-request-id'), what);
  assert.equal(answer.get('x-content-type-options'), 'nosniff', what);
  assert.equal(answer.get('cache-control'), 'no-store', what);
  assert.equal(answer.get('content-security-policy'), "default-src 'none'; frame-ancestors 'none'", what);
  assert.equal(answer.get('referrer-policy'), 'no-referrer', what);
  assert.equal(answer.get('cross-origin-resource-policy'), 'same-origin', what);
  assert.ok(!/microhttpd|<html>/i.test(answer.raw + answer.text), what);
}

const authorized = (line, ...fields) => [line, 'Host: localhost', `Authorization: Bearer ${token}`, ...fields, '', ''].join('\r\n');
const cases = () => [
  ['a line without a colon', 'GET /admin/v1/keys HTTP/1.1\r\nHost: localhost\r\nbad line\r\n\r\n', 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['an empty name', 'GET / HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n', 400],
  ['a blank before the colon', 'GET / HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n', 400],
  ['a folded field', 'GET / HTTP/1.1\r\nHost: localhost\r\nX: y\r\n z\r\n\r\n', 400],
  ['a NUL', 'GET / HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n', 400],
  ['HTTP/3.0', 'GET / HTTP/3.0\r\nHost: localhost\r\n\r\n', 505],
  ['a target of 40 KB', authorized(`GET /admin/v1/keys?text=${'a'.repeat(40000)} HTTP/1.1`), 414],
  ['a field of 40 KB', authorized('GET /admin/v1/keys HTTP/1.1', `X: ${'a'.repeat(40000)}`), 431],
  ['an unknown transfer coding', 'POST /admin/v1/keys HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n', [400, 501]],
  ['a length beside chunks', authorized('POST /admin/v1/keys HTTP/1.1', 'Content-Length: 3', 'Transfer-Encoding: chunked') + '0\r\n\r\n', 400],
  ['a length that is no number', authorized('POST /admin/v1/keys HTTP/1.1', 'Content-Length: 3x') + 'abc', 400],
  ['a length without bound', authorized('POST /admin/v1/keys HTTP/1.1', `Content-Length: ${'9'.repeat(30)}`), 413],
  ['a chunk size that is no number', authorized('POST /admin/v1/keys HTTP/1.1', 'Content-Type: application/json', 'Transfer-Encoding: chunked') + 'zz\r\n', 400],
  ['a chunk longer than it says', authorized('POST /admin/v1/keys HTTP/1.1', 'Content-Type: application/json', 'Transfer-Encoding: chunked') + '1\r\nabc\r\n0\r\n\r\n', 400],
  ['no HTTP at all', '\u0001\u0002\u0003\r\n\r\n', 400],
  ['one word', 'HELLO\r\n\r\n', 400],
];

for (const way of Object.keys(ways)) {
  describe(`what libmicrohttpd refuses, ${way}`, limit, () => {
    test('each kind', limit, async () => {
      for (const [name, bytes, status] of cases()) {
        const answer = await send(way, bytes);
        const what = `${name}: ${answer.status} ${answer.text.slice(0, 200)}`;
        assert.ok([status].flat().includes(answer.status), what);
        assertOurs(answer, what);
        assert.ok(answer.closed, what);
      }
    });

    test('in the middle of a connection, and for HEAD without a body', limit, async () => {
      const client = await ways[way]();
      await client.write(authorized('GET /admin/v1/status HTTP/1.1'));
      assert.equal((await client.response()).status, 200);
      await client.write(authorized('GET /admin/v1/status HTTP/1.1', 'bad line'));
      const refused = await client.response();
      assert.equal(refused.status, 400);
      assertOurs(refused, 'the second');
      assert.ok(await client.closes());
      client.destroy();
      const head = await send(way, authorized('HEAD /admin/v1/status HTTP/1.1'), { method: 'HEAD', half: true });
      assert.equal(head.status, 200);
    });

    // Bytes changed, left out and put in at random places; the same ones in each run.
    test('mutations of a request', limit, async () => {
      let seed = 20261129;
      const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
      const original = Buffer.from(authorized('POST /admin/v1/keys/import HTTP/1.1', 'Content-Type: application/json', 'Content-Length: 2') + '{}', 'latin1');
      const statuses = new Map();
      for (let i = 0; i < 250; i++) {
        let bytes = Buffer.from(original);
        for (let k = random(3); k >= 0; k--) {
          const at = random(bytes.length);
          const byte = Buffer.from([[0, 9, 10, 13, 32, 58, 127, 255][random(8)]]);
          bytes = Buffer.concat([bytes.subarray(0, at), random(2) ? byte : Buffer.alloc(0), bytes.subarray(at + random(2))]);
        }
        // The client is done sending: what is incomplete is known to be.
        const answer = await send(way, bytes, { half: true }).catch(() => null);
        if (answer === null) continue; // it left before its request was whole
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status >= 400) assertOurs(answer, JSON.stringify(bytes.toString('latin1')));
      }
      assert.ok((statuses.get(400) ?? 0) > 50, JSON.stringify([...statuses]));
    });
  });
}
