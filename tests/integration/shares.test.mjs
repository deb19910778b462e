// SPDX-License-Identifier: Apache-2.0
// Nobody takes the gateway from the others: what one key, and all requests without one, may hold at a time.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { caller } from './lib/admin.mjs';
import { RawClient, keyLine, request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { deferred, eventually, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 120000 };
const CONNECTIONS = 8; // to the container, per worker
const KEY_SHARE = 6; // of those, when nobody else has any
const KEYLESS_SHARE = 2;

let upstream;
let release; // what the container waits for on /hold
const holding = new Map(); // owner -> requests that the container has of it now
const most = new Map();

function note(owner, by) {
  holding.set(owner, (holding.get(owner) ?? 0) + by);
  most.set(owner, Math.max(most.get(owner) ?? 0, holding.get(owner)));
}

async function container(x) {
  const owner = x.get('x-postern-key-id') ?? 'nobody';
  note(owner, 1);
  x.gone.then(() => note(owner, -1));
  if (x.path === '/hold') await release.promise;
  if (x.path === '/big') {
    await x.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 << 20}\r\n\r\n`);
    for (let i = 0; i < 1024 && (await x.write(Buffer.alloc(65536))); i++);
    return;
  }
  const { length } = await x.body();
  await x.answer(200, `${owner} ${length}`, { Connection: 'close' });
}

before(async () => {
  upstream = await Upstream.start(container);
}, limit);

after(async () => {
  await upstream?.stop();
}, limit);

/** A gateway, two keys and a place for clients, which are gone at the test's end. */
async function rig(t, workers, settings = {}) {
  const socket = path.join(temporaryDirectory('admin'), 's');
  const gateway = await Postern.start({
    upstream: upstream.url,
    workers,
    admin_listen: `unix:${socket}`,
    upstream_max_connections: CONNECTIONS,
    upstream_wait_timeout: '2s',
    open_paths: '/status, /hold',
    ...settings,
  });
  release = deferred();
  holding.clear();
  most.clear();
  const clients = [];
  t.after(async () => {
    release.resolve();
    for (const client of clients) client.destroy();
    await gateway.stop();
  });
  return {
    gateway,
    clients,
    a: await gateway.createKey('a', [], { wait: false }),
    b: await gateway.createKey('b'),
    metrics: async () => (await caller({ socketPath: socket })('GET', '/metrics')).text,
    async send(text) {
      const client = await RawClient.connect(gateway.port);
      clients.push(client);
      await client.write(text);
      return client;
    },
  };
}

const counter = (text, name) => Number(new RegExp(`^postern_${name.replace(/[{}]/g, '\\$&')} (\\d+)$`, 'm').exec(text)[1]);

/** Sends `text` on new connections until the container has `n` of the owner's requests, and then a few more. */
async function saturate(r, text, owner, n) {
  for (let i = 0; i < 200 && (holding.get(owner) ?? 0) < n; i++) {
    await r.send(text);
    if (r.clients.length % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const more = [];
  for (let i = 0; i < 6; i++) more.push(await r.send(text));
  await eventually(5000, `${n} requests of ${owner} at the container`, () => holding.get(owner) === n);
  return more;
}

async function assertServed(r, key, target = '/x') {
  for (let i = 0; i < 12; i++) {
    const answer = await request(r.gateway.port, target, { key: key.key1, ms: 8000 });
    assert.equal(answer.status, 200, answer.text);
  }
}

const attacks = (key) => ({
  'slow uploads': `POST /x HTTP/1.1\r\nHost: h\r\n${keyLine(key)}Content-Length: 100000\r\n\r\nabc`,
  'slow chunked uploads': `POST /x HTTP/1.1\r\nHost: h\r\n${keyLine(key)}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`,
  'responses that are not read': `GET /big HTTP/1.1\r\nHost: h\r\n${keyLine(key)}\r\n`,
  'requests that take long': `GET /hold HTTP/1.1\r\nHost: h\r\n${keyLine(key)}\r\n`,
});

for (const workers of [1, 2]) {
  describe(`${workers} worker${workers > 1 ? 's' : ''}`, limit, () => {
    for (const name of Object.keys(attacks())) {
      test(`${name} of one key leave connections to the others`, limit, async (t) => {
        const r = await rig(t, workers);
        const waiting = await saturate(r, attacks(r.a.key1)[name], r.a.id, KEY_SHARE * workers);
        await assertServed(r, r.b);
        assert.equal(most.get(r.a.id), KEY_SHARE * workers);
        // What is over the share waits, and is told why.
        const answer = await waiting[0].response();
        assert.equal(answer.status, 503);
        assert.equal(answer.get('retry-after'), '1');
        assert.match(answer.text, /"ServerBusy".*full share of the connections/);
        const metrics = await r.metrics();
        assert.ok(counter(metrics, 'upstream_share_waits_total') >= 1);
        assert.ok(counter(metrics, 'errors_total{error="upstream_share"}') >= 1);
        assert.equal(counter(metrics, 'errors_total{error="upstream_busy"}'), 0);
      });
    }

    test('requests without a key hold no more than their share', limit, async (t) => {
      const r = await rig(t, workers);
      const waiting = await saturate(r, 'GET /hold HTTP/1.1\r\nHost: h\r\n\r\n', 'nobody', KEYLESS_SHARE * workers);
      await assertServed(r, r.a);
      // Nor do they together with a key that takes all it may.
      await saturate(r, `GET /hold HTTP/1.1\r\nHost: h\r\n${keyLine(r.a.key1)}\r\n`, r.a.id, 5 * workers);
      await assertServed(r, r.b);
      assert.equal(most.get('nobody'), KEYLESS_SHARE * workers);
      assert.equal((await waiting[0].response()).status, 503);
      // Back to the whole share when it is over.
      release.resolve();
      await eventually(5000, 'the container to be idle', () => [...holding.values()].every((n) => n === 0));
      release = deferred();
      await saturate(r, 'GET /hold HTTP/1.1\r\nHost: h\r\n\r\n', 'nobody', KEYLESS_SHARE * workers);
    });
  });
}

test('a key that is not in force, or does not permit it, counts as none on an open path', limit, async (t) => {
  const r = await rig(t, 1);
  const scoped = await r.gateway.createKey('scoped', ['--scope', 'GET /elsewhere']);
  await r.gateway.cli(['key', 'disable', r.a.id]);
  await eventually(5000, 'the key to be disabled', async () => (await request(r.gateway.port, '/x', { key: r.a.key1 })).status === 401);
  for (let i = 0; i < 3; i++) {
    for (const key of [r.a.key1, scoped.key1, undefined]) await r.send(`GET /hold HTTP/1.1\r\nHost: h\r\n${keyLine(key)}\r\n`);
  }
  await eventually(5000, 'the others to wait', async () => counter(await r.metrics(), 'upstream_share_waits_total') === 9 - KEYLESS_SHARE);
  assert.equal([...holding.values()].reduce((sum, n) => sum + n, 0), KEYLESS_SHARE);
  await assertServed(r, r.b);
});

test('keys that wait take turns', limit, async (t) => {
  const r = await rig(t, 1, { upstream_max_connections: 1, upstream_wait_timeout: '30s' });
  const hold = (key) => `GET /hold HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}\r\n`;
  const order = [];
  await r.send(hold(r.a));
  await eventually(5000, 'the connection to be taken', () => holding.get(r.a.id) === 1);
  const waits = async (n) => eventually(5000, `${n} to wait`, async () => counter(await r.metrics(), 'upstream_waits_total') === n);
  for (let i = 0; i < 5; i++) {
    const client = await r.send(hold(r.a));
    client.response().then(() => order.push('a'), () => {});
    await waits(i + 1);
  }
  const late = await r.send(hold(r.b));
  late.response().then(() => order.push('b'), () => {});
  await waits(6);
  release.resolve();
  await eventually(10000, 'all responses', () => order.length === 6);
  assert.ok(order.indexOf('b') <= 1, order.join(' '));
});

describe('the body of a request without a key', limit, () => {
  const post = (more) => `POST /status HTTP/1.1\r\nHost: h\r\n${more}\r\n\r\n`;
  const codeOf = (answer) => JSON.parse(answer.text).error.code;

  test('is read before a connection is leased, and comes whole', limit, async (t) => {
    const r = await rig(t, 1, { upstream_max_connections: 1 });
    const heads = [];
    t.mock.method(upstream, 'handler', async (x) => {
      heads.push([x.get('content-length'), x.get('transfer-encoding')]);
      await x.answer(200, `<${await x.body()}>`);
    });
    const slow = [];
    for (let i = 0; i < 12; i++) slow.push(await r.send(post(i % 2 ? 'Content-Length: 9' : 'Transfer-Encoding: chunked') + (i % 2 ? 'abc' : '3\r\nabc\r\n')));
    // Neither them nor anybody else do they hold up; the pool's one connection is free.
    assert.equal((await request(r.gateway.port, '/x', { key: r.a.key1 })).status, 200);
    assert.equal((await request(r.gateway.port, '/status')).status, 200);
    assert.equal(heads.length, 2);
    for (const [i, client] of slow.entries()) {
      await client.write(i % 2 ? 'defghi' : '6\r\ndefghi\r\n0\r\n\r\n');
      assert.equal((await client.response()).text, '<abcdefghi>');
    }
    assert.deepEqual(new Set(heads.slice(2).map(String)), new Set(['9,']));
    // The connection goes on, and an empty one is a body, too.
    await slow[0].write(`${post('Transfer-Encoding: chunked')}0\r\n\r\n`);
    assert.equal((await slow[0].response()).text, '<>');
    assert.deepEqual(heads.at(-1), ['0', undefined]);
  });

  test('has a bound: 413, and nothing is forwarded', limit, async (t) => {
    const r = await rig(t, 1, { keyless_max_body_size: '100B' });
    const before = upstream.requests.length;
    const declared = await r.send(post('Content-Length: 101'));
    const chunked = await r.send(`${post('Transfer-Encoding: chunked')}65\r\n${'x'.repeat(101)}\r\n`);
    const later = await r.send(`${post('Transfer-Encoding: chunked')}40\r\n${'x'.repeat(64)}\r\n`);
    await later.write(`40\r\n${'x'.repeat(64)}\r\n0\r\n\r\n`);
    const expecting = await r.send(post('Content-Length: 101\r\nExpect: 100-continue'));
    for (const client of [declared, chunked, later, expecting]) {
      const answer = await client.response();
      assert.equal(answer.status, 413);
      assert.equal(codeOf(answer), 'RequestBodyTooLarge');
      assert.match(answer.text, /without a key/);
      assert.deepEqual(answer.interim, []);
      assert.ok(await client.closes(3000));
    }
    assert.equal(upstream.requests.length, before);
    const whole = await r.send(post('Content-Length: 100\r\nExpect: 100-continue'));
    assert.match((await whole.reader.until('\r\n\r\n', 5000)).toString(), /^HTTP\/1\.1 100 /);
    await whole.write('x'.repeat(100));
    const answer = await whole.response();
    assert.deepEqual([answer.status, answer.text], [200, 'nobody 100']);
    // With a key it is as on every other path.
    const keyed = await request(r.gateway.port, '/status', { method: 'POST', key: r.a.key1, body: 'x'.repeat(5000) });
    assert.equal(keyed.text, `${r.a.id} 5000`);
    assert.equal(counter(await r.metrics(), 'errors_total{error="keyless_body_too_large"}'), 4);
  });

  test('has a time: 408, however fast it trickles', limit, async (t) => {
    const r = await rig(t, 1, { keyless_body_timeout: '1s', client_min_rate: '0B' });
    const before = upstream.requests.length;
    const client = await r.send(post('Content-Length: 16000'));
    const timer = setInterval(() => client.write('x'.repeat(100)), 20);
    const answer = await client.response();
    clearInterval(timer);
    assert.equal(answer.status, 408);
    assert.match(answer.text, /without a key/);
    assert.ok(await client.closes(3000));
    assert.equal(upstream.requests.length, before);
    await r.gateway.logged((entry) => entry.status === 408 && entry.end === 'client_timeout');
  });

  test('is streamed when the operator wants that', limit, async (t) => {
    const r = await rig(t, 1, { keyless_max_body_size: '0B' });
    const text = post('Transfer-Encoding: chunked');
    await saturate(r, `${text}3\r\nabc\r\n`, 'nobody', KEYLESS_SHARE); // the share holds all the same
    await assertServed(r, r.a);
    await r.clients[0].write('4\r\ndefg\r\n0\r\n\r\n');
    assert.equal((await r.clients[0].response()).text, 'nobody 7');
  });

  test('is repeated on a fresh connection by the rules of all requests', limit, async (t) => {
    const r = await rig(t, 1, { upstream_max_connections: 1 });
    const bodies = [];
    t.mock.method(upstream, 'handler', async (x) => {
      bodies.push((await x.body()).toString());
      if (x.connection.served === 1) await x.answer(200, 'ok');
      else x.end(); // a kept connection, closed just as it was used again
    });
    const ask = async (body) => {
      await request(r.gateway.port, '/x', { key: r.a.key1 });
      bodies.length = 0;
      const client = await r.send(`PUT /status HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
      return (await client.response()).status;
    };
    assert.equal(await ask('0\r\n\r\n'), 200); // nothing of a body was gone
    assert.deepEqual(bodies, ['', '']);
    assert.equal(await ask('3\r\nabc\r\n0\r\n\r\n'), 502); // it may have been acted upon
    assert.deepEqual(bodies, ['abc']);
  });
});

describe('the connections of clients', limit, () => {
  const PLACES = 20;
  const kinds = {
    'idle ones': '',
    'half heads': 'GET /status HTTP/1.1\r\nHost: h\r\nX-',
    'slow bodies': 'POST /status HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc',
    'slow bodies that are refused': 'POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc',
    'requests that wait for the container': 'GET /hold HTTP/1.1\r\nHost: h\r\n\r\n',
    'responses that are not read': 'GET /big HTTP/1.1\r\nHost: h\r\n\r\n',
  };

  for (const workers of [1, 2]) {
    for (const [name, text] of Object.entries(kinds)) {
      test(`${name} without a key make room for those with one (workers: ${workers})`, limit, async (t) => {
        const r = await rig(t, workers, { max_connections: PLACES, open_paths: '/status, /hold, /big', upstream_wait_timeout: '60s' });
        const kept = await RawClient.connect(r.gateway.port);
        r.clients.push(kept);
        assert.equal((await kept.get('/x', { key: r.b.key1 })).status, 200);
        // More than there are places for; those beyond are not accepted, or told 503.
        const flood = () => Promise.all([...Array(PLACES * 3)].map(() => r.send(text).catch(() => {})));
        await flood();
        await eventually(20000, 'a request with a key', async () => (await request(r.gateway.port, '/x', { key: r.a.key1, ms: 3000 })).status === 200);
        // From now on, too, and with connections that stay.
        for (let i = 0; i < PLACES / 2; i++) {
          await eventually(20000, 'a place', async () => {
            const client = await RawClient.connect(r.gateway.port);
            r.clients.push(client);
            return (await client.get('/x', { key: r.a.key1 })).status === 200;
          });
        }
        assert.ok(counter(await r.metrics(), 'connections_displaced_total') > 0);
        // Who has shown a key keeps its place, idle as it is, whatever comes.
        await flood();
        assert.equal((await kept.get('/x', { key: r.b.key1 })).status, 200);
      });
    }
  }

  test('who had asked is told; the log has it', limit, async (t) => {
    const r = await rig(t, 1, { max_connections: 1 });
    const waiting = await r.send('GET /hold HTTP/1.1\r\nHost: h\r\n\r\n');
    await eventually(5000, 'it to be at the container', () => holding.get('nobody') === 1);
    await eventually(10000, 'a request with a key', async () => (await request(r.gateway.port, '/x', { key: r.a.key1 })).status === 200);
    const answer = await waiting.response();
    assert.equal(answer.status, 503);
    assert.match(answer.text, /too many connections/);
    assert.ok(await waiting.closes(3000));
    await eventually(5000, 'the container to be let go', () => holding.get('nobody') === 0);
    await r.gateway.logged((entry) => entry.path === '/hold' && entry.status === 503 && entry.end === 'limit');
  });
});

test('WebSocket streams of one key, or of none, leave places to the others', limit, async (t) => {
  const r = await rig(t, 1, { max_websockets: CONNECTIONS, open_paths: '/status, /open' });
  const accept = (key) => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  t.mock.method(upstream, 'handler', async (x) => {
    await x.write(`HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept(x.get('sec-websocket-key'))}\r\n\r\n`);
    await x.gone;
  });
  const open = async (key) => {
    const client = await r.send(`GET /open HTTP/1.1\r\nHost: h\r\n${keyLine(key)}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
    return (await client.response()).status;
  };
  const openAll = async (key) => {
    let n = 0;
    while ((await open(key)) === 101) n++;
    return n;
  };
  assert.equal(await openAll(undefined), 2);
  assert.equal(await openAll(r.a.key1), 5);
  assert.equal(await openAll(r.b.key1), 1);
  assert.ok(counter(await r.metrics(), 'errors_total{error="too_many_websockets"}') === 3);
});
