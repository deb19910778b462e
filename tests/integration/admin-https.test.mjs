// SPDX-License-Identifier: Apache-2.0
// The admin side over HTTPS: who may, from where, and for how long.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';

import { caller, cookieOf, signIn } from './lib/admin.mjs';
import { selfSigned } from './lib/certs.mjs';
import { RawClient } from './lib/client.mjs';
import { Postern, cli } from './lib/postern.mjs';
import { eventually, freePort, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 60000 };
let postern;
let port;
let first;
let admin; // with the first token
const nobody = (method, target, options) => caller({ port })(method, target, options);
const withToken = (token) => caller({ port }, { authorization: `Bearer ${token}` });

async function start(settings = {}) {
  port = await freePort();
  postern = await Postern.start({ admin_listen: `127.0.0.1:${port}`, admin_hosts: 'postern.example', ...settings });
  // The admin side starts after the listeners of the clients.
  first = await eventually(10000, 'the first token', () => readFileSync(path.join(postern.settings.data_dir, 'admin.token'), 'utf8').trim());
  admin = withToken(first);
}

const newToken = async (role, more = {}) => (await admin('POST', '/admin/v1/tokens', { body: { name: role, role, ...more } })).json;

before(() => start(), limit);
after(() => postern?.stop(), limit);

describe('who may', limit, () => {
  test('the first token is made at the first start, for the owner alone, and named in the log', limit, async () => {
    const file = path.join(postern.settings.data_dir, 'admin.token');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await eventually(5000, 'the line', () => postern.stderr.includes(`the first admin token is in ${file}`));
    assert.ok(!postern.stderr.includes(first));
    assert.equal((await admin('GET', '/admin/v1/status')).status, 200);
  });

  test('none, a wrong one, a key, another scheme: 401 that says how', limit, async () => {
    const key = await postern.createKey('no admin', [], { wait: false });
    for (const authorization of [undefined, 'Bearer', 'Bearer ', `Bearer ${key.key1}`, `Basic ${btoa(`admin:${first}`)}`, `Bearer ${first}x`]) {
      const answer = await nobody('GET', '/admin/v1/keys', { headers: authorization === undefined ? {} : { authorization } });
      assert.equal(answer.status, 401, authorization);
      assert.equal(answer.headers['www-authenticate'], 'Bearer realm="postern admin"');
      assert.equal(answer.json.error.code, 'Unauthorized');
    }
    // An admin token opens no service.
    const used = await RawClient.connect(postern.port);
    assert.equal((await used.get('/x', { key: first })).status, 401);
    used.destroy();
  });

  test('a viewer reads and changes nothing', limit, async () => {
    const refusals = () => postern.stderr.split('\n').filter((line) => /refused: the role admin is required/.test(line)).length;
    const before = refusals();
    const viewer = withToken((await newToken('viewer')).token);
    for (const target of ['keys', 'usage', 'status', 'settings', 'openapi.json']) assert.equal((await viewer('GET', `/admin/v1/${target}`)).status, 200, target);
    for (const target of ['tokens', 'sessions']) assert.equal((await viewer('GET', `/admin/v1/${target}`)).status, 403, target);
    const refused = await viewer('POST', '/admin/v1/keys', { body: { name: 'x' } });
    assert.equal(refused.status, 403);
    assert.match(refused.json.error.message, /viewer/);
    for (const [method, target] of [['DELETE', 'keys/0123456789ab'], ['POST', 'keys/0123456789ab/rotate'], ['DELETE', 'keys/0123456789ab/secrets/key1'],
      ['POST', 'keys/import'], ['POST', 'tokens'], ['DELETE', 'tokens/0123456789ab'], ['DELETE', 'sessions/x']]) {
      assert.equal((await viewer(method, `/admin/v1/${target}`, { body: method === 'POST' ? {} : undefined })).status, 403, target);
    }
    await eventually(10000, 'each to be in the log', () => refusals() === before + 10);
  });

  test('a token ends when it is revoked or expires, and its sessions with it', limit, async () => {
    const revoked = await newToken('admin');
    const { cookie } = await signIn(nobody, revoked.token);
    assert.equal((await nobody('GET', '/admin/v1/keys', { headers: { cookie } })).status, 200);
    assert.equal((await admin('DELETE', `/admin/v1/tokens/${revoked.id}`)).status, 204);
    assert.equal((await withToken(revoked.token)('GET', '/admin/v1/keys')).status, 401);
    assert.equal((await nobody('GET', '/admin/v1/keys', { headers: { cookie } })).status, 401);
    const short = await newToken('viewer', { expires: new Date(Date.now() + 3000).toISOString() });
    const again = await signIn(nobody, short.token);
    assert.equal((await withToken(short.token)('GET', '/admin/v1/keys')).status, 200);
    await eventually(10000, 'the token to expire', async () => (await withToken(short.token)('GET', '/admin/v1/keys')).status === 401, 100);
    assert.equal((await nobody('GET', '/admin/v1/keys', { headers: { cookie: again.cookie } })).status, 401);
  });
});

describe('sessions', limit, () => {
  test('the cookie is HttpOnly, Secure, SameSite=Strict and of this host; signing out ends it on the server', limit, async () => {
    const { attributes, cookie, csrf, session } = await signIn(nobody, first);
    assert.match(attributes, /^__Host-postern-admin=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200$/);
    assert.equal(session.name, 'first');
    const headers = { cookie: `other=1; ${cookie}; more=2` };
    const own = await nobody('GET', '/admin/v1/session', { headers });
    assert.equal(own.json.csrf_token, csrf);
    assert.ok(!own.text.includes(cookie.split('=')[1]));
    const out = await nobody('DELETE', '/admin/v1/session', { headers: { ...headers, 'x-csrf-token': csrf } });
    assert.equal(out.status, 204);
    assert.match(out.headers['set-cookie'][0], /^__Host-postern-admin=; .*Max-Age=0$/);
    assert.equal((await nobody('GET', '/admin/v1/session', { headers })).status, 401);
    assert.equal((await admin('GET', '/admin/v1/session')).status, 404, 'a token is no session');
  });

  test('signing in and out is in the trail, with whose token and from where', limit, async () => {
    const one = await signIn(nobody, first);
    const two = await signIn(nobody, first);
    assert.equal((await nobody('DELETE', '/admin/v1/session', { headers: { cookie: one.cookie, 'x-csrf-token': one.csrf } })).status, 204);
    assert.equal((await admin('DELETE', `/admin/v1/sessions/${two.session.id}`)).status, 204);
    const trail = async (id) => (await admin('GET', `/admin/v1/audit?target=${id}`)).json.items.map(({ action, actor, after }) => ({ action, kind: actor.kind, name: actor.name, address: actor.address, token: after.token }));
    const token = (await admin('GET', '/admin/v1/tokens')).json.items.find((it) => it.name === 'first').id;
    const entry = (action, kind) => ({ action, kind, name: 'first', address: '127.0.0.1', token });
    assert.deepEqual(await trail(one.session.id), [entry('session.close', 'session'), entry('session.open', 'session')]);
    assert.deepEqual(await trail(two.session.id), [entry('session.end', 'token'), entry('session.open', 'session')]);
    for (const secret of [first, one.cookie, one.csrf]) assert.equal(JSON.stringify((await admin('GET', '/admin/v1/audit')).json).includes(secret), false);
  });

  test('a change needs the session’s token, and must not come from another page', limit, async () => {
    const { cookie, csrf } = await signIn(nobody, first);
    const change = (headers) => nobody('POST', '/admin/v1/keys', { body: { name: 'csrf' }, headers: { cookie, ...headers } });
    assert.equal((await change({})).json.error.code, 'CsrfTokenMissing');
    assert.equal((await change({ 'x-csrf-token': 'x' })).status, 403);
    assert.equal((await change({ 'x-csrf-token': `${csrf.slice(0, -1)}!` })).status, 403);
    const other = await signIn(nobody, first);
    assert.equal((await change({ 'x-csrf-token': other.csrf })).status, 403, 'another session’s');
    for (const foreign of [{ origin: 'https://evil.example' }, { origin: 'null' }, { origin: `http://127.0.0.1:${port}` }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
      assert.equal((await change({ 'x-csrf-token': csrf, ...foreign })).json.error.code, 'ForeignOrigin', JSON.stringify(foreign));
      assert.equal((await nobody('POST', '/admin/v1/session', { body: { token: first }, headers: foreign })).status, 403, 'nor may another page sign in');
    }
    const own = { origin: `https://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' };
    assert.equal((await change({ 'x-csrf-token': csrf, ...own })).status, 201);
  });

  test('who may come in is changed only by a session that has shown its token again', limit, async () => {
    const { cookie, csrf, session } = await signIn(nobody, first);
    const victim = await signIn(nobody, first);
    const own = await newToken('admin');
    const as = (value) => (method, target, body) => nobody(method, `/admin/v1/${target}`, { body, headers: { cookie: value, 'x-csrf-token': csrf } });
    const before = as(cookie);
    const changes = [['POST', 'tokens', { name: 'sneaked in', role: 'admin' }], ['DELETE', `tokens/${own.id}`], ['DELETE', `sessions/${victim.session.id}`]];
    for (const [method, target, body] of changes) {
      const refused = await before(method, target, body);
      assert.equal(refused.status, 403, target);
      assert.equal(refused.json.error.code, 'ConfirmationNeeded');
    }
    assert.ok(!(await admin('GET', '/admin/v1/tokens')).text.includes('sneaked in'));
    // Other changes go on.
    assert.equal((await before('POST', 'keys', { name: 'not so sensitive' })).status, 201);

    // Wrong, another's, none, of a caller without a session, without the CSRF token: nothing is confirmed.
    const confirm = (token, headers = { cookie, 'x-csrf-token': csrf }) => nobody('POST', '/admin/v1/session/confirm', { body: { token }, headers });
    assert.equal((await confirm(`${first}x`)).status, 401);
    assert.deepEqual((await confirm(own.token)).json.error.details.map(({ field }) => field), ['token']);
    assert.equal((await confirm(undefined)).status, 422);
    assert.equal((await confirm(first, { cookie })).json.error.code, 'CsrfTokenMissing');
    assert.equal((await confirm(first, {})).status, 401);
    assert.equal((await admin('POST', '/admin/v1/session/confirm', { body: { token: first } })).status, 404);
    assert.equal((await before(...changes[0])).status, 403);

    const answer = await confirm(first);
    assert.equal(answer.status, 200);
    assert.deepEqual({ ...answer.json, last_used: 0 }, { ...session, last_used: 0 }, 'it is the same session');
    assert.match(answer.headers['set-cookie'][0], /^__Host-postern-admin=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=43\d{3}$/);
    assert.equal((await before('GET', 'session')).status, 401, 'the cookie before it has ended');
    const now = as(cookieOf(answer));
    for (const [i, [method, target, body]] of changes.entries()) assert.equal((await now(method, target, body)).status, i === 0 ? 201 : 204, target);
    assert.equal((await nobody('GET', '/admin/v1/session', { headers: { cookie: victim.cookie } })).status, 401);
    const trail = (await admin('GET', `/admin/v1/audit?target=${session.id}`)).json.items.map(({ action }) => action);
    assert.deepEqual(trail, ['session.confirm', 'session.open']);
    // A token in a program is shown with each request.
    assert.equal((await withToken(first)('POST', '/admin/v1/tokens', { body: { name: 'by a program', role: 'viewer' } })).status, 201);
  });

  test('many sign-ins: the oldest make room, nothing grows without bound', limit, async () => {
    const oldest = await signIn(nobody, first);
    for (let i = 0; i < 260; i++) await signIn(nobody, first);
    assert.equal((await nobody('GET', '/admin/v1/session', { headers: { cookie: oldest.cookie } })).status, 401);
    assert.equal((await admin('GET', '/admin/v1/sessions')).json.items.length, 256);
  });
});

describe('the wire', limit, () => {
  test('a request under a foreign name is refused (DNS rebinding); names of the setting are known', limit, async () => {
    for (const [host, status] of [['evil.example', 400], ['localhost.evil.example', 400], ['postern.example.evil.example', 400], ['a b', 400],
      ['localhost', 401], [`localhost:${port}`, 401], ['127.0.0.1', 401], ['[::1]:8444', 401], ['postern.example', 401], ['POSTERN.example.:1', 401]]) {
      assert.equal((await nobody('GET', '/admin/v1/keys', { headers: { host } })).status, status, host);
    }
    const named = await nobody('GET', '/admin/v1/keys', { headers: { host: 'postern.example' } });
    assert.match(named.headers['strict-transport-security'], /max-age=\d{8}/);
    const local = await nobody('GET', '/admin/v1/keys', { headers: { host: 'localhost' } });
    assert.equal(local.headers['strict-transport-security'], undefined, 'localhost has other inhabitants');
  });

  test('TLS 1.2 and 1.3, the gateway’s certificate, keep-alive, a large answer, a close_notify', limit, async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false, minVersion: version, maxVersion: version });
      let socket;
      for (let i = 0; i < 5; i++) {
        const text = await new Promise((resolve, reject) => {
          https.get({ host: '127.0.0.1', port, path: '/admin/v1/openapi.json', agent, headers: { authorization: `Bearer ${first}` } }, (answer) => {
            assert.ok(socket === undefined || socket === answer.socket, 'the connection is kept');
            socket = answer.socket;
            assert.equal(socket.getProtocol(), version);
            let body = '';
            answer.setEncoding('utf8').on('data', (part) => (body += part)).on('end', () => resolve(body));
          }).on('error', reject);
        });
        assert.equal(JSON.parse(text).openapi, '3.1.0');
      }
      const certificate = new X509Certificate(readFileSync(path.join(postern.settings.data_dir, 'tls/self-signed.crt')));
      assert.equal(socket.getPeerX509Certificate().fingerprint256, certificate.fingerprint256);
      agent.destroy();
    }
  });

  test('plain HTTP, garbage, silence and a reader that does not read hold nobody up', limit, async () => {
    const silent = net.connect(port, '127.0.0.1');
    const garbage = net.connect(port, '127.0.0.1', () => garbage.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n'));
    let said = '';
    garbage.on('data', (data) => (said += data));
    const lazy = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      lazy.pause();
      for (let i = 0; i < 200; i++) lazy.write(`GET /admin/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${first}\r\n\r\n`);
    });
    for (const socket of [silent, garbage, lazy]) socket.on('error', () => {});
    await eventually(10000, 'garbage to be hung up on', () => garbage.destroyed || garbage.readableEnded || garbage.closed);
    assert.match(said, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.equal(JSON.parse(said.slice(said.indexOf('\r\n\r\n'))).error.code, 'HttpsRequired');
    for (let i = 0; i < 20; i++) assert.equal((await admin('GET', '/admin/v1/status')).status, 200);
    // What it asked for comes whole when it reads after all.
    let received = 0;
    lazy.on('data', (data) => (received += data.length));
    lazy.resume();
    await eventually(20000, 'all answers', () => received > 200 * 60000);
    for (const socket of [silent, garbage, lazy]) socket.destroy();
  });

  test('a certificate of its own', limit, async (t) => {
    const files = selfSigned(['admin.example']);
    const own = await freePort();
    const gateway = await Postern.start({ admin_listen: `127.0.0.1:${own}`, admin_tls_certificate: files.cert, admin_tls_key: files.key });
    t.after(() => gateway.stop());
    const socket = tls.connect({ host: '127.0.0.1', port: own, rejectUnauthorized: false });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    assert.equal(socket.getPeerX509Certificate().fingerprint256, new X509Certificate(readFileSync(files.cert)).fingerprint256);
    socket.destroy();
  });

  test('a port that is taken, and a wrong item, are said; check says them too', limit, async () => {
    const taken = await cli(['serve'], { settings: { data_dir: temporaryDirectory(), listen: '127.0.0.1:0', admin_listen: `127.0.0.1:${port}` } });
    assert.notEqual(taken.code, 0);
    assert.match(taken.stderr, /admin_listen.*another process uses this port/);
    for (const item of ['localhost:1', '127.0.0.1', 'unix:x', 'off, 127.0.0.1:0']) {
      const { code, stderr, stdout } = await cli(['check'], { settings: { data_dir: temporaryDirectory(), admin_listen: item } });
      assert.notEqual(code, 0, item);
      assert.match(stdout + stderr, /admin.listen/i);
    }
  });
});

describe('guessing', limit, () => {
  test('after ten wrong tokens within a minute no token of the address is looked at; sessions go on', limit, async (t) => {
    await postern.stop();
    await start();
    t.after(() => start());
    const { cookie } = await signIn(nobody, first);
    const revoked = (await admin('POST', '/admin/v1/tokens', { body: { name: 'of one who left', role: 'viewer' } })).json;
    await admin('DELETE', `/admin/v1/tokens/${revoked.id}`);
    const statuses = [(await withToken(revoked.token)('GET', '/admin/v1/keys')).status];
    for (let i = 0; i < 13; i++) statuses.push((await withToken(`pa_wrong${i}`)('GET', '/admin/v1/keys')).status);
    assert.deepEqual(statuses, [...Array(10).fill(401), ...Array(4).fill(429)]);
    const refused = await admin('GET', '/admin/v1/keys');
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers['retry-after']) >= 1 && Number(refused.headers['retry-after']) <= 60);
    assert.equal((await nobody('POST', '/admin/v1/session', { body: { token: first } })).status, 429);
    assert.equal((await nobody('GET', '/admin/v1/keys', { headers: { cookie } })).status, 200);
    assert.match(postern.stderr, /refused: this is not an admin token/);

    // In the trail: the first of the minute and the one that ended it, with the address, and nothing of what was sent.
    const trail = await nobody('GET', '/admin/v1/audit?action=admin_token.refuse', { headers: { cookie } });
    assert.deepEqual(trail.json.items.map(({ target, after }) => [target, after.wrong_tokens]), [['', 10], [revoked.id, 1]]);
    for (const { actor, before } of trail.json.items) assert.deepEqual([actor, before], [{ kind: 'system', id: '', name: '', address: '127.0.0.1' }, null]);
    assert.match(trail.json.items[1].after.reason, /was revoked/);
    assert.ok(!trail.text.includes('pa_wrong') && !trail.text.includes(revoked.token));
    assert.equal((await postern.cli(['audit', 'verify'])).code, 0);
    await postern.stop();
  });
});

test('a connection on which nobody signed in is given up before one with a token', limit, async (t) => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const ask = () => new Promise((resolve, reject) => {
    const request = https.get({ host: '127.0.0.1', port, path: '/admin/v1/status', agent, rejectUnauthorized: false, headers: { authorization: `Bearer ${first}` } }, (response) => {
      response.resume().on('end', () => resolve({ status: response.statusCode, reused: request.reusedSocket }));
    });
    request.on('error', reject);
  });
  assert.equal((await ask()).status, 200);
  const silent = net.connect(port, '127.0.0.1'); // later than the other's last byte
  await new Promise((resolve) => silent.resume().on('error', () => {}).on('close', resolve));
  assert.deepEqual(await ask(), { status: 200, reused: true });
});
