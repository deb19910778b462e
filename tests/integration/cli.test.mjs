// SPDX-License-Identifier: Apache-2.0
// The command line: help, exit codes, settings from every source, `check`.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { request } from './lib/client.mjs';
import { BIN, Postern, cli } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { freePort, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 60000 };
const commands = ['serve', 'demo', 'check', 'key', 'usage', 'version'];

describe('help and exit codes', limit, () => {
  test('help names the commands, exit 0', limit, async () => {
    for (const args of [['--help'], ['help']]) {
      const result = await cli(args);
      assert.equal(result.code, 0, args.join(' '));
      for (const command of commands) assert.ok(result.stdout.includes(command), command);
    }
  });
  for (const command of commands) {
    test(`${command} --help`, limit, async () => {
      const result = await cli([command, '--help']);
      assert.equal(result.code, 0);
      assert.ok(result.stdout.length > 50);
      assert.equal(result.stderr, '');
    });
  }
  test('wrong usage is 2 and says what was wrong', limit, async () => {
    for (const args of [[], ['nonsense'], ['serve', '--nonsense'], ['serve', 'surplus'], ['usage', '--by', 'phase of the moon'], ['key', 'create'], ['check', '--config']]) {
      const result = await cli(args, { settings: { data_dir: temporaryDirectory() } });
      assert.equal(result.code, 2, `${args.join(' ')}: ${result.code}`);
      assert.ok(result.stderr.length > 5, args.join(' '));
    }
  });
  test('version', limit, async () => {
    const result = await cli(['version']);
    assert.equal(result.code, 0);
    assert.match(result.stdout, /\d+\.\d+\.\d+/);
  });

  test('version --verbose names what does the arithmetic of TLS', limit, async () => {
    const text = await cli(['version', '--verbose']);
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stdout, /^AEAD by .*(nettle|libipsec-mb).*hogweed|^all by mbedTLS/m);
    const json = await cli(['version', '--verbose', '--json']);
    assert.ok(text.stdout.includes(JSON.parse(json.stdout).crypto));
    assert.equal(JSON.parse((await cli(['version', '--json'])).stdout).crypto, undefined);
  });

  test('version --verbose says of nettle what nettle says of itself', limit, async () => {
    const said = {
      'AES-NI, PCLMULQDQ': [/libnettle: using aes instructions/, /libnettle: using pclmulqdq/],
      'AES, PMULL': [/libnettle: enabling .* AES/, /libnettle: enabling .* polynomial/],
    };
    for (const forced of [{}, { NETTLE_FAT_OVERRIDE: 'none' }]) {
      const result = await cli(['version', '--verbose'], { env: { NETTLE_FAT_VERBOSE: '1', ...forced } });
      const [, claim] = /^AEAD by nettle [\d.]+ \((.*?)\);/m.exec(result.stdout) ?? [];
      if (claim === undefined) continue; // another engine is at work here
      if (forced.NETTLE_FAT_OVERRIDE) assert.equal(claim, 'NETTLE_FAT_OVERRIDE=none');
      const uses = Object.entries(said).filter(([, lines]) => lines.every((line) => line.test(result.stderr)));
      assert.equal(uses.some(([names]) => names === claim), claim in said, `${claim}\n${result.stderr}`);
      if (!(claim in said)) assert.deepEqual(uses, [], claim);
    }
  });
});

describe('settings', limit, () => {
  const config = (text) => {
    const file = path.join(temporaryDirectory('config'), 'postern.yaml');
    writeFileSync(file, text);
    return file;
  };
  const check = async (text, settings = {}, args = []) => {
    const result = await cli(['check', '--config', config(text), ...args], { settings: { data_dir: temporaryDirectory(), ...settings } });
    return { ...result, all: result.stdout + result.stderr };
  };
  test('a good file passes', limit, async () => {
    const result = await check('listen: 127.0.0.1:8443\nupstream: http://127.0.0.1:5000\n');
    assert.equal(result.code, 0, result.all);
  });
  test('an unknown name is refused with its line', limit, async () => {
    const result = await check('listen: 127.0.0.1:8443\nupstream: http://127.0.0.1:5000\nlisten_on: 1\n');
    assert.equal(result.code, 1);
    assert.match(result.all, /listen_on/);
    assert.match(result.all, /\b3\b/);
  });
  test('every problem is said, with its place', limit, async () => {
    const result = await check('listen: nonsense\nupstream: ftp://x\nworkers: -3\n');
    assert.equal(result.code, 1);
    for (const word of ['listen', 'upstream', 'workers']) assert.ok(result.all.includes(word), `${word}: ${result.all}`);
  });
  test('files that settings name are looked at', limit, async () => {
    const result = await check('tls_certificate: /nonexistent/cert.pem\ntls_key: /nonexistent/key.pem\n');
    assert.equal(result.code, 1);
    assert.match(result.all, /\/nonexistent\/cert\.pem/);
  });
  test('an environment variable with a bad value, and one that is no setting', limit, async () => {
    const bad = await cli(['check'], { settings: { data_dir: temporaryDirectory(), workers: 'many' } });
    assert.equal(bad.code, 1);
    assert.match(bad.stdout + bad.stderr, /WORKERS|workers/);
  });
  test('YAML that is none', limit, async () => {
    assert.equal((await check('listen: [1, 2\n: :\n')).code, 1);
    assert.equal((await check('- just\n- a list\n')).code, 1);
    const missing = await cli(['check', '--config', '/nonexistent.yaml'], { settings: { data_dir: temporaryDirectory() } });
    assert.equal(missing.code, 1);
    assert.match(missing.stdout + missing.stderr, /nonexistent\.yaml/);
  });
  test('a later source wins: file, then environment, then flag', limit, async () => {
    const upstream = await Upstream.start((x) => x.answer(200, 'ok'));
    const [fromFile, fromEnvironment, fromFlag] = [await freePort(), await freePort(), await freePort()];
    const file = config(`listen: 127.0.0.1:${fromFile}\nupstream: ${upstream.url}\n`);
    const start = (port, settings, args) => Postern.start({ port, upstream: undefined, ...settings }, { command: ['serve', '--config', file, ...args] });
    for (const [port, settings, args] of [
      [fromFile, { listen: undefined }, []],
      [fromEnvironment, {}, []],
      [fromFlag, { listen: `127.0.0.1:${fromEnvironment}` }, ['--listen', `127.0.0.1:${fromFlag}`]],
    ]) {
      const gateway = await start(port, settings, args);
      assert.equal((await request(port, '/status')).status, 200);
      await gateway.stop();
    }
    await upstream.stop();
  });
  test('serve needs no file', limit, async () => {
    const upstream = await Upstream.start((x) => x.answer(200, 'ok'));
    const gateway = await Postern.start({ upstream: upstream.url });
    assert.equal((await request(gateway.port, '/ready')).text, 'ok');
    await gateway.stop();
    await upstream.stop();
  });
  test('an address in use: said, exit 1', limit, async () => {
    const upstream = await Upstream.start((x) => x.answer(200, 'ok'));
    const result = await cli(['serve'], { settings: { data_dir: temporaryDirectory(), listen: `127.0.0.1:${upstream.port}`, upstream: upstream.url } });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /in use|bind|listen/i);
    await upstream.stop();
  });
  test('IPv6', limit, async (t) => {
    const port = await freePort('::1').catch(() => null);
    if (!port) return t.skip('no IPv6 here');
    const upstream = await Upstream.start((x) => x.showHead());
    const gateway = await Postern.start({ upstream: upstream.url, port, listen: `[::1]:${port}` }, { expectReady: false });
    const { eventually } = await import('./lib/util.mjs');
    const answer = await eventually(10000, 'an answer over IPv6', () => request(port, '/status', { tls: { host: '::1' } }), 50);
    assert.equal(answer.status, 200);
    assert.match(answer.text, /"::1"|\[::1\]/);
    await gateway.stop();
    await upstream.stop();
  });
});

describe('the data directory', limit, () => {
  test('is private, and so is what is in it', limit, async () => {
    const data_dir = path.join(temporaryDirectory(), 'new');
    const made = await cli(['key', 'create', '--name', 'x', '--json'], { settings: { data_dir } });
    assert.equal(made.code, 0, made.stderr);
    assert.equal(statSync(data_dir).mode & 0o077, 0);
    for (const file of readdirSync(data_dir)) assert.equal(statSync(path.join(data_dir, file)).mode & 0o077, 0, file);
  });
  test('one that cannot be used: said, exit 1', limit, async () => {
    const file = path.join(temporaryDirectory(), 'a-file');
    writeFileSync(file, '');
    for (const args of [['key', 'list'], ['serve'], ['check']]) {
      const result = await cli(args, { settings: { data_dir: file, listen: `127.0.0.1:${await freePort()}` } });
      assert.equal(result.code, 1, args.join(' '));
      assert.ok((result.stderr + result.stdout).includes('a-file'), result.stderr);
    }
  });
  test('two gateways on one data directory: the second says so', limit, async () => {
    const upstream = await Upstream.start((x) => x.answer(200, 'ok'));
    const first = await Postern.start({ upstream: upstream.url });
    const second = await cli(['serve'], { settings: { ...first.settings, listen: `127.0.0.1:${await freePort()}` }, ms: 10000 });
    assert.equal(second.code, 1);
    assert.ok(second.stderr.includes(first.settings.data_dir), second.stderr);
    assert.equal((await request(first.port, '/status')).status, 200);
    await first.stop();
    await upstream.stop();
  });
});

// Under emulation the binary is called by a script.
const scripted = readFileSync(BIN).subarray(0, 2).toString() === '#!';
test('the binary has neither GnuTLS nor another TLS library', { ...limit, skip: scripted }, () => {
  const dynamic = execFileSync('readelf', ['-d', BIN], { encoding: 'latin1' });
  assert.match(dynamic, /NEEDED/);
  assert.ok(!/gnutls|libssl|mbedtls|microhttpd/i.test(dynamic), dynamic);
});

test('a directory where a file is needed is named as one, whichever setting names it', limit, async () => {
  const dir = temporaryDirectory();
  for (const args of [['--config', dir], ['--ca-file', dir], ['--admin-client-ca', dir], ['--tls-certificate', dir, '--tls-key', dir]]) {
    const { code, stderr } = await cli(['check', ...args], { settings: { data_dir: temporaryDirectory() } });
    assert.equal(code, 1, args.join(' '));
    assert.match(stderr, /cannot be read: not a regular file/, args.join(' '));
  }
});
