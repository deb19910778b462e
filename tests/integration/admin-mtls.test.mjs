// SPDX-License-Identifier: Apache-2.0
// The admin side with client certificates: who may with which, beside tokens and sessions, and until when.
import assert from 'node:assert/strict';
import { X509Certificate, createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { promisify } from 'node:util';

import { caller, signIn } from './lib/admin.mjs';
import { assertQuiet, launch, noChromium, person } from './lib/browser.mjs';
import { Authority, selfSigned } from './lib/certs.mjs';
import { RawClient } from './lib/client.mjs';
import { heading, readSecrets, signIn as signInOnPage } from './lib/page.mjs';
import { Postern, cli } from './lib/postern.mjs';
import { eventually, freePort, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 120000 };
const run = promisify(execFile);
const files = temporaryDirectory('admin-mtls');
const caFile = path.join(files, 'ca.pem');
const crlFile = path.join(files, 'crl.pem');
const certificates = {};
const versions = ['TLSv1.2', 'TLSv1.3'];
const RULES = 'admin dns=robot.example, viewer uri=spiffe://example/*, viewer cn=robot, admin dns=*.team.example';
const INVALID = [403, 'ClientCertificateInvalid'];
const UNKNOWN = [403, 'ClientCertificateNotApproved'];
let ca;
let postern;
let port;
let first; // the first token

const sha = (certificate) => createHash('sha256').update(new X509Certificate(certificate.pem).raw).digest('hex');
const keySha = (certificate) => createHash('sha256').update(new X509Certificate(certificate.pem).publicKey.export({ type: 'spki', format: 'der' })).digest('hex');
const replace = (file, text) => {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
};
/** Calls with a certificate and what else it is given. */
const withCertificate = (certificate, fields = {}, more = {}) => caller({ port, ...certificate?.tls, ...more }, fields);
const as = (name, fields, more) => withCertificate(certificates[name], fields, more);
const code = ({ status, json }) => [status, json?.error?.code];
const newKey = (call, headers = {}) => call('POST', '/admin/v1/keys', { body: { name: 'made' }, headers });
/** A line of the log about a refused certificate. */
const logged = (certificate, words) => eventually(5000, `the line: ${words}`, () =>
  postern.stderr.split('\n').some((line) => line.includes(`certificate sha256=${sha(certificate)}`) && words.test(line)));

const settings = (more = {}) => ({ admin_client_ca: caFile, admin_client_crl: crlFile, admin_client_certificates: RULES, ...more });

async function start(more = {}) {
  port = await freePort();
  postern = await Postern.start({ admin_listen: `127.0.0.1:${port}`, ...settings(more) });
  first = await eventually(10000, 'the first token', () => readFileSync(path.join(postern.settings.data_dir, 'admin.token'), 'utf8').trim());
}

/** A connection that stays open. */
async function keepOpen(certificate, version) {
  const client = await RawClient.connect(port, { ...certificate?.tls, minVersion: version, maxVersion: version });
  return { client, ask: async () => (await client.get('/admin/v1/status')).status };
}

before(async () => {
  ca = new Authority('Operators CA');
  const between = new Authority('Between', ca);
  const stranger = new Authority('Stranger CA');
  const san = 'DNS:robot.example';
  Object.assign(certificates, {
    admin: ca.issue('robot', { san }),
    rsa: ca.issue('robot', { san, kind: 'rsa' }),
    chained: between.issue('robot', { san, chain: between.pem }),
    viewer: ca.issue('watcher', { san: 'URI:spiffe://example/watcher' }),
    team: ca.issue('teammate', { san: 'DNS:a.team.example' }),
    unnamed: ca.issue('nobody', { san: 'DNS:nobody.example' }),
    expired: ca.issue('robot', { san, from: -10, days: 5 }),
    early: ca.issue('robot', { san, from: 5, days: 10 }),
    server: ca.issue('robot', { san, eku: 'serverAuth' }),
    strange: stranger.issue('robot', { san }),
    selfMade: (({ certPem, keyPem }) => ({ pem: certPem, tls: { cert: certPem, key: keyPem } }))(selfSigned(['robot.example'])),
    revoked: ca.issue('robot', { san }),
    victim: ca.issue('victim', { san: 'DNS:victim.team.example' }),
  });
  ca.revoke(certificates.revoked);
  writeFileSync(caFile, ca.pem);
  writeFileSync(crlFile, ca.crl());
  await start();
}, limit);

after(() => postern?.stop(), limit);

describe('who may', limit, () => {
  for (const version of versions) {
    const tlsVersion = { minVersion: version, maxVersion: version };

    test(`an admin’s changes, a viewer’s only reads, ${version}`, limit, async () => {
      for (const name of ['admin', 'rsa', 'chained', 'team']) assert.equal((await newKey(as(name, {}, tlsVersion))).status, 201, name);
      const viewer = as('viewer', {}, tlsVersion);
      for (const target of ['keys', 'usage', 'status', 'settings', 'audit']) assert.equal((await viewer('GET', `/admin/v1/${target}`)).status, 200, target);
      const refused = await newKey(viewer);
      assert.deepEqual(code(refused), [403, 'Forbidden']);
      assert.match(refused.json.error.message, /The role admin is required; CN=watcher, O=Tests is a viewer/);
      assert.deepEqual(code(await viewer('GET', '/admin/v1/tokens')), [403, 'Forbidden']);
    });

    for (const [name, words] of [['expired', /has expired/], ['early', /is not valid yet/], ['server', /is not one for clients/], ['strange', /is of no CA that is trusted/], ['selfMade', /is of no CA that is trusted/], ['revoked', /was revoked/]]) {
      test(`${name}: refused, and the log says which check, ${version}`, limit, async () => {
        const answer = await as(name, {}, tlsVersion)('GET', '/admin/v1/status');
        assert.deepEqual(code(answer), INVALID);
        assert.match(answer.json.error.message, /which check it failed is in the gateway's log/);
        await logged(certificates[name], words);
      });
    }

    test(`a valid one that no rule names: 403 that says how, and its digest in the log, ${version}`, limit, async () => {
      const answer = await as('unnamed', {}, tlsVersion)('GET', '/admin/v1/status');
      assert.deepEqual(code(answer), UNKNOWN);
      assert.match(answer.json.error.message, /admin_client_certificates.*sha256=/);
      await logged(certificates.unnamed, /fits no rule of admin_client_certificates/);
    });

    test(`without a certificate a token and a session work as ever, and nothing else does, ${version}`, limit, async () => {
      const nobody = withCertificate(undefined, {}, tlsVersion);
      assert.deepEqual(code(await nobody('GET', '/admin/v1/status')), [401, 'Unauthorized']);
      assert.equal((await newKey(withCertificate(undefined, { authorization: `Bearer ${first}` }, tlsVersion))).status, 201);
      const { cookie, csrf } = await signIn(nobody, first);
      assert.equal((await newKey(nobody, { cookie, 'x-csrf-token': csrf })).status, 201);
    });
  }

  test('a token or a session decides when there is one, right or wrong', limit, async () => {
    const made = await caller({ port }, { authorization: `Bearer ${first}` })('POST', '/admin/v1/tokens', { body: { name: 'small', role: 'viewer' } });
    assert.equal((await newKey(as('admin', { authorization: `Bearer ${made.json.token}` }))).status, 403, 'a viewer’s token beside an admin’s certificate');
    assert.equal((await newKey(as('viewer', { authorization: `Bearer ${first}` }))).status, 201, 'and the other way round');
    assert.equal((await as('admin', { authorization: 'Bearer pa_wrong' })('GET', '/admin/v1/status')).status, 401);
    assert.equal((await as('admin', { cookie: '__Host-postern-admin=wrong' })('GET', '/admin/v1/status')).status, 401);
    for (const name of ['expired', 'strange', 'unnamed']) assert.equal((await as(name, { authorization: `Bearer ${first}` })('GET', '/admin/v1/status')).status, 200, name);
    const { cookie, csrf } = await signIn(as('unnamed'), first);
    assert.equal((await newKey(as('unnamed', { cookie, 'x-csrf-token': csrf }))).status, 201);
  });

  test('it has no session; metrics and the page are there', limit, async () => {
    const answer = await as('admin')('GET', '/admin/v1/session');
    assert.deepEqual(code(answer), [404, 'NotFound']);
    assert.equal((await as('admin')('DELETE', '/admin/v1/session')).status, 204);
    const ask = (target) => keepOpen(certificates.viewer, 'TLSv1.3').then(({ client }) => client.get(target).finally(() => client.destroy()));
    assert.match((await ask('/metrics')).text, /^# HELP postern_/m);
    assert.equal((await ask('/')).status, 200);
    const curl = await run('curl', ['-sk', '--max-time', '10', '--cert', certificates.viewer.cert, '--key', certificates.viewer.key, `https://127.0.0.1:${port}/admin/v1/status`]);
    assert.ok(JSON.parse(curl.stdout).version);
  });

  test('the trail names the certificate', limit, async () => {
    const key = (await newKey(as('admin'))).json;
    const [entry] = (await as('viewer')('GET', `/admin/v1/audit?target=${key.id}`)).json.items;
    assert.deepEqual(entry.actor, { kind: 'certificate', id: sha(certificates.admin).slice(0, 16), name: 'CN=robot, O=Tests', address: '127.0.0.1' });
    const own = (await as('viewer')('GET', `/admin/v1/audit?actor=${sha(certificates.admin).slice(0, 16)}`)).json;
    assert.ok(own.items.some((one) => one.target === key.id));
  });

  test('no session is resumed: each connection proves its certificate', limit, async () => {
    for (const version of versions) {
      const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...certificates.admin.tls, minVersion: version, maxVersion: version });
      let session;
      socket.on('session', (it) => (session ??= it));
      await once(socket, 'secureConnect');
      socket.write('GET /admin/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await once(socket, 'data');
      socket.destroy();
      if (!session) continue;
      const again = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, session, minVersion: version, maxVersion: version });
      await once(again, 'secureConnect');
      assert.equal(again.isSessionReused(), false, version);
      again.destroy();
    }
  });
});

describe('browsers', limit, () => {
  const own = () => ({ origin: `https://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' });

  test('a change that comes from a page needs a session beside the certificate', limit, async () => {
    for (const fields of [{ origin: own().origin }, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }, { 'sec-fetch-mode': 'navigate' }, { 'Sec-Fetch-Dest': 'empty' }, own()]) {
      const refused = await newKey(as('admin'), fields);
      assert.deepEqual(code(refused), [403, 'SessionRequired'], JSON.stringify(fields));
      assert.match(refused.json.error.message, /sign in on the page/);
      assert.equal((await as('admin')('GET', '/admin/v1/status', { headers: fields })).status, 200, 'reading changes nothing');
      for (const [method, target] of [['PATCH', 'keys/0123456789ab'], ['DELETE', 'keys/0123456789ab'], ['POST', 'tokens'], ['DELETE', 'session']]) {
        const body = method === 'DELETE' ? undefined : {};
        assert.deepEqual(code(await as('admin')(method, `/admin/v1/${target}`, { headers: fields, body })), [403, 'SessionRequired'], `${method} ${target}`);
      }
    }
    const { cookie, csrf } = await signIn(as('admin', own()), first);
    assert.equal((await newKey(as('admin', own()), { cookie, 'x-csrf-token': csrf })).status, 201);
    assert.deepEqual(code(await newKey(as('admin', own()), { cookie })), [403, 'CsrfTokenMissing'], 'the certificate does not replace the session’s token');
  });

  test('another page, and another host’s name, are refused as ever', limit, async () => {
    for (const foreign of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
      assert.deepEqual(code(await newKey(as('admin'), foreign)), [403, 'ForeignOrigin'], JSON.stringify(foreign));
    }
    assert.deepEqual(code(await as('admin')('GET', '/admin/v1/keys', { headers: { host: 'evil.example' } })), [400, 'UnknownHost']);
  });
});

describe('the page, in a browser that shows a certificate', { ...limit, skip: noChromium }, () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser?.close());
  const dialog = (page) => page.getByRole('dialog');
  const visitor = (name) => person(browser, { clientCertificates: [{ origin: `https://127.0.0.1:${port}`, certPath: certificates[name].cert, keyPath: certificates[name].key }] });
  const signInAgain = async (page) => {
    await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
    await dialog(page).last().getByLabel('Admin token').fill(first);
    await dialog(page).last().getByRole('button', { name: 'Sign in' }).click();
  };

  for (const [name, refusal] of [['admin', 404], ['unnamed', 403]]) {
    test(`${name}: one signs in with a token, and again when the session is over; what was typed stays`, limit, async () => {
      const page = await visitor(name);
      const there = { url: `https://127.0.0.1:${port}`, token: first };
      await page.goto(there.url);
      // The certificate is shown: what it is told is not what a browser without one is told.
      assert.equal(await page.evaluate(async () => (await fetch('/admin/v1/status')).status), name === 'admin' ? 200 : 403);
      await signInOnPage(page, there, '#/keys');
      await page.getByRole('button', { name: 'Create key' }).click();
      await dialog(page).getByLabel('Name', { exact: true }).fill(`by ${name}`);
      await page.context().clearCookies();
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      await signInAgain(page);
      await readSecrets(page);
      await heading(page, `by ${name}`);
      // Nor is a visit without a session a failure.
      await page.context().clearCookies();
      await page.reload();
      await page.getByLabel('Admin token').waitFor();
      await signInOnPage(page, there, '#/settings');
      await page.locator('main[data-ready="settings"]').waitFor(); // and asks nothing any more
      await page.context().clearCookies();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Admin token').waitFor();
      assertQuiet(page, [403, refusal]);
      await page.context().close();
    });
  }
});

describe('while it runs', limit, () => {
  test('a list that is replaced ends what is open, and what is new', limit, async () => {
    const open = await Promise.all(versions.map((version) => keepOpen(certificates.victim, version)));
    try {
      for (const { ask } of open) assert.equal(await ask(), 200);
      ca.revoke(certificates.victim);
      replace(crlFile, ca.crl());
      for (const { ask } of open) await eventually(5000, 'the revocation to be seen', async () => (await ask()) === 403, 100);
      assert.deepEqual(code(await as('victim')('GET', '/admin/v1/status')), INVALID);
      assert.equal((await as('admin')('GET', '/admin/v1/status')).status, 200);
      assert.match(postern.stderr, /admin_client_ca or admin_client_crl changed and was read again/);
    } finally {
      open.forEach(({ client }) => client.destroy());
    }
  });

  test('a CA that comes is known at the next handshake, and one that goes is not', limit, async () => {
    const second = new Authority('Second CA');
    const newcomer = second.issue('robot', { san: 'DNS:robot.example' });
    const ask = async () => code(await withCertificate(newcomer)('GET', '/admin/v1/status'));
    assert.deepEqual(await ask(), INVALID);
    replace(caFile, ca.pem + second.pem);
    // Longer than a second without a request: the handshake itself must look at the files.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.deepEqual(await ask(), [200, undefined]);
    const { client, ask: again } = await keepOpen(newcomer, 'TLSv1.3');
    try {
      assert.equal(await again(), 200);
      replace(caFile, ca.pem);
      await eventually(5000, 'the CA to be gone', async () => (await again()) === 403, 100);
    } finally {
      client.destroy();
    }
  });

  test('rubbish leaves in force what was; a list that runs out closes its CA out, also what is open', limit, async () => {
    replace(crlFile, 'rubbish');
    await eventually(5000, 'the complaint', async () => {
      await as('admin')('GET', '/admin/v1/status');
      return /crl\.pem is not PEM: it has no -----BEGIN line; the previous files stay in effect/.test(postern.stderr);
    }, 100);
    assert.equal((await as('admin')('GET', '/admin/v1/status')).status, 200);
    assert.deepEqual(code(await as('revoked')('GET', '/admin/v1/status')), INVALID);
    const read = () => postern.stderr.match(/changed and was read again/g).length;
    const before = read();
    replace(crlFile, ca.crl({ seconds: 8 }));
    const { client, ask } = await keepOpen(certificates.admin, 'TLSv1.3');
    try {
      await eventually(5000, 'the list to be taken', async () => (await ask()) === 200 && read() > before, 50);
      // Without a pause: the very moment of its end must not pass for good.
      await eventually(20000, 'the list to run out', async () => (await ask()) === 403, 0);
      await logged(certificates.admin, /revocation list of the client's CA has expired/);
      assert.equal((await caller({ port }, { authorization: `Bearer ${first}` })('GET', '/admin/v1/status')).status, 200, 'a token is the way in then');
    } finally {
      client.destroy();
      replace(crlFile, ca.crl());
    }
    await eventually(5000, 'the new list', async () => (await as('admin')('GET', '/admin/v1/status')).status === 200, 200);
  });

  test('one that runs out ends with its last second', limit, async () => {
    const brief = ca.issue('brief', { san: 'DNS:brief.team.example', from: -1, days: 1 + 8 / 86400 });
    const { client, ask } = await keepOpen(brief, 'TLSv1.3');
    try {
      assert.equal(await ask(), 200);
      await eventually(15000, 'its end', async () => (await ask()) === 403, 200);
      await logged(brief, /has expired/);
    } finally {
      client.destroy();
    }
  });

  test('`postern client-cert revoke` ends it here too; an approval there gives no role here', limit, async () => {
    const mine = ca.issue('mine', { san: 'DNS:mine.team.example' });
    const other = ca.issue('other', { san: 'DNS:other.team.example' });
    const answer = async (certificate) => code(await withCertificate(certificate)('GET', '/admin/v1/status'));
    const clientCert = async (...args) => {
      const done = await postern.cli(['client-cert', ...args]);
      assert.equal(done.code, 0, done.stderr);
    };
    const { client, ask } = await keepOpen(mine, 'TLSv1.3');
    try {
      assert.equal(await ask(), 200);
      await clientCert('revoke', mine.cert);
      assert.equal(await ask(), 403);
      await logged(mine, /was revoked \(postern client-cert\)/);
    } finally {
      client.destroy();
    }
    await clientCert('approve', mine.cert, '--name', 'mine');
    assert.deepEqual(await answer(mine), [200, undefined]);
    for (const one of [mine, other]) {
      await clientCert('approve', one.cert, '--name', 'by its key', '--public-key');
      await clientCert('revoke', keySha(one));
    }
    assert.deepEqual(await answer(mine), [200, undefined], 'what is said of itself stands before what is said of its key');
    assert.deepEqual(await answer(other), INVALID);
    await clientCert('approve', certificates.unnamed.cert, '--name', 'unnamed');
    assert.deepEqual(await answer(certificates.unnamed), UNKNOWN);
  });
});

describe('settings', limit, () => {
  test('the language of the rules; the first that fits decides', limit, async () => {
    const config = path.join(files, 'postern.yaml');
    // A whole subject has a comma in it, which a list in the environment is cut at.
    writeFileSync(config, `admin_client_certificates:\n  - viewer sha256=${sha(certificates.admin)}\n  - admin key-sha256=${keySha(certificates.rsa)}\n  - viewer subject=CN=watcher, O=Tests\n  - admin cn=nobody\n  - viewer *\n  - admin dns=a.team.example\n`);
    await postern.stop();
    port = await freePort();
    postern = await Postern.start({ admin_listen: `127.0.0.1:${port}`, ...settings({ admin_client_certificates: undefined }) }, { command: ['serve', '--config', config] });
    try {
      const roles = {};
      for (const name of ['admin', 'rsa', 'viewer', 'unnamed', 'team']) roles[name] = (await newKey(as(name))).status === 201 ? 'admin' : 'viewer';
      assert.deepEqual(roles, { admin: 'viewer', rsa: 'admin', viewer: 'viewer', unnamed: 'admin', team: 'viewer' });
      assert.equal((await as('team')('GET', '/admin/v1/status')).status, 200);
      assert.deepEqual(code(await as('strange')('GET', '/admin/v1/status')), INVALID, '* is any of the CAs, and no other');
    } finally {
      await postern.stop();
      await start();
    }
  });

  test('without admin_client_ca nobody is asked for one', limit, async (t) => {
    const own = await freePort();
    const gateway = await Postern.start({ admin_listen: `127.0.0.1:${own}` });
    t.after(() => gateway.stop());
    const answer = await caller({ port: own, ...certificates.admin.tls })('GET', '/admin/v1/status');
    assert.deepEqual(code(answer), [401, 'Unauthorized']);
  });

  test('what cannot be is said, at the start and by check', limit, async () => {
    for (const [more, words] of [
      [{ admin_client_ca: '/nowhere.pem' }, /\/nowhere\.pem cannot be read: not found/],
      [{ admin_client_ca: certificates.admin.key }, /holds a private key, but no certificate/],
      [{ admin_client_ca: certificates.admin.cert }, /no certificate in it can be used: line 1 \(.*\) is not a CA's/],
      [{ admin_client_crl: caFile }, /holds a certificate, but no certificate revocation list/],
      [{ admin_client_ca: '' }, /admin_client_certificates.*needs admin_client_ca/i],
      [{ admin_client_ca: '', admin_client_certificates: undefined }, /admin_client_crl.*needs admin_client_ca/i],
      [{ admin_client_certificates: 'root cn=x' }, /\\?"root\\?" is no role: write admin or viewer/],
      [{ admin_client_certificates: 'admin' }, /a certificate is expected after the role \\?"admin\\?"/],
      [{ admin_client_certificates: 'viewer name=x' }, /\\?"name=x\\?" is not valid; use dns=/],
    ]) {
      const all = { data_dir: temporaryDirectory(), ...settings(more) };
      const checked = await cli(['check'], { settings: all });
      assert.equal(checked.code, 1, `${JSON.stringify(more)}: ${checked.stdout}${checked.stderr}`);
      assert.match(checked.stdout + checked.stderr, words);
      const started = await cli(['serve'], { settings: { listen: '127.0.0.1:0', admin_listen: `127.0.0.1:${await freePort()}`, ...all } });
      assert.notEqual(started.code, 0, JSON.stringify(more));
      assert.match(started.stderr, words);
    }
    const fine = await cli(['check'], { settings: { data_dir: temporaryDirectory(), listen: '127.0.0.1:0', ...settings() } });
    assert.equal(fine.code, 0, fine.stdout + fine.stderr);
  });
});
