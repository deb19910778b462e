// SPDX-License-Identifier: Apache-2.0
// What becomes of keys when the gateway is killed, and when the files of data_dir are others than they were.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { caller } from './lib/admin.mjs';
import { request } from './lib/client.mjs';
import { Postern, cli } from './lib/postern.mjs';
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

const start = (socketPath, more = {}) => Postern.start({ upstream: upstream.url, admin_listen: `unix:${socketPath}`, ...more });
const status = async (postern, key) => (await request(postern.port, '/x', { key })).status;

/** One call that may be broken off: the answer, or nothing. */
function attempt(socketPath, target, body, headers = {}) {
  return new Promise((resolve) => {
    const payload = JSON.stringify(body);
    const sent = http.request({ socketPath, path: target, method: 'POST', agent: false, timeout: 10000, headers: { 'content-type': 'application/json', 'content-length': payload.length, ...headers } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => (text += part)).on('error', () => resolve());
      answer.on('end', () => resolve(answer.complete ? { status: answer.statusCode, json: JSON.parse(text) } : undefined));
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve());
    sent.end(payload);
  });
}

test('killed while keys are made and rotated: what was answered is there, and nothing is half there', limit, async () => {
  const data_dir = temporaryDirectory();
  const socketPath = path.join(temporaryDirectory(), 'admin.sock');
  const told = new Map(); // id → its secrets that must work
  const asked = [];
  const work = async (round) => {
    for (let i = 0; i < 300; i++) {
      const mark = { name: `round ${round}`, 'idempotency-key': `${round}-${i}` };
      const made = await attempt(socketPath, '/admin/v1/keys', { name: mark.name }, { 'idempotency-key': mark['idempotency-key'] });
      asked.push({ ...mark, made: made?.status === 201 });
      if (!made) return;
      const { id, key1, key2 } = made.json;
      told.set(id, [key1, key2]);
      if (i % 2 === 0) continue;
      told.set(id, [key2]); // until it is told, either may be in force
      const rotated = await attempt(socketPath, `/admin/v1/keys/${id}/rotate`, { secret: 'key1', grace_seconds: 3600 });
      if (!rotated) return;
      told.set(id, [key1, key2, rotated.json.key1]);
    }
  };
  for (let round = 0; round < 4; round++) {
    const postern = await start(socketPath, { data_dir });
    await eventually(10000, 'the admin side', () => attempt(socketPath, '/admin/v1/nothing', {}));
    const working = work(round);
    await eventually(10000, 'some keys to be made', () => asked.filter((one) => one.name === `round ${round}` && one.made).length > 5 + 9 * round, 1);
    await postern.kill();
    await working;
  }
  const postern = await start(socketPath, { data_dir });
  const call = caller({ socketPath });
  try {
    for (const secrets of told.values()) for (const secret of secrets) assert.equal(await status(postern, secret), 200);
    assert.equal((await postern.cli(['audit', 'verify'])).code, 0);
    // Sent again, what was broken off makes its key, or says which one it made: never a second one, never in doubt.
    for (const one of asked.filter(({ made }) => !made)) {
      const answer = await attempt(socketPath, '/admin/v1/keys', { name: one.name }, { 'idempotency-key': one['idempotency-key'] });
      assert.ok(answer.status === 201 || answer.json.error.code === 'AlreadyMade', JSON.stringify(answer));
    }
    const total = (await call('GET', '/admin/v1/keys?limit=1')).json.total;
    assert.equal(total, asked.length, 'one key for each request');
    assert.equal((await call('GET', '/admin/v1/audit?limit=1&action=key.create')).json.total, total, 'and one row in the trail');
  } finally {
    await postern.stop();
  }
});

test('a keys.db that is replaced under the gateway is said, and takes no change until it is put right', limit, async () => {
  const socketPath = path.join(temporaryDirectory(), 'admin.sock');
  const postern = await start(socketPath);
  const call = caller({ socketPath });
  const { data_dir } = postern.settings;
  const file = (name) => path.join(data_dir, name);
  try {
    const key = (await call('POST', '/admin/v1/keys', { body: { name: 'from before' } })).json;
    await eventually(10000, 'the key to work', async () => (await status(postern, key.key1)) === 200);
    const other = temporaryDirectory();
    assert.equal((await cli(['key', 'create', '--name', 'elsewhere', '--data-dir', other])).code, 0);
    for (const name of ['keys.db', 'keys.db-wal', 'keys.db-shm']) if (existsSync(file(name))) renameSync(file(name), file(`${name}.away`));
    copyFileSync(path.join(other, 'keys.db'), file('keys.db'));
    chmodSync(file('keys.db'), 0o600);

    const lost = await call('POST', '/admin/v1/keys', { body: { name: 'where to?' } });
    assert.equal(lost.status, 503, lost.text);
    assert.match(lost.json.error.message, /keys\.db: was replaced while it was open: restart the gateway/);
    assert.equal((await call('DELETE', `/admin/v1/keys/${key.id}`)).status, 503);
    assert.equal((await call('GET', '/admin/v1/status')).json.stores.keys, 'failing');
    await eventually(10000, 'the log to say it', () => /key changes cannot be read.*keys\.db: was replaced/.test(postern.stderr));
    assert.equal(await status(postern, key.key1), 200, 'the keys as last read stay in force');

    for (const name of ['keys.db', 'keys.db-wal', 'keys.db-shm']) if (existsSync(file(`${name}.away`))) renameSync(file(`${name}.away`), file(name));
    await eventually(10000, 'changes to be read again', () => /key changes can be read again/.test(postern.stderr));
    assert.equal((await call('POST', '/admin/v1/keys', { body: { name: 'here' } })).status, 201);
    assert.equal((await call('GET', '/admin/v1/status')).json.stores.keys, 'ok');
  } finally {
    await postern.stop();
  }
});

test('with another pepper than that of its keys the gateway does not start, and says so', limit, async () => {
  const socketPath = path.join(temporaryDirectory(), 'admin.sock');
  const data_dir = temporaryDirectory();
  const pepper = path.join(data_dir, 'pepper');
  const key = (await cli(['key', 'create', '--name', 'a', '--data-dir', data_dir, '--json'])).json();
  const right = readFileSync(pepper, 'utf8');
  writeFileSync(pepper, `${'5a'.repeat(32)}\n`);
  const refused = await start(socketPath, { data_dir }).then(() => 'started', (error) => error.message);
  assert.match(refused, /pepper is not the pepper that the keys in .*keys\.db were made with/);
  const made = await cli(['key', 'create', '--name', 'b', '--data-dir', data_dir]);
  assert.equal(made.code, 1);
  assert.match(made.stderr, /is not the pepper/);
  assert.equal((await cli(['key', 'list', '--data-dir', data_dir])).code, 0, 'what needs none goes on');
  writeFileSync(pepper, right);
  const postern = await start(socketPath, { data_dir });
  assert.equal(await status(postern, key.key1), 200);
  await postern.stop();
});
