// SPDX-License-Identifier: Apache-2.0
// What cannot be written: a limit of file sizes, which is a full disk, and large reports where no other
// directory than data_dir is writable.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { caller } from './lib/admin.mjs';
import { request } from './lib/client.mjs';
import { BIN, cli, Postern, sumRequests } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 120000 };
let upstream;

before(async () => {
  upstream = await Upstream.start((x) => x.answer(200, 'fine'));
}, limit);

after(() => upstream?.stop(), limit);

describe('a limit of file sizes (ulimit -f)', limit, () => {
  const LIMIT = 400000;

  test('is a full disk: requests are served, it is said, and all is counted once there is room', limit, async () => {
    const accessLog = path.join(temporaryDirectory('log'), 'access.log');
    const gateway = await Postern.start(
      { upstream: upstream.url },
      { wrap: ['prlimit', `--fsize=${LIMIT}:`, 'sh', '-c', 'exec "$@" >"$0"', accessLog] },
    );
    const key = (await gateway.createKey('limited')).key1;
    const wal = path.join(gateway.settings.data_dir, 'usage.db-wal');
    let sent = 0;
    await eventually(60000, 'the log of usage.db and the access log to reach the limit', async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => request(gateway.port, `/x/${'y'.repeat(150)}`, { key })));
      sent += answers.length;
      for (const answer of answers) assert.equal(answer.status, 200, answer.text);
      return statSync(accessLog).size === LIMIT && /usage\.db: .*file sizes/.test(gateway.stderr);
    }, 0).catch((error) => assert.fail(`${error.message}: ${statSync(accessLog).size} ${statSync(wal).size}\n${gateway.stderr}`));
    assert.ok(statSync(wal).size <= LIMIT, 'the limit was in force');
    execFileSync('prlimit', ['--pid', String(gateway.pid), '--fsize=unlimited:']);
    await eventually(20000, 'what waited to be counted', async () => sumRequests(await gateway.usage()) === sent);
    await eventually(20000, 'the lines that waited', () => readFileSync(accessLog, 'utf8').trim().split('\n').length === sent);
    await gateway.stop();
  });

  test('a key that cannot be written down is said to be so, and none is half made', limit, async () => {
    const settings = { data_dir: path.join(temporaryDirectory(), 'data') };
    assert.equal((await cli(['key', 'create', '--name', 'first'], { settings })).code, 0);
    const limited = spawnSync('prlimit', ['--fsize=100', BIN, 'key', 'create', '--name', 'second', '--data-dir', settings.data_dir], {
      encoding: 'utf8',
    });
    assert.equal(limited.signal, null, 'no signal ends it');
    assert.equal(limited.status, 1, limited.stderr);
    assert.match(limited.stderr, /file sizes|no space left/);
    assert.equal(limited.stdout, '');
    const keys = (await cli(['key', 'list', '--json'], { settings })).json();
    assert.deepEqual(keys.map((key) => key.name), ['first']);
  });
});

describe('a large report', limit, () => {
  const N_ROUTES = 1000;
  const LINES = 60000;

  /** Sums of some 60,000 keys, routes and hours: more than SQLite sorts in memory. */
  function fill(data_dir) {
    const sql = `WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r WHERE i < ${N_ROUTES - 1})
        INSERT OR IGNORE INTO route SELECT 1000 + i, printf('/language/r/%05d', i) FROM r;
      WITH RECURSIVE h(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM h WHERE i < 199),
                     r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r WHERE i < 299)
        INSERT INTO hourly SELECT 498800 - h.i, 0, 0, 1000 + r.i, 3, 200, 1, 1, 1, 1, 1, 1 FROM h, r;`;
    execFileSync('sqlite3', [path.join(data_dir, 'usage.db'), sql]);
  }

  const isolated = process.getuid() === 0 ? ['-m'] : ['-rm'];
  const able = spawnSync('unshare', [...isolated, 'mount', '-t', 'tmpfs', '-o', 'ro', 'tmpfs', '/tmp']).status === 0 &&
    spawnSync('sqlite3', ['--version']).status === 0;
  const skip = able ? false : 'no mount namespace, or no sqlite3';

  /** No writable directory but data_dir: not one that programs look for temporary files in, nor the current one. */
  const readOnly = `mount --make-rprivate / && mount -t tmpfs tmpfs /mnt && mkdir /mnt/data /mnt/bin && mount --bind "$0" /mnt/data &&
    mount --bind "$(dirname "$1")" /mnt/bin && program=/mnt/bin/$(basename "$1") && shift &&
    for d in /tmp /var/tmp /usr/tmp; do [ ! -d $d ] || mount -t tmpfs -o ro tmpfs $d || exit 9; done
    cd /proc && export POSTERN_DATA_DIR=/mnt/data && exec "$program" "$@"`;
  const wrap = (data_dir) => ['unshare', ...isolated, 'sh', '-c', readOnly, data_dir];

  let data_dir;
  before(async () => {
    data_dir = temporaryDirectory();
    const gateway = await Postern.start({ upstream: upstream.url, data_dir });
    await gateway.stop();
    if (able) fill(data_dir);
  }, limit);

  test('from the command line, without a writable /tmp', { ...limit, skip }, () => {
    const [command, ...args] = wrap(data_dir);
    const result = spawnSync(command, [...args, BIN, 'usage', '--by', 'key,route,hour', '--csv'], { encoding: 'utf8', maxBuffer: 1 << 28 });
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stdout.trim().split('\r\n').length, LINES + 1);
    assert.equal(result.stderr, '');
  });

  test('by REST, without a writable /tmp', { ...limit, skip }, async () => {
    const settings = { upstream: upstream.url, data_dir, admin_listen: 'unix:/mnt/data/admin.sock' };
    const gateway = await Postern.start(settings, { wrap: wrap(data_dir) });
    const call = caller({ socketPath: path.join(data_dir, 'admin.sock') });
    const answer = await call('GET', '/admin/v1/usage?by=key,route,hour&format=csv');
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.text.trim().split('\r\n').length, LINES + 1);
    await gateway.stop();
  });
});
