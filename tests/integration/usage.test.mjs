// SPDX-License-Identifier: Apache-2.0
// What was used: counted once, also across a kill -9 and a full disk; an access log without secrets.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { RawClient, keyLine, request } from './lib/client.mjs';
import { Postern, cli, sumRequests } from './lib/postern.mjs';
import { Upstream, routes } from './lib/upstream.mjs';
import { eventually, sleep, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 120000 };
let upstream;
let postern;

before(async () => {
  upstream = await Upstream.start(async (x) => {
    const body = await x.body();
    const status = Number(/status=(\d+)/.exec(x.target)?.[1] ?? 200);
    await x.answer(status, `got ${body.length}`);
  });
  postern = await Postern.start({ upstream: upstream.url });
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

const counted = (gateway, n, args = []) =>
  eventually(8000, `${n} requests to be counted`, async () => {
    const rows = await gateway.usage(args);
    return sumRequests(rows) === n ? rows : false;
  }, 150);

describe('sums', limit, () => {
  test('by key, route, status, hour and day', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url });
    t.after(() => gateway.stop());
    const a = await gateway.createKey('alpha');
    const b = await gateway.createKey('beta');
    for (let i = 0; i < 5; i++) await request(gateway.port, '/one', { key: a.key1 });
    for (let i = 0; i < 3; i++) await request(gateway.port, '/two?secret=1', { key: b.key2, method: 'POST', body: '12345' });
    await request(gateway.port, '/one?status=500', { key: a.key2 });
    await request(gateway.port, '/one', {});
    const byKey = await counted(gateway, 10, ['--by', 'key']);
    const of = (rows, match) => sumRequests(rows.filter(match));
    assert.equal(of(byKey, (r) => r.key === a.id || r.key_id === a.id), 6);
    assert.equal(of(byKey, (r) => r.key === b.id || r.key_id === b.id), 3);
    const byRoute = await gateway.usage(['--by', 'route']);
    assert.equal(of(byRoute, (r) => r.route === '/two'), 3);
    assert.ok(!JSON.stringify(byRoute).includes('secret'));
    const byStatus = await gateway.usage(['--by', 'status']);
    assert.equal(of(byStatus, (r) => String(r.status).startsWith('2')), 8);
    assert.equal(of(byStatus, (r) => String(r.status).startsWith('4')), 1);
    assert.equal(of(byStatus, (r) => String(r.status).startsWith('5')), 1);
    for (const by of ['hour', 'day']) assert.equal(sumRequests(await gateway.usage(['--by', by])), 10);
    const csv = (await gateway.cli(['usage', '--by', 'key', '--csv'])).stdout.trim().split('\n');
    assert.equal(csv.length, byKey.length + 1);
    assert.match(csv[0], /requests/);
    assert.match((await gateway.cli(['usage', '--by', 'key'])).stdout, new RegExp(`${a.id}|alpha`));
    const bytesIn = byKey.filter((r) => (r.key ?? r.key_id) === b.id).reduce((n, r) => n + r.bytes_in, 0);
    assert.equal(bytesIn, 15);
  });
  test('routes are bounded: ids become one', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url });
    t.after(() => gateway.stop());
    const a = await gateway.createKey();
    const client = await RawClient.connect(gateway.port);
    for (let i = 0; i < 50; i++) await client.get(`/jobs/${String(i).padStart(8, '0')}-aaaa-4bbb-8ccc-0123456789ab/result`, { key: a.key1 });
    client.destroy();
    const rows = await counted(gateway, 50, ['--by', 'route']);
    assert.equal(rows.length, 1, JSON.stringify(rows.slice(0, 3)));
    assert.match(rows[0].route, /^\/jobs\/\{id\}\/result$/);
  });
  test('last_used of a key moves', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url });
    t.after(() => gateway.stop());
    const a = await gateway.createKey();
    const show = async () => (await gateway.cli(['key', 'show', a.id, '--json'])).json();
    assert.ok(!(await show()).last_used_at);
    const start = Date.now();
    await request(gateway.port, '/x', { key: a.key1 });
    const used = await eventually(8000, 'last_used', async () => (await show()).last_used_at, 150);
    assert.ok(Math.abs(new Date(used).getTime() - start) < 10000, String(used));
  });
  test('usage survives a restart', limit, async () => {
    const data_dir = temporaryDirectory();
    const first = await Postern.start({ upstream: upstream.url, data_dir });
    const a = await first.createKey();
    for (let i = 0; i < 7; i++) await request(first.port, '/x', { key: a.key1 });
    await first.stop(); // flushes
    const rows = await cli(['usage', '--json'], { settings: { data_dir } });
    assert.equal(sumRequests(rows.json()), 7, 'flushed at the end');
    const second = await Postern.start({ upstream: upstream.url, data_dir });
    await request(second.port, '/x', { key: a.key1 });
    await counted(second, 8);
    await second.stop();
  });
});

describe('the access log', limit, () => {
  test('one JSON line a request, with what is needed and no secret', limit, async () => {
    const key = await postern.createKey('logged');
    const answer = await request(postern.port, '/logged/path?token=hush&a=1', { key: key.key2, method: 'POST', body: 'abc', headers: { Cookie: 'session=private', 'X-Request-Id': 'log-1' } });
    assert.equal(answer.status, 200);
    const line = await postern.logged((l) => l.request_id === 'log-1');
    assert.equal(line.method, 'POST');
    assert.equal(line.path, '/logged/path');
    assert.equal(line.status, 200);
    assert.equal(line.key_id, key.id);
    assert.equal(line.secret, 'key2');
    assert.equal(line.bytes_in, 3);
    assert.equal(line.bytes_out, 5);
    assert.equal(line.client.replace(/^::ffff:/, ''), '127.0.0.1');
    assert.equal(line.end, 'ok');
    assert.equal(line.tls, 'TLSv1.3');
    assert.ok(line.duration_ms >= line.ttfb_ms && line.ttfb_ms > 0);
    assert.ok(Math.abs(new Date(line.time) - Date.now()) < 10000);
    await request(postern.port, '/x', { headers: { Authorization: 'Bearer abc.def.ghi', 'X-Request-Id': 'log-2' } });
    const refused = await postern.logged((l) => l.request_id === 'log-2');
    assert.equal(refused.status, 401);
    assert.equal(refused.key_id, null);
    assert.equal(refused.end, 'refused');
    const all = postern.stdout + postern.stderr;
    for (const secret of [key.key1, key.key2, key.key2.slice(-12), 'hush', 'token=', 'abc.def', 'private']) assert.ok(!all.includes(secret), secret);
  });
  test('what went wrong has its name, where it went is said', limit, async (t) => {
    const gone = await Upstream.start(routes({}));
    const url = gone.url;
    await gone.stop();
    const gateway = await Postern.start({ upstream: upstream.url, routes: '/ruled credentials=key' });
    const lost = await Postern.start({ upstream: url });
    t.after(() => Promise.all([gateway.stop(), lost.stop()]));
    const key = await gateway.createKey('named');
    const scoped = (await gateway.cli(['key', 'create', '--name', 'scoped', '--scope', 'GET /only', '--json'])).json();
    const other = await lost.createKey('lost');
    await eventually(5000, 'the keys', async () => (await request(gateway.port, '/only', { key: scoped.key1 })).status === 200);
    const line = async (of, id, target, options = {}) => {
      await request(of.port, target, { ...options, headers: { 'X-Request-Id': id, ...options.headers } });
      const { end, error, rule, endpoint, attempts } = await of.logged((l) => l.request_id === id);
      return { end, error, rule, endpoint, attempts };
    };
    const nowhere = { rule: null, endpoint: null, attempts: 0 };
    const there = { rule: null, endpoint: new URL(upstream.url).host, attempts: 1 };
    assert.deepEqual(await line(gateway, 'name-1', '/x', { key: key.key1 }), { end: 'ok', error: null, ...there });
    assert.deepEqual(await line(gateway, 'name-2', '/ruled/x', { key: key.key1 }), { end: 'ok', error: null, ...there, rule: '/ruled' });
    assert.deepEqual(await line(gateway, 'name-3', '/x'), { end: 'refused', error: 'key_missing', ...nowhere });
    assert.deepEqual(await line(gateway, 'name-4', '/x', { key: 'ps_wrong' }), { end: 'refused', error: 'key_wrong', ...nowhere });
    assert.deepEqual(await line(gateway, 'name-5', '/x', { key: scoped.key1 }), { end: 'refused', error: 'key_scope', ...nowhere });
    assert.deepEqual(await line(gateway, 'name-6', '/ruled//x', { key: key.key1 }), { end: 'bad_request', error: 'path_spelling', ...nowhere });
    assert.deepEqual(await line(gateway, 'name-7', '/x', { key: key.key1, headers: { 'api-key': key.key2 } }), { end: 'refused', error: 'key_conflict', ...nowhere });
    assert.deepEqual(await line(lost, 'name-8', '/x', { key: other.key1 }), { end: 'upstream_refused', error: 'upstream_refused', rule: null, endpoint: new URL(url).host, attempts: 1 });
  });
  test('log injection: a path with control bytes or quotes stays one line', limit, async () => {
    const key = await postern.createKey('inject');
    await request(postern.port, '/x%0a%22%7b}"quoted', { key: key.key1, headers: { 'X-Request-Id': 'log-3' } });
    await postern.logged((l) => l.request_id === 'log-3');
  });
  test('off, and as text', limit, async () => {
    const off = await Postern.start({ upstream: upstream.url, access_log: 'off' });
    await request(off.port, '/status');
    await counted(off, 1); // by the same turn that would write the line
    assert.equal(off.stdout.includes('/status'), false);
    await off.stop();
    const text = await Postern.start({ upstream: upstream.url, access_log: 'text' });
    await request(text.port, '/status?x=secret');
    await eventually(5000, 'a line', () => /"GET \/status HTTP\/1\.1" 200/.test(text.stdout));
    await request(text.port, '/status/"x"%22', { headers: { 'X-Request-Id': 'quoted' } });
    const line = await eventually(5000, 'a line', () => text.stdout.split('\n').find((one) => one.includes(' quoted ')));
    assert.match(line, /^127\.0\.0\.1 - - \[[^\]]+\] "GET \/status\/\\"x\\"%22 HTTP\/1\.1" \d+ \d+ quoted - /);
    assert.ok(!text.stdout.includes('secret'));
    await text.stop();
  });
});

describe('kill -9', limit, () => {
  const CLIENTS = 8;
  /** Keep-alive clients that ask until the gateway dies. Counts answers that came whole. */
  function load(gateway, key) {
    const state = { finished: 0, sent: 0, running: true };
    state.done = Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        try {
          const client = await RawClient.connect(gateway.port);
          while (state.running) {
            state.sent++;
            const answer = await client.get('/load', { key });
            if (answer.status !== 200 || answer.broken) break;
            state.finished++;
          }
          client.destroy();
        } catch {
          // the gateway is gone
        }
      }),
    );
    return state;
  }
  test('at random moments under load: every finished request is counted exactly once', limit, async () => {
    const data_dir = temporaryDirectory();
    let finished = 0;
    let sent = 0;
    let key;
    const rounds = 6;
    for (let round = 0; round < rounds; round++) {
      const gateway = await Postern.start({ upstream: upstream.url, data_dir, workers: 2, access_log: 'off' });
      key ??= (await gateway.createKey()).key1;
      const state = load(gateway, key);
      await eventually(30000, 'requests under load', () => state.finished > 20, 20);
      await sleep(Math.random() * 900); // any moment
      await gateway.kill();
      state.running = false;
      await state.done;
      finished += state.finished;
      sent += state.sent;
    }
    const last = await Postern.start({ upstream: upstream.url, data_dir, workers: 2 });
    const rows = await eventually(10000, 'the journals to be drained', async () => {
      const now = await last.usage();
      return sumRequests(now) >= finished - CLIENTS * rounds ? now : false;
    }, 200);
    await last.stop(); // which drains what is left
    const total = sumRequests((await cli(['usage', '--json'], { settings: { data_dir } })).json());
    assert.ok(rows.length > 0);
    // A client can have seen the last byte before the record was made, or the other way round: one each.
    assert.ok(total >= finished - CLIENTS * rounds, `${total} counted of ${finished} finished`);
    assert.ok(total <= sent, `${total} counted of ${sent} sent`);
    assert.ok(Math.abs(total - finished) <= CLIENTS * rounds);
    await (await Postern.start({ upstream: upstream.url, data_dir, workers: 2 })).stop();
    const after = sumRequests((await cli(['usage', '--json'], { settings: { data_dir } })).json());
    assert.equal(after, total, 'and no drain adds to it');
  });
  test('with the access log in a file: a line for each request, none twice', limit, async () => {
    const data_dir = temporaryDirectory();
    const file = path.join(temporaryDirectory(), 'access.log');
    const wrap = ['sh', '-c', 'exec "$@" >> "$0"', file];
    let key;
    for (let round = 0; round < 5; round++) {
      const gateway = await Postern.start({ upstream: upstream.url, data_dir, workers: 2 }, { wrap });
      key ??= (await gateway.createKey()).key1;
      await eventually(10000, 'the key', async () => (await request(gateway.port, '/x', { key })).status === 200);
      const state = load(gateway, key);
      await eventually(30000, 'requests under load', () => state.finished > 200, 5);
      await gateway.kill();
      state.running = false;
      await state.done;
    }
    const last = await Postern.start({ upstream: upstream.url, data_dir, workers: 2 }, { wrap });
    await last.stop();
    const total = sumRequests((await cli(['usage', '--json'], { settings: { data_dir } })).json());
    const ids = readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line).request_id);
    assert.ok(total > 1000);
    assert.equal(ids.length, total);
    assert.equal(new Set(ids).size, total);
  });
  test('killed while it starts, again and again: nothing lost, nothing doubled', limit, async () => {
    const data_dir = temporaryDirectory();
    const first = await Postern.start({ upstream: upstream.url, data_dir });
    const key = (await first.createKey()).key1;
    const client = await RawClient.connect(first.port);
    // A record may be made after the last byte, but before the connection's next request: of 201, 200 are certain.
    for (let i = 0; i < 201; i++) assert.equal((await client.get('/x', { key })).status, 200);
    await first.kill();
    client.destroy();
    for (let i = 0; i < 5; i++) {
      const starting = await Postern.start({ upstream: upstream.url, data_dir }, { expectReady: false });
      await sleep(5 + Math.random() * 120); // any moment
      await starting.kill();
    }
    const last = await Postern.start({ upstream: upstream.url, data_dir });
    await last.stop(); // which drains what is left
    const total = sumRequests((await cli(['usage', '--json'], { settings: { data_dir } })).json());
    assert.ok(total === 200 || total === 201, `${total} counted of 201`);
  });
});

describe('a full disk', limit, () => {
  const root = process.getuid() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;
  test('the gateway serves on, counts the loss, and recovers', { ...limit, skip: root ? false : 'needs root and mount namespaces' }, async () => {
    // The gateway runs in a mount namespace of its own, its data on a small tmpfs that a file there can
    // fill. /proc/<pid>/root shows it to us.
    const data_dir = temporaryDirectory();
    const script = 'mount -t tmpfs -o size=48m,mode=700 tmpfs "$0" && exec "$@"';
    const gateway = await Postern.start(
      { upstream: upstream.url, data_dir },
      { wrap: ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, data_dir] },
    );
    const within = (command) => execFileSync('nsenter', ['-t', String(gateway.pid), '-m', 'sh', '-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
    const inside = async (args) => {
      const { BIN } = await import('./lib/postern.mjs');
      const out = execFileSync('nsenter', ['-t', String(gateway.pid), '-m', 'env', `POSTERN_DATA_DIR=${data_dir}`, BIN, ...args], { encoding: 'utf8' });
      return JSON.parse(out);
    };
    const { id, key1: key } = await inside(['key', 'create', '--name', 'full', '--json']);
    await gateway.applied(id);
    const client = await RawClient.connect(gateway.port);
    let asked = 0;
    const ask = async (n) => {
      for (let i = 0; i < n; i++, asked++) assert.equal((await client.get('/x', { key })).status, 200);
    };
    await ask(50);
    await eventually(8000, 'them to be counted', async () => sumRequests(await inside(['usage', '--json'])) === 50, 100);
    within(`dd if=/dev/zero of=${data_dir}/ballast bs=64k 2>/dev/null || true; dd if=/dev/zero of=${data_dir}/ballast2 bs=1 count=100000 2>/dev/null || true`);
    await eventually(30000, 'it to be said in the log', async () => {
      await ask(150);
      return asked > 900 && /space|full|disk/i.test(gateway.stderr);
    }, 100);
    within(`rm ${data_dir}/ballast ${data_dir}/ballast2`);
    await ask(50);
    const rows = await eventually(15000, 'counting to go on', async () => {
      const now = await inside(['usage', '--json']);
      return sumRequests(now) >= 100 ? now : false;
    }, 300);
    assert.ok(sumRequests(rows) <= asked);
    client.destroy();
    await gateway.stop();
  });
});
