// SPDX-License-Identifier: Apache-2.0
// The outbound: what gets through, what does not, and that nothing on the way is touched.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { caller } from './lib/admin.mjs';
import { selfSigned } from './lib/certs.mjs';
import { Postern, SANITIZED, cli } from './lib/postern.mjs';
import { eventually, freePort, openDescriptors, settled, sleep, temporaryDirectory, within } from './lib/util.mjs';

const limit = { timeout: 120000 };
const MiB = 1 << 20;
const run = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
const unshareOptions = process.getuid() === 0 ? ['-nm'] : ['-rnm'];
const namespaces = spawnSync('unshare', [...unshareOptions, 'sh', '-c', 'ip link set lo up && ip link add d0 type veth peer name d1']).status === 0;
const HOST = 'westeurope.api.cognitive.microsoft.com';
const sockets = new Set();
let echo; // a server that sends back what it gets
let secure; // the same behind TLS
let certificate;

async function serve(onConnection, options) {
  const server = options ? tls.createServer(options, onConnection) : net.createServer({ allowHalfOpen: true }, onConnection);
  server.on(options ? 'secureConnection' : 'connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

before(async () => {
  certificate = selfSigned([HOST]);
  echo = await serve((socket) => socket.pipe(socket));
  secure = await serve((socket) => socket.pipe(socket), { cert: certificate.certPem, key: certificate.keyPem });
}, limit);
after(() => {
  for (const socket of sockets) socket.destroy();
  echo?.close();
  secure?.close();
});

/** A guard that takes HOST for this machine, on the ports of the two servers. */
async function guard(t, settings = {}) {
  const port = await freePort();
  const ports = [echo, secure].map((s) => s.address().port);
  const gateway = await Postern.start({
    egress_listen: `127.0.0.1:${port}`, egress_ports: ports.join(', '), egress_allow_networks: '127.0.0.0/8', egress_sni: 'off', log_level: 'debug',
    egress_resolve: ports.map((p) => `${HOST}:${p}:127.0.0.1`).join(', '), ...settings,
  });
  t.after(() => gateway.stop());
  return Object.assign(gateway, { way: port });
}

/** Sends a head; {status, text, socket}: of a 200 the socket is a tunnel. */
async function ask(port, head) {
  const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  sockets.add(socket);
  socket.on('error', () => {});
  socket.write(head);
  let text = '';
  await within(15000, 'an answer', new Promise((resolve) => {
    const take = (data) => {
      text += data.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      if (text.startsWith('HTTP/1.1 200') || socket.readableEnded) finish();
    };
    const finish = () => {
      socket.off('data', take);
      resolve();
    };
    socket.on('data', take);
    socket.once('end', finish);
    socket.once('close', finish);
  }));
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text, socket };
}
const connectTo = (port, target, fields = '') => ask(port, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${fields}\r\n`);

async function collect(socket, bytes, ms = 60000) {
  const hash = createHash('sha256');
  let n = 0;
  await within(ms, `${bytes} bytes`, new Promise((resolve, reject) => {
    socket.on('data', (data) => {
      hash.update(data);
      n += data.length;
      if (n >= bytes) resolve();
    });
    socket.once('close', () => (n >= bytes ? resolve() : reject(new Error(`closed after ${n} of ${bytes}`))));
  }));
  return hash.digest('hex');
}

describe('what is let out', limit, () => {
  test('an allowed host, whatever its spelling; byte for byte, both ways', limit, async (t) => {
    const gateway = await guard(t);
    const { port } = echo.address();
    for (const name of [HOST, HOST.toUpperCase(), `${HOST}.`]) {
      const { status, socket } = await connectTo(gateway.way, `${name}:${port}`);
      assert.equal(status, 200, name);
      const piece = randomBytes(1 << 20);
      const rounds = SANITIZED ? 8 : 64;
      const sent = createHash('sha256');
      const received = collect(socket, rounds * piece.length);
      for (let i = 0; i < rounds; i++) {
        sent.update(piece);
        if (!socket.write(piece)) await once(socket, 'drain');
      }
      assert.equal(await received, sent.digest('hex'));
      socket.destroy();
    }
    const early = await ask(gateway.way, `CONNECT ${HOST}:${port} HTTP/1.1\r\nHost: ${HOST}\r\n\r\nearly bytes`);
    assert.equal(early.status, 200);
    const back = early.text.split('\r\n\r\n')[1] || (await once(early.socket, 'data'))[0].toString();
    assert.equal(back, 'early bytes');
    early.socket.destroy();
    await eventually(5000, 'a line for each tunnel', () => (gateway.stderr.match(/tunnel of .* bytes up, .* down/g) ?? []).length === 4);
  });

  test('half-close is kept: what the server still says comes', limit, async (t) => {
    const late = await serve((socket) => socket.on('data', () => {}).on('end', () => setTimeout(() => socket.end('after your end'), 300)));
    t.after(() => late.close());
    const { port } = late.address();
    const gateway = await guard(t, { egress_ports: String(port), egress_resolve: `${HOST}:${port}:127.0.0.1` });
    const { socket } = await connectTo(gateway.way, `${HOST}:${port}`);
    socket.end('my end');
    const [data] = await once(socket, 'data');
    assert.equal(data.toString(), 'after your end');
    await once(socket, 'end');
  });

  test('everything else is refused with its reason, and logged', limit, async (t) => {
    const gateway = await guard(t, { egress_allow_networks: '' });
    const { port } = echo.address();
    const refusals = [
      [`CONNECT evil.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n`, 403, /egress_allow/],
      [`CONNECT cognitive.microsoft.com:${port} HTTP/1.1\r\nHost: x\r\n\r\n`, 403, /egress_allow/],
      [`CONNECT evilcognitive.microsoft.com:${port} HTTP/1.1\r\nHost: x\r\n\r\n`, 403, /egress_allow/],
      [`CONNECT ${HOST}:22 HTTP/1.1\r\nHost: x\r\n\r\n`, 403, /egress_ports/],
      [`CONNECT 169.254.169.254:${port} HTTP/1.1\r\nHost: x\r\n\r\n`, 403, /egress_allow/],
      [`CONNECT ${HOST}:${port} HTTP/1.1\r\nHost: x\r\n\r\n`, 403, /loopback address/],
      [`CONNECT ${HOST} HTTP/1.1\r\nHost: x\r\n\r\n`, 400, /host:port/],
      [`GET http://${HOST}/ HTTP/1.1\r\nHost: x\r\n\r\n`, 405, /only CONNECT/],
      ['\x16\x03\x01 garbage\r\n\r\n', 400, /no HTTP request/],
      [`CONNECT ${'a'.repeat(9000)}:443 HTTP/1.1\r\n\r\n`, 400, /longer than a host name/],
      [`CONNECT ${HOST}:${port} HTTP/1.1\r\nX: ${'a'.repeat(9000)}\r\n\r\n`, 431, /too long/],
    ];
    for (const [head, status, says] of refusals) {
      const answer = await ask(gateway.way, head);
      assert.equal(answer.status, status, `${head.slice(0, 60)}: ${answer.text}`);
      assert.match(answer.text, says);
      answer.socket.destroy();
    }
    assert.match(gateway.stderr, /evil\.example: refused with 403/);
    // Names that look alike, literals, and ports that could be read in two ways.
    const domain = 'cognitive.microsoft.com';
    const targets = [
      `a.cognitive.micros\u043eft.com:${port}`, `a.xn--cognitive.xn--microsft-q2a.com:${port}`, `a.${domain}.evil.example:${port}`, `a-${domain}:${port}`, `.${domain}:${port}`, `a..${domain}:${port}`,
      `${HOST}..:${port}`, `${HOST}%2eevil.example:${port}`, `user@${HOST}:${port}`, `${HOST}\\.evil.example:${port}`, `*.${domain}:${port}`, `127.1:${port}`, `2130706433:${port}`, `0x7f.0.0.1:${port}`,
      `[::1]:${port}`, `[::ffff:127.0.0.1]:${port}`, `[fe80::1%25lo]:${port}`, `::1:${port}`, `${HOST}:0${port}x`, `${HOST}:${port + 65536}`, `${HOST}:+${port}`, `${HOST}:-1`, `${HOST}:0`, `${HOST}:`, `:${port}`, `${HOST}:${port}:22`, `${HOST}:${port}/x`,
    ];
    for (const target of targets) {
      const answer = await ask(gateway.way, Buffer.from(`CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\n`));
      assert.ok([400, 403].includes(answer.status), `${target}: ${answer.text}`);
      assert.doesNotMatch(answer.text, /loopback address/, `${target} was looked up`);
      answer.socket.destroy();
    }
  });

  test('a name that leads to a public and a private address: only the public one is tried', limit, async (t) => {
    const { port } = echo.address();
    const gateway = await guard(t, { egress_allow_networks: '', egress_connect_timeout: '1s',
      egress_resolve: `${HOST}:${port}:192.0.2.1, ${HOST}:${port}:127.0.0.1`, egress_ports: String(port) });
    assert.equal((await connectTo(gateway.way, `${HOST}:${port}`)).status, 403);
    const half = await guard(t, { egress_allow_networks: '127.0.0.2/32', egress_ports: String(port),
      egress_resolve: `${HOST}:${port}:127.0.0.2, ${HOST}:${port}:127.0.0.1` });
    const answer = await connectTo(half.way, `${HOST}:${port}`);
    assert.equal(answer.status, 502, 'nobody listens on 127.0.0.2, and 127.0.0.1 is not tried');
  });

  test('observe lets it pass, and says what would be refused', limit, async (t) => {
    const { port } = echo.address();
    const gateway = await guard(t, { egress_mode: 'observe', egress_allow: 'other.example' });
    const { status, socket } = await connectTo(gateway.way, `${HOST}:${port}`);
    assert.equal(status, 200);
    socket.destroy();
    assert.match(gateway.stderr, /would be refused: this host is not on the list/);
  });

  test('credentials, when they are wanted', limit, async (t) => {
    const file = path.join(temporaryDirectory(), 'credentials');
    writeFileSync(file, 'container:a secret\n', { mode: 0o600 });
    const { port } = echo.address();
    const gateway = await guard(t, { egress_credentials_file: file });
    const without = await connectTo(gateway.way, `${HOST}:${port}`);
    assert.equal(without.status, 407);
    assert.match(without.text, /Proxy-Authenticate: Basic/);
    assert.equal((await connectTo(gateway.way, `${HOST}:${port}`, `Proxy-Authorization: Basic ${btoa('container:wrong')}\r\n`)).status, 407);
    const good = await connectTo(gateway.way, `${HOST}:${port}`, `Proxy-Authorization: Basic ${btoa('container:a secret')}\r\n`);
    assert.equal(good.status, 200);
    good.socket.destroy();
  });

  test('through a parent proxy, which gets credentials of its own', limit, async (t) => {
    const { port } = echo.address();
    const heads = [];
    const parent = await serve((socket) => socket.once('data', (data) => {
      heads.push(data.toString());
      const to = net.connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
      sockets.add(to);
      socket.pipe(to).pipe(socket);
    }));
    t.after(() => parent.close());
    const file = path.join(temporaryDirectory(), 'parent');
    writeFileSync(file, 'me:there', { mode: 0o600 });
    const gateway = await guard(t, { egress_parent: `http://127.0.0.1:${parent.address().port}`, egress_parent_credentials_file: file, egress_resolve: '' });
    const { status, socket } = await connectTo(gateway.way, `${HOST}:${port}`);
    assert.equal(status, 200);
    socket.write('through two');
    assert.equal((await once(socket, 'data'))[0].toString(), 'through two');
    assert.match(heads[0], new RegExp(`^CONNECT ${HOST}:${port} HTTP/1.1\r\n`));
    assert.match(heads[0], new RegExp(`Proxy-Authorization: Basic ${btoa('me:there')}`));
    socket.destroy();
  });
});

describe('what is inside', limit, () => {
  test('the server name is compared, and TLS goes through untouched', limit, async (t) => {
    const { port } = secure.address();
    const gateway = await guard(t, { egress_sni: 'refuse' });
    const inside = async (servername) => {
      const { status, socket } = await connectTo(gateway.way, `${HOST}:${port}`);
      assert.equal(status, 200);
      const client = tls.connect({ socket, servername, ca: certificate.certPem, checkServerIdentity: () => undefined });
      client.on('error', () => {});
      const open = await within(10000, 'TLS or its end', Promise.race([once(client, 'secureConnect').then(() => true, () => false), once(client, 'close').then(() => false, () => false)]));
      if (open) {
        client.write('secret');
        assert.equal((await once(client, 'data'))[0].toString(), 'secret');
        assert.equal(client.getPeerX509Certificate().raw.toString('hex').length > 100, true);
      }
      client.destroy();
      return open;
    };
    assert.equal(await inside(HOST), true);
    assert.equal(await inside('elsewhere.example'), false);
    await eventually(5000, 'the log to say so', () => new RegExp(`asked for ${HOST}, but the TLS handshake names elsewhere\\.example; cut off`).test(gateway.stderr));
  });

  test('what comes in one piece with the CONNECT is looked at, too', limit, async (t) => {
    const { port } = echo.address();
    const gateway = await guard(t, { egress_sni: 'refuse' });
    const piece = 'not TLS and yet it must not reach the server';
    const { status, socket } = await ask(gateway.way, `CONNECT ${HOST}:${port} HTTP/1.1\r\nHost: ${HOST}:${port}\r\n\r\n${piece}`);
    assert.equal(status, 200);
    let back = '';
    socket.on('data', (data) => (back += data));
    await within(10000, 'the end', new Promise((resolve) => socket.once('close', resolve).once('end', () => socket.destroy())));
    assert.equal(back, '');
    await eventually(5000, 'the log to say so', () => new RegExp(`asked for ${HOST}, but no TLS handshake could be read; cut off`).test(gateway.stderr));
    assert.match(gateway.stderr, /: 0 bytes up, 0 down, .*cut off: not TLS with the host's name/);
  });

  test('a server that speaks first: its bytes pass with warn, the tunnel ends with refuse', limit, async (t) => {
    // It says its greeting once, and only then listens: a tunnel that held it back would wait for ever for the client.
    const greeting = '220 ready\r\n';
    const server = await serve((socket) => {
      socket.write(greeting);
      socket.pipe(socket);
    });
    t.after(() => server.close());
    const { port } = server.address();
    const more = { egress_ports: String(port), egress_resolve: `${HOST}:${port}:127.0.0.1` };
    for (const egress_sni of ['warn', 'refuse']) {
      const gateway = await guard(t, { ...more, egress_sni });
      // Bytes of the server may come in one piece with the response to the CONNECT.
      const { status, text, socket } = await connectTo(gateway.way, `${HOST}:${port}`);
      assert.equal(status, 200);
      let got = text.split('\r\n\r\n').slice(1).join('\r\n\r\n');
      socket.on('data', (data) => (got += data));
      if (egress_sni === 'warn') {
        await eventually(10000, 'the greeting', () => got === greeting);
        socket.write('hello');
        await eventually(10000, 'the echo', () => got === `${greeting}hello`);
        socket.destroy();
      } else {
        await within(10000, 'the end', new Promise((resolve) => socket.once('close', resolve).once('end', () => socket.destroy())));
        assert.equal(got, '');
      }
      const how = egress_sni === 'refuse' ? '; cut off' : '';
      await eventually(5000, 'the log', () => gateway.stderr.includes(`asked for ${HOST}, but the server spoke first, which is not TLS${how}\n`));
    }
  });
});

describe('bounds', limit, () => {
  // How many descriptors the gateway has right after its start proves nothing: the connection by which the start was
  // awaited may still be among them. What has its place back is seen by who gets in.
  test('a client that does not say all of its request gets 408, and its place is free again', limit, async (t) => {
    const { port } = echo.address();
    const gateway = await guard(t, { egress_connect_timeout: '1s', egress_max_tunnels: '1' });
    const silent = await ask(gateway.way, 'CONNECT half');
    assert.equal(silent.status, 408);
    silent.socket.destroy();
    const { socket } = await eventually(5000, 'its place', async () => ((one) => one.status === 200 && one)(await connectTo(gateway.way, `${HOST}:${port}`)));
    socket.destroy();
  });

  test('one more than allowed gets 503; each that ends makes room for one', limit, async (t) => {
    const { port } = echo.address();
    const gateway = await guard(t, { egress_max_tunnels: '20' });
    const one = () => connectTo(gateway.way, `${HOST}:${port}`);
    const tunnels = await Promise.all(Array.from({ length: 20 }, one));
    assert.deepEqual(tunnels.map(({ status }) => status), Array(20).fill(200));
    assert.equal((await one()).status, 503);
    for (const { socket } of tunnels.splice(0, 3)) socket.destroy();
    while (tunnels.length < 20) tunnels.push(await eventually(5000, 'a place', async () => ((next) => next.status === 200 && next)(await one())));
    assert.equal((await one()).status, 503);
    for (const { socket } of tunnels) socket.destroy();
  });

  test('idle tunnels are closed, and nothing of them is left', limit, async (t) => {
    const { port } = echo.address();
    const gateway = await guard(t, { egress_idle_timeout: '1s' });
    const before = await settled(10000, 'the start', () => openDescriptors(gateway.pid));
    const tunnels = await Promise.all(Array.from({ length: 20 }, () => connectTo(gateway.way, `${HOST}:${port}`)));
    assert.deepEqual(tunnels.map(({ status }) => status), Array(20).fill(200));
    await within(10000, 'idle tunnels to be closed', Promise.all(tunnels.map(({ socket }) => new Promise((resolve) => (socket.readableEnded ? resolve() : socket.once('end', resolve).resume())))));
    for (const { socket } of tunnels) socket.destroy();
    await eventually(5000, 'their descriptors to come back', () => openDescriptors(gateway.pid) <= before);
    assert.equal(gateway.stderr.match(/idle too long/g).length, 20);
  });

  test('many tunnels at once, each its own bytes', limit, async (t) => {
    const { port } = echo.address();
    const count = SANITIZED ? 100 : 1000;
    const gateway = await guard(t, { egress_max_tunnels: String(count), egress_connect_timeout: '60s' });
    const open = [];
    while (open.length < count) open.push(...(await Promise.all(Array.from({ length: 50 }, () => connectTo(gateway.way, `${HOST}:${port}`)))));
    assert.ok(open.every((one) => one.status === 200));
    await Promise.all(open.map(async ({ socket }, i) => {
      const text = `tunnel ${i} `.repeat(500);
      const received = collect(socket, text.length);
      socket.write(text);
      assert.equal(await received, createHash('sha256').update(text).digest('hex'));
    }));
    for (const { socket } of open) socket.destroy();
  });

  test('a target that is dead is 502; the stop cuts what is open', limit, async (t) => {
    const dead = await freePort();
    const gateway = await guard(t, { egress_ports: `${dead}, ${echo.address().port}`, egress_resolve: `${HOST}:${dead}:127.0.0.1, ${HOST}:${echo.address().port}:127.0.0.1` });
    const refused = await connectTo(gateway.way, `${HOST}:${dead}`);
    assert.equal(refused.status, 502);
    assert.match(refused.text, /127\.0\.0\.1/);
    const { socket } = await connectTo(gateway.way, `${HOST}:${echo.address().port}`);
    const closed = once(socket.resume(), 'close');
    await gateway.stop();
    socket.end();
    await within(5000, 'the tunnel to be cut', closed);
  });
});

// In a network and with a name server of its own.
describe('names', { ...limit, skip: namespaces ? false : 'this machine gives no namespaces' }, () => {
  let results;
  before(async () => {
    const resolv = path.join(temporaryDirectory(), 'resolv.conf');
    writeFileSync(resolv, 'nameserver 127.0.0.1\noptions timeout:3 attempts:5\n');
    const script = `ip link set lo up && ip addr add 20.50.1.1/32 dev lo && ip addr add 10.9.9.1/32 dev lo && ip -6 addr add 2603:1020::1/128 dev lo nodad &&
      ip link add d0 type veth peer name d1 && ip -6 addr add 2603:2::1/64 dev d0 nodad && ip link set d0 up && ip link set d1 up && mount --bind ${resolv} /etc/resolv.conf &&
      exec "$0" ${path.join(here, 'lib/egress_names.mjs')}`;
    const { stdout } = await run('unshare', [...unshareOptions, 'sh', '-c', script, process.execPath], { timeout: 90000 });
    results = JSON.parse(stdout.trim().split('\n').at(-1));
  }, limit);

  const reached = { plain: /20\.50\.1\.1/, both: /20\.50\.1\.1|2603:1020::1/, six: /2603:1020::1/, mixed: /20\.50\.1\.1/, half: /20\.50\.1\.1/, alias: /20\.50\.1\.1/ };
  for (const [host, address] of Object.entries(reached)) {
    test(`${host} is reached`, () => {
      assert.equal(results[host].status, 200, JSON.stringify(results[host]));
      assert.match(results[host].body, address);
    });
  }
  for (const host of ['private', 'loopback', 'metadata', 'multicast', 'mapped', 'nat64', 'sixtofour', 'shared']) {
    test(`${host} is refused for where it leads`, () => {
      assert.equal(results[host].status, 403, JSON.stringify(results[host]));
      assert.match(results[host].body, /not in egress_allow_networks/);
    });
  }
  test('rebinding: the address that was looked at is the one that is reached, and the next look finds the other', () => {
    assert.equal(results.rebinds.status, 200, JSON.stringify(results.rebinds));
    assert.match(results.rebinds.body, /20\.50\.1\.1/);
    assert.equal(results.again.status, 403, JSON.stringify(results.again));
    assert.equal(results.asked, 2, 'one look for each tunnel');
  });
  test('no such name, a name server that fails, and one that is silent', () => {
    assert.deepEqual([results.nowhere.status, results.broken.status, results.slow.status], [502, 502, 504], JSON.stringify(results));
    assert.match(results.nowhere.body, /nowhere\.cognitive\.microsoft\.com has no address/);
    assert.match(results.slow.body, /did not answer in time/);
  });
});

test('a gibibyte goes through as it is', { timeout: 300000 }, async (t) => {
  const bytes = SANITIZED ? 64 * MiB : 1024 * MiB;
  const source = await serve(async (socket) => {
    const hash = createHash('sha256');
    await once(socket, 'data'); // somebody listens
    for (let sent = 0; sent < bytes; sent += MiB) {
      const piece = randomBytes(MiB);
      hash.update(piece);
      if (!socket.write(piece)) await once(socket, 'drain');
    }
    source.digest = hash.digest('hex');
    socket.end();
  });
  const { port } = source.address();
  const gateway = await guard(t, { egress_ports: String(port), egress_resolve: `${HOST}:${port}:127.0.0.1` });
  const { socket, status } = await connectTo(gateway.way, `${HOST}:${port}`);
  assert.equal(status, 200);
  const received = collect(socket, bytes, 240000);
  socket.write('go');
  assert.equal(await received, source.digest);
  socket.destroy();
  source.close();
});

describe('the metering watch', limit, () => {
  test('silence and failures are warned of, and their end is said', limit, async (t) => {
    const dead = await freePort();
    const { port } = echo.address();
    const gateway = await guard(t, { egress_metering_silence: '3s', egress_ports: `${dead}, ${port}`, egress_resolve: `${HOST}:${dead}:127.0.0.1, ${HOST}:${port}:127.0.0.1` });
    const report = async () => {
      const { socket } = await connectTo(gateway.way, `${HOST}:${port}`);
      socket.write('usage');
      await once(socket, 'data');
      socket.end();
      await once(socket.resume(), 'end');
    };
    await report();
    await sleep(1500); // time itself: half of the silence that is allowed
    assert.doesNotMatch(gateway.stderr, /does not reach its billing endpoint/);
    await eventually(10000, 'a warning', () => /does not reach its billing endpoint \(last time: 20/.test(gateway.stderr));
    await report();
    await eventually(5000, 'its end', () => /reaches its billing endpoint again/.test(gateway.stderr));
    for (let i = 0; i < 3; i++) await connectTo(gateway.way, `${HOST}:${dead}`);
    await eventually(5000, 'a warning of failures', () => /failures since: 3/.test(gateway.stderr));
  });

  test('the list in a file is read again when it changes, and open tunnels stay', limit, async (t) => {
    const { port } = echo.address();
    const file = path.join(temporaryDirectory('allow'), 'hosts');
    writeFileSync(file, '# nothing yet\n\n');
    const gateway = await guard(t, { egress_allow: 'other.example', egress_allow_file: file });
    const status = async () => {
      const { status, socket } = await connectTo(gateway.way, `${HOST}:${port}`);
      if (status !== 200 || open.length === 8) socket.destroy();
      else open.push(socket);
      return status;
    };
    const open = [];
    assert.equal(await status(), 403);
    writeFileSync(file, `*.api.cognitive.microsoft.com # the region's\n`);
    await eventually(10000, 'the new list', async () => (await status()) === 200, 100);
    writeFileSync(file, 'https://no.host\n');
    await eventually(10000, 'the complaint', () => /https:\/\/no\.host; the previous list stays in effect/.test(gateway.stderr), 100);
    assert.equal(await status(), 200);
    rmSync(file);
    const gone = () => gateway.stderr.split('not found; the previous list stays in effect').length - 1;
    await eventually(10000, 'what is said of a file that is gone', () => gone() === 1, 100);
    assert.equal(await status(), 200);
    // In a loop, while the list comes and goes: every answer is one or the other, and no tunnel is cut.
    for (let i = 0; i < 6; i++) {
      writeFileSync(file, i % 2 ? `${HOST}\n` : `nothing-${i}.example\n`);
      const other = [];
      await eventually(10000, 'the list to be read again', async () => {
        const now = await status();
        if (![200, 403].includes(now)) other.push(now);
        return now === (i % 2 ? 200 : 403);
      }, 0);
      assert.deepEqual(other, []);
    }
    for (const socket of open) {
      socket.write('still');
      const [data] = await once(socket, 'data');
      assert.equal(data.toString(), 'still');
      socket.destroy();
    }
    assert.ok(open.length > 3);
  });

  test('the admin’s status tells of tunnels, and of a container that reports no more', limit, async (t) => {
    const dead = await freePort();
    const { port } = echo.address();
    const socketPath = path.join(temporaryDirectory('status'), 'admin.sock');
    const gateway = await guard(t, { admin_listen: `unix:${socketPath}`, egress_ports: `${dead}, ${port}`, egress_resolve: `${HOST}:${dead}:127.0.0.1, ${HOST}:${port}:127.0.0.1` });
    const call = caller({ socketPath });
    const egress = async () => (await call('GET', '/admin/v1/status')).json.egress;
    assert.deepEqual(await egress(), { tunnels: 0, opened: 0, refused: 0, failed: 0, bytes_up: 0, bytes_down: 0, metering: { last: null, failures: 0, silent: false } });
    const { socket } = await connectTo(gateway.way, `${HOST}:${port}`);
    socket.write('usage');
    await once(socket, 'data');
    assert.equal((await egress()).tunnels, 1);
    socket.end();
    await once(socket.resume(), 'end');
    await connectTo(gateway.way, `elsewhere.example:${port}`);
    for (let i = 0; i < 3; i++) await connectTo(gateway.way, `${HOST}:${dead}`);
    await eventually(5000, 'the counts', async () => {
      const now = await egress();
      return now.tunnels === 0 && now.opened === 1 && now.refused === 1 && now.failed === 3 && now.bytes_up === 5 && now.bytes_down === 5 && now.metering.silent;
    });
    const { metering } = await egress();
    assert.ok(Math.abs(new Date(metering.last) - Date.now()) < 60000);
    assert.equal(metering.failures, 3);
    const { text } = await call('GET', '/metrics');
    for (const line of ['egress_tunnels_total 1', 'egress_refused_total 1', 'egress_failed_total 3', 'egress_bytes_total{direction="up"} 5', 'metering_failures 3', 'metering_silent 1']) {
      assert.ok(text.includes(`postern_${line}\n`), line);
    }
  });

  test('wrong settings are said at the start, and all of them by check', limit, async () => {
    for (const [name, value] of [['egress_allow', 'https://x'], ['egress_ports', '0'], ['egress_resolve', 'x'], ['egress_parent', 'ftp://x'], ['egress_credentials_file', '/nowhere']]) {
      const { code, stderr } = await cli(['serve'], { settings: { data_dir: temporaryDirectory(), listen: '127.0.0.1:0', admin_listen: 'off', egress_listen: '127.0.0.1:0', [name]: value } });
      assert.notEqual(code, 0, name);
      assert.match(stderr, new RegExp(name));
    }
    const wrong = { egress_listen: '127.0.0.1:3128', egress_allow: 'https://x', egress_ports: '0', egress_resolve: 'x', egress_parent: 'ftp://x', egress_credentials_file: '/nowhere' };
    const checked = await cli(['check'], { settings: { data_dir: temporaryDirectory(), ...wrong } });
    assert.equal(checked.code, 1);
    for (const name of Object.keys(wrong).slice(1)) assert.match(checked.stdout + checked.stderr, new RegExp(`${name}:`, 'i'));
  });
});
