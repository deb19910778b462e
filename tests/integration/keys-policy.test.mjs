// SPDX-License-Identifier: Apache-2.0
// What a key may be used for: scopes and networks, by the command line, on a running gateway.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { RawClient, request } from './lib/client.mjs';
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
  postern = await Postern.start({ upstream: upstream.url, trusted_proxies: '127.0.0.0/8' });
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

const ask = (key, method, path, headers = {}) => request(postern.port, path, { method, headers: { 'api-key': key.key1, ...headers } });

async function settled(key, method, path, status, headers) {
  await eventually(10000, `${method} ${path} to get ${status}`, async () => (await ask(key, method, path, headers)).status === status);
}

test('a key with scopes does what they permit and nothing else', limit, async () => {
  const key = await postern.createKey('scoped', ['--scope', 'GET,POST /language; /speech']);
  await settled(key, 'GET', '/language/x?y=/../', 200);
  assert.equal((await ask(key, 'HEAD', '/language')).status, 200);
  assert.equal((await ask(key, 'PUT', '/speech/a/b')).status, 200);
  for (const [method, path] of [['PUT', '/language/x'], ['GET', '/languages'], ['GET', '/Language'], ['GET', '/'], ['GET', '/vision']]) {
    const answer = await ask(key, method, path);
    assert.equal(answer.status, 403, `${method} ${path}`);
    assert.match(answer.json().error.message, /this key's scopes do not allow this method on this path/);
  }
});

test('no other spelling of a path slips past a prefix', limit, async () => {
  const key = await postern.createKey('spelled', ['--scope', '/language']);
  await settled(key, 'GET', '/language', 200);
  const paths = ['/language/../vision', '/language/%2e%2E/vision', '/language/.%2e/vision', '/language/./x', '//language', '/language//x',
    '/language/..%2fvision', '/language%2F..%2Fvision', '/language/..%5cvision', '/language/%2e',
    '/language/..;/vision', '/language/..;a=b/vision', '/language/%2e%2e;/vision', '/language/..%3b/vision', '/language/%252e%252e/vision', '/language/%c0%ae%c0%ae/vision', '/language/x%3f/../vision'];
  for (const path of paths) {
    const client = await RawClient.connect(postern.port);
    const answer = await client.get(path, { key: key.key1 });
    assert.equal(answer.status, 403, path);
    assert.match(String(answer.body), /more than one way/);
    client.destroy();
  }
});

test('a key with networks works from there, by what trusted proxies say', limit, async () => {
  const key = await postern.createKey('from-afar', ['--network', '10.0.0.0/8, fd00::/8']);
  await settled(key, 'GET', '/x', 200, { 'x-forwarded-for': '10.1.2.3' });
  assert.equal((await ask(key, 'GET', '/x', { 'x-forwarded-for': '192.0.2.1, fd00::7' })).status, 200);
  for (const headers of [{}, { 'x-forwarded-for': '192.0.2.1' }, { 'x-forwarded-for': '10.1.2.3, 192.0.2.1' }]) {
    const answer = await ask(key, 'GET', '/x', headers);
    assert.equal(answer.status, 403);
    assert.match(answer.json().error.message, /this key may not be used from (127\.0\.0\.1|192\.0\.2\.1)\. Ask an administrator to allow that network\.$/);
  }
});

test('rules change under a running gateway, and an empty value takes them away', limit, async () => {
  const key = await postern.createKey('changing', ['--scope', '/a']);
  await settled(key, 'GET', '/a', 200);
  await run(['key', 'update', key.id, '--scope', '/b', '--network', '127.0.0.1']);
  await settled(key, 'GET', '/b', 200);
  assert.equal((await ask(key, 'GET', '/a')).status, 403);
  await run(['key', 'update', key.id, '--scope', '', '--network', '']);
  await settled(key, 'GET', '/a//', 200);
});

test('what is set is shown, and what makes no sense is refused with the field and the rule', limit, async () => {
  const key = await postern.createKey('shown', ['--scope', 'GET /a', '--network', '10.0.0.0/8', '--tag', 'x, y', '--limit', 'rate=100/60 concurrency=4 quota=9/day']);
  const shown = JSON.parse((await run(['key', 'show', key.id, '--json'])).stdout);
  assert.deepEqual(shown.scopes, [{ methods: ['GET'], path: '/a' }]);
  assert.deepEqual(shown.networks, ['10.0.0.0/8']);
  assert.deepEqual(shown.tags, ['x', 'y']);
  assert.deepEqual(shown.limits, { rate: { requests: 100, per_seconds: 60 }, concurrency: 4, quota: { requests: 9, per: 'day' } });
  const wrong = [['--scope', 'a', /prefix like/], ['--scope', 'FETCH /a', /methods must be among GET, HEAD/], ['--network', '10.0.0.1/8', /bits set after its prefix/],
    ['--network', 'home', /is not a network; use/], ['--tag', 'x, x', /texts that differ/], ['--limit', 'rate=5', /--limit: use/], ['--limit', 'quota=5/year', /"day" or "month"/]];
  for (const [flag, value, rule] of wrong) {
    const done = await run(['key', 'update', key.id, flag, value], 2);
    assert.match(done.stderr, rule);
  }
});
