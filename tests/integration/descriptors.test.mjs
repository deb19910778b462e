// SPDX-License-Identifier: Apache-2.0
// Few file descriptors: too few to start are refused, and when the last one is taken nothing spins.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';

import { caller } from './lib/admin.mjs';
import { request } from './lib/client.mjs';
import { BIN, Postern, SANITIZED } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort, openDescriptors, temporaryDirectory, within } from './lib/util.mjs';

const limit = { timeout: 120000 };
let upstream;

before(async () => {
  upstream = await Upstream.start((x) => x.showHead());
}, limit);
after(() => upstream?.stop(), limit);

const withLimit = (n) => ['prlimit', `--nofile=${n}:${n}`];
/** A gateway that may have n descriptors; what it said when it did not start. */
const start = (n, settings, expectReady = true) => Postern.start({ upstream: upstream.url, ...settings }, { wrap: withLimit(n), expectReady });
async function refusal(n, settings) {
  const postern = await start(n, settings, false);
  const status = await within(20000, 'its end', postern.child.exit);
  return { status, stderr: postern.stderr };
}
const cpuTicks = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return Number(fields[11]) + Number(fields[12]);
};

describe('at the start', limit, () => {
  const shapes = async () => {
    const [admin, egress] = [await freePort(), await freePort()];
    return [
      { workers: 1 },
      { workers: 3 },
      { workers: 2, admin_listen: `127.0.0.1:${admin}` },
      { workers: 2, admin_listen: `127.0.0.1:${admin}, unix:${temporaryDirectory()}/admin`, egress_listen: `127.0.0.1:${egress}` },
    ];
  };
  test('24 are refused with the number that is needed; with that number it serves', limit, async () => {
    for (const shape of await shapes()) {
      const settings = { upstream: upstream.url, data_dir: temporaryDirectory(), ...shape };
      const { status, stderr } = await refusal(24, settings);
      assert.equal(status.code, 1, stderr);
      const needed = Number(/the limit of open files is 24, and these settings need at least (\d+); raise it/.exec(stderr)?.[1]);
      assert.ok(needed > 24 && needed < 200, stderr);
      assert.match((await refusal(needed - 1, settings)).stderr, new RegExp(`is ${needed - 1}, and these settings need at least ${needed}`));

      const postern = await start(needed, settings);
      const key = await postern.createKey();
      assert.equal((await request(postern.port, '/status', { key: key.key1 })).status, 200);
      // What is counted for things that come and go is not what the process has from its start.
      const open = openDescriptors(postern.pid);
      if (!SANITIZED) assert.ok(open <= needed - 16, `${open} of ${needed} are open: ${JSON.stringify(shape)}`);
      await postern.stop();
    }
  });

  test('check and doctor know it, too', limit, async () => {
    const settings = { POSTERN_DATA_DIR: temporaryDirectory(), POSTERN_LISTEN: '127.0.0.1:0', POSTERN_UPSTREAM: upstream.url, POSTERN_ADMIN_LISTEN: 'off', POSTERN_WORKERS: '8' };
    const run = (...args) => new Promise((resolve) =>
      execFile('prlimit', ['--nofile=40:40', BIN, ...args], { env: { ...process.env, ...settings } }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, text: stdout + stderr })));
    const checked = await run('check');
    assert.equal(checked.code, 1);
    assert.match(checked.text, /the limit of open files is 40, and these settings need at least \d+/);
    assert.match((await run('doctor')).text.replace(/\s+/g, ' '), /40 are allowed, and the gateway needs at least \d+ to start/);
  });
});

describe('when the last one is taken', limit, () => {
  test('no listener spins, and all go on when some come back', limit, async (t) => {
    const [admin_port, egress_port] = [await freePort(), await freePort()];
    const settings = { data_dir: temporaryDirectory(), workers: 1, admin_listen: `127.0.0.1:${admin_port}`, egress_listen: `127.0.0.1:${egress_port}`, tls_handshake_timeout: '60s' };
    const { stderr } = await refusal(24, settings);
    const needed = Number(/need at least (\d+)/.exec(stderr)[1]);
    const postern = await start(needed, settings);
    t.after(() => postern.stop());
    const sockets = [];
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    const knock = (port) => {
      const socket = net.connect({ host: '127.0.0.1', port });
      socket.on('error', () => {});
      sockets.push(socket);
      return socket;
    };
    for (let i = 0; i < needed; i += 1) knock(postern.port);
    await eventually(10000, 'the workers to be out of descriptors', () => /worker: cannot accept connections/.test(postern.stderr));
    knock(admin_port);
    await eventually(10000, 'the admin side to be out of descriptors', () => /admin: .*cannot accept connections: Too many open files/.test(postern.stderr));
    knock(egress_port);
    await eventually(10000, 'the egress proxy to be out of descriptors', () => /egress: cannot accept connections: Too many open files/.test(postern.stderr));

    // Ten times a second each: of two seconds of waiting hardly any is spent. A spin takes what the machine has.
    const [ticks, from] = [cpuTicks(postern.pid), process.hrtime.bigint()];
    await eventually(10000, 'two seconds', () => process.hrtime.bigint() - from > 2000000000n, 100);
    const spent = cpuTicks(postern.pid) - ticks;
    assert.ok(spent < (SANITIZED ? 100 : 20), `${spent} ticks of the CPU in two seconds`);

    for (const socket of sockets.splice(0)) socket.destroy();
    await eventually(10000, 'the gateway to serve again', async () => (await request(postern.port, '/status').catch(() => ({}))).status === 200);
    const answer = await eventually(10000, 'the admin side to serve again', () => caller({ port: admin_port })('GET', '/admin/v1/status').catch(() => undefined));
    assert.equal(answer.status, 401);
  });
});
