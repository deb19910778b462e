// SPDX-License-Identifier: Apache-2.0
// Certificates whose time is over or has not come: served, and reported wherever somebody looks.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { X509Certificate } from 'node:crypto';

import { caller } from './lib/admin.mjs';
import { Authority } from './lib/certs.mjs';
import { RawClient } from './lib/client.mjs';
import { Postern, cli } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, temporaryDirectory } from './lib/util.mjs';
import path from 'node:path';

const limit = { timeout: 60000 };
const DAY_S = 86400;
let upstream;
let ca;
const issue = (options) => ca.issue('gateway', { san: 'DNS:gateway.test', eku: 'serverAuth', ...options });
const own = ({ cert, key }) => ({ tls_certificate: cert, tls_key: key });
const ofAdmin = ({ cert, key }) => ({ admin_tls_certificate: cert, admin_tls_key: key });

before(async () => {
  upstream = await Upstream.start((x) => x.showHead());
  ca = new Authority('Dates');
}, limit);
after(() => upstream?.stop(), limit);

async function serve(t, settings) {
  const socket = path.join(temporaryDirectory('s'), 'admin.sock');
  const gateway = await Postern.start({ upstream: upstream.url, admin_listen: `unix:${socket}`, ...settings });
  t.after(() => gateway.stop());
  const status = async () => (await caller({ socketPath: socket })('GET', '/admin/v1/status')).json;
  return { gateway, status };
}

const shown = async (port) => {
  const client = await RawClient.connect(port);
  const certificate = new X509Certificate(client.socket.getPeerCertificate().raw);
  const { status } = await client.get('/status');
  client.destroy();
  assert.equal(status, 200);
  return certificate;
};

for (const [state, dates, words] of [
  ['expired', { from: -10, days: 5 }, /the certificate expired at 20.*clients reject it/],
  ['not_yet_valid', { from: 2, days: 30 }, /the certificate is not valid before 20.*clients reject it until then/],
]) {
  test(`${state}: served, and said by the log, status, check and doctor`, limit, async (t) => {
    const pair = issue(dates);
    const { gateway, status } = await serve(t, own(pair));
    assert.equal((await shown(gateway.port)).fingerprint256, new X509Certificate(pair.pem).fingerprint256);
    const warnings = gateway.stderr.split('\n').filter((line) => words.test(line));
    assert.equal(warnings.length, 1, gateway.stderr);
    assert.ok(warnings[0].includes(pair.cert) && /warning/.test(warnings[0]), warnings[0]);

    const { certificate, admin_certificate: none } = await status();
    assert.equal(certificate.state, state);
    assert.ok(new Date(certificate.not_before) < new Date(certificate.not_after));
    assert.equal(none, null);

    const checked = await cli(['check'], { settings: { ...gateway.settings, listen: '127.0.0.1:0' } });
    assert.equal(checked.code, 0, checked.stderr);
    assert.match(checked.stderr, words);
    const examined = await gateway.cli(['doctor', '--json']);
    const about = examined.json().checks.filter((result) => result.check === 'certificate');
    assert.deepEqual(about.map((result) => result.status), ['failed']);
    assert.match(about[0].seen, /gateway serves it, and clients reject it/);
  });
}

test("the admin side's own: the same, under its own name", limit, async (t) => {
  const pair = issue({ from: -10, days: 5 });
  const { gateway, status } = await serve(t, ofAdmin(pair));
  assert.match(gateway.stderr, new RegExp(`warning +admin: ${pair.cert}: the certificate expired`));
  const { certificate, admin_certificate: admin } = await status();
  assert.equal(certificate.state, 'valid');
  assert.deepEqual([admin.state, admin.path, admin.self_signed], ['expired', pair.cert, false]);
  const { checks } = (await gateway.cli(['doctor', '--json'])).json();
  const failed = checks.filter((result) => result.check === 'certificate' && result.status === 'failed');
  assert.equal(failed.length, 1);
  assert.ok(failed[0].seen.startsWith(`${pair.cert} expired at`), failed[0].seen);
});

test('one that expires while it is served is reported once, then', limit, async (t) => {
  const seconds = 6;
  const { gateway, status } = await serve(t, own(issue({ from: -1, days: 1 + seconds / DAY_S })));
  const expired = () => gateway.stderr.split('\n').filter((line) => /the certificate expired at/.test(line)).length;
  assert.match(gateway.stderr, /the certificate expires soon/);
  await eventually(30000, 'the log to say that it has expired', () => expired() > 0);
  assert.equal((await status()).certificate.state, 'expired');
  await shown(gateway.port);
  const { uptime_seconds: then } = await status();
  await eventually(20000, 'several more looks at it', async () => (await status()).uptime_seconds > then + 5);
  assert.equal(expired(), 1);
});
