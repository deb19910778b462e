// SPDX-License-Identifier: Apache-2.0
// Files that settings name: whoever else can change them, or read their secrets, is said, with what to do about it.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { selfSigned } from './lib/certs.mjs';
import { commonDirectory, project, root } from './lib/pod.mjs';
import { cli, Postern } from './lib/postern.mjs';
import { temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 60000 };

/** What `check` and `doctor` warn of, and the log of a gateway that starts all the same. */
async function said(settings) {
  const all = { data_dir: temporaryDirectory(), ...settings };
  const findings = (await cli(['check', '--json'], { settings: all })).json().findings.map((f) => JSON.stringify(f));
  const doctor = (await cli(['doctor', '--json'], { settings: all })).json().checks.filter((c) => c.check === 'given files');
  const gateway = await Postern.start(all);
  await gateway.stop();
  return { findings, doctor, log: gateway.stderr };
}

function assertWarned({ findings, doctor, log }, setting, words) {
  assert.ok(findings.some((f) => f.includes(setting.toUpperCase()) && words.test(f)), findings.join('\n'));
  assert.ok(doctor.some((c) => c.status === 'warning' && c.seen.startsWith(`${setting}: `) && words.test(`${c.seen}: ${c.todo}`)), JSON.stringify(doctor));
  assert.match(log, new RegExp(` warning files: ${setting}: .*${words.source}`));
}

describe('files that settings name', limit, () => {
  test('closed to others: nothing is said', limit, async () => {
    const { cert, key } = selfSigned(['localhost']);
    chmodSync(key, 0o600);
    const { findings, doctor, log } = await said({ tls_certificate: cert, tls_key: key });
    assert.deepEqual(findings, []);
    assert.deepEqual(doctor.map((c) => c.status), ['ok']);
    assert.doesNotMatch(log, / files: /);
  });

  test('a key that everybody can read, a list that everybody can write', limit, async () => {
    const { cert, key } = selfSigned(['localhost'], { directory: commonDirectory('certs') });
    const list = path.join(commonDirectory('list'), 'hosts');
    writeFileSync(list, 'example.com\n');
    chmodSync(list, 0o666);
    chmodSync(key, 0o644);
    const warned = await said({ tls_certificate: cert, tls_key: key, egress_allow_file: list });
    assertWarned(warned, 'tls_key', /can be read by every user \(mode 0644\)/);
    assertWarned(warned, 'egress_allow_file', /can be written by every user \(mode 0666\)/);
    assert.equal(warned.doctor.length, 2);
    chmodSync(path.dirname(key), 0o700);
    chmodSync(path.dirname(list), 0o700);
    const closed = await said({ tls_certificate: cert, tls_key: key, egress_allow_file: list });
    assert.deepEqual(closed.findings, [], 'nobody else gets there');
  });

  test('the keys in a directory of certificates', limit, async () => {
    const directory = commonDirectory('certificates');
    const { certPem, keyPem } = selfSigned(['localhost']);
    mkdirSync(path.join(directory, 'site'));
    writeFileSync(path.join(directory, 'site/tls.crt'), certPem);
    writeFileSync(path.join(directory, 'site/tls.key'), keyPem);
    chmodSync(path.join(directory, 'site/tls.key'), 0o604);
    assertWarned(await said({ tls_certificate_dir: directory }), 'tls_certificate_dir', /site\/tls\.key can be read by every user/);
  });

  test('from a secret store, and of another user', { ...limit, skip: root ? false : 'only root can make them' }, async () => {
    const store = commonDirectory('store');
    const { certPem, keyPem } = selfSigned(['localhost']);
    project(store, { 'tls.crt': certPem, 'tls.key': keyPem }, { mode: 0o440 });
    const settings = { tls_certificate: path.join(store, 'tls.crt'), tls_key: path.join(store, 'tls.key') };
    const { findings, doctor } = await said(settings);
    assert.deepEqual(findings, []);
    assert.deepEqual(doctor.map((c) => c.status), ['ok']);
    const file = path.join(commonDirectory('key'), 'key.pem');
    writeFileSync(file, keyPem, { mode: 0o600 });
    chownSync(file, 12345, 12345);
    assertWarned(await said({ ...settings, tls_key: file }), 'tls_key', /belongs to user 12345, and this is user 0.*(use a copy)/);
  });
});
