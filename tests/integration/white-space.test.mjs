// SPDX-License-Identifier: Apache-2.0
// White space around values: what secrets that are mounted, editors and templates leave there means nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { request } from './lib/client.mjs';
import { Postern, cli } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort, temporaryDirectory, within } from './lib/util.mjs';

const limit = { timeout: 60000 };
let upstream;
before(async () => {
  upstream = await Upstream.start((x) => x.showHead());
}, limit);
after(() => upstream?.stop(), limit);

const write = (text, name) => {
  const file = path.join(temporaryDirectory(), name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
};

describe('settings', limit, () => {
  test('from the environment, each with a line break behind it', limit, async (t) => {
    const postern = await Postern.start({ upstream: ` ${upstream.url}\n`, workers: '1\n', region: 'westeurope\r\n', log_level: '\tdebug\n', open_paths: '/status,\n/ready\n' });
    t.after(() => postern.stop());
    const key = await postern.createKey();
    const token = await request(postern.port, '/sts/v1.0/issueToken', { method: 'POST', key: key.key1, headers: { 'Content-Length': '0' } });
    assert.equal(token.status, 200);
    assert.equal(JSON.parse(Buffer.from(String(token.body).split('.')[1], 'base64url')).region, 'westeurope');
    assert.equal((await request(postern.port, '/ready')).status, 200);
  });
  test('null in a file is no value, and its name in the environment is that of a file', limit, async () => {
    const config = write(`upstream: null\nregion: ~\nworkers:\nlisten:\n  - NULL\ndata_dir: ${temporaryDirectory()}\n`, 'postern.yaml');
    const shown = await cli(['check', '--print'], { env: { POSTERN_CONFIG: `${config}\n`, POSTERN_ADMIN_LISTEN: 'off' } });
    assert.equal(shown.code, 0, shown.stdout + shown.stderr);
    for (const name of ['upstream', 'region', 'workers', 'listen']) assert.match(shown.stdout, new RegExp(`^\\s*${name}\\b.*default`, 'm'));
  });
  test('a line break in the middle is refused', limit, async () => {
    const checked = await cli(['check'], { settings: { region: 'west\neurope', data_dir: temporaryDirectory() } });
    assert.equal(checked.code, 1);
    assert.match(checked.stdout + checked.stderr, /POSTERN_REGION: has a line break or another control character in the middle/);
  });
});

describe('files', limit, () => {
  test('credentials and hosts of the egress proxy', limit, async (t) => {
    const server = net.createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const [{ port }, egress] = [server.address(), await freePort()];
    const postern = await Postern.start({
      upstream: upstream.url, egress_listen: `127.0.0.1:${egress}`, egress_ports: String(port), egress_sni: 'off', egress_allow_networks: '127.0.0.0/8',
      egress_resolve: `extra.example:${port}:127.0.0.1`, egress_allow_file: write('\uFEFFextra.example \r\nother.example\t# said\r\n\r\n', 'allow'),
      egress_credentials_file: write('\uFEFF me:there \r\n\n', 'credentials'),
    });
    t.after(() => postern.stop());
    const socket = net.connect(egress, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.write(`CONNECT extra.example:${port} HTTP/1.1\r\nHost: extra.example:${port}\r\nProxy-Authorization: Basic ${btoa('me:there')}\r\n\r\n`);
    const [answer] = await within(10000, 'an answer', once(socket, 'data'));
    assert.match(String(answer), /^HTTP\/1\.1 200 /);
  });
  test('the pepper and secrets to import', limit, async (t) => {
    const data_dir = temporaryDirectory();
    writeFileSync(path.join(data_dir, 'pepper'), `\uFEFF${'0123456789abcdef'.repeat(4)} \r\n`, { mode: 0o600 });
    const secret = '0123456789abcdef0123456789abcdef';
    const imported = await cli(['key', 'import', '--name', 'old', '--file', write(`\uFEFF${secret} \r\n\r\n`, 'secret')], { settings: { data_dir } });
    assert.equal(imported.code, 0, imported.stderr);
    const postern = await Postern.start({ upstream: upstream.url, data_dir });
    t.after(() => postern.stop());
    await eventually(5000, 'the key to work', async () => (await request(postern.port, '/x', { key: secret })).status === 200);
  });
});

test('a quote in a text log stays as it is', limit, async () => {
  const refused = await cli(['serve'], { settings: { data_dir: temporaryDirectory(), admin_listen: '127.0.0.1:0', listen: '127.0.0.1:0', admin_client_ca: '/nowhere.pem', admin_client_certificates: 'root cn=x' } });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /: .*"root" is/);
  assert.doesNotMatch(refused.stderr, /\\"/);
});
