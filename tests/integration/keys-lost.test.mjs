// SPDX-License-Identifier: Apache-2.0
// keys.db is gone, or empty: said, and refused where it must be a mistake; a start that is a first one is none.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { caller } from './lib/admin.mjs';
import { request } from './lib/client.mjs';
import { cli, Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 60000 };
let upstream;

before(async () => {
  upstream = await Upstream.start((x) => x.answer(200, 'fine'));
}, limit);

after(() => upstream?.stop(), limit);

const file = (settings, name) => path.join(settings.data_dir, name);

function lose(settings, how) {
  for (const name of ['keys.db-wal', 'keys.db-shm']) rmSync(file(settings, name), { force: true });
  if (how === 'empty') truncateSync(file(settings, 'keys.db'), 0);
  else rmSync(file(settings, 'keys.db'));
}

async function check(settings) {
  const { code, stdout } = await cli(['check', '--json'], { settings });
  return { code, findings: JSON.parse(stdout).findings };
}

const doctor = async (settings) => (await cli(['doctor', '--json'], { settings })).json().checks.find((c) => c.check === 'keys.db');

describe('keys that were there', limit, () => {
  for (const how of ['empty', 'gone']) {
    test(`${how}: everything that would make a new keys.db refuses, says why, and leaves things as they are`, limit, async () => {
      const settings = { upstream: upstream.url, data_dir: temporaryDirectory(), listen: `127.0.0.1:${await freePort()}`, admin_listen: 'off' };
      assert.equal((await cli(['key', 'create', '--name', 'a'], { settings })).code, 0);
      copyFileSync(file(settings, 'keys.db'), file(settings, 'backup'));
      lose(settings, how);
      const words = how === 'empty' ? /keys\.db is empty, but there were keys in this directory/ : /keys\.db is missing, but there were keys in this directory/;
      for (const args of [['serve'], ['key', 'list'], ['key', 'create', '--name', 'b'], ['admin-token', 'create', '--name', 't', '--role', 'viewer']]) {
        const refused = await cli(args, { settings });
        assert.equal(refused.code, 1, args.join(' '));
        assert.match(refused.stderr, words);
        assert.match(refused.stderr, /restore keys\.db and pepper from one backup; to start over without those keys, remove \S+keys\.made/);
      }
      assert.equal(existsSync(file(settings, 'keys.db')), how === 'empty', 'none is made');
      const checked = await check(settings);
      assert.equal(checked.code, 1);
      assert.ok(checked.findings.some((f) => words.test(f.text ?? f.message ?? JSON.stringify(f))));
      const found = await doctor(settings);
      assert.equal(found.status, 'failed');
      assert.match(found.seen, words);
      assert.match(found.todo, /^Restore keys\.db/);
      copyFileSync(file(settings, 'backup'), file(settings, 'keys.db'));
      assert.deepEqual((await cli(['key', 'list', '--json'], { settings })).json().map((key) => key.name), ['a']);
      // And without them, when that is what is wanted.
      lose(settings, 'gone');
      rmSync(file(settings, 'keys.made'));
      assert.equal((await check(settings)).code, 0);
      const anew = await cli(['key', 'create', '--name', 'b'], { settings });
      assert.equal(anew.code, 0, anew.stderr);
      assert.match(anew.stderr, /warning auth: \S+keys\.db is missing while there is a pepper/);
    });
  }

  test('made while a gateway runs, many at once: a new, empty database in their place is refused, too', limit, async () => {
    const gateway = await Postern.start({ upstream: upstream.url });
    const many = await gateway.cli(['key', 'import', '--bulk'], { input: '{"name":"one","key1":"0123456789abcdef0123456789abcdef"}\n' });
    assert.equal(many.code, 0, many.stderr);
    await eventually(5000, 'the gateway to know them', () => existsSync(file(gateway.settings, 'keys.made')));
    await gateway.stop();
    const other = { data_dir: path.join(temporaryDirectory(), 'other') };
    assert.equal((await cli(['key', 'list'], { settings: other })).code, 1); // none is made by that
    const fresh = await Postern.start({ ...other, upstream: upstream.url });
    await fresh.stop();
    lose(gateway.settings, 'gone');
    copyFileSync(file(other, 'keys.db'), file(gateway.settings, 'keys.db'));
    const refused = await cli(['serve'], { settings: gateway.settings });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /keys\.db is a new one, but there were keys in this directory/);
  });
});

// What a start would refuse, `check` and `doctor` find as well.
const unusable = {
  'a pepper that is missing': [(s) => rmSync(file(s, 'pepper')), /pepper is missing/],
  'an empty pepper': [(s) => truncateSync(file(s, 'pepper'), 0), /pepper is not a pepper/],
  'a pepper of other keys': [(s) => writeFileSync(file(s, 'pepper'), '0'.repeat(64)), /pepper is not the pepper that the keys/],
  'a directory as the pepper': [(s) => (rmSync(file(s, 'pepper')), mkdirSync(file(s, 'pepper'))), /pepper/],
  'a keys.db cut short': [(s) => truncateSync(file(s, 'keys.db'), 100), /keys\.db: .*malformed/],
  'a directory as keys.db': [(s) => (rmSync(file(s, 'keys.db')), mkdirSync(file(s, 'keys.db'))), /keys\.db: not a regular file/],
  'a keys.db elsewhere': [(s) => (copyFileSync(file(s, 'keys.db'), file(s, 'other')), rmSync(file(s, 'keys.db')), symlinkSync('other', file(s, 'keys.db'))), /keys\.db: Too many levels of symbolic links/],
};

describe('keys that no start can use', limit, () => {
  for (const [name, [spoil, words]] of Object.entries(unusable)) {
    test(`${name}: serve refuses, check and doctor say the same`, limit, async () => {
      const settings = { upstream: upstream.url, data_dir: temporaryDirectory(), listen: `127.0.0.1:${await freePort()}`, admin_listen: 'off' };
      assert.equal((await cli(['key', 'create', '--name', 'a'], { settings })).code, 0);
      spoil(settings);
      const files = readdirSync(settings.data_dir);
      const checked = await check(settings);
      assert.equal(checked.code, 1, JSON.stringify(checked.findings));
      assert.ok(checked.findings.some((f) => words.test(JSON.stringify(f))), JSON.stringify(checked.findings));
      const found = await doctor(settings);
      assert.equal(found.status, 'failed', JSON.stringify(found));
      assert.match(found.seen, words);
      assert.deepEqual(readdirSync(settings.data_dir), files, 'neither makes a file');
      const refused = await cli(['serve'], { settings });
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, words);
    });
  }

  test('keys that are only in the log of a killed gateway are no loss', limit, async () => {
    const first = await Postern.start({ upstream: upstream.url });
    await first.stop();
    const killed = await Postern.start({ upstream: upstream.url, data_dir: first.settings.data_dir });
    await killed.createKey('x');
    await eventually(5000, 'the key to be noted', () => existsSync(file(killed.settings, 'keys.made')));
    await killed.kill();
    rmSync(file(killed.settings, 'keys.db-shm'), { force: true });
    const checked = await check(killed.settings);
    assert.equal(checked.code, 0, JSON.stringify(checked.findings));
    assert.equal((await doctor(killed.settings)).status, 'ok');
  });

  test('a mode that the next start puts right is no problem, and check leaves it', limit, async () => {
    const settings = { upstream: upstream.url, data_dir: temporaryDirectory() };
    assert.equal((await cli(['key', 'create', '--name', 'a'], { settings })).code, 0);
    for (const name of ['pepper', 'keys.db']) chmodSync(file(settings, name), 0o644);
    const checked = await check(settings);
    assert.equal(checked.code, 0, JSON.stringify(checked.findings));
    assert.equal((await doctor(settings)).status, 'ok');
    for (const name of ['pepper', 'keys.db']) assert.equal(statSync(file(settings, name)).mode & 0o777, 0o644);
  });
});

describe('a first start', limit, () => {
  test('is silent; with a pepper that is there already it is a warning, once', limit, async () => {
    const first = await Postern.start({ upstream: upstream.url });
    assert.doesNotMatch(first.stderr, / (warning|error) /);
    await first.stop();
    const again = await Postern.start({ upstream: upstream.url, data_dir: first.settings.data_dir });
    assert.doesNotMatch(again.stderr, / (warning|error) /, 'no keys were made in between');
    await again.stop();

    const data_dir = temporaryDirectory();
    writeFileSync(path.join(data_dir, 'pepper'), `${'5a'.repeat(32)}\n`, { mode: 0o600 });
    const settings = { upstream: upstream.url, data_dir };
    const before = await check(settings);
    assert.equal(before.code, 0);
    assert.match(JSON.stringify(before.findings), /keys\.db is missing while there is a pepper/);
    assert.equal((await doctor(settings)).status, 'warning');
    const provided = await Postern.start(settings);
    assert.match(provided.stderr, /warning auth: \S+keys\.db is missing while there is a pepper: keys that were made with it before get 401/);
    const { key1 } = await provided.createKey('x');
    assert.equal((await request(provided.port, '/x', { key: key1 })).status, 200);
    await provided.stop();
    const next = await Postern.start(settings);
    assert.doesNotMatch(next.stderr, / (warning|error) /);
    await next.stop();
  });

  test('has no keys, and the status says so until there are some', limit, async () => {
    const data_dir = path.join(temporaryDirectory(), 'data');
    mkdirSync(data_dir, { mode: 0o700 });
    const gateway = await Postern.start({ upstream: upstream.url, data_dir, admin_listen: `unix:${data_dir}/admin.sock` });
    const call = caller({ socketPath: `${data_dir}/admin.sock` });
    assert.equal((await call('GET', '/admin/v1/status')).json.stores.keys, 'empty');
    await gateway.createKey('x');
    assert.equal((await call('GET', '/admin/v1/status')).json.stores.keys, 'ok');
    await gateway.stop();
  });
});
