// SPDX-License-Identifier: Apache-2.0
// Pages of the list of keys while others come, go and change between them: in every order, both ways, with values that are
// equal or not there at all. SEED in the environment repeats a run.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { caller } from './lib/admin.mjs';
import { request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 120000 };
const STAY = 30;
const names = ['same', 'Same', 'SAME', 'élan', 'Élan', '%', '_', '', '0', "a'b", 'ß', '~'].map((name) => name || 'z'.repeat(100));
const expiries = [null, null, '2030-01-01T00:00:00Z', '2031-01-01T00:00:00Z', '9999-12-31T23:59:59Z'];

let upstream;
let postern;
let call;
let seed = Number(process.env.SEED ?? Date.now() % 1000000);

/** From 0 to n - 1 (a linear congruential generator, Numerical Recipes'). */
function pick(n) {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return (seed >>> 8) % n;
}

const oneOf = (list) => list[pick(list.length)];
const fields = () => ({ name: oneOf(names), expires: oneOf(expiries) });
const make = async () => (await call('POST', '/admin/v1/keys', { body: fields() })).json;

before(async () => {
  upstream = await Upstream.start((x) => x.answer(200, 'ok'));
  const socketPath = path.join(temporaryDirectory(), 'admin.sock');
  postern = await Postern.start({ upstream: upstream.url, admin_listen: `unix:${socketPath}` });
  call = caller({ socketPath });
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

/** One of the others comes, goes, or changes its place. */
async function disturb(others) {
  const what = pick(3);
  if (what === 0 && others.length < 15) others.push((await make()).id);
  else if (what === 1 && others.length > 0) assert.equal((await call('DELETE', `/admin/v1/keys/${others.splice(pick(others.length), 1)[0]}`)).status, 204);
  else if (others.length > 0) assert.equal((await call('PATCH', `/admin/v1/keys/${oneOf(others)}`, { body: fields(), headers: { 'if-match': '*' } })).status, 200);
}

test('whatever comes, goes and changes between two pages, what stays is met once', limit, async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const stay = [];
  for (let i = 0; i < STAY; i++) stay.push(await make());
  for (const key of stay.slice(0, 6)) await eventually(10000, 'the key to work', async () => (await request(postern.port, '/x', { key: key.key1 })).status === 200);
  await eventually(10000, 'their use to be seen', async () => (await call('GET', '/admin/v1/keys?sort=-last_used&limit=6')).json.items.every((key) => key.last_used));
  const others = [];
  for (const sort of ['created', 'id', 'name', 'expires', 'updated', 'last_used'].flatMap((order) => [order, `-${order}`])) {
    const met = new Map();
    const size = 2 + pick(6);
    let cursor = '';
    for (let page = 0; cursor !== null; page++) {
      assert.ok(page < 500, `${sort}: without end`);
      const { json } = await call('GET', `/admin/v1/keys?sort=${sort}&limit=${size}${cursor && `&cursor=${cursor}`}`);
      assert.ok(json.items.length <= size);
      for (const { id } of json.items) met.set(id, (met.get(id) ?? 0) + 1);
      cursor = json.next_cursor;
      await disturb(others);
    }
    for (const key of stay) assert.equal(met.get(key.id), 1, `${sort}: ${key.id} "${key.name}", ${size} to a page`);
  }
});
