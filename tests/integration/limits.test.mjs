// SPDX-License-Identifier: Apache-2.0
// Time and size limits, set small, each with its own clear answer.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { RawClient, keyLine, request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { apart, eventually, openDescriptors, sleep } from './lib/util.mjs';

const limit = { timeout: 60000 };
let upstream;
let postern;
let key;

before(async () => {
  upstream = await Upstream.start(async (x) => {
    const { length } = await x.body();
    await x.json({ length });
  });
  postern = await Postern.start({
    upstream: upstream.url,
    client_head_timeout: '1s',
    client_idle_timeout: '2s',
    max_body_size: '100KiB',
    client_min_rate: '1KiB',
    client_send_timeout: '3s',
    client_min_rate_grace: '1s',
  });
  key = await postern.createKey('limits');
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

function assertError(answer, status) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.get('content-type'), /^application\/json/);
  const { error } = JSON.parse(answer.text);
  assert.equal(typeof error.code, 'string');
  assert.ok(error.message.length > 10);
}

const timed = async (promise) => {
  const start = Date.now();
  const value = await promise;
  return [value, Date.now() - start];
};

/** Writes a byte of `text` every `ms` until the peer closes. Returns a function that stops it. */
function drip(client, text, ms) {
  let at = 0;
  const timer = setInterval(() => {
    if (client.reader.closed || at >= text.length) clearInterval(timer);
    else client.write(text[at++]);
  }, ms);
  return () => clearInterval(timer);
}

describe('time', limit, () => {
  test('slowloris: a head in drips gets 408 or is closed at the limit', limit, async () => {
    const client = await RawClient.connect(postern.port);
    const stop = drip(client, `GET /x HTTP/1.1\r\nHost: h\r\nX-Long: ${'x'.repeat(2000)}`, 50);
    const [answer, took] = await timed(client.response({ ms: 8000 }).catch(() => null));
    stop();
    if (answer) assertError(answer, 408);
    assert.ok(await client.closes(2000));
    assert.ok(took > 700 && took < 4000, `${took} ms`);
    client.destroy();
  });
  test('a connection that says nothing is closed', limit, async () => {
    const client = await RawClient.connect(postern.port);
    const [closed, took] = await timed(client.closes(8000));
    assert.ok(closed && took < 5000, `${took} ms`);
    client.destroy();
  });
  test('an idle keep-alive connection is closed after its time, not before', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.get('/x', { key: key.key1 });
    await sleep(1300); // time itself: longer than the head's limit: that one runs from the first byte
    assert.equal(client.reader.closed, false);
    assert.equal((await client.get('/x', { key: key.key1 })).status, 200);
    const [closed, took] = await timed(client.closes(8000));
    assert.ok(closed && took > 1500 && took < 5000, `${took} ms`);
    client.destroy();
  });
  test('slow body: below the minimum rate, 408', limit, async () => {
    for (const framing of ['Content-Length: 50000', 'Transfer-Encoding: chunked']) {
      const client = await RawClient.connect(postern.port);
      await client.write(`POST /x HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}${framing}\r\n\r\n`);
      const body = framing.includes('chunked') ? '1\r\nx\r\n'.repeat(300) : 'x'.repeat(2000);
      const stop = drip(client, body, 30);
      const [answer, took] = await timed(client.response({ ms: 15000 }).catch(() => null));
      stop();
      if (answer) assertError(answer, 408);
      assert.ok(await client.closes(2000), framing);
      assert.ok(took > 500 && took < 10000, `${took} ms`);
      client.destroy();
    }
  });
  test('a body that stops altogether', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`POST /x HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Content-Length: 1000\r\n\r\nabc`);
    const [answer, took] = await timed(client.response({ ms: 15000 }).catch(() => null));
    if (answer) assertError(answer, 408);
    assert.ok(await client.closes(2000));
    assert.ok(took < 10000);
    client.destroy();
  });
  test('a body above the minimum rate, but long, is let through', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`POST /x HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Content-Length: 20000\r\n\r\n`);
    for (let i = 0; i < 20; i++) {
      await client.write('x'.repeat(1000));
      await sleep(200); // time itself: 5 KiB a second, for four seconds
    }
    const answer = await client.response();
    assert.deepEqual(JSON.parse(answer.text), { length: 20000 });
    client.destroy();
  });
  test('a client that thinks while the container works is not timed out', limit, async () => {
    const handler = upstream.handler;
    upstream.handler = async (x) => {
      await x.body();
      await sleep(3500); // time itself: longer than the head's and the idle limit
      await x.answer(200, 'at last');
    };
    const answer = await request(postern.port, '/long', { key: key.key1 });
    upstream.handler = handler;
    assert.equal(answer.text, 'at last');
  });
  test('a client that takes nothing of a large answer does not hold it for ever', limit, async () => {
    const handler = upstream.handler;
    let gone = false;
    upstream.handler = async (x) => {
      x.gone.then(() => (gone = true));
      await x.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 << 20}\r\n\r\n`);
      for (let i = 0; i < 1024; i++) if (!(await x.write(Buffer.alloc(65536)))) break;
    };
    const client = await RawClient.connect(postern.port);
    client.socket.pause();
    await client.write(`GET /big HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}\r\n`);
    await eventually(30000, 'the container to be let go', () => gone, 100);
    upstream.handler = handler;
    client.destroy();
  });
});

describe('size', limit, () => {
  test('a declared body over the limit: 413 at once, nothing forwarded', limit, async () => {
    const before = upstream.requests.length;
    const client = await RawClient.connect(postern.port);
    await client.write(`POST /x HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Content-Length: 102401\r\n\r\n`);
    assertError(await client.response(), 413);
    assert.ok(await client.closes(3000));
    assert.equal(upstream.requests.length, before);
    client.destroy();
  });
  test('with Expect: 100-continue: 413 instead of 100', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`POST /x HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Expect: 100-continue\r\nContent-Length: 102401\r\n\r\n`);
    const answer = await client.response();
    assertError(answer, 413);
    assert.deepEqual(answer.interim, []);
    client.destroy();
  });
  test('a chunked body over the limit: 413, and the container sees no whole body', limit, async () => {
    const handler = upstream.handler;
    let whole = false;
    upstream.handler = async (x) => {
      await x.body();
      whole = true;
    };
    const client = await RawClient.connect(postern.port);
    await client.write(`POST /x HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Transfer-Encoding: chunked\r\n\r\n`);
    const answering = client.response();
    for (let i = 0; i < 40 && !client.reader.closed; i++) {
      await client.write(`1000\r\n${'x'.repeat(4096)}\r\n`);
      await apart(2);
    }
    await client.write('0\r\n\r\n');
    assertError(await answering, 413);
    upstream.handler = handler;
    assert.equal(whole, false);
    client.destroy();
  });
  test('a body of exactly the limit passes', limit, async () => {
    const answer = await request(postern.port, '/x', { method: 'POST', key: key.key1, body: 'x'.repeat(102400) });
    assert.deepEqual(answer.json(), { length: 102400 });
  });
  test('a head of exactly max_head_size passes, one byte more is 431', limit, async () => {
    const small = await Postern.start({ upstream: upstream.url, max_head_size: '4KiB', max_target_size: '1KiB' });
    const { key1 } = await small.createKey('heads');
    const bare = `GET /x HTTP/1.1\r\nHost: h\r\n${keyLine(key1)}X-Long: \r\n\r\n`.length;
    for (const [size, status] of [[4096, 200], [4097, 431], [6000, 431], [20000, 431]]) {
      const client = await RawClient.connect(small.port);
      await client.write(`GET /x HTTP/1.1\r\nHost: h\r\n${keyLine(key1)}X-Long: ${'x'.repeat(size - bare)}\r\n\r\n`);
      assert.equal((await client.response()).status, status, `${size} bytes`);
      client.destroy();
    }
    await small.stop();
  });
  test('without a key a large body is 401, not read to its end', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write('POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n');
    assertError(await client.response(), 401);
    client.destroy();
  });
});

describe('count', limit, () => {
  test('connections are bounded; those over it are told 503 or closed; the bound lets go', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url, max_connections: 20 });
    t.after(() => gateway.stop());
    const made = await gateway.createKey();
    const idle = openDescriptors(gateway.pid);
    const clients = [];
    for (let i = 0; i < 20; i++) {
      clients.push(await RawClient.connect(gateway.port));
      assert.equal((await clients[i].get('/x', { key: made.key1 })).status, 200); // now it keeps its place
    }
    const more = await RawClient.connect(gateway.port, { timeoutMs: 2000 }).catch(() => null);
    if (more) {
      const answer = await more.get('/x', { key: made.key1, ms: 2000 }).catch(() => null);
      assert.ok(answer === null || answer.status === 503, `${answer?.status}`);
      more.destroy();
    }
    assert.ok(openDescriptors(gateway.pid) - idle <= 2 * 20 + 10);
    // Those inside are served.
    assert.equal((await clients[7].get('/x', { key: made.key1 })).status, 200);
    for (const client of clients) client.destroy();
    await eventually(5000, 'room', async () => (await request(gateway.port, '/x', { key: made.key1, ms: 1000 })).status === 200, 100);
  });
});
