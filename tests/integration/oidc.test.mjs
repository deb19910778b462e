// SPDX-License-Identifier: Apache-2.0
// Access tokens of other issuers, from a server of keys on loopback to the key whose limits and usage count.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';

import WebSocket, { WebSocketServer } from 'ws';

import { request } from './lib/client.mjs';
import { Issuer, forgedWithHmac, makeKey, makeToken } from './lib/issuer.mjs';
import { Postern, cli } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort, sleep, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 120000 };
const AUDIENCE = 'https://cognitiveservices.azure.com';

let upstream;
let issuer;
let postern;
const keys = {};
const ids = {};

const now = () => Math.floor(Date.now() / 1000);
const claims = (more = {}) => ({ iss: issuer.name, aud: AUDIENCE, exp: now() + 3600, nbf: now() - 5, iat: now() - 5, sub: 'someone', appid: 'app-1', ...more });
const withToken = (token, headers = {}, port = postern.port, target = '/language/x') =>
  request(port, target, { headers: { Authorization: `Bearer ${token}`, ...headers } });
const usedKey = (answer) => answer.json().fields.find(([name]) => name.toLowerCase() === 'x-postern-key-id')?.[1];

/** A new key's id, in a data directory that no gateway has to have yet. */
async function keyIn(data_dir, [name, ...args]) {
  const made = await cli(['key', 'create', '--name', name, '--json', ...args], { settings: { data_dir } });
  assert.equal(made.code, 0, made.stderr);
  return made.json().id;
}

function assertWrong(answer, what) {
  assert.equal(answer.status, 401, what);
  assert.equal(answer.get('www-authenticate'), 'Bearer error="invalid_token"', what);
  assert.match(answer.json().error.message, /^Unauthorized\. Access token is missing, invalid, audience is incorrect/, what);
}

before(async () => {
  upstream = await Upstream.start(async (x) => {
    await x.body();
    await x.showHead();
  });
  issuer = await Issuer.start();
  for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA', 'ES384']) issuer.keys.push((keys[alg] = makeKey(alg, `kid-${alg}`)));
  issuer.keys.push((keys.plain = makeKey('RS256', 'kid-plain', { publish: { alg: undefined } })));
  issuer.keys.push((keys.weak = makeKey('RS256', 'kid-weak', { bits: 1024 })));
  issuer.keys.push({ kty: 'oct', kid: 'kid-oct', k: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' });
  const data_dir = temporaryDirectory();
  for (const name of ['app', 'roles', 'words', 'ending']) ids[name] = await keyIn(data_dir, [name]);
  ids.scoped = await keyIn(data_dir, ['scoped', '--scope', 'GET /vision']);
  postern = await Postern.start({
    upstream: upstream.url,
    data_dir,
    ca_file: issuer.ca,
    log_level: 'debug',
    workers: 2,
    oidc_issuers: issuer.name,
    oidc_keys: [`${ids.app} appid=app-1`, `${ids.scoped} appid=app-2 roles=Scoped`, `${ids.roles} roles=Reader`,
      `${ids.words} scp="Speech.Use"`, `${ids.ending} oid=ends`, 'nokey0000001 oid=nobody'].join(', '),
  });
  await eventually(15000, 'the issuer\'s keys', async () => (await withToken(makeToken(keys.ES256, claims()))).status === 200);
}, limit);

after(async () => {
  await postern?.stop();
  await issuer?.stop();
  await upstream?.stop();
}, limit);

test('tokens of each algorithm are taken, and count as their key\'s requests', limit, async () => {
  for (const name of ['RS256', 'PS256', 'ES256', 'EdDSA', 'plain']) {
    const token = makeToken(keys[name], claims());
    for (let i = 0; i < 3; i++) {
      const answer = await withToken(token);
      assert.equal(answer.status, 200, `${name}: ${answer.text}`);
      assert.equal(usedKey(answer), ids.app, name);
      assert.equal(answer.text.includes(token), false, 'the token does not go on');
    }
  }
  assert.equal((await withToken(`aad#/subscriptions/1/resource#${makeToken(keys.ES256, claims())}`)).status, 200);
  await eventually(10000, 'the usage of its key', async () =>
    (await postern.usage(['--by', 'key'])).some((row) => row.key_id === ids.app && row.requests >= 15));
  assert.match(postern.stderr, /5 key\(s\) from .*left out: key 5 \(kid .*kid-ES384.*\) is for an algorithm that is not allowed/);
});

test('a token with as many groups as Entra ID puts into one is taken, and is found again', limit, async () => {
  const groups = Array.from({ length: 200 }, () => randomUUID());
  const more = { name: 'Some One', preferred_username: 'some.one@example.com', wids: [randomUUID()], uti: 'u'.repeat(22), rh: `0.${'A'.repeat(50)}`, aio: 'A'.repeat(60) };
  const token = makeToken(keys.RS256, claims({ groups, ...more }));
  assert.ok(token.length > 11000, `${token.length}`);
  for (let i = 0; i < 3; i++) assert.equal((await withToken(token)).status, 200);
  const tooLong = makeToken(keys.RS256, claims({ groups: [...groups, ...groups] }));
  assert.ok(tooLong.length > 16384, `${tooLong.length}`);
  assert.equal((await withToken(tooLong)).status, 401);
});

test('audiences: with a slash, in a list', limit, async () => {
  for (const aud of [`${AUDIENCE}/`, ['other', AUDIENCE], [`${AUDIENCE}/`]]) assert.equal((await withToken(makeToken(keys.ES256, claims({ aud })))).status, 200);
});

test('whatever is wrong with a token gets the cloud\'s answer; the log says what it was', limit, async () => {
  const good = makeToken(keys.ES256, claims());
  const [header, payload, signature] = good.split('.');
  const other = makeKey('ES256', 'kid-ES256');
  const b64 = (text) => Buffer.from(text).toString('base64url');
  const cases = [
    ['expired', makeToken(keys.ES256, claims({ exp: now() - 61 })), /has expired/],
    ['not yet', makeToken(keys.ES256, claims({ nbf: now() + 90 })), /not valid yet/],
    ['from the future', makeToken(keys.ES256, claims({ iat: now() + 90 })), /not valid yet/],
    ['no exp', makeToken(keys.ES256, claims({ exp: undefined })), /no exp/],
    ['exp as text', makeToken(keys.ES256, claims({ exp: '9999999999' })), /wrong type/],
    ['audience', makeToken(keys.ES256, claims({ aud: 'https://graph.microsoft.com' })), /another audience/],
    ['no audience', makeToken(keys.ES256, claims({ aud: undefined })), /another audience/],
    ['issuer', makeToken(keys.ES256, claims({ iss: `${issuer.name}/` })), /issuer is not trusted/],
    ['no issuer', makeToken(keys.ES256, claims({ iss: undefined })), /issuer is not trusted/],
    ['signature of another key', makeToken(other, claims()), /signature is wrong/],
    ['signature of another token', `${header}.${payload}.${makeToken(keys.ES256, claims({ jti: 'x' })).split('.')[2]}`, /signature is wrong/],
    ['changed claims', `${header}.${b64(JSON.stringify(claims({ roles: ['Reader'] })))}.${signature}`, /signature is wrong/],
    ['alg none', `${b64('{"alg":"none"}')}.${payload}.`, /algorithm is missing, none, symmetric/],
    ['alg None, with the signature', `${b64('{"alg":"None","kid":"kid-ES256"}')}.${payload}.${signature}`, /algorithm is missing, none/],
    ['HMAC with the public key', forgedWithHmac(keys.RS256, claims()), /symmetric/],
    ['PS256 with a key for RS256', makeToken({ ...keys.PS256, kid: 'kid-RS256' }, claims()), /not its key's/],
    ['PS256 with a key that names none', makeToken({ ...keys.PS256, kid: 'kid-plain' }, claims()), /not its key's/],
    ['an algorithm that is not allowed', makeToken(keys.ES384, claims()), /key is not known/],
    ['a weak key', makeToken(keys.weak, claims()), /key is not known/],
    ['unknown kid', makeToken({ ...keys.ES256, kid: 'kid-other' }, claims()), /key is not known/],
    ['no kid, several keys', makeToken(keys.RS256, claims(), { alg: 'RS256' }), /key is not known/],
    ['its own key', makeToken(other, claims(), { alg: 'ES256', kid: 'mine', jwk: other.jwk, jku: `${issuer.name}/evil`, x5u: `${issuer.name}/evil` }), /key is not known/],
    ['crit', makeToken(keys.ES256, claims(), { alg: 'ES256', kid: 'kid-ES256', crit: ['exp'] }), /extension/],
    ['nested', makeToken(keys.ES256, good, { alg: 'ES256', kid: 'kid-ES256', cty: 'JWT' }), /nested/],
    ['another kind', makeToken(keys.ES256, claims(), { alg: 'ES256', kid: 'kid-ES256', typ: 'logout+jwt' }), /another kind/],
    ['claims twice', makeToken(keys.ES256, `${JSON.stringify(claims()).slice(0, -1)},"appid":"app-1"}`), /claims are not a proper/],
    ['a newline at its end', `${good}%0A`, null],
    ['too long', makeToken(keys.ES256, claims({ pad: 'x'.repeat(13000) })), /longer than 16384/],
  ];
  for (const [what, token, reason] of cases) {
    const before = postern.stderr.length;
    const answer = await withToken(token);
    if (reason === null) {
      assert.equal(answer.status, 401, what);
      continue;
    }
    assertWrong(answer, what);
    await eventually(5000, `${what}: ${reason} in the log`, () => reason.test(postern.stderr.slice(before)));
  }
  assert.equal(issuer.requests.includes('/evil'), false, 'no URL of a token is ever fetched');
  assert.equal(postern.stderr.includes(signature), false, 'tokens are not logged');
  assert.equal(postern.stdout.includes(signature), false);
});

test('claims decide whose key it is: the first rule that fits', limit, async () => {
  const as = async (more) => withToken(makeToken(keys.EdDSA, claims(more)));
  assert.equal(usedKey(await as({ appid: 'app-2', roles: ['Reader', 'Writer'] })), ids.roles);
  assert.equal(usedKey(await as({ appid: 'app-1', roles: ['Reader'] })), ids.app);
  assert.equal(usedKey(await as({ appid: undefined, scp: 'openid Speech.Use profile' })), ids.words);
  for (const more of [{ appid: 'app-9' }, { appid: undefined, scp: 'Speech.User' }, { appid: 'app-9', roles: 'Rea' }, { appid: ['app-9'] }]) {
    const answer = await as(more);
    assert.equal(answer.status, 401, JSON.stringify(more));
    assert.equal(answer.json().error.code, 'PermissionDenied', JSON.stringify(more));
    assert.equal((await as(more)).json().error.code, 'PermissionDenied', 'again, by the cache');
  }
  /* The key's scopes are the token's. */
  const scoped = await as({ appid: 'app-2', roles: ['Scoped'] });
  assert.equal(scoped.status, 403);
  assert.match(scoped.json().error.message, /this key's scopes do not allow/);
  /* A key that is in the rules and not in the keyring. */
  const denied = (await as({ appid: undefined, oid: 'nobody' })).json().error;
  assert.equal(denied.code, 'PermissionDenied');
  assert.match(denied.message, /^The principal `nobody` lacks the required data action to perform `GET \/\S+` operation\.$/);
});

test('a disabled key ends its tokens within a second', limit, async () => {
  const token = makeToken(keys.ES256, claims({ appid: undefined, oid: 'ends' }));
  assert.equal((await withToken(token)).status, 200);
  await postern.change(ids.ending, ['key', 'disable', ids.ending]);
  assert.equal((await withToken(token)).json().error.code, 'PermissionDenied');
  assert.equal((await postern.cli(['key', 'enable', ids.ending])).code, 0);
  await eventually(5000, 'the token to work again', async () => (await withToken(token)).status === 200);
});

test('a token expires while it is in the caches', limit, async () => {
  const token = makeToken(keys.ES256, claims({ exp: now() - 57 })); // within the leeway of 60 s, for three seconds
  assert.equal((await withToken(token)).status, 200);
  await eventually(10000, 'its time to be over', async () => (await withToken(token)).status === 401, 100);
  for (let i = 0; i < 4; i++) assertWrong(await withToken(token), 'expired in the cache');
});

test('a stream ends with the token or the key that opened it', limit, async () => {
  const echo = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  echo.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
  await once(echo, 'listening');
  const data_dir = temporaryDirectory();
  const id = await keyIn(data_dir, ['streams']);
  const one = await Postern.start({ upstream: `http://127.0.0.1:${echo.address().port}`, data_dir, ca_file: issuer.ca, oidc_issuers: `${issuer.name} leeway=0`, oidc_keys: `${id} *` });
  const open = async (exp) => {
    const ws = new WebSocket(`wss://127.0.0.1:${one.port}/speech/x`, { rejectUnauthorized: false, headers: { Authorization: `Bearer ${makeToken(keys.EdDSA, claims({ exp }))}` } });
    const ended = new Promise((resolve) => ws.on('close', (code, reason) => resolve({ code, reason: String(reason), at: Date.now() })));
    await once(ws, 'open');
    ws.send('hello');
    await once(ws, 'message');
    return { ended };
  };
  try {
    await eventually(15000, 'the keys', async () => (await withToken(makeToken(keys.EdDSA, claims()), {}, one.port)).status !== 503);
    const exp = now() + 3;
    const [short, long] = [await open(exp), await open(now() + 3600)];
    const first = await short.ended;
    assert.equal(first.code, 4000);
    assert.ok(first.at >= exp * 1000, 'not before its time');
    assert.equal((await one.cli(['key', 'disable', id])).code, 0);
    assert.equal((await long.ended).code, 4000);
  } finally {
    await one.stop();
    echo.close();
  }
});

test('two credentials that differ are refused, the same twice is one', limit, async () => {
  const token = makeToken(keys.ES256, claims());
  const second = makeToken(keys.ES256, claims({ jti: '2' }));
  const twice = await request(postern.port, '/x', { headers: { Authorization: [`Bearer ${token}`, `bearer  ${token}`] } });
  assert.equal(twice.status, 200, twice.text);
  const two = await request(postern.port, '/x', { headers: { Authorization: [`Bearer ${token}`, `Bearer ${second}`] } });
  assert.equal(two.status, 400);
  assert.equal((await withToken(token, { 'api-key': '0123456789abcdef0123456789abcdef' })).status, 400);
});

test('keys change while tokens are in use', limit, async () => {
  const old = keys.RS256;
  const token = makeToken(old, claims());
  assert.equal((await withToken(token)).status, 200);
  const fresh = makeKey('RS256', 'kid-fresh');
  issuer.keys.push(fresh); // with overlap first
  const freshToken = makeToken(fresh, claims());
  await eventually(20000, 'the new key to be fetched for a kid that is not known', async () => (await withToken(freshToken)).status === 200, 250);
  assert.equal((await withToken(token)).status, 200);
  issuer.keys.splice(issuer.keys.indexOf(old), 1); // then the old one goes
  const unknown = makeToken({ ...fresh, kid: 'kid-unknown' }, claims());
  await eventually(25000, 'the old key to be forgotten', async () => {
    await withToken(unknown);
    return (await withToken(token)).status === 401;
  }, 250);
  assert.equal((await withToken(freshToken)).status, 200);
});

test('made-up kids do not make it ask more often than every ten seconds', limit, async () => {
  const before = issuer.requests.filter((url) => url === '/keys').length;
  for (let i = 0; i < 200; i++) assertWrong(await withToken(makeToken({ ...keys.EdDSA, kid: `made-up-${i}` }, claims())));
  await sleep(1500); // time itself: how often it asks in a while
  const asked = issuer.requests.filter((url) => url === '/keys').length - before;
  assert.ok(asked <= 2, `asked ${asked} times`);
});

test('an issuer that is down: what is known stays in use, and what is not comes when it is back', limit, async () => {
  const certificates = issuer.certificates;
  const gone = await Issuer.start({ certificates, port: await freePort() }); // nobody else gets it meanwhile
  const key = makeKey('ES256', 'only');
  const mine = (more) => makeToken(key, { iss: gone.name, aud: AUDIENCE, exp: now() + 3600, ...more });
  await gone.stop();
  const data_dir = temporaryDirectory();
  const id = await keyIn(data_dir, ['one']);
  const second = await Postern.start({ upstream: upstream.url, data_dir, ca_file: issuer.ca, oidc_issuers: gone.name, oidc_keys: `${id} *` });
  let back;
  try {
    const refused = await withToken(mine(), {}, second.port);
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.get('retry-after')) > 0);
    await eventually(10000, 'the log to tell', () => /no new keys \(.*\); its tokens cannot be checked/.test(second.stderr));
    back = await Issuer.start({ certificates, port: gone.port });
    back.keys.push(key);
    await eventually(30000, 'the keys', async () => (await withToken(mine(), {}, second.port)).status === 200, 250);
    await back.stop();
    assert.equal((await withToken(mine({ jti: 'new' }), {}, second.port)).status, 200);
    assert.match(second.stderr, /keys can be fetched again/);
  } finally {
    await second.stop();
  }
});

test('an issuer that never answers holds up neither requests nor the end', limit, async () => {
  const sockets = [];
  const silent = net.createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const name = `https://localhost:${silent.address().port}`;
  const one = await Postern.start({ upstream: upstream.url, ca_file: issuer.ca, oidc_issuers: name, oidc_keys: `${ids.app} *` });
  await eventually(10000, 'it to be asked', () => sockets.length > 0);
  assert.equal((await withToken(makeToken(keys.ES256, claims({ iss: name })), {}, one.port)).status, 503);
  await one.stop();
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('keys are fetched through the proxy that is set, and it is shown to nobody', limit, async () => {
  const asked = [];
  const proxy = http.createServer().on('connect', (request, socket) => {
    asked.push(`${request.url} ${request.headers['proxy-authorization']}`);
    const onward = net.connect(Number(request.url.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [onward, socket]) end.on('error', () => {});
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const data_dir = temporaryDirectory();
  const id = await keyIn(data_dir, ['proxied']);
  const one = await Postern.start({ upstream: upstream.url, data_dir, ca_file: issuer.ca, oidc_issuers: issuer.name, oidc_keys: `${id} *`, oidc_proxy: `http://me:proxysecret@127.0.0.1:${proxy.address().port}` });
  try {
    await eventually(15000, 'the keys', async () => (await withToken(makeToken(keys.EdDSA, claims()), {}, one.port)).status === 200);
    assert.deepEqual([...new Set(asked)], [`localhost:${issuer.port} Basic ${Buffer.from('me:proxysecret').toString('base64')}`]);
    const shown = await one.cli(['check', '--print']);
    assert.equal((shown.stdout + one.stderr).includes('proxysecret'), false);
  } finally {
    await one.stop();
    proxy.closeAllConnections();
    proxy.close();
  }
});

test('answers of an issuer that are no keys are refused, and those known stay', limit, async () => {
  const odd = await Issuer.start({ certificates: issuer.certificates });
  const key = makeKey('ES256', 'only');
  odd.keys.push(key);
  const answers = [
    (_, response) => response.writeHead(302, { Location: `${issuer.name}/keys` }).end(),
    (_, response) => response.writeHead(500).end('{}'),
    (_, response) => response.end('<html>'),
    (_, response) => response.end(JSON.stringify({ issuer: 'https://other', jwks_uri: `${odd.name}/keys` })),
    (_, response) => response.end(JSON.stringify({ issuer: odd.name, jwks_uri: 'http://localhost/keys' })),
    (request, response) => response.end(request.url === '/keys' ? '{"keys":[]}' : JSON.stringify({ issuer: odd.name, jwks_uri: `${odd.name}/keys` })),
    (request, response) => response.end(request.url === '/keys' ? `{"keys":[${' '.repeat(70000)}]}` : JSON.stringify({ issuer: odd.name, jwks_uri: `${odd.name}/keys` })),
  ];
  const reasons = [/redirect/i, /returned status 500/, /not valid JSON/, /for another issuer/, /no https:\/\/ jwks_uri/, /no keys/, /larg/];
  for (const [i, respond] of answers.entries()) {
    odd.respond = respond;
    const one = await Postern.start({ upstream: upstream.url, ca_file: issuer.ca, oidc_issuers: odd.name, oidc_keys: 'appone000001 *' });
    await eventually(10000, `the reason ${reasons[i]}`, () => reasons[i].test(one.stderr));
    assert.equal((await withToken(makeToken(key, { iss: odd.name, aud: AUDIENCE, exp: now() + 60 }), {}, one.port)).status, 503);
    await one.stop();
  }
  const strange = await Postern.start({ upstream: upstream.url, oidc_issuers: odd.name, oidc_keys: 'appone000001 *' });
  await eventually(10000, 'an authority that is not known', () => /no new keys \(.*(certificate|authority|root)/i.test(strange.stderr));
  await strange.stop();
  await odd.stop();
});

test('keys in a file are taken in when it changes', limit, async () => {
  const file = path.join(temporaryDirectory(), 'keys.json');
  const [first, second] = [makeKey('ES256', 'one'), makeKey('RS256', 'two')];
  const write = (...list) => writeFileSync(file, JSON.stringify({ keys: list.map((key) => key.jwk) }));
  write(first);
  const token = (key, more) => makeToken(key, { iss: 'urn:files', aud: 'speech', sub: 'x', exp: now() + 3600, ...more });
  const data_dir = temporaryDirectory();
  const made = await cli(['key', 'create', '--name', 'one', '--json'], { settings: { data_dir } });
  const one = await Postern.start({ upstream: upstream.url, data_dir, oidc_issuers: `urn:files jwks=${file} audience=speech leeway=0 algorithm=ES256 algorithm=RS256`, oidc_keys: `${made.json().id} sub=x` });
  try {
    assert.equal((await withToken(token(first), {}, one.port)).status, 200);
    assertWrong(await withToken(token(second), {}, one.port));
    assertWrong(await withToken(token(first, { exp: now() - 1 }), {}, one.port), 'no leeway');
    write(first, second);
    await eventually(10000, 'the second key', async () => (await withToken(token(second), {}, one.port)).status === 200, 100);
    write(second);
    await eventually(10000, 'the first to be gone', async () => (await withToken(token(first), {}, one.port)).status === 401, 100);
    writeFileSync(file, '{');
    await eventually(10000, 'the broken file to be told', () => /no new keys .*not valid JSON.*those known stay in use/.test(one.stderr));
    assert.equal((await withToken(token(second), {}, one.port)).status, 200);
    assert.equal((await request(one.port, '/x', { key: made.json().key1 })).status, 200, 'keys work beside tokens');
  } finally {
    await one.stop();
  }
});

test('check tells what is wrong in the settings, each with its item', limit, async () => {
  const check = async (oidc_issuers, oidc_keys, more = {}) => {
    const done = await cli(['check'], { settings: { data_dir: temporaryDirectory(), oidc_issuers, oidc_keys, ...more } });
    return { code: done.code, text: done.stdout + done.stderr };
  };
  assert.equal((await check('https://a.example', 'appone000001 *')).code, 0);
  assert.equal((await check('https://a.example, https://b.example/', 'appone000001 issuer=https://b.example/ groups="a b"')).code, 0);
  const wrong = [
    ['https://a.example', '', /OIDC_KEYS: no rule says which key/],
    ['', 'appone000001 *', /OIDC_KEYS: .*which issuer/],
    ['https://a.example', 'appone *', /does not begin with a key's id/],
    ['https://a.example', 'appone000001', /either conditions .*or \*/],
    ['https://a.example', 'appone000001 * oid=1', /either conditions .*or \*/],
    ['https://a.example', 'appone000001 oid', /"oid" is no condition/],
    ['https://a.example', 'appone000001 oid="1', /quote is not closed/],
    ['https://a.example', 'appone000001 issuer=https://c.example *', /issuer https:\/\/c\.example is not in oidc_issuers/],
    ['https://a.example, https://b.example', 'appone000001 *', /which issuer's tokens/],
    ['https://a.example, https://a.example', 'appone000001 issuer=https://a.example *', /is there twice/],
    ['urn:a', 'appone000001 *', /no https:\/\/ URL; add jwks=/],
    ['https://a.example jwks=http://a.example/keys', 'appone000001 *', /over https:\/\/ only/],
    ['https://a.example jwks=keys.json', 'appone000001 *', /https:\/\/ URL or an absolute path/],
    ['https://a.example jwks=/nonexistent/keys.json', 'appone000001 *', /\/nonexistent\/keys\.json: not found/],
    ['https://a.example algorithm=HS256', 'appone000001 *', /algorithm=HS256 is none of/],
    ['https://a.example algorithm=none', 'appone000001 *', /algorithm=none is none of/],
    ['https://a.example leeway=1h', 'appone000001 *', /leeway=1h is no duration from 0 to 10m/],
    ['https://a.example refresh=1s', 'appone000001 *', /refresh=1s is no duration/],
    ['https://a.example leeway=1s leeway=2s', 'appone000001 *', /leeway is there twice/],
    ['https://a.example audiance=x', 'appone000001 *', /"audiance=x" is not understood/],
    ['https://a.example audience=', 'appone000001 *', /audience has no value/],
    ['https://a.example ca_file=/nonexistent.pem', 'appone000001 *', /ca_file=.*nonexistent/],
  ];
  for (const [issuers, rules, reason] of wrong) {
    const done = await check(issuers, rules);
    assert.equal(done.code, 1, `${issuers} | ${rules}: ${done.text}`);
    assert.match(done.text, reason);
  }
  const unread = await check('https://a.example', 'appone000001 *', { key_sources: 'api-key' });
  assert.match(unread.text, /"Authorization: Bearer", which key_sources lacks/);
  assert.equal(unread.code, 1);
  const proxy = await check('https://a.example', 'appone000001 *', { oidc_proxy: 'ftp://secret@x' });
  assert.match(proxy.text, /OIDC_PROXY/);
  assert.equal(proxy.text.includes('secret'), false);
});

test('doctor tells whether an issuer\'s keys can be had', limit, async () => {
  const look = async (oidc_issuers, oidc_keys = 'appone000001 *') => {
    const done = await cli(['doctor', '--json'], { settings: { data_dir: temporaryDirectory(), listen: '127.0.0.1:0', upstream: upstream.url, ca_file: issuer.ca, oidc_issuers, oidc_keys } });
    return done.json().checks.filter((c) => c.check === 'issuers');
  };
  const [good] = await look(issuer.name);
  assert.equal(good.status, 'ok', good.seen);
  assert.match(good.seen, /key\(s\)/);
  const two = await look(`${issuer.name}, https://localhost:1`, `appone000001 issuer=${issuer.name} *`);
  assert.deepEqual(two.map((c) => c.status), ['ok', 'failed']);
  assert.match(two[1].todo, /oidc_proxy/);
  assert.equal((await look(`${issuer.name} jwks=${issuer.name}/nothing`))[0].status, 'failed');
  assert.equal((await look('', ''))[0].status, 'skipped');
  assert.match((await look('urn:x'))[0].todo, /postern check/);
});
