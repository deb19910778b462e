// SPDX-License-Identifier: Apache-2.0
// Client certificates: every mode with good and bad ones, in TLS 1.2 and 1.3, on fresh and on open connections.
import assert from 'node:assert/strict';
import { X509Certificate, createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { connect } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import WebSocket, { WebSocketServer } from 'ws';

import { Authority, selfSigned } from './lib/certs.mjs';
import { RawClient, request } from './lib/client.mjs';
import { Postern, cli } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort, temporaryDirectory, within } from './lib/util.mjs';

const limit = { timeout: 180000 };
const run = promisify(execFile);
const URI = 'spiffe://example.org/ns/a/sa/robot';
const files = temporaryDirectory('mtls');
const caFile = path.join(files, 'ca.pem');
const crlFile = path.join(files, 'crl.pem');
let upstream;
let ca;
let postern; // optional
let robot;
let other;
const certificates = {};

const replace = (file, text) => {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
};
const versions = { 'TLS 1.2': 'TLSv1.2', 'TLS 1.3': 'TLSv1.3' };
const tlsOf = (certificate, version) => ({ ...(certificate?.tls ?? {}), ...(version && { minVersion: version, maxVersion: version }) });
const ask = (gateway, { certificate, key, version, headers, target = '/show', method, body } = {}) =>
  request(gateway.port, target, { key, headers, method, body, tls: tlsOf(certificate, version) });
const code = (answer) => [answer.status, answer.status === 200 ? undefined : answer.json().error.code];

before(async () => {
  upstream = await Upstream.start(async (x) => x.showHead({ body: (await x.body()).toString() }));
  ca = new Authority('Clients CA');
  const stranger = new Authority('Stranger CA');
  const between = new Authority('Between', ca);
  const deeper = new Authority('Deeper', between);
  const deepest = new Authority('Deepest', deeper);
  Object.assign(certificates, {
    good: ca.issue('robot', { san: `DNS:robot.example,URI:${URI}` }),
    rsa: ca.issue('robot', { kind: 'rsa', san: 'DNS:robot.example' }),
    unapproved: ca.issue('nobody', { san: 'DNS:nobody.example' }),
    expired: ca.issue('robot', { san: 'DNS:robot.example', from: -10, days: 5 }),
    early: ca.issue('robot', { san: 'DNS:robot.example', from: 5, days: 10 }),
    server: ca.issue('robot', { san: 'DNS:robot.example', eku: 'serverAuth' }),
    selfMade: (({ certPem, keyPem }) => ({ tls: { cert: certPem, key: keyPem } }))(selfSigned(['robot.example'])),
    strange: stranger.issue('robot', { san: 'DNS:robot.example' }),
    revoked: ca.issue('robot', { san: 'DNS:robot.example' }),
    chained: between.issue('robot', { san: 'DNS:robot.example', chain: between.pem }),
    unchained: between.issue('robot', { san: 'DNS:robot.example' }),
    deep: deepest.issue('robot', { san: 'DNS:robot.example', chain: deepest.pem + deeper.pem + between.pem }),
    victim: ca.issue('victim', { san: 'DNS:victim.robot.example' }),
  });
  ca.revoke(certificates.revoked);
  writeFileSync(caFile, ca.pem);
  writeFileSync(crlFile, ca.crl());
  // Keys first: the rules name them.
  postern = await Postern.start({ upstream: upstream.url });
  robot = await postern.createKey('robot');
  other = await postern.createKey('other');
  const data_dir = postern.settings.data_dir;
  await postern.stop();
  postern = await start('optional', { data_dir });
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

const rules = () => `${robot.id} dns=robot.example, ${robot.id} dns=*.robot.example`;
const start = (mode, more = {}) =>
  Postern.start({ upstream: upstream.url, client_certificate: mode, client_ca: caFile, client_crl: crlFile, client_certificate_keys: rules(), ...more });

for (const [name, version] of Object.entries(versions)) {
  describe(`an optional certificate, ${name}`, () => {
    const cases = [
      ['none, and no key', {}, [401, '401']],
      ['none, with a key', { key: 'robot' }, [200, undefined]],
      ['a good one alone', { certificate: 'good' }, [200, undefined]],
      ['a good RSA one alone', { certificate: 'rsa' }, [200, undefined]],
      ['a good one below an intermediate', { certificate: 'chained' }, [200, undefined]],
      ['one below an intermediate that it does not send', { certificate: 'unchained' }, [403, 'ClientCertificateInvalid']],
      ['one that is not approved', { certificate: 'unapproved' }, [403, 'ClientCertificateNotApproved']],
      ['one that is not approved, with a key', { certificate: 'unapproved', key: 'other' }, [200, undefined]],
      ['an expired one', { certificate: 'expired' }, [403, 'ClientCertificateInvalid']],
      ['one that is not valid yet', { certificate: 'early' }, [403, 'ClientCertificateInvalid']],
      ['one for servers', { certificate: 'server' }, [403, 'ClientCertificateInvalid']],
      ['one of another CA', { certificate: 'strange' }, [403, 'ClientCertificateInvalid']],
      ['a self-signed one', { certificate: 'selfMade' }, [403, 'ClientCertificateInvalid']],
      ['a revoked one', { certificate: 'revoked' }, [403, 'ClientCertificateInvalid']],
      ['one too far below', { certificate: 'deep' }, [403, 'ClientCertificateInvalid']],
      ['an expired one, with a key', { certificate: 'expired', key: 'robot' }, [403, 'ClientCertificateInvalid']],
      ['a good one, with its key', { certificate: 'good', key: 'robot' }, [200, undefined]],
      ['a good one, with another’s key', { certificate: 'good', key: 'other' }, [400, 'ConflictingKeys']],
      ['a good one, with a wrong key', { certificate: 'good', key: 'wrong' }, [401, '401']],
    ];
    for (const [what, { certificate, key }, wanted] of cases) {
      test(what, limit, async () => {
        const secret = { robot: robot.key1, other: other.key1, wrong: 'wrong' }[key];
        const answer = await ask(postern, { certificate: certificates[certificate], key: secret, version });
        assert.deepEqual(code(answer), wanted);
      });
    }
  });

  test(`without a valid one there is no connection when it is required, ${name}`, limit, async () => {
    const data_dir = postern.settings.data_dir;
    await postern.stop();
    const strict = await start('required', { data_dir });
    try {
      assert.deepEqual(code(await ask(strict, { certificate: certificates.good, version })), [200, undefined]);
      for (const bad of [undefined, 'expired', 'early', 'server', 'strange', 'selfMade', 'revoked', 'unchained', 'deep']) {
        await assert.rejects(ask(strict, { certificate: certificates[bad], key: robot.key1, version }), `${bad}`);
        // With an alert that it can open: by then a server of TLS 1.3 has changed its keys.
        assert.match(await ending(strict.port, tlsOf(certificates[bad], version)), /alert/, `${bad}`);
      }
      assert.deepEqual(code(await ask(strict, { certificate: certificates.unapproved, version })), [403, 'ClientCertificateNotApproved']);
    } finally {
      await strict.stop();
      postern = await start('optional', { data_dir });
    }
  });
}

test('the container is told whose it is, and a client’s own word does not reach it', limit, async () => {
  const forged = { 'X-Postern-Client-Subject': 'forged', 'X-Forwarded-Client-Cert': 'forged', 'X-Postern-Client-Sha256': 'forged' };
  const fieldsOf = (answer) => Object.fromEntries(answer.json().fields.map(([name, value]) => [name.toLowerCase(), value]));
  const sha256 = createHash('sha256').update(new X509Certificate(certificates.good.pem).raw).digest('hex');
  const told = fieldsOf(await ask(postern, { certificate: certificates.good, headers: forged }));
  assert.equal(told['x-postern-key-id'], robot.id);
  assert.equal(told['x-postern-client-sha256'], sha256);
  assert.equal(told['x-postern-client-subject'], 'CN=robot, O=Tests');
  assert.equal(told['x-postern-client-san'], `DNS:robot.example, URI:${URI}`);
  assert.equal(told['x-forwarded-client-cert'], undefined);
  const none = fieldsOf(await ask(postern, { key: robot.key1, headers: forged }));
  assert.deepEqual(Object.keys(none).filter((name) => /client-(subject|cert|sha|san)/.test(name)), []);
  const data_dir = postern.settings.data_dir;
  await postern.stop();
  postern = await start('optional', { data_dir, client_certificate_forward: 'on', trusted_proxies: '127.0.0.0/8' });
  const envoy = fieldsOf(await ask(postern, { certificate: certificates.good, headers: forged }));
  assert.equal(envoy['x-forwarded-client-cert'], `Hash=${sha256};Subject="CN=robot, O=Tests";DNS="robot.example";URI="${URI}"`);
});

test('an open connection ends with the certificate: revoked, and with its key: disabled', limit, async () => {
  const open = [];
  for (const version of Object.values(versions)) open.push(await RawClient.connect(postern.port, tlsOf(certificates.victim, version)));
  const again = async (client) => {
    await client.write('GET /show HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return (await client.response()).status;
  };
  try {
    for (const client of open) assert.equal(await again(client), 200);
    ca.revoke(certificates.victim);
    replace(crlFile, ca.crl());
    for (const client of open) await eventually(10000, 'the revocation to be seen', async () => (await again(client)) === 403, 100);
    assert.deepEqual(code(await ask(postern, { certificate: certificates.victim })), [403, 'ClientCertificateInvalid']);
    assert.equal((await ask(postern, { certificate: certificates.good })).status, 200);
    await eventually(5000, 'the line', () => /client_ca or client_crl changed and was read again/.test(postern.stderr));
  } finally {
    open.forEach((client) => client.destroy());
  }
  const client = await RawClient.connect(postern.port, tlsOf(certificates.good));
  try {
    assert.equal(await again(client), 200);
    assert.equal((await postern.cli(['key', 'disable', robot.id])).code, 0);
    await eventually(5000, 'the key to be off', async () => (await again(client)) === 403, 100);
    assert.equal((await postern.cli(['key', 'enable', robot.id])).code, 0);
    await eventually(5000, 'the key to be on', async () => (await again(client)) === 200, 100);
  } finally {
    client.destroy();
  }
});

test('a list that is out of date is closed, unless it is to be accepted; rubbish leaves what was there', limit, async () => {
  replace(crlFile, 'rubbish');
  await eventually(10000, 'the complaint', () => /client_crl|crl\.pem is not a certificate revocation list/.test(postern.stderr), 100);
  assert.equal((await ask(postern, { certificate: certificates.good })).status, 200);
  assert.equal((await ask(postern, { certificate: certificates.revoked })).status, 403);
  replace(crlFile, ca.crl({ seconds: 1 }));
  await eventually(15000, 'the list to run out', async () => (await ask(postern, { certificate: certificates.good })).status === 403, 200);
  const lenient = await start('optional', { data_dir: temporaryDirectory('lenient'), client_crl_expired: 'accept', credentials: 'any' });
  try {
    // Its keys are others: the certificate is valid, and stands for no key here.
    assert.deepEqual(code(await ask(lenient, { certificate: certificates.good })), [403, 'ClientCertificateNotApproved']);
    assert.deepEqual(code(await ask(lenient, { certificate: certificates.revoked })), [403, 'ClientCertificateInvalid']);
  } finally {
    await lenient.stop();
    replace(crlFile, ca.crl());
  }
});

test('a file that is gone is told of once, and what was read stays in force until it is back', limit, async () => {
  const count = (what) => postern.stderr.split(what).length - 1;
  const read = count('changed and was read again');
  replace(crlFile, ca.crl());
  await eventually(10000, 'the list to be read', () => count('changed and was read again') > read, 100);
  const gone = () => count('crl.pem cannot be read: not found; the previous files stay in effect');
  const before = gone();
  rmSync(crlFile);
  await eventually(10000, 'the complaint', () => gone() > before, 100);
  assert.equal((await ask(postern, { certificate: certificates.good })).status, 200);
  assert.equal((await ask(postern, { certificate: certificates.revoked })).status, 403);
  const back = count('changed and was read again');
  replace(crlFile, ca.crl());
  await eventually(10000, 'the list that is back', () => count('changed and was read again') > back, 100);
  assert.equal(gone(), before + 1);
});

test('what is open ends when a list runs out, without a change of files', limit, async () => {
  replace(crlFile, ca.crl({ seconds: 10 }));
  const gateway = await start('optional', { data_dir: temporaryDirectory('runs-out'), credentials: 'any' });
  const key = await gateway.createKey('robot');
  await gateway.stop();
  const again = await start('optional', { data_dir: gateway.settings.data_dir, client_certificate_keys: `${key.id} dns=robot.example` });
  const client = await RawClient.connect(again.port, tlsOf(certificates.good));
  const status = async () => {
    await client.write('GET /show HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return (await client.response()).status;
  };
  try {
    assert.equal(await status(), 200);
    await eventually(30000, 'the list to run out', async () => (await status()) === 403, 200);
  } finally {
    client.destroy();
    await again.stop();
    replace(crlFile, ca.crl());
  }
});

test('where the key alone counts, nothing is told of a certificate that was revoked meanwhile, or of names that could pass for two', limit, async () => {
  const data_dir = postern.settings.data_dir;
  await postern.stop();
  postern = await start('optional', { data_dir, credentials: 'key' });
  const late = ca.issue('late', { san: 'DNS:late.example' });
  const tricky = ca.issue('tricky', { extensions: 'subjectAltName=@names\n[names]\nDNS.1=robot.example\nURI.1=spiffe://x, DNS:admin.example\n' });
  const told = async (client) => {
    await client.write(`GET /show HTTP/1.1\r\nHost: localhost\r\napi-key: ${robot.key1}\r\n\r\n`);
    const answer = await client.response();
    assert.equal(answer.status, 200);
    return JSON.parse(answer.body).fields.find(([name]) => name === 'X-Postern-Client-San')?.[1];
  };
  const client = await RawClient.connect(postern.port, tlsOf(late));
  const second = await RawClient.connect(postern.port, tlsOf(tricky));
  try {
    assert.equal(await told(second), 'DNS:robot.example');
    assert.equal(await told(client), 'DNS:late.example');
    ca.revoke(late);
    replace(crlFile, ca.crl());
    await eventually(10000, 'nothing to be told', async () => (await told(client)) === undefined, 100);
  } finally {
    client.destroy();
    second.destroy();
    await postern.stop();
    postern = await start('optional', { data_dir });
  }
});

for (const credentials of ['any', 'both']) {
  test(`a WebSocket ends when its certificate is revoked, with credentials=${credentials}`, limit, async () => {
    const echo = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    echo.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    await once(echo, 'listening');
    const data_dir = postern.settings.data_dir;
    await postern.stop();
    postern = await start('optional', { data_dir, credentials, upstream: `http://127.0.0.1:${echo.address().port}` });
    const brief = ca.issue('brief', { san: 'DNS:robot.example' });
    const headers = credentials === 'both' ? { 'api-key': robot.key1 } : {};
    const socket = new WebSocket(`wss://127.0.0.1:${postern.port}/speech`, { ...brief.tls, rejectUnauthorized: false, headers });
    try {
      await once(socket, 'open');
      socket.send('there?');
      assert.equal(String((await once(socket, 'message'))[0]), 'there?');
      ca.revoke(brief);
      replace(crlFile, ca.crl());
      const [status] = await once(socket, 'close', { signal: AbortSignal.timeout(20000) });
      assert.equal(status, 4000);
    } finally {
      socket.terminate();
      await postern.stop();
      echo.close();
      postern = await start('optional', { data_dir });
    }
  });
}

test('no session is resumed: each connection proves its certificate', limit, async () => {
  for (const [flag, name] of [['-tls1_2', 'TLSv1.2'], ['-tls1_3', 'TLSv1.3']]) {
    const { stdout } = await run('sh', ['-c', `printf 'GET /show HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' | timeout 10 openssl s_client -connect 127.0.0.1:${postern.port} ${flag} -reconnect -ign_eof -cert ${certificates.good.cert} -key ${certificates.good.key} 2>&1`])
      .catch((error) => error);
    assert.match(stdout, new RegExp(name));
    assert.doesNotMatch(stdout, /Reused|New Session Ticket arrived/);
  }
});

describe('credentials', () => {
  const table = {
    any: { none: 401, key: 200, certificate: 200, both: 200, differ: 400 },
    key: { none: 401, key: 200, certificate: 401, both: 200, differ: 200 },
    certificate: { none: 403, key: 403, certificate: 200, both: 200, differ: 400 },
    both: { none: 401, key: 403, certificate: 401, both: 200, differ: 400 },
  };
  for (const [credentials, wanted] of Object.entries(table)) {
    test(credentials, limit, async () => {
      await postern.stop();
      postern = await start('optional', { data_dir: postern.settings.data_dir, credentials });
      const { good } = certificates;
      const seen = {
        none: (await ask(postern)).status,
        key: (await ask(postern, { key: robot.key1 })).status,
        certificate: (await ask(postern, { certificate: good })).status,
        both: (await ask(postern, { certificate: good, key: robot.key2 })).status,
        differ: (await ask(postern, { certificate: good, key: other.key1 })).status,
      };
      assert.deepEqual(seen, wanted);
      // Open paths stay open, and a token is no more to be had without what a request needs.
      assert.equal((await ask(postern, { target: '/ready' })).status, 200);
      const token = await ask(postern, { method: 'POST', target: '/sts/v1.0/issueToken', certificate: good, body: '' });
      assert.equal(token.status, 401);
    });
  }
});

test('curl with a certificate alone', limit, async () => {
  await postern.stop();
  postern = await start('optional', { data_dir: postern.settings.data_dir });
  const { good } = certificates;
  const { stdout } = await run('curl', ['-sk', '--max-time', '10', '--cert', good.cert, '--key', good.key, `https://127.0.0.1:${postern.port}/show`]);
  assert.ok(JSON.parse(stdout).fields.some(([name, value]) => name === 'X-Postern-Key-Id' && value === robot.id));
});

test('settings that cannot be are said, at the start and by check', limit, async () => {
  const cases = [
    [{ client_certificate: 'optional', client_ca: '' }, /needs client_ca/],
    [{ client_ca: '/nowhere.pem' }, /\/nowhere\.pem/],
    [{ client_ca: certificates.good.cert }, /no certificate in it can be used: line 1 \(.*\) is not a CA's/],
    [{ client_crl: caFile }, /holds a certificate, but no certificate revocation list/],
    [{ client_certificate_keys: 'nobody dns=x' }, /\\?"nobody\\?" is no key's id/],
    [{ client_certificate_keys: `${robot.id}` }, /a certificate is expected after/],
    [{ client_certificate_keys: `${robot.id} name=x` }, /\\?"name=x\\?" is not valid; use dns=/],
    [{ client_certificate_keys: `${robot.id} sha256=12` }, /is not a SHA-256 digest/],
    [{ client_certificate: 'off', credentials: 'both' }, /client_certificate is off/],
  ];
  for (const [settings, words] of cases) {
    const all = { client_certificate: 'optional', client_ca: caFile, client_crl: crlFile, ...settings };
    const checked = await postern.cli(['check'], { settings: all });
    assert.equal(checked.code, 1, JSON.stringify(settings));
    assert.match(checked.stdout + checked.stderr, words);
    const bad = await Postern.start({ upstream: upstream.url, ...all }).catch((error) => error);
    assert.match(String(bad.message), words);
  }
});

describe('routes', () => {
  let gateway;
  let keys;
  const at = (target, certificate, key) => ask(gateway, { target, certificate: certificates[certificate], key: keys[key] });

  before(async () => {
    const data_dir = postern.settings.data_dir;
    await postern.stop();
    keys = { robot: robot.key1, other: other.key1 };
    gateway = await start('optional', {
      data_dir,
      routes: '/locked client_certificate=required, /both credentials=both, /plain client_certificate=off, /machine credentials=certificate, /locked-too credentials=key client_certificate=required',
    });
  }, limit);

  after(async () => {
    const data_dir = gateway.settings.data_dir;
    await gateway.stop();
    postern = await start('optional', { data_dir });
  }, limit);

  const cases = [
    ['/locked', undefined, 'robot', [403, 'ClientCertificateRequired']],
    ['/locked/below', 'expired', 'robot', [403, 'ClientCertificateInvalid']],
    ['/locked', 'good', undefined, [200, undefined]],
    ['/locked', 'unapproved', 'robot', [200, undefined]],
    ['/locked', undefined, undefined, [403, 'ClientCertificateRequired']],
    ['/LOCKED', undefined, 'robot', [403, 'ClientCertificateRequired']],
    ['/%6cocked', undefined, 'robot', [403, 'ClientCertificateRequired']],
    ['/x/../locked', undefined, 'robot', [400, 'BadRequest']],
    ['//locked', undefined, 'robot', [400, 'BadRequest']],
    ['/locked;a', undefined, 'robot', [400, 'BadRequest']],
    ['/locked;a/x', undefined, 'robot', [400, 'BadRequest']],
    ['/locked%3ba/x', undefined, 'robot', [400, 'BadRequest']],
    ['/;/locked/x', undefined, 'robot', [400, 'BadRequest']],
    ['/a/..;/locked/x', undefined, 'robot', [400, 'BadRequest']],
    ['/%256cocked', undefined, 'robot', [400, 'BadRequest']],
    ['/lockedout', undefined, 'robot', [200, undefined]],
    ['/locked-too', 'good', undefined, [401, '401']],
    ['/locked-too', 'good', 'other', [200, undefined]],
    ['/both', 'good', 'robot', [200, undefined]],
    ['/both', undefined, 'robot', [403, 'ClientCertificateRequired']],
    ['/both', 'good', undefined, [401, '401']],
    ['/plain', 'good', undefined, [401, '401']],
    ['/plain', 'expired', 'robot', [200, undefined]],
    ['/plain', 'good', 'other', [200, undefined]],
    ['/machine', undefined, 'robot', [403, 'ClientCertificateRequired']],
    ['/machine', 'good', undefined, [200, undefined]],
    ['/elsewhere', 'good', undefined, [200, undefined]],
    ['/elsewhere', undefined, 'robot', [200, undefined]],
    ['/status', undefined, undefined, [200, undefined]],
  ];
  for (const [target, certificate, key, wanted] of cases) {
    test(`${target} with ${certificate ?? 'no'} certificate and ${key ? `the key ${key}` : 'no key'}`, limit, async () => {
      assert.deepEqual(code(await at(target, certificate, key)), wanted);
    });
  }

  test('where certificates are off, the container is told of none', limit, async () => {
    const told = async (target) => (await at(target, 'good', 'robot')).json().fields.filter(([name]) => /^x-postern-client/i.test(name)).length;
    assert.equal(await told('/plain'), 0);
    assert.equal(await told('/elsewhere'), 3);
  });
});

describe('listeners', () => {
  let gateway;
  let strict;
  const to = (port, certificate, { version = 'TLSv1.3', key } = {}) =>
    request(port, '/show', { key, tls: tlsOf(certificates[certificate], version) });

  before(async () => {
    const data_dir = postern.settings.data_dir;
    await postern.stop();
    const port = await freePort();
    strict = await freePort();
    gateway = await start('off', {
      data_dir,
      port,
      listen: `127.0.0.1:${port}, 127.0.0.1:${strict}`,
      client_certificate_listeners: `127.0.0.1:${strict} required`,
    });
  }, limit);

  after(async () => {
    const data_dir = gateway.settings.data_dir;
    await gateway.stop();
    postern = await start('optional', { data_dir });
  }, limit);

  for (const version of Object.values(versions)) {
    test(`one asks for certificates, the other does not, ${version}`, limit, async () => {
      assert.deepEqual(code(await to(gateway.port, undefined, { version, key: robot.key1 })), [200, undefined]);
      assert.deepEqual(code(await to(gateway.port, 'good', { version })), [401, '401'], 'nobody asked for it');
      assert.deepEqual(code(await to(strict, 'good', { version })), [200, undefined]);
      await assert.rejects(to(strict, undefined, { version, key: robot.key1 }));
    });

    test(`a session of the open one opens no other, ${version}`, limit, async () => {
      const session = await sessionOf(gateway.port, version);
      assert.ok(session, 'the open listener gives tickets');
      assert.equal(await resumes(gateway.port, version, session), true, 'and takes them');
      await assert.rejects(resumes(strict, version, session), 'the other wants a certificate');
    });
  }

  test('what is wrong is said', limit, async () => {
    const refused = async (more) => {
      const settings = { data_dir: temporaryDirectory(), listen: '127.0.0.1:9443', upstream: upstream.url, client_ca: caFile, ...more };
      const { code: exit, stdout, stderr } = await cli(['check'], { settings });
      assert.equal(exit, 1, stdout);
      return stdout + stderr;
    };
    assert.match(await refused({ client_certificate_listeners: '127.0.0.1:9444 required' }), /"127\.0\.0\.1:9444" is none of the addresses of listen/);
    assert.match(await refused({ client_certificate_listeners: '127.0.0.1:9443 always' }), /behind the address stands off, optional or required/);
    assert.match(await refused({ client_certificate_listeners: '127.0.0.1:9443 required', client_ca: '' }), /needs client_ca, the CAs to trust/);
    assert.match(await refused({ routes: '/x credentials=both' }), /ROUTES: asks for client certificates, but client_certificate is off/);
    assert.match(await refused({ routes: '/x credential=both' }), /is not valid; use credentials=/);
  });
});

describe('approved one by one', limit, () => {
  const sha = (name) => createHash('sha256').update(new X509Certificate(certificates[name].pem).raw).digest('hex');
  const clientCert = (...args) => postern.cli(['client-cert', ...args]);
  const clientCertDone = async (...args) => {
    const done = await clientCert(...args);
    assert.equal(done.code, 0, done.stderr);
  };
  const becomes = (name, wanted, more = {}) =>
    eventually(5000, `${name} to be ${wanted}`, async () => {
      const answer = code(await ask(postern, { certificate: certificates[name], ...more }));
      return answer[0] === wanted[0] && answer[1] === wanted[1];
    });
  const DENIED = [403, 'ClientCertificateNotApproved'];
  const WRONG = [403, 'ClientCertificateInvalid'];
  const OK = [200, undefined];
  const keyOf = (answer) => answer.json().fields.find(([name]) => /^x-postern-key-id$/i.test(name))[1];

  test('by its file, as a key that is there; revoked, and approved again', async () => {
    await becomes('unapproved', DENIED);
    const done = await clientCert('approve', certificates.unapproved.cert, '--key', other.id);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, new RegExp(`${sha('unapproved')} \\(CN=nobody, O=Tests\\) is approved and stands for the key ${other.id}`));
    await becomes('unapproved', OK);
    assert.equal(keyOf(await ask(postern, { certificate: certificates.unapproved })), other.id);

    const revoked = await clientCert('revoke', sha('unapproved').slice(0, 12));
    assert.equal(revoked.code, 0, revoked.stderr);
    await becomes('unapproved', WRONG);
    // What is revoked is not valid: a key beside it does not make it good.
    assert.deepEqual(code(await ask(postern, { certificate: certificates.unapproved, key: other.key1 })), WRONG);
    await clientCertDone('approve', sha('unapproved'), '--key', other.id);
    await becomes('unapproved', OK);
    await clientCertDone('revoke', certificates.unapproved.cert);
    await becomes('unapproved', WRONG);
  });

  test('an approval stands before the rules, and a revocation, too', async () => {
    certificates.ruled = ca.issue('ruled', { san: 'DNS:ruled.robot.example' });
    await becomes('ruled', OK);
    assert.equal(keyOf(await ask(postern, { certificate: certificates.ruled })), robot.id);
    await clientCertDone('approve', certificates.ruled.cert, '--key', other.id);
    await eventually(5000, 'the other key', async () => keyOf(await ask(postern, { certificate: certificates.ruled })) === other.id);
    await clientCertDone('revoke', certificates.ruled.cert);
    await becomes('ruled', WRONG);
    // One that nobody ever approved.
    await becomes('rsa', OK);
    await clientCertDone('revoke', certificates.rsa.cert);
    await becomes('rsa', WRONG);
  });

  test('with a key of its own, that no secret opens; by its public key', async () => {
    const mine = ca.issue('machine 7', { san: 'DNS:machine.example' });
    const done = await clientCert('approve', mine.cert, '--public-key', '--json');
    assert.equal(done.code, 0, done.stderr);
    const { key_id, of, sha256 } = done.json();
    assert.equal(of, 'public key');
    const spki = new X509Certificate(mine.pem).publicKey.export({ type: 'spki', format: 'der' });
    assert.equal(sha256, createHash('sha256').update(spki).digest('hex'));
    const key = (await postern.cli(['key', 'show', key_id, '--json'])).json();
    assert.deepEqual([key.name, key.key1, key.key2], ['machine 7', null, null]);
    await eventually(5000, 'it to be let in', async () => (await ask(postern, { certificate: mine })).status === 200);
    assert.equal(keyOf(await ask(postern, { certificate: mine })), key_id);
    // Its key's rules are its own; disabling it ends it.
    assert.equal((await postern.cli(['key', 'disable', key_id])).code, 0);
    await eventually(5000, 'its end', async () => (await ask(postern, { certificate: mine })).status === 403);
    const line = await postern.logged((entry) => entry.key_id === key_id && entry.status === 200);
    assert.equal(line.method, 'GET');
  });

  test('a WebSocket ends when its certificate is revoked', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const mine = ca.issue('stream', { san: 'DNS:stream.example' });
    const { data_dir } = postern.settings;
    const gateway = await start('optional', { upstream: `http://127.0.0.1:${server.address().port}`, credentials: 'certificate' });
    try {
      assert.equal((await gateway.cli(['client-cert', 'approve', mine.cert])).code, 0);
      const open = async () => {
        const ws = new WebSocket(`wss://127.0.0.1:${gateway.port}/x`, { rejectUnauthorized: false, ...mine.tls });
        ws.on('error', () => {});
        const outcome = await Promise.race([once(ws, 'open').then(() => true), once(ws, 'close').then(() => false)]);
        return outcome && ws;
      };
      let ws;
      await eventually(5000, 'it to be let in', async () => (ws = await open()));
      const closed = once(ws, 'close');
      assert.equal((await gateway.cli(['client-cert', 'revoke', mine.cert])).code, 0);
      assert.equal((await closed)[0], 4000);
      assert.notEqual(gateway.settings.data_dir, data_dir);
    } finally {
      await gateway.stop();
      server.close();
    }
  });

  test('the list, the trail, and what is refused', async () => {
    const listed = (await clientCert('list', '--json')).json();
    const state = (name) => listed.find((row) => row.sha256 === sha(name))?.state;
    assert.deepEqual([state('unapproved'), state('ruled'), state('rsa')], ['revoked', 'revoked', 'revoked']);
    const table = (await clientCert('list')).stdout;
    assert.match(table, /SHA-256 \(BEGINNING\) +OF +KEY +STATE +EXPIRES +SUBJECT/);
    assert.match(table, /public key .* approved .* CN=machine 7/);
    const trail = (await postern.cli(['audit', 'list', '--json'])).stdout;
    assert.match(trail, /client_cert\.approve/);
    assert.match(trail, /client_cert\.revoke/);

    const fails = async (pattern, ...args) => {
      const done = await clientCert(...args);
      assert.notEqual(done.code, 0, args.join(' '));
      assert.match(done.stderr, pattern);
    };
    await fails(/no key with the id or name "zzzzzzzzzzzz"/, 'approve', certificates.good.cert, '--key', 'zzzzzzzzzzzz');
    await fails(/use either --key or --name/, 'approve', certificates.good.cert, '--key', other.id, '--name', 'x');
    await fails(/--key or --name is required/, 'approve', sha('good'));
    await fails(/nothing\.crt/, 'approve', '/nonexistent/nothing.crt', '--key', other.id);
    await fails(/holds a private key, but no certificate/, 'approve', certificates.good.key, '--key', other.id);
    await fails(/has expired/, 'approve', certificates.expired.cert, '--key', other.id);
    await fails(/no certificate has a SHA-256 that begins with this/, 'revoke', '0123456789');
  });
});

/** What a client hears at the end of a connection that it asks nothing of. */
async function ending(port, options) {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  socket.resume();
  const error = once(socket, 'error').then(([it]) => it.message);
  error.catch(() => {});
  return within(10000, 'an end', Promise.race([error, once(socket, 'close').then(() => 'closed')]));
}

/** A session that can be resumed, undefined when none is offered. */
async function sessionOf(port, version) {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: version, maxVersion: version });
  let session;
  socket.on('session', (it) => (session ??= it));
  await once(socket, 'secureConnect');
  socket.write('GET /status HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  return session;
}

/** Whether it is; rejects when there is no connection. */
async function resumes(port, version, session) {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: version, maxVersion: version, session });
  const failed = once(socket, 'error').then(([error]) => Promise.reject(error));
  failed.catch(() => {});
  await Promise.race([once(socket, 'secureConnect'), failed]);
  const reused = socket.isSessionReused();
  socket.write('GET /status HTTP/1.1\r\nHost: a\r\n\r\n');
  await Promise.race([once(socket, 'data'), failed, once(socket, 'close').then(() => Promise.reject(new Error('closed')))]);
  socket.destroy();
  return reused;
}
