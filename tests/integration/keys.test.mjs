// SPDX-License-Identifier: Apache-2.0
// Keys: where they are looked for, what a wrong one gets, and how fast a change is felt.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { RawClient, keyLine, request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually } from './lib/util.mjs';

const limit = { timeout: 60000 };
// Azure's own words: SDKs and people search for them.
const EXPIRED = 'Access denied due to invalid subscription key: it has expired, or was replaced by a newer one. Use a current key, or ask for this key\'s expiry to be extended.';
const EARLY = 'Access denied due to invalid subscription key: it is not valid yet. Use another key until it is.';
const DISABLED = 'Access denied due to invalid subscription key: it has been disabled. Use another key, or ask an administrator to enable it.';
const WRONG = 'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.';
const MISSING = 'Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API.';

let upstream;
let postern;
let key;
let other;

before(async () => {
  upstream = await Upstream.start(async (x) => {
    await x.body();
    await x.showHead();
  });
  postern = await Postern.start({ upstream: upstream.url });
  key = await postern.createKey('first');
  other = await postern.createKey('second');
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

function assertRefused(answer, message, status = 401) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.get('content-type'), /^application\/json/);
  assert.match(answer.get('x-request-id') ?? '', /^[\w.-]{1,64}$/);
  const { error } = answer.json();
  assert.equal(typeof error.code, 'string');
  if (message) assert.equal(error.message, message);
  if (status === 401) {
    assert.ok(answer.get('www-authenticate'), 'WWW-Authenticate');
    assert.equal(error.code, '401');
  }
}

const ask = (headers, target = '/x', more = {}) => request((more.postern ?? postern).port, target, { headers, ...more });

describe('sources', limit, () => {
  const sources = {
    'Ocp-Apim-Subscription-Key': (k) => k,
    'api-key': (k) => k,
    Authorization: (k) => `Bearer ${k}`,
  };
  for (const [name, form] of Object.entries(sources)) {
    test(`${name} works with both secrets, in any case, and is removed`, limit, async () => {
      for (const secret of [key.key1, key.key2]) {
        for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
          const answer = await ask({ [spelled]: form(secret) });
          assert.equal(answer.status, 200, answer.text);
          assert.ok(!answer.text.includes(secret), 'the secret reached the container');
          const fields = Object.fromEntries(answer.json().fields.map(([n, v]) => [n.toLowerCase(), v]));
          assert.equal(fields[name.toLowerCase()], undefined);
          assert.equal(fields['x-postern-key-id'], key.id);
        }
      }
    });
    test(`a wrong key in ${name}`, limit, async () => {
      assertRefused(await ask({ [name]: form('0123456789abcdef0123456789abcdef') }), WRONG);
    });
  }
  test('bearer in any case', limit, async () => {
    assert.equal((await ask({ Authorization: `bEARER ${key.key1}` })).status, 200);
  });
  test('no key', limit, async () => assertRefused(await ask({}), MISSING));
  test('an empty key is a wrong one', limit, async () => {
    assertRefused(await ask({ 'Ocp-Apim-Subscription-Key': '' }), WRONG);
  });
  test('Basic is no key', limit, async () => {
    assertRefused(await ask({ Authorization: 'Basic dXNlcjpwYXNz' }), MISSING);
  });
  test('the same key twice is one key', limit, async () => {
    const answer = await ask({ 'Ocp-Apim-Subscription-Key': key.key1, 'api-key': key.key1, Authorization: `Bearer ${key.key1}` });
    assert.equal(answer.status, 200);
    assert.ok(!answer.text.includes(key.key1));
  });
  test('two different keys are refused: 400', limit, async () => {
    const before = upstream.requests.length;
    assertRefused(await ask({ 'Ocp-Apim-Subscription-Key': key.key1, 'api-key': other.key1 }), null, 400);
    assertRefused(await ask({ 'api-key': key.key1, Authorization: `Bearer ${key.key2}` }), null, 400);
    assertRefused(await ask({ 'api-key': [key.key1, 'wrong'] }), null, 400);
    assert.equal(upstream.requests.length, before);
  });
  test('rubbish as keys', limit, async () => {
    const cut = key.key1.slice(0, -1);
    const flipped = key.key1.slice(0, -1) + (key.key1.endsWith('A') ? 'B' : 'A');
    const swapped = other.key1.replace(other.id, key.id);
    for (const bad of [cut, flipped, swapped, `${key.key1}x`, 'ps_', 'ps__', key.id, 'x'.repeat(5000), "' OR 1=1 --", '\xff\xfe', '../../etc/passwd']) {
      assertRefused(await ask({ 'Ocp-Apim-Subscription-Key': bad }), WRONG);
    }
  });
  test('a key in the query counts for nothing by default', limit, async () => {
    for (const name of ['subscription-key', 'Subscription-Key', 'api-key', 'Ocp-Apim-Subscription-Key', 'key']) {
      assertRefused(await ask({}, `/x?${name}=${key.key1}`), MISSING);
    }
  });
});

describe('sources by setting', limit, () => {
  test('a query parameter can be a source; it is removed and not logged', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url, key_query_parameter: 'subscription-key' });
    t.after(() => gateway.stop());
    const made = await gateway.createKey();
    for (const [sent, passed] of [
      [`/x?subscription-key=${made.key1}`, '/x'],
      [`/x?a=1&Subscription-Key=${made.key1}&b=%20`, '/x?a=1&b=%20'],
      [`/x?SUBSCRIPTION-KEY=${made.key1}&a`, '/x?a'],
    ]) {
      const answer = await ask({}, sent, { postern: gateway });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json().first, `GET ${passed} HTTP/1.1`);
    }
    assertRefused(await ask({ 'api-key': made.key2 }, `/x?subscription-key=${made.key1}`, { postern: gateway }), null, 400);
    assertRefused(await ask({}, '/x?subscription-key=wrong', { postern: gateway }), WRONG);
    await eventually(5000, 'access log', () => gateway.log.length >= 5);
    assert.ok(!gateway.stdout.includes(made.key1) && !gateway.stderr.includes(made.key1));
    assert.ok(!gateway.stdout.includes('subscription-key'));
  });
  test('the list of headers is a setting', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url, key_sources: 'X-My-Key' });
    t.after(() => gateway.stop());
    const made = await gateway.createKey();
    const good = await ask({ 'x-my-key': made.key1 }, '/x', { postern: gateway });
    assert.equal(good.status, 200, good.text);
    assert.ok(!good.text.includes(made.key1));
    assertRefused(await ask({ 'api-key': made.key1 }, '/x', { postern: gateway }), MISSING);
  });
});

describe('changes reach a running gateway within a second', limit, () => {
  /** Runs a key command while a connection is open; the connection must survive. */
  async function change(args, secret, expected) {
    const client = await RawClient.connect(postern.port);
    const status = async (s) => (await client.get('/x', { key: s })).status;
    const result = await postern.cli(['key', ...args]);
    assert.equal(result.code, 0, result.stderr);
    const done = Date.now();
    await eventually(1500, `${args[0]} to be felt`, async () => (await status(secret)) === expected);
    assert.ok(Date.now() - done <= 1100, `took ${Date.now() - done} ms`);
    assert.equal(client.reader.closed, false, 'the connection was dropped');
    client.destroy();
    return result;
  }
  test('create', limit, async () => {
    const made = await postern.createKey('quick', [], { wait: false });
    const start = Date.now();
    await eventually(1500, 'the new key to work', async () => (await ask({ 'api-key': made.key1 })).status === 200);
    assert.ok(Date.now() - start <= 1100);
  });
  test('disable, enable', limit, async () => {
    const made = await postern.createKey('switch');
    await change(['disable', made.id], made.key1, 401);
    assertRefused(await ask({ 'api-key': made.key1 }), DISABLED);
    await postern.logged((line) => line.key_id === made.id && line.status === 401);
    // Without the right secret nobody learns that there is such a key.
    const another = await postern.createKey('another');
    const wrong = made.key1.replace(/^(ps_[0-9a-z]{12}_).*$/, `$1${another.key1.slice(16)}`);
    assertRefused(await ask({ 'api-key': wrong }), WRONG);
    await change(['enable', made.id], made.key1, 200);
  });
  test('delete', limit, async () => {
    const made = await postern.createKey('gone');
    await change(['delete', made.id, '--yes'], made.key2, 401);
    assertRefused(await ask({ 'api-key': made.key1 }), WRONG);
    const shown = await postern.cli(['key', 'show', made.id, '--json']);
    assert.equal(shown.code, 1);
  });
  test('rotate one secret while the other goes on', limit, async () => {
    const made = await postern.createKey('turn');
    const result = await postern.cli(['key', 'rotate', made.id, '--secret', 'key1', '--grace', '0', '--json']);
    assert.equal(result.code, 0, result.stderr);
    const { key1 } = result.json();
    assert.ok(key1 && key1 !== made.key1);
    await eventually(1500, 'the new secret to work', async () => (await ask({ 'api-key': key1 })).status === 200);
    await eventually(1500, 'the old secret to end', async () => (await ask({ 'api-key': made.key1 })).status === 401);
    assert.equal((await ask({ 'api-key': made.key2 })).status, 200);
  });
  test('expiry is felt when it comes', limit, async () => {
    const made = await postern.createKey('short');
    assert.equal((await ask({ 'api-key': made.key1 })).status, 200);
    const expires = new Date(Date.now() + 1500).toISOString();
    await postern.change(made.id, ['key', 'update', made.id, '--expires', expires]);
    await eventually(5000, 'the key to expire', async () => (await ask({ 'api-key': made.key1 })).status === 401);
    assert.ok(Date.now() >= Date.parse(expires));
    assertRefused(await ask({ 'api-key': made.key1 }), EXPIRED);
    assertRefused(await ask({ 'api-key': `${made.key1.slice(0, -1)}x` }), WRONG); // nothing is told without the secret
  });
  test('a secret whose grace is over, and a key whose time has not come, are told so', limit, async () => {
    const made = await postern.createKey('graceful');
    assert.equal((await postern.cli(['key', 'rotate', made.id, '--secret', 'key1', '--grace', '2s', '--json'])).code, 0);
    await eventually(8000, 'the grace to be over', async () => (await ask({ 'api-key': made.key1 })).status === 401);
    assertRefused(await ask({ 'api-key': made.key1 }), EXPIRED);
    const early = await postern.createKey('early', ['--not-before', new Date(Date.now() + 86400e3).toISOString()]);
    assertRefused(await ask({ 'api-key': early.key1 }), EARLY);
  });
  test('import of an existing key: 32 hex digits from standard input', limit, async () => {
    const azure = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';
    const result = await postern.cli(['key', 'import', '--name', 'from azure', '--json'], { input: `${azure}\n` });
    assert.equal(result.code, 0, result.stderr);
    assert.ok(!result.stdout.includes(azure), 'what came in need not be printed');
    await eventually(1500, 'the imported key to work', async () => (await ask({ 'Ocp-Apim-Subscription-Key': azure })).status === 200);
    assertRefused(await ask({ 'Ocp-Apim-Subscription-Key': azure.replace('0f', '0e') }), WRONG);
    const again = await postern.cli(['key', 'import', '--name', 'again'], { input: `${azure}\n` });
    assert.equal(again.code, 1, 'the same secret twice would be ambiguous');
  });
  test('bulk import: all lines or none, and no secret in a message', limit, async () => {
    const secret = (n) => `bulk-secret-${String(n).padStart(8, '0')}`;
    const line = (n, more = {}) => JSON.stringify({ name: `bulk ${n}`, key1: secret(n), ...more });
    const bulk = (input, args = []) => postern.cli(['key', 'import', '--bulk', ...args], { input });
    const before = (await postern.cli(['key', 'list', '--json'])).json().length;
    const wrong = {
      'not JSON': `${line(1)}\n{"name":"x","key1":"${secret(2)}"`,
      'a secret twice': `${line(1)}\n${line(1)}`,
      'an id twice': `${line(1, { id: 'bulkbulkbulk' })}\n${line(2, { id: 'bulkbulkbulk' })}`,
      'an unknown field': `${line(1)}\n${line(2, { nmae: 'x' })}`,
      'a field twice': `${line(1)}\n{"name":"x","key1":"${secret(2)}","key1":"${secret(3)}"}`,
      'a name missing': `${line(1)}\n{"key1":"${secret(2)}"}`,
      'a secret missing': `${line(1)}\n{"name":"x"}`,
      'a number': `${line(1)}\n${line(2, { key2: 12345678901234567890 })}`,
      'a bad time': `${line(1)}\n${line(2, { expires_at: 'soon' })}`,
      'an id that is none': `${line(1)}\n${line(2, { id: 'Bulk' })}`,
    };
    for (const [what, input] of Object.entries(wrong)) {
      const result = await bulk(`${input}\n`);
      assert.equal(result.code, 1, what);
      assert.match(result.stderr, /line 2: .*no key was imported/, what);
      assert.ok(!`${result.stdout}${result.stderr}`.includes('bulk-secret'), what);
    }
    assert.equal((await bulk('')).code, 1);
    assert.equal((await bulk(line(1), ['--name', 'x'])).code, 2);
    assert.equal((await postern.cli(['key', 'list', '--json'])).json().length, before, 'none of them');

    const result = await bulk(`${line(1, { key2: secret(100), id: 'bulkbulkbulk', note: 'n' })}\n\n${line(2, { key2: null })}\r\n${line(3)}`, ['--json']);
    assert.equal(result.code, 0, result.stderr);
    const { imported, ids } = result.json();
    assert.equal(imported, 3);
    assert.equal(ids[0], 'bulkbulkbulk');
    const used = async (n) => {
      const answer = await ask({ 'api-key': secret(n) });
      return answer.status === 200 && Object.fromEntries(answer.json().fields.map(([f, v]) => [f.toLowerCase(), v]))['x-postern-key-id'];
    };
    await eventually(1500, 'the imported keys to work', async () => (await used(3)) === ids[2]);
    assert.equal(await used(1), ids[0]);
    assert.equal(await used(100), ids[0]);
    assert.equal(await used(2), ids[1]);
  });
  test('an imported key gets the id it is given, once', limit, async () => {
    const args = ['key', 'import', '--name', 'chosen', '--id', 'chosenbyhand', '--json'];
    const first = await postern.cli(args, { input: 'a-secret-of-a-chosen-key\n' });
    assert.equal(first.json().id, 'chosenbyhand');
    assert.equal((await postern.cli(args, { input: 'a-secret-of-another-key\n' })).code, 1);
    assert.equal((await postern.cli(['key', 'delete', 'chosenbyhand', '--yes'])).code, 0);
    assert.equal((await postern.cli([...args, '--id', 'Chosen'], { input: 'a-secret-of-another-key\n' })).code, 2);
  });
  test('a key disabled during a long upload or answer does not corrupt it', limit, async () => {
    const made = await postern.createKey('midway');
    const client = await RawClient.connect(postern.port);
    await client.write(`POST /x HTTP/1.1\r\nHost: h\r\n${keyLine(made.key1)}Content-Length: 10\r\n\r\n12345`);
    await postern.change(made.id, ['key', 'disable', made.id]);
    await client.write('67890');
    const answer = await client.response();
    assert.equal(answer.status, 200, 'what was let in is finished');
    assert.equal((await client.get('/x', { key: made.key1 })).status, 401);
    client.destroy();
  });
});

describe('the command line', limit, () => {
  test('list and show have no secrets', limit, async () => {
    const made = await postern.createKey('listed', ['--note', 'a note'], { wait: false });
    const list = (await postern.cli(['key', 'list', '--json'])).json();
    const row = list.find((r) => r.id === made.id);
    assert.equal(row.name, 'listed');
    const all = JSON.stringify(list) + (await postern.cli(['key', 'list'])).stdout + (await postern.cli(['key', 'show', made.id])).stdout + (await postern.cli(['key', 'show', made.id, '--json'])).stdout;
    assert.ok(!all.includes(made.key1) && !all.includes(made.key2));
  });
  test('secrets are 128 bits or more, different, and shown once', limit, async () => {
    const a = await postern.createKey('a', [], { wait: false });
    const b = await postern.createKey('a', [], { wait: false });
    const secrets = [a.key1, a.key2, b.key1, b.key2];
    assert.equal(new Set(secrets).size, 4);
    for (const [s, id] of [[a.key1, a.id], [b.key2, b.id]]) {
      const parts = s.split('_');
      assert.equal(parts[0], 'ps');
      assert.ok(s.includes(id.replace(/^ps_/, '')));
      assert.ok(parts.at(-2).length >= 22, 'at least 22 letters of base 62 for 128 bits');
    }
  });
  test('the database holds no secret', limit, async () => {
    const { readdirSync, readFileSync } = await import('node:fs');
    const made = await postern.createKey('hidden');
    const secretPart = made.key1.split('_').at(-2);
    for (const file of readdirSync(postern.settings.data_dir, { withFileTypes: true })) {
      if (!file.isFile()) continue;
      const content = readFileSync(`${postern.settings.data_dir}/${file.name}`).toString('latin1');
      assert.ok(!content.includes(made.key1) && !content.includes(secretPart), file.name);
    }
  });
  test('wrong usage is 2, an unknown key 1', limit, async () => {
    assert.equal((await postern.cli(['key'])).code, 2);
    assert.equal((await postern.cli(['key', 'explode'])).code, 2);
    assert.equal((await postern.cli(['key', 'create', '--nonsense'])).code, 2);
    assert.equal((await postern.cli(['key', 'show', 'nosuchid'])).code, 1);
    assert.equal((await postern.cli(['key', 'delete', 'nosuchid', '--yes'])).code, 1);
  });
});
