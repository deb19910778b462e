// SPDX-License-Identifier: Apache-2.0
// Admin tokens by the command line: shown once, listed without their secret, revoked, and no key.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';

const limit = { timeout: 60000 };

test('made, listed, revoked; never stored, and of no use as a key', limit, async () => {
  const upstream = await Upstream.start(async (x) => x.showHead());
  const postern = await Postern.start({ upstream: upstream.url });
  try {
    const made = await postern.cli(['admin-token', 'create', '--name', 'ci <b>', '--role', 'viewer', '--json']);
    assert.equal(made.code, 0, made.stderr);
    const { id, token } = made.json();
    assert.match(token, new RegExp(`^pa_${id}_[0-9A-Za-z]{26}_[0-9A-Za-z]{6}$`));
    const list = async () => (await postern.cli(['admin-token', 'list', '--json'])).json();
    assert.equal((await list()).length, 1);
    const [row] = await list();
    assert.deepEqual([row.id, row.name, row.role, row.state, row.last_used_at], [id, 'ci <b>', 'viewer', 'active', null]);
    assert.ok(!JSON.stringify(await list()).includes(token.slice(16, 42)));
    for (const file of readdirSync(postern.settings.data_dir, { withFileTypes: true }).filter((entry) => entry.isFile()))
      assert.ok(!readFileSync(path.join(postern.settings.data_dir, file.name)).includes(token.slice(16, 42)), file.name);
    const answer = await request(postern.port, '/x', { headers: { 'api-key': token } });
    assert.equal(answer.status, 401);
    assert.equal((await postern.cli(['admin-token', 'revoke', id])).code, 0);
    assert.equal((await list())[0].state, 'revoked');
    const unknown = await postern.cli(['admin-token', 'revoke', 'zzzzzzzzzzzz']);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /no admin token with this id or name/);
    for (const [args, why] of [[['--role', 'boss', '--name', 'x'], /--role "boss" is not one of admin, viewer/], [[], /--name is required/], [['--name', 'x', '--expires', '2001-01-01'], /in the past/]]) {
      const done = await postern.cli(['admin-token', 'create', ...args]);
      assert.equal(done.code, 2, done.stderr);
      assert.match(done.stderr, why);
    }
  } finally {
    await postern.stop();
    await upstream.stop();
  }
});
