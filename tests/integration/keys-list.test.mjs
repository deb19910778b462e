// SPDX-License-Identifier: Apache-2.0
// Finding keys among many, when they were last used, and the audit trail: by the command line, beside a running gateway.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually } from './lib/util.mjs';

const limit = { timeout: 60000 };

let upstream;
let postern;

before(async () => {
  upstream = await Upstream.start(async (x) => {
    await x.body();
    await x.showHead();
  });
  postern = await Postern.start({ upstream: upstream.url });
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

async function run(args, code = 0) {
  const done = await postern.cli(args);
  assert.equal(done.code, code, `${args.join(' ')}: ${done.stderr}`);
  return done;
}

const json = async (args) => JSON.parse((await run([...args, '--json'])).stdout);
const names = async (...args) => (await json(['key', 'list', ...args])).map((key) => key.name);

test('keys are found by what they are, and by when they were used', limit, async () => {
  const used = await postern.createKey('used', ['--tag', 'a, b']);
  await postern.createKey('Idle', ['--tag', 'a', '--expires-in', '1h', '--note', 'of the lab']);
  const off = await postern.createKey('off');
  await run(['key', 'disable', off.id]);
  await postern.createKey('later', ['--not-before', '2199-01-01']);
  assert.deepEqual(await names(), ['used', 'Idle', 'off', 'later']);
  assert.deepEqual(await names('--sort', 'name'), ['Idle', 'later', 'off', 'used']);
  assert.deepEqual(await names('--sort', '-name', '--limit', '2'), ['used', 'off']);
  assert.deepEqual(await names('--state', 'active'), ['used', 'Idle']);
  assert.deepEqual(await names('--state', 'disabled'), ['off']);
  assert.deepEqual(await names('--state', 'not_yet'), ['later']);
  assert.deepEqual(await names('--state', 'expired'), []);
  assert.deepEqual(await names('--tag', 'a'), ['used', 'Idle']);
  assert.deepEqual(await names('--tag', 'b'), ['used']);
  assert.deepEqual(await names('--text', 'THE LAB'), ['Idle']);
  assert.deepEqual(await names('--expires-before', '2199-01-01'), ['Idle']);

  await eventually(20000, 'the new key to work', async () => (await request(postern.port, '/', { headers: { 'api-key': used.key2 } })).status === 200);
  await eventually(20000, 'its use to be counted', async () => (await json(['key', 'list', '--text', 'used']))[0].last_used_at !== null);
  const [row] = await json(['key', 'list', '--text', 'used']);
  assert.equal(row.key1.last_used_at, null);
  assert.equal(row.key2.last_used_at, row.last_used_at);
  assert.equal((await names('--sort', '-last_used'))[0], 'used');
  assert.deepEqual(await names('--unused-since', '2199-01-01'), ['used', 'Idle', 'off', 'later']);
  assert.deepEqual(await names('--unused-since', row.last_used_at), ['Idle', 'off', 'later']);
  assert.deepEqual(await names('--unused-since', '2020-01-01'), []);
  assert.match((await run(['key', 'list'])).stdout, /LAST USED/);
  for (const wrong of [['--state', 'wat'], ['--sort', 'size'], ['--limit', 'x'], ['--unused-since', 'ever']]) {
    assert.match((await run(['key', 'list', ...wrong], 2)).stderr, new RegExp(wrong[0]));
  }
});

test('requests that still come with a secret that was rotated away are counted', limit, async () => {
  const key = await postern.createKey('rotated');
  const ask = (secret) => request(postern.port, '/', { headers: { 'api-key': secret } });
  assert.equal((await ask(key.key1)).status, 200);
  const { key1: fresh } = await json(['key', 'rotate', key.id, '--secret', 'key1', '--grace', '1h']);
  const before = await json(['key', 'show', key.id]);
  assert.deepEqual([before.key1.old_requests, before.key1.old_last_used_at], [0, null]);
  assert.match((await run(['key', 'show', key.id])).stdout, /not used since the rotation/);
  await eventually(20000, 'the new secret to work', async () => (await ask(fresh)).status === 200);
  for (let i = 0; i < 3; i++) assert.equal((await ask(key.key1)).status, 200);
  assert.equal((await ask(key.key2)).status, 200);
  await eventually(20000, 'them to be counted', async () => (await json(['key', 'show', key.id])).key1.old_requests === 3);
  const after = await json(['key', 'show', key.id]);
  assert.ok(Math.abs(Date.now() - Date.parse(after.key1.old_last_used_at)) < 600000);
  assert.equal(after.key2.old_requests, undefined);
  assert.match((await run(['key', 'show', key.id])).stdout, /3 requests used it since the rotation/);
});

test('the audit trail names who did what, and verify follows it', limit, async () => {
  const key = await postern.createKey('audited');
  await run(['key', 'update', key.id, '--name', 'renamed']);
  await run(['key', 'rotate', key.id, '--secret', 'key1']);
  await run(['key', 'delete', key.id, '--yes']);
  await run(['key', 'delete', key.id, '--yes'], 1);
  const rows = await json(['audit', 'list', '--target', key.id]);
  assert.deepEqual(rows.map((row) => row.action), ['key.delete', 'key.rotate', 'key.update', 'key.create']);
  assert.deepEqual([rows[2].before, rows[2].after], [{ name: 'audited' }, { name: 'renamed' }]);
  assert.equal(rows[0].after, null);
  assert.equal(rows[3].before, null);
  assert.deepEqual([rows[0].actor.kind, rows[0].actor.id], ['cli', String(process.getuid())]);
  assert.ok(Math.abs(Date.now() - Date.parse(rows[0].time)) < 600000);
  assert.deepEqual((await json(['audit', 'list', '--action', 'key.', '--limit', '1'])).map((row) => row.id), [rows[0].id]);
  assert.match((await run(['audit', 'list'])).stdout, /key\.rotate/);
  const lines = [1, 2, 3].map((i) => JSON.stringify({ name: `bulk ${i}`, key1: `bulk-secret-of-the-test-${i}` })).join('\n');
  assert.equal((await postern.cli(['key', 'import', '--bulk'], { input: lines })).code, 0);
  const [bulk] = await json(['audit', 'list', '--limit', '1']);
  assert.deepEqual([bulk.action, bulk.after], ['key.import_bulk', { keys: 3 }]);
  const end = await json(['audit', 'verify']);
  assert.deepEqual([end.whole, end.first, end.last], [true, 1, bulk.id]);
  await run(['key', 'list']);
  await postern.createKey('after');
  assert.equal((await json(['audit', 'verify', '--noted', end.hash])).whole, true);
  assert.match((await run(['audit', 'verify', '--noted', 'a'.repeat(64)], 1)).stderr, /not in the trail/);
  assert.match((await run(['audit', 'verify', '--noted', 'x'], 2)).stderr, /64 hex digits/);
});
