// SPDX-License-Identifier: Apache-2.0
// Keys and usage on the command line: which key is meant, how long it lasts, what is asked first, what is summed by.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';

import { request } from './lib/client.mjs';
import { BIN, Postern, cli } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, temporaryDirectory, within } from './lib/util.mjs';

const limit = { timeout: 60000 };
const DAY = 86400000;

/** A data directory with the command line on it. */
function store() {
  const data_dir = temporaryDirectory();
  const run = async (args, code = 0) => {
    const done = await cli(args, { settings: { data_dir } });
    assert.equal(done.code, code, `${args.join(' ')}: ${done.code}\n${done.stdout}${done.stderr}`);
    return done;
  };
  const create = async (name, ...args) => (await run(['key', 'create', '--name', name, '--json', ...args])).json();
  return { data_dir, run, create };
}

describe('how long a key lasts', limit, () => {
  test('a duration needs a unit', limit, async () => {
    const { run, create } = store();
    const { id } = await create('one');
    for (const args of [['key', 'create', '--name', 'x', '--expires-in', '90'], ['key', 'rotate', id, '--secret', 'key1', '--grace', '24']]) {
      assert.match((await run(args, 2)).stderr, /"(90|24)" has no unit: use \1d, \1h, \1m or \1s/);
    }
    assert.deepEqual((await run(['key', 'list', '--json'])).json().map((key) => key.name), ['one']);
    await run(['key', 'rotate', id, '--secret', 'key1', '--grace', '0']);
  });

  test('what was made says when it expires', limit, async () => {
    const { run, create } = store();
    const expires = (text) => /^expires +(\S+)$/m.exec(text)?.[1];
    const near = (text, ms) => assert.ok(Math.abs(Date.parse(text) - Date.now() - ms) < 60000, text);
    near(expires((await run(['key', 'create', '--name', 'a', '--expires-in', '90d'])).stdout), 90 * DAY);
    assert.equal(expires((await run(['key', 'create', '--name', 'b'])).stdout), 'never');
    near((await create('c', '--expires', '12h')).expires_at, DAY / 2);
    near(expires((await run(['key', 'update', 'c', '--expires', '7d'])).stdout), 7 * DAY);
    assert.equal(expires((await run(['key', 'update', 'c', '--expires', 'never'])).stdout), 'never');
    near(expires((await run(['admin-token', 'create', '--name', 't', '--expires', '30d'])).stdout), 30 * DAY);
    assert.equal((await run(['admin-token', 'create', '--name', 't2', '--json'])).json().expires_at, null);
    assert.deepEqual((await run(['key', 'list', '--expires-before', '91d', '--json'])).json().map((key) => key.name), ['a']);
  });
});

describe('which key is meant', limit, () => {
  test('an id or a name, wherever a key is named', limit, async () => {
    const { run, create } = store();
    const made = await create('team one');
    assert.equal((await run(['key', 'show', 'team one', '--json'])).json().id, made.id);
    assert.equal((await run(['key', 'show', `ps_${made.id}`, '--json'])).json().id, made.id);
    assert.equal((await run(['key', 'update', 'team one', '--note', 'n', '--json'])).json().id, made.id);
    assert.equal((await run(['key', 'rotate', 'team one', '--secret', 'key2', '--json'])).json().id, made.id);
    assert.equal((await run(['key', 'disable', 'team one', '--json'])).json().state, 'disabled');
    assert.equal((await run(['key', 'enable', 'team one', '--json'])).json().state, 'active');
    const all = (await run(['audit', 'list', '--target', made.id, '--json'])).json();
    assert.deepEqual((await run(['audit', 'list', '--target', 'team one', '--json'])).json(), all);
    assert.ok(all.length > 4);
    assert.equal((await run(['client-cert', 'approve', 'ab'.repeat(32), '--key', 'team one', '--json'])).json().key_id, made.id);
    await run(['key', 'delete', 'team one', '--yes']);
    assert.match((await run(['key', 'show', 'team one'], 1)).stderr, /no key with the id or name "team one"/);
  });

  test('a name that several have: their ids are listed, and nothing happens', limit, async () => {
    const { run, create } = store();
    const ids = [(await create('twin')).id, (await create('twin')).id];
    for (const args of [['key', 'show', 'twin'], ['key', 'delete', 'twin', '--yes'], ['key', 'disable', 'twin'], ['usage', '--key', 'twin'], ['audit', 'list', '--target', 'twin']]) {
      const { stderr } = await run(args, 1);
      assert.match(stderr, /2 keys are named "twin"/);
      for (const id of ids) assert.ok(stderr.includes(id), stderr);
    }
    assert.deepEqual((await run(['key', 'list', '--json'])).json().map((key) => key.state), ['active', 'active']);
  });

  test('an id goes before a name that looks the same', limit, async () => {
    const { run, create } = store();
    const { id } = await create('first');
    await create(id);
    assert.equal((await run(['key', 'show', id, '--json'])).json().name, 'first');
  });

  test('what may be a secret is not repeated', limit, async () => {
    const { run, create } = store();
    const { key1 } = await create('x');
    for (const args of [['key', 'show', key1], ['usage', '--key', key1], ['admin-token', 'revoke', key1]]) {
      const { stdout, stderr } = await run(args, 1);
      assert.ok(!(stdout + stderr).includes(key1.slice(20)), stderr);
      assert.match(stderr, /others on this machine can see arguments/);
    }
  });

  test('admin tokens, too, are revoked by id or name', limit, async () => {
    const { run } = store();
    const token = async (name) => (await run(['admin-token', 'create', '--name', name, '--json'])).json().id;
    const [one, two, three] = [await token('ci'), await token('ci'), await token('page')];
    const { stderr } = await run(['admin-token', 'revoke', 'ci'], 1);
    assert.ok(stderr.includes(one) && stderr.includes(two), stderr);
    await run(['admin-token', 'revoke', one]);
    assert.equal((await run(['admin-token', 'revoke', 'ci', '--json'])).json().id, two);
    await run(['admin-token', 'revoke', 'ci'], 1);
    assert.equal((await run(['admin-token', 'revoke', 'page', '--json'])).json().id, three);
    await run(['admin-token', 'revoke', 'nobody'], 1);
  });
});

/** At a terminal: what it printed, and its exit code. */
async function atTerminal(args, data_dir, answer) {
  const quoted = [BIN, ...args].map((arg) => `'${arg}'`).join(' ');
  const child = spawn('script', ['-qec', quoted, '/dev/null'], { env: { ...process.env, POSTERN_DATA_DIR: data_dir }, stdio: ['pipe', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (data) => {
    out += data;
    if (answer && out.includes('[y/N]')) {
      child.stdin.write(answer);
      answer = undefined;
    }
  });
  const code = await within(30000, 'the command to end', new Promise((resolve) => child.on('close', resolve)));
  return { code, out };
}

describe('deleting a key', limit, () => {
  test('a script must say --yes; a terminal is asked', limit, async () => {
    const { run, create, data_dir } = store();
    await create('kept');
    const names = async () => (await run(['key', 'list', '--json'])).json().map((key) => key.name);
    assert.match((await run(['key', 'delete', 'kept'], 2)).stderr, /not a terminal.*--yes/s);
    const no = await atTerminal(['key', 'delete', 'kept'], data_dir, 'n\n');
    assert.equal(no.code, 1, no.out);
    assert.match(no.out, /Permanently delete the key "kept" \(\w{12}\)\? \[y\/N\].*Nothing was deleted/s);
    assert.deepEqual(await names(), ['kept']);
    const yes = await atTerminal(['key', 'delete', 'kept'], data_dir, 'y\n');
    assert.equal(yes.code, 0, yes.out);
    assert.deepEqual(await names(), []);
    await create('scripted');
    await run(['key', 'delete', 'scripted', '--yes']);
    assert.deepEqual(await names(), []);
  });
});

describe('usage', limit, () => {
  let upstream, postern, key;
  before(async () => {
    upstream = await Upstream.start((x) => x.answer(200, 'ok'));
    postern = await Postern.start({ upstream: upstream.url, data_dir: temporaryDirectory() });
    key = await postern.createKey('counted');
    for (const headers of [{ 'api-key': key.key1 }, { 'api-key': key.key2 }, {}]) await request(postern.port, '/some', { headers });
    await eventually(20000, 'the requests to be counted', async () => (await postern.usage()).reduce((sum, row) => sum + row.requests, 0) === 3);
  }, limit);
  after(async () => {
    await postern?.stop();
    await upstream?.stop();
  }, limit);

  const groups = ['hour', 'day', 'key', 'secret', 'route', 'method', 'status', 'class', 'error', 'endpoint'];
  const cells = (line) => line.match(/"(?:[^"]|"")*"/g).map((cell) => cell.slice(1, -1));

  test('the help lists every group', limit, async () => {
    const { stdout } = await postern.cli(['usage', '--help']);
    assert.ok(stdout.replace(/\s+/g, ' ').includes(`group by: ${groups.join(', ')};`), stdout);
    const { code, stderr } = await postern.cli(['usage', '--by', 'phase']);
    assert.equal(code, 2);
    assert.ok(stderr.includes(`is not one of ${groups.join(', ')}\n`), stderr);
  });

  for (const [i, first] of groups.entries()) {
    test(`by ${first}, and with each of the others`, limit, async () => {
      for (const by of [first, ...groups.slice(i + 1).map((second) => `${first},${second}`)]) {
        if (by === 'hour,day') {
          assert.equal((await postern.cli(['usage', '--by', by])).code, 2);
          continue;
        }
        const rows = await postern.usage(['--by', by]);
        assert.equal(rows.reduce((sum, row) => sum + row.requests, 0), 3, by);
        const fields = by.split(',').flatMap((name) => (name === 'key' ? ['key_id', 'name'] : [name]));
        assert.deepEqual(Object.keys(rows[0]).slice(0, fields.length), fields, by);

        const csv = (await postern.cli(['usage', '--csv', '--by', by])).stdout.split('\r\n').slice(0, -1).map(cells);
        assert.deepEqual(csv[0], Object.keys(rows[0]), by);
        assert.equal(csv.length, rows.length + 1, by);
        for (const line of csv) assert.equal(line.length, csv[0].length, by);

        const table = (await postern.cli(['usage', '--by', by])).stdout.trimEnd().split('\n');
        assert.equal(table.length, rows.length + 1, by);
        const headings = fields.map((field) => (field === 'key_id' ? 'KEY' : field.toUpperCase()));
        assert.deepEqual(table[0].trim().split(/ {2,}/).slice(0, headings.length), headings, by);
      }
    });
  }

  test('since so many days or hours; a bare number is neither', limit, async () => {
    const sum = async (...args) => (await postern.usage(args)).reduce((all, row) => all + row.requests, 0);
    assert.equal(await sum('--from', '7d'), 3);
    assert.equal(await sum('--from', '2h'), 3);
    assert.equal(await sum('--to', '2d'), 0);
    for (const from of ['7', 'yesterday']) assert.match((await postern.cli(['usage', '--from', from])).stderr, /is not a valid time.*7 days ago/);
  });

  test('of one key, by id or name; an unknown one is an error; a deleted one is still counted', limit, async () => {
    const of = async (word) => (await postern.usage(['--key', word])).map((row) => [row.key_id, row.requests]);
    assert.deepEqual(await of('counted'), [[key.id, 2]]);
    assert.deepEqual(await of(key.id), [[key.id, 2]]);
    assert.deepEqual(await of(`ps_${key.id}`), [[key.id, 2]]);
    const unused = await postern.createKey('unused', [], { wait: false });
    assert.deepEqual(await of('unused'), []);
    const { code, stdout, stderr } = await postern.cli(['usage', '--key', 'nosuch']);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /there is no key with the id or name "nosuch"/);
    for (const { id } of [key, unused]) assert.equal((await postern.cli(['key', 'delete', id, '--yes'])).code, 0);
    assert.deepEqual(await of(key.id), [[key.id, 2]]);
    assert.equal((await postern.cli(['usage', '--key', unused.id])).code, 1);
  });
});
