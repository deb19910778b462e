// SPDX-License-Identifier: Apache-2.0
// What cannot be counted is said, and a usage store that cannot be used takes nothing else along.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { caller } from './lib/admin.mjs';
import { RawClient, request } from './lib/client.mjs';
import { Postern, sumRequests } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 120000 };
let upstream;

before(async () => {
  upstream = await Upstream.start((x) => x.answer(200, 'ok'));
}, limit);

after(async () => {
  await upstream?.stop();
}, limit);

async function startWithAdmin(settings = {}) {
  const socketPath = path.join(temporaryDirectory(), 'admin.sock');
  const gateway = await Postern.start({ upstream: upstream.url, admin_listen: `unix:${socketPath}`, ...settings });
  const call = caller({ socketPath });
  return { gateway, call, status: async () => (await call('GET', '/admin/v1/status')).json };
}

const metric = async (call, name) => Number(new RegExp(`^postern_${name} (.*)$`, 'm').exec((await call('GET', '/metrics')).text)[1]);

test('a full journal: said when it begins, with its number when it is over; all is served', limit, async (t) => {
  const { gateway, call, status } = await startWithAdmin({ usage_journal_records: 64 });
  t.after(() => gateway.stop());
  const { key1: key } = await gateway.createKey('full');
  let asked = 0;
  let busy = true;
  const clients = Array.from({ length: 4 }, async () => {
    const client = await RawClient.connect(gateway.port);
    while (busy) {
      assert.equal((await client.get('/x', { key })).status, 200);
      asked++;
    }
    client.destroy();
  });
  await eventually(60000, 'a loss to be said', () => /the journal is full: requests are served but not counted, \d+ so far/.test(gateway.stderr));
  busy = false;
  await Promise.all(clients);
  const [, said] = await eventually(20000, 'its number', () => /(\d+) requests were served but not counted since /.exec(gateway.stderr));
  const counted = await eventually(10000, 'the rest to be counted', async () => {
    const n = sumRequests(await gateway.usage());
    return n + Number(said) === asked && n;
  });
  assert.ok(counted < asked);
  const { journal } = await status();
  assert.deepEqual([journal.lost, journal.lost_since_start], [Number(said), Number(said)]);
  assert.equal(await metric(call, 'usage_lost_total'), Number(said));
  assert.equal(gateway.stderr.match(/the journal is full/g).length, 1);
});

test('journals that are damaged or empty: said, and in the status', limit, async (t) => {
  const data_dir = temporaryDirectory();
  const first = await Postern.start({ upstream: upstream.url, data_dir, usage_journal_records: 4096 });
  const { key1: key } = await first.createKey('damaged');
  const client = await RawClient.connect(first.port);
  for (let i = 0; i < 200; i++) assert.equal((await client.get('/x', { key })).status, 200);
  await first.kill();
  client.destroy();
  const journals = path.join(data_dir, 'journal');
  const [ring] = readdirSync(journals).filter((name) => name.endsWith('.ring'));
  const file = path.join(journals, ring);
  const bytes = readFileSync(file);
  // The records, not what stands before them.
  for (let at = 32768; at < bytes.length; at += 64) bytes[at] ^= 0x55;
  writeFileSync(file, bytes);
  writeFileSync(path.join(journals, 'worker-7.ring'), '');
  const { gateway, call, status } = await startWithAdmin({ data_dir });
  t.after(() => gateway.stop());
  const counted = sumRequests(await gateway.usage());
  const [, lost] = /(\d+) records were damaged or missing and are not counted/.exec(gateway.stderr);
  assert.ok(Number(lost) > 0);
  assert.equal(counted + Number(lost), 200);
  assert.match(gateway.stderr, /worker-7\.ring is empty: its records cannot be counted/);
  const { journal } = await status();
  assert.deepEqual([journal.lost, journal.lost_since_start, journal.unreadable], [Number(lost), Number(lost), 1]);
  assert.equal(await metric(call, 'journals_unreadable'), 1);
});

test('requests without a key: the newest are kept one by one, totals count all', limit, async (t) => {
  const { gateway, call, status } = await startWithAdmin({ usage_rows_without_key: 5 });
  t.after(() => gateway.stop());
  const { key1: key } = await gateway.createKey('known');
  await eventually(10000, 'the key', async () => (await request(gateway.port, '/x', { key })).status === 200);
  const client = await RawClient.connect(gateway.port);
  for (let i = 0; i < 40; i++) assert.equal((await client.get(`/x?${i}`, { headers: `X-Request-Id: keyless-${i}\r\n` })).status, 401);
  client.destroy();
  const missing = async () => sumRequests(await gateway.usage(['--by', 'error']).then((rows) => rows.filter((row) => row.error === 'key_missing')));
  await eventually(10000, 'all to be counted', async () => (await missing()) === 40);
  const { items } = (await call('GET', '/admin/v1/requests')).json;
  assert.deepEqual(items.filter((item) => item.key === '').map((item) => item.request_id), [39, 38, 37, 36, 35].map((i) => `keyless-${i}`));
  assert.ok(items.some((item) => item.key !== ''));
  const now = await status();
  assert.equal(now.rows_without_key.max, 5);
  assert.ok(now.rows_without_key.dropped >= 35);
  assert.equal(await metric(call, 'usage_rows_without_key_dropped_total'), now.rows_without_key.dropped);
});

test('a usage store that is damaged while it runs: the status says so, all else answers', limit, async (t) => {
  const data_dir = temporaryDirectory();
  const { gateway, call, status } = await startWithAdmin({ data_dir });
  t.after(() => gateway.stop());
  const made = (await call('POST', '/admin/v1/keys', { body: { name: 'before' } })).json;
  await eventually(10000, 'the key', async () => (await request(gateway.port, '/x', { key: made.key1 })).status === 200);
  await eventually(10000, 'usage', async () => sumRequests(await gateway.usage()) > 0);
  assert.equal((await status()).stores.usage, 'ok');
  for (const suffix of ['', '-wal']) {
    const file = path.join(data_dir, `usage.db${suffix}`);
    writeFileSync(file, randomBytes(statSync(file).size), { flag: 'r+' });
  }
  const { stores, journal } = await eventually(20000, 'the status to say so', async () => {
    await request(gateway.port, '/x', { key: made.key1 });
    const now = await status();
    return now.stores.usage === 'failing' && now;
  });
  assert.equal(stores.keys, 'ok');
  assert.ok(journal.lost === null || journal.lost >= 0);
  await eventually(5000, 'an error in the log', () => / error +(admin: usage cannot be read|usage: usage cannot be written)/.test(gateway.stderr));
  for (const target of ['/admin/v1/keys', '/admin/v1/keys?sort=-created', `/admin/v1/keys/${made.id}`, '/admin/v1/settings', '/admin/v1/audit', '/admin/v1/tokens', '/admin/v1/openapi.json', '/metrics'])
    assert.equal((await call('GET', target)).status, 200, target);
  const late = await call('POST', '/admin/v1/keys', { body: { name: 'after' } });
  assert.equal(late.status, 201);
  assert.equal((await call('POST', `/admin/v1/keys/${made.id}/rotate`, { body: { secret: 'key2', grace_seconds: 60 } })).status, 200);
  await eventually(10000, 'the new key', async () => (await request(gateway.port, '/x', { key: late.json.key1 })).status === 200);
  for (const target of ['/admin/v1/usage?by=hour', '/admin/v1/requests']) {
    const { status: code, json } = await call('GET', target);
    assert.equal(code, 503, target);
    assert.match(json.error.message, /usage\.db/);
  }
  assert.equal((await call('DELETE', `/admin/v1/keys/${made.id}`, { headers: { 'if-match': '*' } })).status, 204);
});
