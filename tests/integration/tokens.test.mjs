// SPDX-License-Identifier: Apache-2.0
// Access tokens of the gateway's own, as the cloud gives them: made for a key, used instead of it, ending with it.
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { chmodSync, chownSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { RawClient, request } from './lib/client.mjs';
import { Postern, cli } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, sleep, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 60000 };
let upstream;
let postern;
let key;

const raw = async (port, head, body = '') => {
  const client = await RawClient.connect(port);
  await client.write(`${head}\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const answer = await client.response();
  client.destroy();
  return answer;
};
const ask = (token, { target = '/x', port = postern.port, fields = '' } = {}) =>
  raw(port, `GET ${target} HTTP/1.1\r\nAuthorization: Bearer ${token}${fields}`);
const issue = (secret, { port = postern.port, target = '/sts/v1.0/issueToken', body = '', fields = '' } = {}) =>
  raw(port, `POST ${target} HTTP/1.1\r\nOcp-Apim-Subscription-Key: ${secret}${fields}`, body);
const part = (token, n) => JSON.parse(Buffer.from(token.split('.')[n], 'base64url'));

before(async () => {
  upstream = await Upstream.start((x) => x.showHead());
  postern = await Postern.start({ upstream: upstream.url, region: 'westeurope' });
  key = await postern.createKey('tokens');
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

describe('issuing', limit, () => {
  test('a bare JWT of the cloud’s shape, signed by a published key', limit, async () => {
    const answer = await issue(key.key1);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.get('content-type'), 'application/jwt; charset=us-ascii');
    assert.equal(answer.get('cache-control'), 'no-store');
    const token = answer.text;
    assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
    const claims = part(token, 1);
    assert.equal(claims.iss, 'urn:ms.cognitiveservices');
    assert.equal(claims.region, 'westeurope');
    assert.equal(claims.sub, key.id);
    assert.equal(claims.exp - claims.iat, 600);
    assert.ok(!token.includes(key.key1));
    const { kid, alg } = part(token, 0);
    assert.equal(alg, 'ES256');
    const { keys } = JSON.parse((await raw(postern.port, 'GET /sts/v1.0/keys HTTP/1.1')).text);
    const jwk = keys.find((one) => one.kid === kid);
    assert.equal(jwk.d, undefined);
    const [head, body, signature] = token.split('.');
    assert.ok(verify('sha256', Buffer.from(`${head}.${body}`), { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')));
    const file = path.join(postern.settings.data_dir, 'token.keys');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(upstream.requests?.length ?? 0, 0);
  });

  test('as clients ask: other spellings, a form, the key in the query; the same token within a minute', limit, async () => {
    const first = (await issue(key.key2)).text;
    for (const [target, options] of [['/sts/v1.0/issuetoken', {}], ['/issueToken', {}], ['/STS/V1.0/ISSUETOKEN', {}],
      ['/sts/v1.0/issueToken', { body: 'a=b', fields: '\r\nContent-Type: application/x-www-form-urlencoded' }]]) {
      const answer = await issue(key.key2, { target, ...options });
      assert.equal(answer.status, 200, target);
      assert.equal(answer.text, first);
    }
    for (const name of ['Subscription-Key', 'subscription-key', 'Ocp-Apim-Subscription-Key', 'api-key']) {
      const answer = await raw(postern.port, `POST /sts/v1.0/issueToken?${name}=${key.key2} HTTP/1.1`);
      assert.equal(answer.text, first, name);
    }
    assert.ok(!postern.stdout.includes(key.key2) && !postern.stderr.includes(key.key2), 'never logged');
  });

  test('not without a key, with a wrong one, with two, or for a token', limit, async () => {
    assert.equal((await raw(postern.port, 'POST /sts/v1.0/issueToken HTTP/1.1')).status, 401);
    assert.equal((await issue('0'.repeat(32))).status, 401);
    assert.equal((await issue(key.key1, { target: `/sts/v1.0/issueToken?Subscription-Key=${key.key2}` })).status, 400);
    const token = (await issue(key.key1)).text;
    assert.equal((await raw(postern.port, `POST /sts/v1.0/issueToken HTTP/1.1\r\nAuthorization: Bearer ${token}`)).status, 401);
    assert.equal((await raw(postern.port, `GET /sts/v1.0/issueToken HTTP/1.1\r\nOcp-Apim-Subscription-Key: ${key.key1}`)).status, 200, 'another method is the container’s');
  });

  test('another region is refused in the cloud’s words; the own one, and none, are not', limit, async () => {
    const region = (name) => issue(key.key1, { fields: `\r\nOcp-Apim-Subscription-Region: ${name}` });
    assert.equal((await region('WestEurope')).status, 200);
    const refused = await region('eastus');
    assert.equal(refused.status, 401);
    assert.match(JSON.parse(refused.text).error.message, /correct regional API endpoint/);
  });
});

describe('using', limit, () => {
  test('it opens what its key opens, and neither token nor key reach the container', limit, async () => {
    const token = (await issue(key.key1)).text;
    const answer = await ask(token);
    assert.equal(answer.status, 200, answer.text);
    assert.ok(!answer.text.includes(token));
    const line = await postern.logged((one) => one.path === '/x');
    assert.equal(line.key_id, key.id);
    for (const bad of [`${token}x`, token.slice(0, -1), token.replace(/\.[^.]+\./, '.e30.'), `${token.split('.').slice(0, 2).join('.')}.`]) {
      const refused = await ask(bad);
      assert.equal(refused.status, 401);
      if (refused.get('www-authenticate').startsWith('Bearer')) assert.match(JSON.parse(refused.text).error.message, /Access token is missing, invalid/);
    }
    assert.equal((await ask(token, { fields: `\r\nOcp-Apim-Subscription-Key: ${key.key1}` })).status, 400, 'a token and a key');
  });

  test('in the query it counts on upgrades only', limit, async () => {
    const token = (await issue(key.key1)).text;
    assert.equal((await raw(postern.port, `GET /x?Authorization=Bearer%20${token} HTTP/1.1`)).status, 401);
    assert.equal((await raw(postern.port, `GET /x?Ocp-Apim-Subscription-Key=${key.key1} HTTP/1.1`)).status, 401);
  });

  test('it keeps to the scopes and networks of its key', limit, async () => {
    const scoped = await postern.createKey('scoped', ['--scope', 'GET /only']);
    const answer = await issue(scoped.key1);
    assert.equal(answer.status, 200, answer.text);
    assert.equal((await ask(answer.text, { target: '/only/this' })).status, 200);
    assert.equal((await ask(answer.text, { target: '/x' })).status, 403);
    const far = await postern.createKey('far', ['--network', '192.0.2.0/24']);
    assert.equal((await issue(far.key1)).status, 403);
  });

  test('it ends with its key and with its secret, within a second', limit, async () => {
    const one = await postern.createKey('short-lived');
    const [first, second] = [(await issue(one.key1)).text, (await issue(one.key2)).text];
    const ends = (token) => eventually(3000, 'the token to end', async () => (await ask(token)).status === 401);
    assert.equal((await ask(first)).status, 200);
    assert.equal((await postern.cli(['key', 'rotate', one.id, '--secret', 'key1', '--grace', '0'])).code, 0);
    await ends(first);
    assert.equal((await ask(second)).status, 200, 'the other secret’s goes on');
    assert.equal((await postern.cli(['key', 'disable', one.id])).code, 0);
    await ends(second);
    assert.equal((await postern.cli(['key', 'enable', one.id])).code, 0);
    await eventually(3000, 'it to work again', async () => (await ask(second)).status === 200);
    assert.equal((await postern.cli(['key', 'delete', one.id, '--yes'])).code, 0);
    await ends(second);
  });
});

describe('over time', limit, () => {
  test('it expires; the signing key changes while tokens are in use', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url, token_lifetime: '4s', token_key_period: '4s' });
    t.after(() => gateway.stop());
    const made = await gateway.createKey('t');
    const old = (await issue(made.key1, { port: gateway.port })).text;
    assert.equal((await ask(old, { port: gateway.port })).status, 200);
    const changed = await eventually(10000, 'another key to sign', async () => {
      const token = (await issue(made.key1, { port: gateway.port })).text;
      return part(token, 0).kid === part(old, 0).kid ? null : token;
    });
    assert.equal((await ask(changed, { port: gateway.port })).status, 200);
    await eventually(10000, 'the old token to expire', async () => (await ask(old, { port: gateway.port })).status === 401);
    assert.ok(JSON.parse((await raw(gateway.port, 'GET /sts/v1.0/keys HTTP/1.1')).text).keys.length === 2);
  });

  test('it outlives a restart; a file that others can read is closed; another user’s, or a damaged one, is refused', limit, async () => {
    const settings = { upstream: upstream.url, data_dir: temporaryDirectory() };
    const before = await Postern.start(settings);
    const made = await before.createKey('t');
    const token = (await issue(made.key1, { port: before.port })).text;
    await before.stop();
    const again = await Postern.start(settings);
    assert.equal((await ask(token, { port: again.port })).status, 200);
    await again.stop();
    const file = path.join(settings.data_dir, 'token.keys');
    assert.ok(existsSync(file));
    const refuses = async (says) => {
      const { code, stderr } = await cli(['serve'], { settings: { ...settings, listen: '127.0.0.1:0', admin_listen: 'off' } });
      assert.notEqual(code, 0);
      assert.match(stderr, says);
    };
    chmodSync(file, 0o644);
    const open = await Postern.start(settings);
    assert.equal((await ask(token, { port: open.port })).status, 200);
    assert.match(open.stderr, /warning files: \S*token\.keys could be read by other users \(mode 0644\); its mode is 0600 now/);
    assert.equal(statSync(file).mode & 0o7777, 0o600);
    await open.stop();
    if (process.getuid() === 0) {
      chownSync(file, 12345, 12345); // nobody but root can give a file away
      await refuses(/token\.keys belongs to user 12345, and this is user 0: run as user 12345/);
      chownSync(file, 0, 0);
    }
    writeFileSync(file, `${readFileSync(file, 'utf8')}more\n`);
    await refuses(/token\.keys is damaged/);
    assert.equal((await request(postern.port, '/x', { key: key.key1 })).status, 200);
  });
});
