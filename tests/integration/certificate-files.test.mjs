// SPDX-License-Identifier: Apache-2.0
// Certificates and keys as people have them in files: any order, any editor, kinds that cannot be used.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';

import { Authority, chained, selfSigned } from './lib/certs.mjs';
import { request } from './lib/client.mjs';
import { Postern, cli } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, temporaryDirectory, within } from './lib/util.mjs';

const limit = { timeout: 60000 };
const HOST = 'chain.example.com';
const read = (file) => readFileSync(file, 'utf8');
const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
let upstream;
let chain;
let other;
let crossed; // the root's name and key, signed by the other root
let odd; // a pair with Ed25519

before(async () => {
  upstream = await Upstream.start((x) => x.showHead());
  chain = chained([HOST]);
  other = new Authority('Other root');
  const at = (name) => path.join(chain.directory, name);
  openssl('x509', '-req', '-days', '30', '-in', at('root.csr'), '-CA', other.cert, '-CAkey', other.key, '-CAcreateserial',
    '-extfile', at('ca.ext'), '-out', at('crossed.crt'));
  crossed = read(at('crossed.crt'));
  odd = { cert: at('odd.crt'), key: at('odd.key') };
  openssl('req', '-x509', '-newkey', 'ed25519', '-nodes', '-days', '30', '-subj', '/CN=Odd One', '-keyout', odd.key, '-out', odd.cert);
}, limit);

after(() => upstream?.stop(), limit);

const write = (text, name = 'written.pem') => {
  const file = path.join(temporaryDirectory(), name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
};
/** Subjects of the certificates that a client with that root is shown, which must satisfy it. */
const shown = (port, ca, version) =>
  within(10000, 'a handshake', new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', servername: HOST, ca, minVersion: version, maxVersion: version }, () => {
      const subject = socket.getPeerCertificate().subject.CN;
      socket.destroy();
      resolve(subject);
    });
    socket.on('error', reject);
  }));

describe('a server\'s chain', limit, () => {
  const [leaf, intermediate] = [() => read(path.join(chain.directory, 'leaf.crt')), () => read(path.join(chain.directory, 'intermediate.crt'))];
  const crlf = (text) => text.replaceAll('\n', ' \r\n');
  const texts = {
    'the intermediate first': () => intermediate() + leaf(),
    'the root first, and the server\'s last': () => chain.rootPem + intermediate() + leaf(),
    'with a certificate that does not belong to it': () => read(selfSigned(['stranger.example.com']).cert) + leaf() + intermediate(),
    'with the key in the same file': () => read(chain.key) + intermediate() + leaf(),
    'with a byte order mark, CR LF and blanks': () => `\uFEFF${crlf(`Bag Attributes\n    friendlyName: it\n${leaf()}${intermediate()}`)}`,
  };
  for (const [what, text] of Object.entries(texts)) {
    test(what, limit, async (t) => {
      const postern = await Postern.start({ upstream: upstream.url, tls_certificate: write(text()), tls_key: write(crlf(read(chain.key))) });
      t.after(() => postern.stop());
      for (const version of ['TLSv1.2', 'TLSv1.3']) assert.equal(await shown(postern.port, chain.rootPem, version), HOST);
      assert.equal(/is left out: line \d+ \(stranger\.example\.com\) does not belong to the chain/.test(postern.stderr), /does not belong/.test(what));
    });
  }
  test('cross-signed: clients of either root are served', limit, async (t) => {
    const postern = await Postern.start({ upstream: upstream.url, tls_certificate: write(chain.rootPem + crossed + intermediate() + leaf()), tls_key: chain.key });
    t.after(() => postern.stop());
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      assert.equal(await shown(postern.port, chain.rootPem, version), HOST);
      assert.equal(await shown(postern.port, other.pem, version), HOST);
    }
    assert.doesNotMatch(postern.stderr, /left out/);
  });
});

describe('what cannot be used is called what it is', limit, () => {
  const files = () => {
    const made = (name, ...args) => {
      const out = path.join(temporaryDirectory(), name);
      openssl(...args, '-out', out);
      return out;
    };
    const good = selfSigned(['good.example.com']);
    return [
      [odd.cert, odd.key, [/odd\.crt: the certificate in line 1 \(Odd One\) is of an unsupported key type \(Ed25519\)/, /odd\.key: the private key is of an unsupported key type \(Ed25519\); use RSA, or EC/]],
      [good.key, good.cert, [/holds the private key and .* the certificate: the two are swapped/]],
      [good.cert, made('e.key', 'pkcs8', '-topk8', '-in', good.key, '-passout', 'pass:x'), [/e\.key: the private key is encrypted/]],
      [made('c.der', 'x509', '-in', good.cert, '-outform', 'der'), good.key, [/c\.der is a certificate in DER form, not PEM; convert it with openssl x509/]],
      [made('c.p12', 'pkcs12', '-export', '-in', good.cert, '-inkey', good.key, '-passout', 'pass:x'), good.key, [/c\.p12 is a PKCS#12 archive/]],
      [good.cert, odd.cert, [/odd\.crt holds a certificate, but no private key/]],
      [good.cert, selfSigned(['another.example.com']).key, [/holds no certificate that the key belongs to/]],
      [write(''), good.key, [/written\.pem is empty/]],
    ];
  };
  test('a pair, at the start and by check', { timeout: 120000 }, async () => {
    for (const [tls_certificate, tls_key, all] of files()) {
      const settings = { data_dir: temporaryDirectory(), listen: '127.0.0.1:0', upstream: upstream.url, admin_listen: 'off', tls_certificate, tls_key };
      for (const command of ['check', 'serve']) {
        const done = await cli([command], { settings });
        assert.equal(done.code, 1, `${command} ${tls_certificate}`);
        for (const words of all) assert.match(done.stdout + done.stderr, words, command);
        assert.doesNotMatch(done.stdout + done.stderr, /PRIVATE KEY/);
      }
    }
  });

  test('a CA beside good ones is left out and named, and alone it is refused', limit, async (t) => {
    const ca = new Authority('Good CA');
    const client = ca.issue('robot', { san: 'DNS:robot.example' });
    const client_ca = write(read(odd.cert) + ca.pem, 'clients.pem');
    const settings = {
      data_dir: temporaryDirectory(), upstream: upstream.url, client_certificate: 'required', client_ca, ca_file: client_ca,
      admin_client_ca: client_ca, admin_client_certificates: 'admin *',
    };
    const words = /clients\.pem: 1 certificate is left out: line 1 \(Odd One\) is of an unsupported key type \(Ed25519\)/;
    const checked = await cli(['check'], { settings });
    assert.equal(checked.code, 0, checked.stderr);
    for (const setting of ['client_ca', 'admin_client_ca', 'ca_file']) {
      const line = (checked.stdout + checked.stderr).split('\n').find((text) => text.includes(`POSTERN_${setting.toUpperCase()}: `) && words.test(text));
      assert.ok(line, checked.stdout + checked.stderr);
    }

    const postern = await Postern.start({ ...settings, admin_listen: '127.0.0.1:0', oidc_issuers: 'https://issuer.invalid', oidc_keys: 'appone000001 *' }, { expectReady: false });
    t.after(() => postern.stop());
    await eventually(20000, 'the warnings', () =>
      ['client_ca', 'admin_client_ca', 'ca_file'].every((setting) => postern.stderr.split('\n').some((line) => line.includes(`: ${setting}: `) && words.test(line))));
    const answer = await request(postern.port, '/status', { tls: client.tls });
    assert.equal(answer.status, 200);

    const alone = { ...settings, client_ca: odd.cert };
    const refused = await cli(['check'], { settings: alone });
    assert.equal(refused.code, 1);
    assert.match(refused.stdout + refused.stderr, /no certificate in it can be used: line 1 \(Odd One\) is of an unsupported key type \(Ed25519\)/);
  });
});
