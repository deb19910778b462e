// SPDX-License-Identifier: Apache-2.0
// TLS as clients meet it: versions, suites, ALPN, SNI, tickets, the self-signed certificate, bounds.
import assert from 'node:assert/strict';
import { X509Certificate, randomBytes } from 'node:crypto';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';

import { chained, selfSigned } from './lib/certs.mjs';
import { RawClient, plainConnect } from './lib/client.mjs';
import { Postern, cli } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort, openDescriptors, settled, sleep, temporaryDirectory, within } from './lib/util.mjs';

const limit = { timeout: 60000 };
const old = 'DEFAULT@SECLEVEL=0'; // so that OpenSSL itself would speak the old versions
let upstream;
let postern;
let rsa;
let chain;

before(async () => {
  upstream = await Upstream.start((x) => x.showHead());
  chain = chained(['chain.example.com']);
  postern = await Postern.start({ upstream: upstream.url });
  rsa = await Postern.start({ upstream: upstream.url, tls_certificate: chain.cert, tls_key: chain.key });
}, limit);

after(async () => {
  await postern?.stop();
  await rsa?.stop();
  await upstream?.stop();
}, limit);

const shakes = async (port, options) => {
  const client = await RawClient.connect(port, options);
  const { socket } = client;
  const facts = { protocol: socket.getProtocol(), cipher: socket.getCipher().standardName, alpn: socket.alpnProtocol, key: socket.getEphemeralKeyInfo() };
  const answer = await client.get('/status');
  client.destroy();
  assert.equal(answer.status, 200);
  return facts;
};
const fails = (port, options, pattern) =>
  assert.rejects(async () => {
    const client = await RawClient.connect(port, options);
    client.destroy();
  }, pattern);

describe('versions and suites', limit, () => {
  test('TLS 1.3 is preferred', limit, async () => {
    assert.equal((await shakes(postern.port)).protocol, 'TLSv1.3');
  });
  test('TLS 1.2 is spoken', limit, async () => {
    assert.equal((await shakes(postern.port, { maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
    assert.equal((await shakes(rsa.port, { maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
  });
  for (const version of ['TLSv1.1', 'TLSv1']) {
    test(`${version} is refused`, limit, () => fails(postern.port, { minVersion: version, maxVersion: version, ciphers: old }, /protocol version|alert|closed|wrong version/i));
  }
  for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']) {
    test(`1.3 with ${suite}`, limit, async () => {
      assert.equal((await shakes(postern.port, { ciphers: suite, minVersion: 'TLSv1.3' })).cipher, suite);
    });
  }
  for (const auth of ['ECDSA', 'RSA']) {
    for (const suite of ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305']) {
      test(`1.2 with ECDHE-${auth}-${suite}`, limit, async () => {
        const { port } = auth === 'RSA' ? rsa : postern;
        await shakes(port, { ciphers: `ECDHE-${auth}-${suite}`, maxVersion: 'TLSv1.2' });
      });
    }
    for (const suite of ['AES128-SHA', 'AES128-SHA256', 'AES256-SHA384']) {
      test(`no CBC: ECDHE-${auth}-${suite}`, limit, () =>
        fails((auth === 'RSA' ? rsa : postern).port, { ciphers: `ECDHE-${auth}-${suite}:@SECLEVEL=0`, maxVersion: 'TLSv1.2' }, /handshake failure|alert|closed/i));
    }
  }
  for (const suite of ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'AES128-SHA', 'DHE-RSA-AES128-GCM-SHA256']) {
    test(`no RSA or finite-field key exchange: ${suite}`, limit, () => fails(rsa.port, { ciphers: `${suite}:@SECLEVEL=0`, maxVersion: 'TLSv1.2' }, /handshake failure|alert|closed/i));
  }
  for (const curve of ['X25519', 'P-256']) {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      // In 1.2 the list of groups also says which curves a certificate may have (RFC 8422 section 5.1).
      const groups = version === 'TLSv1.2' && curve !== 'P-256' ? `${curve}:P-256` : curve;
      test(`key agreement on ${curve}, ${version}`, limit, () => shakes(postern.port, { ecdhCurve: groups, minVersion: version, maxVersion: version }));
    }
  }
  test('the profile `modern` is 1.3 only', limit, async (t) => {
    const modern = await Postern.start({ upstream: upstream.url, tls_profile: 'modern' });
    t.after(() => modern.stop());
    assert.equal((await shakes(modern.port)).protocol, 'TLSv1.3');
    await fails(modern.port, { maxVersion: 'TLSv1.2' }, /protocol version|alert|closed/i);
  });
  test('no renegotiation in 1.2', limit, async () => {
    const client = await RawClient.connect(postern.port, { maxVersion: 'TLSv1.2' });
    const error = await within(5000, 'an end of the renegotiation', new Promise((resolve) => {
      client.socket.once('error', resolve);
      client.socket.once('close', () => resolve(new Error('closed')));
      client.socket.renegotiate({ rejectUnauthorized: false }, (e) => resolve(e ?? null));
    }));
    assert.ok(error, 'the renegotiation was let through');
    client.destroy();
  });
});

describe('ALPN', limit, () => {
  test('http/1.1 is chosen', limit, async () => {
    assert.equal((await shakes(postern.port, { ALPNProtocols: ['h2', 'http/1.1'] })).alpn, 'http/1.1');
    assert.equal((await shakes(postern.port, { ALPNProtocols: ['http/1.1'], maxVersion: 'TLSv1.2' })).alpn, 'http/1.1');
  });
  test('without ALPN', limit, async () => {
    assert.equal((await shakes(postern.port, { ALPNProtocols: undefined })).alpn, false);
  });
  test('nothing in common is refused', limit, async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
      await fails(postern.port, { ALPNProtocols: ['h2', 'spdy/3'], maxVersion }, /application protocol|alert|closed/i);
    }
  });
});

describe('certificates', limit, () => {
  test('the self-signed one: P-256, for localhost and addresses, made once, reused, fingerprint printed', limit, async () => {
    const data = temporaryDirectory();
    const peer = async (gateway) => {
      const client = await RawClient.connect(gateway.port);
      const cert = new X509Certificate(client.socket.getPeerCertificate().raw);
      client.destroy();
      return cert;
    };
    const first = await Postern.start({ upstream: upstream.url, data_dir: data });
    const cert = await peer(first);
    await first.stop();
    const second = await Postern.start({ upstream: upstream.url, data_dir: data });
    const again = await peer(second);
    await second.stop();
    assert.equal(again.fingerprint256, cert.fingerprint256);
    assert.match(cert.subjectAltName, /DNS:localhost/);
    assert.match(cert.subjectAltName, /IP Address:127\.0\.0\.1/);
    assert.equal(cert.publicKey.asymmetricKeyDetails.namedCurve, 'prime256v1');
    assert.ok(cert.verify(cert.publicKey));
    assert.ok(new Date(cert.validFrom) <= new Date() && new Date(cert.validTo) > new Date(Date.now() + 80 * 86400e3));
    const plain = cert.fingerprint256.replaceAll(':', '').toLowerCase();
    for (const gateway of [first, second]) {
      assert.ok((gateway.stderr + gateway.stdout).replaceAll(':', '').toLowerCase().includes(plain), 'the fingerprint is said at the start');
    }
    assert.notEqual((await peer(postern)).serialNumber, cert.serialNumber);
  });
  test('a client that trusts the self-signed certificate verifies it by name', limit, async () => {
    const client = await RawClient.connect(postern.port);
    const { raw } = client.socket.getPeerCertificate();
    client.destroy();
    const ca = `-----BEGIN CERTIFICATE-----\n${raw.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
    const trusting = await RawClient.connect(postern.port, { ca, rejectUnauthorized: true, servername: 'localhost' });
    assert.equal(trusting.socket.authorized, true);
    trusting.destroy();
  });
  test('a chain with an RSA key, whole', limit, async () => {
    const client = await RawClient.connect(rsa.port, { ca: chain.rootPem, rejectUnauthorized: true, servername: 'chain.example.com' });
    assert.equal(client.socket.authorized, true);
    assert.equal(client.socket.getPeerCertificate(true).issuerCertificate.subject.CN, 'Test intermediate');
    client.destroy();
  });
  test('several certificates: SNI chooses', limit, async (t) => {
    const directory = temporaryDirectory('sni');
    const main = selfSigned(['default.example.com'], { base: 'main' });
    for (const [base, names, kind] of [['one', ['one.example.com', 'uno.example.com'], 'ec'], ['two', ['two.example.com'], 'rsa'], ['wild', ['*.wild.example.com'], 'ec']]) {
      selfSigned(names, { kind, directory, base });
    }
    const gateway = await Postern.start({ upstream: upstream.url, tls_certificate: main.cert, tls_key: main.key, tls_certificate_dir: directory });
    t.after(() => gateway.stop());
    const nameFor = async (servername, maxVersion = 'TLSv1.3') => {
      const client = await RawClient.connect(gateway.port, { servername, maxVersion });
      const { subject } = client.socket.getPeerCertificate();
      client.destroy();
      return subject.CN;
    };
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      assert.equal(await nameFor('one.example.com', version), 'one.example.com');
      assert.equal(await nameFor('UNO.example.com', version), 'one.example.com');
      assert.equal(await nameFor('two.example.com', version), 'two.example.com');
      assert.equal(await nameFor('a.wild.example.com', version), '*.wild.example.com');
      assert.equal(await nameFor('a.b.wild.example.com', version), 'default.example.com');
      assert.equal(await nameFor('unknown.example.com', version), 'default.example.com');
      assert.equal(await nameFor('', version), 'default.example.com');
    }
  });
  test('a key that does not fit, a broken file, a missing one: said, and exit 1', limit, async () => {
    const a = selfSigned(['a.example.com']);
    const b = selfSigned(['b.example.com']);
    const broken = path.join(a.directory, 'broken.crt');
    writeFileSync(broken, a.certPem.slice(0, 200));
    for (const [cert, key, names] of [[a.cert, b.key, b.key], [broken, a.key, broken], ['/nonexistent.crt', a.key, '/nonexistent.crt']]) {
      const settings = { data_dir: temporaryDirectory(), listen: `127.0.0.1:${await freePort()}`, upstream: upstream.url, tls_certificate: cert, tls_key: key };
      for (const command of ['check', 'serve']) {
        const result = await cli([command], { settings });
        assert.equal(result.code, 1, `${command} ${cert}`);
        assert.ok((result.stdout + result.stderr).includes(path.basename(names)) || /match|fit|belong/i.test(result.stdout + result.stderr), result.stdout + result.stderr);
      }
    }
  });
});

describe('resumption', limit, () => {
  const session = async (port, options) => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'], ...options });
    socket.on('error', () => {});
    const ticket = once(socket, 'session');
    const client = new RawClient(socket);
    await within(5000, 'a handshake', once(socket, 'secureConnect'));
    const reused = socket.isSessionReused();
    const answer = await client.get('/status'); // a resumed connection works like any other
    assert.equal(answer.status, 200);
    const [data] = reused ? [null] : await within(5000, 'a ticket', ticket);
    socket.destroy();
    return { reused, data };
  };
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    test(`a ticket resumes on another connection, ${maxVersion}`, limit, async (t) => {
      const gateway = await Postern.start({ upstream: upstream.url, workers: 2 });
      t.after(() => gateway.stop());
      const first = await session(gateway.port, { maxVersion });
      assert.equal(first.reused, false);
      for (let i = 0; i < 8; i++) { // both workers will have had one
        assert.equal((await session(gateway.port, { maxVersion, session: first.data })).reused, true);
      }
    });
    test(`a ticket of another gateway, or a damaged one, means a full handshake, ${maxVersion}`, limit, async () => {
      const first = await session(postern.port, { maxVersion });
      assert.equal((await session(rsa.port, { maxVersion, session: first.data })).reused, false);
    });
  }
  test('no early data is offered', limit, async () => {
    const output = await new Promise((resolve) => {
      const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${postern.port}`, '-tls1_3', '-ign_eof'], { timeout: 10000 }, (_, stdout) => resolve(stdout));
      child.stdin.write('GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    });
    assert.match(output, /Post-Handshake New Session Ticket arrived/);
    assert.match(output, /Max Early Data: 0/);
    assert.match(output, /Compression: NONE|No ALPN/);
  });
});

describe('bounds', limit, () => {
  test('a handshake has a time limit, silent or dripping', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url, tls_handshake_timeout: '1s' });
    t.after(() => gateway.stop());
    const start = Date.now();
    const silent = await plainConnect(gateway.port);
    const dripping = await plainConnect(gateway.port);
    const drip = setInterval(() => dripping.write('\x16'), 200);
    assert.ok(await silent.closes(4000), 'the silent one stays');
    assert.ok(await dripping.closes(4000), 'the dripping one stays');
    clearInterval(drip);
    const took = Date.now() - start;
    assert.ok(took > 700 && took < 3500, `${took} ms`);
    for (const client of [silent, dripping]) client.destroy();
  });
  test('plain HTTP on the TLS port gets a plain 400 that says so, and the end', limit, async () => {
    const requests = [
      'GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'GET http://localhost/status HTTP/1.1\r\nHost: localhost\r\n\r\n',
      `POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(300000)}`,
      'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'DELETE /x HTTP/1.0\r\n\r\n',
    ];
    for (const request of requests) {
      const client = await plainConnect(postern.port);
      client.write(request);
      const answer = await client.response({ method: request.slice(0, request.indexOf(' ')) });
      assert.equal(answer.status, 400);
      if (!request.startsWith('HEAD')) {
        assert.equal(JSON.parse(answer.text).error.code, 'HttpsRequired');
        assert.match(answer.text, /Use https:\/\/ instead of http:\/\//);
      }
      assert.ok(await client.closes(5000));
      client.destroy();
    }
    const slow = await plainConnect(postern.port);
    for (const byte of 'GET /') await slow.write(byte);
    assert.equal((await slow.response()).status, 400);
    slow.destroy();
  });
  test('what is neither TLS nor HTTP gets an alert', limit, async () => {
    for (const bytes of ['SSH-2.0-x\r\n', 'get / HTTP/1.1\r\n\r\n', 'EHLO x\r\n']) {
      const client = await plainConnect(postern.port);
      await client.write(bytes);
      assert.ok(await client.closes(5000), bytes);
      const rest = await client.reader.rest();
      assert.deepEqual([...rest.subarray(0, 2)], [21, 3], rest.toString('latin1'));
      client.destroy();
    }
  });
  test('rubbish and early leavers do no harm', limit, async () => {
    const descriptors = openDescriptors(postern.pid);
    for (let i = 0; i < 30; i++) {
      const client = await plainConnect(postern.port);
      if (i % 3 === 0) await client.write(randomBytes(1 + i * 37));
      if (i % 3 === 1) await client.write(Buffer.concat([Buffer.from([22, 3, 1, 0xff, 0xff]), randomBytes(500)]));
      client.destroy();
    }
    await shakes(postern.port);
    await eventually(5000, 'their descriptors to be closed', () => openDescriptors(postern.pid) <= descriptors + 1);
  });
  test('handshakes in progress are bounded, and the bound lets go', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url, tls_max_handshakes: 8, tls_handshake_timeout: '2s' });
    t.after(() => gateway.stop());
    const idle = openDescriptors(gateway.pid);
    const silent = [];
    for (let i = 0; i < 40; i++) silent.push(await plainConnect(gateway.port));
    await settled(10000, 'the handshakes', () => openDescriptors(gateway.pid));
    assert.ok(openDescriptors(gateway.pid) - idle <= 12, `${openDescriptors(gateway.pid) - idle} descriptors for 40 silent clients`);
    await eventually(15000, 'service to come back', async () => {
      const client = await RawClient.connect(gateway.port, { timeoutMs: 1000 });
      const answer = await client.get('/status');
      client.destroy();
      return answer.status === 200;
    }, 200);
    for (const client of silent) client.destroy();
  });
  test('silent clients do not hold all places for the whole time', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url, tls_max_handshakes: 8, tls_handshake_timeout: '8s' });
    t.after(() => gateway.stop());
    const silent = [];
    for (let i = 0; i < 8; i++) silent.push(await plainConnect(gateway.port));
    // The first of them has the whole time; who comes now does not wait for that.
    const first = silent[0].closes(20000).then(() => null);
    const served = await Promise.race([RawClient.connect(gateway.port, { timeoutMs: 20000 }), first]);
    assert.ok(served, 'the first silent one left before anybody else was served');
    assert.equal((await served.get('/status')).status, 200);
    served.destroy();
    for (const client of silent) client.destroy();
    await first;
  });
  test('without descriptors it waits, says so once, and goes on', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url }, { wrap: ['prlimit', '--nofile=64:64'] });
    t.after(() => gateway.stop());
    const held = [];
    for (let i = 0; i < 80; i++) held.push(await plainConnect(gateway.port));
    const said = () => gateway.stderr.match(/worker: cannot accept connections/g)?.length ?? 0;
    await eventually(5000, 'the complaint', () => said() > 0);
    await sleep(500); // time itself: it tries again ten times a second
    assert.equal(said(), 1);
    for (const client of held) client.destroy();
    await eventually(5000, 'service to come back', async () => {
      const client = await RawClient.connect(gateway.port, { timeoutMs: 1000 });
      const answer = await client.get('/status');
      client.destroy();
      return answer.status === 200;
    });
  });
  test('a close_notify ends the connection in order', limit, async () => {
    const client = await RawClient.connect(postern.port);
    assert.equal((await client.get('/status')).status, 200);
    client.socket.end();
    assert.ok(await client.closes(5000));
    assert.equal(client.reader.error, null);
    client.destroy();
  });
});

test('bytes that are no record in the middle of a session end it', limit, async () => {
  const { default: net } = await import('node:net');
  const inner = net.connect(postern.port, '127.0.0.1');
  await once(inner, 'connect');
  const socket = tls.connect({ socket: inner, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  const client = new RawClient(socket);
  await once(socket, 'secureConnect');
  assert.equal((await client.get('/status')).status, 200);
  inner.write(Buffer.concat([Buffer.from([23, 3, 3, 0xff, 0xff]), randomBytes(70000)]));
  assert.ok(await client.closes(5000));
  client.destroy();
  inner.destroy();
  await shakes(postern.port);
});
