// SPDX-License-Identifier: Apache-2.0
// What the admin side refuses, and how it says so: field by field, precondition by precondition, to the second.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { caller } from './lib/admin.mjs';
import { request } from './lib/client.mjs';
import { Postern, cli } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort, sleep, temporaryDirectory, within } from './lib/util.mjs';

const limit = { timeout: 60000 };
let upstream;
let postern;
let call;
let socketPath;

before(async () => {
  upstream = await Upstream.start((x) => x.answer(200, 'ok'));
  socketPath = path.join(temporaryDirectory(), 'admin.sock');
  postern = await Postern.start({ upstream: upstream.url, admin_listen: `unix:${socketPath}`, oidc_proxy: 'http://someone:a-password@127.0.0.1:9' });
  call = caller({ socketPath });
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

const make = async (fields) => {
  const made = await call('POST', '/admin/v1/keys', { body: fields });
  assert.equal(made.status, 201, made.text);
  return made.json;
};
const total = async (query = '') => (await call('GET', `/admin/v1/keys?${query}`)).json.total;
const status = async (key) => (await request(postern.port, '/x', { key })).status;

test('all fields that break their rules are named at once, each with its value and its rule', limit, async () => {
  const before = await total();
  const body = {
    name: 'x'.repeat(101), note: 'a\u0007b', tags: ['twice', 'twice'], expires: '2001-01-01T00:00:00Z', not_before: '2030-01-01T00:00:00Z',
    scopes: [{ path: 'no-slash' }], networks: ['10.0.0.0/33'], limits: { rate: { requests: 1 } },
  };
  const { name: _, ...nameless } = body;
  const check = async (method, target, sent, headers, more = {}) => {
    const answer = await call(method, target, { body: sent, headers });
    assert.equal(answer.status, 422, answer.text);
    const details = new Map(answer.json.error.details.map((detail) => [detail.field, detail]));
    assert.equal(details.size, answer.json.error.details.length, 'each once');
    for (const [field, value] of Object.entries({ ...body, ...more })) {
      assert.ok(details.get(field)?.rule, `${field} is not named: ${answer.text}`);
      assert.deepEqual(details.get(field).value, value, field);
    }
    assert.equal(details.size, Object.keys({ ...body, ...more }).length);
  };
  await check('POST', '/admin/v1/keys', body);
  await check('POST', '/admin/v1/keys', nameless, {}, { name: undefined });
  await check('POST', '/admin/v1/keys/import', { ...body, key1: 5 }, {}, { key1: undefined });
  const { id } = await make({ name: 'to be changed' });
  await check('PATCH', `/admin/v1/keys/${id}`, body, { 'if-match': '*' });

  // What only the store or another field knows comes with its value, too; what may be a secret never does.
  await call('PATCH', `/admin/v1/keys/${id}`, { body: { expires: '2030-01-01' }, headers: { 'if-match': '*' } });
  const later = await call('PATCH', `/admin/v1/keys/${id}`, { body: { not_before: '2031-01-01' }, headers: { 'if-match': '*' } });
  assert.deepEqual(later.json.error.details.map(({ field, value }) => [field, value]), [['not_before', '2031-01-01']]);
  const short = await call('POST', '/admin/v1/keys/import', { body: { name: 'x', key1: 'too-short' } });
  assert.deepEqual(short.json.error.details.map(({ field, value }) => [field, value]), [['key1', undefined]]);
  assert.ok(!short.text.includes('too-short'));
  const badId = await call('POST', '/admin/v1/keys/import', { body: { name: 'x', key1: '0123456789abcdef0123456789abcdef', id: 'X' } });
  assert.deepEqual(badId.json.error.details.map(({ field, value }) => [field, value]), [['id', 'X']]);
  // Each secret under its own name, beside what else is wrong; two that are the same: the second.
  const named = async (sent) => (await call('POST', '/admin/v1/keys/import', { body: sent })).json.error.details.map(({ field, value }) => [field, value]);
  const good = '0123456789abcdef0123456789abcdef';
  assert.deepEqual(await named({ name: 'x', key1: good, key2: 'too-short' }), [['key2', undefined]]);
  assert.deepEqual(await named({ name: 'x', key1: good, key2: good }), [['key2', undefined]]);
  assert.deepEqual(await named({ name: '', key1: 'too-short', key2: 'a blank in its middle', id: 'X' }), [['name', ''], ['id', 'X'], ['key1', undefined], ['key2', undefined]]);
  // A time that is none is not compared with the other one.
  const old = await call('POST', '/admin/v1/keys', { body: { name: 'x', expires: '1969-12-31T23:59:59Z', not_before: '2030-01-01T00:00:00Z' } });
  assert.deepEqual(old.json.error.details.map(({ field }) => field), ['expires']);
  assert.equal(await total(), before + 1);
  // A conflict says what is in the way, and nothing of files.
  await call('POST', '/admin/v1/keys/import', { body: { name: 'x', key1: good } });
  const taken = await call('POST', '/admin/v1/keys/import', { body: { name: 'x', key1: good } });
  assert.equal(taken.status, 409);
  assert.match(taken.json.error.message, /^this secret belongs to the key "[0-9a-z]{12}" already$/);
});

test('no text takes control characters, line ends or what turns its direction', limit, async () => {
  const before = await total();
  const bad = ['a\r\nSet-Cookie: x=1', 'a\nb', 'a\rb', 'a\tb', 'a\u001b[31mb', 'a\u007fb', 'a\u0085b', 'a\u2028b', 'a\u2029b', 'a\u202eb', 'a\u2066b', 'a\u2069b'];
  const refused = async (target, field, body) => {
    const answer = await call('POST', target, { body });
    assert.equal(answer.status, 422, `${JSON.stringify(body)}: ${answer.text}`);
    assert.deepEqual(answer.json.error.details.map((detail) => detail.field), [field]);
    assert.equal(answer.headers['set-cookie'], undefined);
  };
  for (const text of bad) {
    await refused('/admin/v1/keys', 'name', { name: text });
    await refused('/admin/v1/keys', 'note', { name: 'n', note: text });
    await refused('/admin/v1/keys', 'tags', { name: 'n', tags: [text] });
    await refused('/admin/v1/keys', 'scopes', { name: 'n', scopes: [{ path: `/${text}` }] });
    await refused('/admin/v1/tokens', 'name', { name: text, role: 'viewer' });
  }
  for (const text of ['a\\u0000b', 'a\\ud800b']) assert.equal((await call('POST', '/admin/v1/keys', { raw: `{"name":"${text}"}` })).status, 400);
  // In the way itself they are no header's, nor anything's.
  for (const text of ['a%0d%0aSet-Cookie:%20x=1', 'a%00b']) {
    for (const target of [`/admin/v1/keys/${text}`, `/admin/v1/keys?text=${text}`, `/admin/v1/${text}`]) {
      const answer = await call('GET', target);
      assert.equal(answer.headers['set-cookie'], undefined);
      assert.ok([200, 400, 404].includes(answer.status), `${target}: ${answer.status}`);
    }
  }
  assert.equal(await total(), before);
  // Any other text comes back as it was.
  for (const text of ['Ünï 東京 👩🏽‍💻', '"quotes" & <b>', "'; DROP TABLE key; --", '${jndi:x} {{7*7}} %s %n', 'مفتاح']) {
    const { id } = await make({ name: text, note: text, tags: [text] });
    const { json } = await call('GET', `/admin/v1/keys/${id}`);
    assert.deepEqual([json.name, json.note, json.tags], [text, text, [text]]);
    assert.ok((await call('GET', `/admin/v1/keys?text=${encodeURIComponent(text)}`)).json.items.some((key) => key.id === id));
  }
});

test('rotating and revoking change nothing when somebody else was faster', limit, async () => {
  const { id } = await make({ name: 'raced' });
  const target = `/admin/v1/keys/${id}`;
  const { headers: { etag }, json: was } = await call('GET', target);
  const stale = { headers: { 'if-match': '"0"' } };
  assert.equal((await call('POST', `${target}/rotate`, { body: { secret: 'key1' }, ...stale })).status, 412);
  assert.equal((await call('DELETE', `${target}/secrets/key2`, stale)).status, 412);
  assert.equal((await call('DELETE', target, stale)).status, 412);
  assert.equal((await call('PATCH', target, { body: { note: 'x' }, headers: { 'if-match': `W/${etag}` } })).status, 412, 'a weak tag never matches');
  assert.deepEqual((await call('GET', target)).json, was);
  const rotated = await call('POST', `${target}/rotate`, { body: { secret: 'key1' }, headers: { 'if-match': `"0", ${etag}` } });
  assert.equal(rotated.status, 200);
  assert.notEqual(rotated.headers.etag, etag);
  assert.equal((await call('DELETE', `${target}/secrets/key2`, { headers: { 'if-match': etag } })).status, 412);
  assert.equal((await call('DELETE', `${target}/secrets/key2`, { headers: { 'if-match': rotated.headers.etag } })).status, 200);
  assert.equal((await call('POST', '/admin/v1/keys/0123456789ab/rotate', { body: { secret: 'key1' }, ...stale })).status, 404);
});

test('a grace period: 24 hours if nothing is said, 0 to 30 days, and over at its very second', limit, async () => {
  const { id, key1 } = await make({ name: 'graced' });
  const rotate = async (body) => (await call('POST', `/admin/v1/keys/${id}/rotate`, { body })).json;
  const grace = ({ secrets: { key1: { created, old } } }) => (Date.parse(old.valid_until) - Date.parse(created)) / 1000;
  assert.equal(grace(await rotate({ secret: 'key1' })), 86400);
  assert.equal(grace(await rotate({ secret: 'key1', grace_seconds: 2592000 })), 2592000);
  assert.equal((await rotate({ secret: 'key1', grace_seconds: 0 })).secrets.key1.old, null);
  for (const wrong of [-1, 2592001, 1.5, '60', null]) assert.deepEqual((await rotate({ secret: 'key1', grace_seconds: wrong })).error.details.map(({ field, value }) => [field, value]), [['grace_seconds', wrong]]);

  const { key1: before } = await rotate({ secret: 'key1' });
  await eventually(10000, 'the secret to work', async () => (await status(before)) === 200);
  const { key1: fresh, secrets } = await rotate({ secret: 'key1', grace_seconds: 3 });
  await eventually(10000, 'the new one to work', async () => (await status(fresh)) === 200);
  const end = Date.parse(secrets.key1.old.valid_until);
  for (;;) {
    const asked = Date.now();
    const got = await status(before);
    const answered = Date.now();
    if (got === 401) {
      assert.ok(answered >= end, `refused ${end - answered} ms too early`);
      break;
    }
    assert.ok(asked < end, `let in ${asked - end} ms too late`);
    await sleep(10); // time itself: the moment is neither early nor late
  }
  assert.equal(await status(fresh), 200);
  assert.equal(await status(key1), 401);
});

test('each state finds its keys, as time goes by', limit, async () => {
  const soon = new Date(Date.now() + 1500).toISOString();
  const { id: off } = await make({ name: 'state off' });
  await call('PATCH', `/admin/v1/keys/${off}`, { body: { enabled: false }, headers: { 'if-match': '*' } });
  const { id: early } = await make({ name: 'state early', not_before: soon });
  const { id: late } = await make({ name: 'state late', expires: soon });
  const ids = async (state) => (await call('GET', `/admin/v1/keys?text=state%20&state=${state}`)).json.items.map((key) => key.id);
  assert.deepEqual(await ids('disabled'), [off]);
  if (Date.now() < Date.parse(soon)) {
    const [notYet, active] = [await ids('not_yet'), await ids('active')];
    if (Date.now() < Date.parse(soon)) assert.deepEqual([notYet, active], [[early], [late]]);
  }
  await sleep(Math.max(0, Date.parse(soon) - Date.now()) + 1); // time itself
  assert.deepEqual(await ids('active'), [early]);
  assert.deepEqual(await ids('expired'), [late]);
  assert.deepEqual(await ids('not_yet'), []);
});

test('HEAD is GET without the body', limit, async () => {
  const { id } = await make({ name: 'head' });
  for (const target of ['/admin/v1/keys', `/admin/v1/keys/${id}`, '/admin/v1/status', '/admin/v1/usage?format=csv', '/admin/v1/openapi.json']) {
    const [head, get] = [await call('HEAD', target), await call('GET', target)];
    assert.deepEqual([head.status, head.text, head.headers['content-type'], head.headers.etag], [200, '', get.headers['content-type'], get.headers.etag], target);
  }
  assert.equal((await call('HEAD', '/admin/v1/keys/0123456789ab')).status, 404);
});

test('a secret in the settings is not shown', limit, async () => {
  const answer = await call('GET', '/admin/v1/settings');
  const proxy = answer.json.items.find((setting) => setting.name === 'oidc_proxy');
  assert.equal(proxy.source, 'environment');
  assert.ok(!answer.text.includes('a-password'), proxy.value);
});

test('a data directory of ours is made private again; one that is another user’s is refused with the reason', limit, async (t) => {
  for (const mode of [0o2770, 0o770, 0o702]) {
    const data_dir = temporaryDirectory();
    const settings = { data_dir, listen: `127.0.0.1:${await freePort()}`, admin_listen: 'off' };
    for (const args of [['key', 'create', '--name', 'x'], ['admin-token', 'create', '--name', 'x', '--role', 'viewer'], ['key', 'list']]) {
      chmodSync(data_dir, mode);
      const done = await cli(args, { settings });
      assert.equal(done.code, 0, done.stderr);
      assert.equal(statSync(data_dir).mode & 0o7777, 0o700, args.join(' '));
    }
    assert.ok(readdirSync(data_dir).includes('keys.db'), 'the data is in it');
  }
  if (process.getuid() !== 0) return t.diagnostic('another user’s: only root can make one');
  // As a user who may write there, but is not its owner.
  const data_dir = temporaryDirectory();
  chownSync(data_dir, 12345, 12345);
  chmodSync(data_dir, 0o777);
  const gateway = await Postern.start({ data_dir }, { expectReady: false, wrap: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] });
  const ended = await within(10000, 'it to end', gateway.child.exit);
  assert.notEqual(ended.code, 0);
  if (!/setpriv/.test(gateway.stderr)) assert.match(gateway.stderr, /belongs to user 12345, and this is user 65534/);
});
