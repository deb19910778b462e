// SPDX-License-Identifier: Apache-2.0
// What goes over the wire today, byte for byte, to clients and to the container. tests/integration/golden.txt has
// it; a change there is a change of what others see. After one that is meant, GOLDEN_UPDATE=1 writes the file anew.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { Golden, toText } from './lib/golden.mjs';
import { goldenCases } from './lib/golden_cases.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';

const FILE = new URL('golden.txt', import.meta.url);
const limit = { timeout: 300000 };
let upstream;
let golden;

before(async () => {
  upstream = await Upstream.start((x) => golden.respond(x));
  const plain = await Postern.start({ upstream: upstream.url, max_head_size: '36KiB' });
  const pages = await Postern.start({
    upstream: upstream.url,
    cors_allow_origins: 'https://app.example',
    trusted_proxies: '127.0.0.0/8',
    host_header: 'keep',
    max_body_size: '128KiB',
  });
  const keys = { plain: (await plain.createKey('golden')).key1, pages: (await pages.createKey('golden')).key1 };
  golden = new Golden(upstream, { plain, pages }, keys);
}, limit);

after(async () => {
  for (const gateway of Object.values(golden?.gateways ?? {})) await gateway.stop();
  await upstream?.stop();
}, limit);

test('every byte is as it was', limit, async (t) => {
  const cases = goldenCases();
  assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length, 'each case has a name of its own');
  const records = [];
  for (const one of cases) records.push([one.name, await golden.run(one)]);
  const text = toText(records);
  if (process.env.GOLDEN_UPDATE === '1') return writeFileSync(FILE, text);
  const blocks = (all) => new Map(all.split(/^(?=# )/m).map((block) => [block.slice(0, block.indexOf('\n')), block]));
  const expected = blocks(readFileSync(FILE, 'utf8'));
  const got = blocks(text);
  assert.deepEqual([...got.keys()], [...expected.keys()], 'the same cases');
  for (const [name, block] of got) await t.test(name.slice(2), () => assert.equal(block, expected.get(name)));
});
