// SPDX-License-Identifier: Apache-2.0
// Idle connections: many of them, what they cost, and that they work on after they gave their memory back.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';

import { RawClient, keyLine } from './lib/client.mjs';
import { Postern, SANITIZED } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { openDescriptors, sleep } from './lib/util.mjs';

const limit = { timeout: 170000 };
const RESTED = 3500; // time itself: connections give back their memory after 2 s
let upstream;
let postern;
let key;

before(async () => {
  upstream = await Upstream.start(async (x) => {
    const { length } = await x.body();
    const size = Number(/size=(\d+)/.exec(x.target)?.[1] ?? 0);
    if (size > 0) await x.answer(200, Buffer.alloc(size, 'x'));
    else await x.json({ length });
  });
  postern = await Postern.start({ upstream: upstream.url, workers: 2, max_connections: 20000, client_head_timeout: '30s', client_idle_timeout: '10m' });
  key = await postern.createKey('idle');
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

const pss = () => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${postern.pid}/smaps_rollup`, 'utf8'))[1]);
const head = (line) => `${line} HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}`;

async function ask(client, path = '/x') {
  await client.write(`${head(`GET ${path}`)}\r\n`);
  return client.response({ ms: 20000 });
}

describe('idle connections', limit, () => {
  test('thousands at once: one descriptor and a few kilobytes each, and all of them answer later', limit, async (t) => {
    const count = SANITIZED ? 500 : 10000;
    const clients = [await RawClient.connect(postern.port)];
    let session;
    clients[0].socket.once('session', (ticket) => { session = ticket; });
    assert.equal((await ask(clients[0])).status, 200);
    await sleep(RESTED);
    const before = pss();
    const descriptors = openDescriptors(postern.pid);
    while (clients.length < count) {
      const more = await Promise.all(Array.from({ length: Math.min(50, count - clients.length) }, async () => {
        const client = await RawClient.connect(postern.port, { session, timeoutMs: 60000 });
        assert.equal((await ask(client)).status, 200);
        return client;
      }));
      clients.push(...more);
    }
    await sleep(RESTED);
    const each = (pss() - before) / (count - 1);
    t.diagnostic(`${each.toFixed(1)} KiB a connection`);
    assert.ok(openDescriptors(postern.pid) - descriptors <= count + 600, 'one descriptor a connection, and the pool to the container');
    if (!SANITIZED) assert.ok(each < 20, `${each} KiB a connection`);
    for (let at = 0; at < count; at += Math.ceil(count / 200)) {
      const answer = await ask(clients[at]);
      assert.equal(answer.status, 200);
      assert.equal(JSON.parse(answer.text).length, 0);
    }
    for (const client of clients) client.destroy();
  });

  test('large requests and answers before and after a rest', limit, async () => {
    const client = await RawClient.connect(postern.port);
    const body = Buffer.alloc(300000, 'b');
    for (let round = 0; round < 3; round++) {
      await client.write(`${head('POST /up')}Content-Length: ${body.length}\r\n\r\n`);
      await client.write(body);
      assert.equal(JSON.parse((await client.response()).text).length, body.length);
      const answer = await ask(client, '/down?size=500000');
      assert.equal(answer.body.length, 500000);
      assert.ok(answer.body.every((byte) => byte === 0x78));
      await sleep(RESTED);
    }
    client.destroy();
  });

  test('a rest in the middle of a record loses nothing of it', limit, async () => {
    await Promise.all(['TLSv1.2', 'TLSv1.3'].map(async (version) => {
      // A wire that holds back what comes behind the first `pass` bytes of a write, until it is let go.
      const wire = net.connect({ host: '127.0.0.1', port: postern.port });
      await once(wire, 'connect');
      let pass = Infinity;
      let held = Buffer.alloc(0);
      const slow = new Duplex({
        read() {},
        write(data, _, done) {
          const now = data.subarray(0, Math.min(pass, data.length));
          held = Buffer.concat([held, data.subarray(now.length)]);
          wire.write(now, done);
        },
      });
      wire.on('data', (data) => slow.push(data));
      wire.on('end', () => slow.push(null));
      wire.on('error', () => {});
      const socket = tls.connect({ socket: slow, rejectUnauthorized: false, minVersion: version, maxVersion: version });
      await once(socket, 'secureConnect');
      const client = new RawClient(socket);
      assert.equal((await ask(client)).status, 200);
      for (const [bytes, padding] of [[1, 10], [5, 10], [40, 10], [9000, 12000]]) {
        pass = bytes;
        void client.write(`${head('GET /x')}X-Padding: ${'p'.repeat(padding)}\r\n\r\n`);
        await sleep(RESTED);
        pass = Infinity;
        wire.write(held);
        held = Buffer.alloc(0);
        assert.equal((await client.response()).status, 200, `${version}, ${bytes} bytes first`);
      }
      client.destroy();
      wire.destroy();
    }));
  });
});
