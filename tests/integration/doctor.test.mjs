// SPDX-License-Identifier: Apache-2.0
// `postern doctor` before a healthy set-up, and before one broken set-up per check: the broken thing is named, and
// nothing else is blamed.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, closeSync, openSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { chained, selfSigned } from './lib/certs.mjs';
import { commonBinary } from './lib/pod.mjs';
import { BIN, Postern, cli } from './lib/postern.mjs';
import { freePort, temporaryDirectory } from './lib/util.mjs';

const HOST = 'westus.api.cognitive.microsoft.com';
const root = process.getuid?.() === 0;
const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
const read = (file) => readFileSync(file, 'utf8');

const servers = [];
const listen = (server, host = '127.0.0.1') =>
  new Promise((resolve) => {
    const sockets = new Set();
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    });
    server.on('tlsClientError', () => {});
    servers.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    server.listen(0, host, () => resolve(server.address().port));
  });

/** A container: what its /status and /ready say. */
async function container({ apiStatus = 'Valid', ready = 200, host = '127.0.0.1' } = {}) {
  const port = await listen(http.createServer((request, response) => {
    const at = request.url;
    response.statusCode = at === '/status' ? 200 : at === '/ready' ? ready : 404;
    response.end(at === '/status' ? JSON.stringify({ service: 'sentiment', apiStatus, apiStatusMessage: 'as it says' }) : '');
  }), host);
  return `http://127.0.0.1:${port}`;
}

/** A billing endpoint: {url, resolve}. */
async function endpoint(certificate, { date, name = HOST, server, ...more } = {}) {
  const options = { ...more, cert: read(certificate.cert), key: read(certificate.key) };
  const port = await listen(server ?? https.createServer(options, (request, response) => {
    if (date) response.setHeader('Date', date);
    response.statusCode = 404;
    response.end();
  }));
  return { port, args: ['--billing', `https://${name}:${port}/`, '--resolve', `${name}:${port}:127.0.0.1`] };
}

/** A proxy for CONNECT; `intercept` {cert, key} opens TLS itself, `status` refuses. */
async function connectProxy({ intercept, status, credentials, target } = {}) {
  const seen = [];
  const inner = intercept && https.createServer({ cert: read(intercept.cert), key: read(intercept.key) }, (_, response) => response.end());
  const server = http.createServer();
  server.on('connect', (request, socket) => {
    seen.push(request.url);
    socket.on('error', () => {});
    const authorized = !credentials || request.headers['proxy-authorization'] === `Basic ${Buffer.from(credentials).toString('base64')}`;
    if (status || !authorized) return socket.end(`HTTP/1.1 ${status ?? 407} No\r\nContent-Length: 0\r\n\r\n`);
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (inner) return inner.emit('connection', socket);
    const out = net.connect(target ?? Number(request.url.split(':').pop()), '127.0.0.1');
    out.on('error', () => socket.destroy());
    return socket.pipe(out).pipe(socket);
  });
  return { url: `http://127.0.0.1:${await listen(server)}`, seen };
}

let own, cloud, other, privateCa;
before(() => {
  own = chained(['gateway.test']); // the gateway's own certificate
  cloud = chained([HOST]); // the real endpoint's
  other = chained(['something.else.test']);
  privateCa = chained([HOST]); // what a middlebox makes
});
after(() => servers.forEach((close) => close()));

/** Runs the doctor in a healthy set-up in which `change` is different: its JSON, and the exit code. */
async function examine(change = {}) {
  const billing = change.billing ?? (await endpoint(cloud));
  const settings = {
    data_dir: change.data_dir ?? temporaryDirectory('doctor'),
    listen: `127.0.0.1:${await freePort()}`,
    upstream: change.upstream ?? (await container()),
    tls_certificate: own.cert,
    tls_key: own.key,
    workers: 1,
    max_connections: 16,
    upstream_max_connections: 16,
    ...change.settings,
  };
  const args = ['doctor', '--json', '--known-roots', change.knownRoots ?? cloud.root, '--ca-file', change.caFile ?? own.root, ...billing.args, ...(change.args ?? [])];
  const result = await cli(args, { settings });
  const report = result.json();
  // A machine without AES instructions is warned about, rightly.
  report.blamed = report.checks.filter((c) => ['warning', 'failed'].includes(c.status) && c.check !== 'cpu');
  report.names = report.blamed.map((c) => `${c.check}: ${c.status}`);
  report.of = (name) => report.checks.filter((c) => c.check === name);
  report.code = result.code;
  return report;
}

function assertBlames(report, name, pattern) {
  assert.deepEqual(report.names, [name], JSON.stringify(report.blamed, null, 1));
  assert.match(report.blamed[0].seen, pattern);
  assert.ok(report.blamed[0].todo.length > 10, 'it says what to do');
  if (name.endsWith('failed')) assert.equal(report.code, 2);
}

describe('a healthy set-up', () => {
  test('nothing is blamed, everything is looked at', async () => {
    const report = await examine();
    assert.deepEqual(report.names, [], JSON.stringify(report.blamed));
    assert.ok(report.code === 0 || report.of('cpu')[0].status === 'warning');
    const listed = (await cli(['doctor', '--list'])).stdout.trim().split('\n').slice(1).map((line) => line.split(/ {2,}/)[0]);
    assert.deepEqual(listed.filter((name) => report.of(name).length === 0), []);
    assert.match(report.of('outbound: chain')[0].seen, /Test root/);
    assert.match(report.of('outbound: TLS')[0].seen, /TLSv1\.3/);
    assert.match(report.of('container')[0].seen, /sentiment/);
    assert.match(report.of('clock')[0].seen, /the same as at the billing endpoint/);
  });

  test('an endpoint with TLS 1.2 only', async () => {
    const report = await examine({ billing: await endpoint(cloud, { maxVersion: 'TLSv1.2' }) });
    assert.deepEqual(report.names, [], JSON.stringify(report.blamed));
    assert.match(report.of('outbound: TLS')[0].seen, /TLSv1\.2/);
  });

  test('through a proxy with credentials as well as directly', async () => {
    const proxy = await connectProxy({ credentials: 'me:secret' });
    const report = await examine({ args: ['--proxy', proxy.url.replace('//', '//me:secret@')] });
    assert.deepEqual(report.names, [], JSON.stringify(report.blamed));
    assert.equal(proxy.seen.length, 2);
    assert.deepEqual(report.of('outbound: connect').map((c) => c.status), ['ok', 'ok']);
    assert.doesNotMatch(JSON.stringify(report), /secret/);
  });

  test('through the gateway’s own egress proxy, when nothing else is named', async () => {
    const billing = await endpoint(cloud);
    const way = await freePort();
    const file = path.join(temporaryDirectory('guard'), 'credentials');
    writeFileSync(file, 'me:secret\n');
    const egress = { egress_listen: `0.0.0.0:${way}`, egress_credentials_file: file };
    const guard = await Postern.start({ ...egress, egress_ports: billing.port, egress_allow_networks: '127.0.0.0/8', egress_resolve: `${HOST}:${billing.port}:127.0.0.1` });
    try {
      const report = await examine({ billing, settings: egress });
      assert.deepEqual(report.names, [], JSON.stringify(report.blamed));
      assert.deepEqual(report.of('outbound: connect').map((c) => c.status), ['ok', 'ok']);
      assert.match(report.of('outbound: connect')[0].seen, /through the proxy 127\.0\.0\.1: the proxy opens a tunnel/);
      assert.doesNotMatch(JSON.stringify(report), /secret/);
    } finally {
      await guard.stop();
    }
  });

  test('the gateway that runs is recognized, its databases are whole, and nothing is changed', async () => {
    const upstream = await container();
    const postern = await Postern.start({ upstream });
    await postern.createKey();
    const running = await examine({ data_dir: postern.settings.data_dir, upstream, settings: { listen: postern.settings.listen, tls_certificate: undefined, tls_key: undefined } });
    assert.deepEqual(running.names, [], JSON.stringify(running.blamed));
    assert.match(running.of('listen')[0].seen, /a gateway with these settings is serving/);
    assert.match(running.of('keys.db')[0].seen, /^intact/);
    await postern.stop();
    const state = () => readdirSync(postern.settings.data_dir, { recursive: true }).sort().map((name) => {
      const st = statSync(path.join(postern.settings.data_dir, name));
      return [name, st.size, st.mtimeMs, st.mode];
    });
    const before = state();
    const stopped = await examine({ data_dir: postern.settings.data_dir });
    assert.deepEqual(stopped.names, []);
    assert.match(stopped.of('usage.db')[0].seen, /^intact/);
    assert.deepEqual(state(), before);
  });

  test('a proxy that is the only outbound: the closed direct way is no fault', async () => {
    const real = await endpoint(cloud);
    const nowhere = await freePort();
    const proxy = await connectProxy({ target: real.port });
    const report = await examine({ billing: { args: ['--billing', `https://${HOST}:${nowhere}/`, '--resolve', `${HOST}:${nowhere}:127.0.0.1`] }, args: ['--proxy', proxy.url] });
    assert.deepEqual(report.names, [], JSON.stringify(report.blamed));
    assert.match(report.of('outbound: connect')[1].seen, /as is usual behind one/);
  });
});

describe('the own certificate', () => {
  const expiredPair = () => {
    const directory = temporaryDirectory('expired');
    const at = (name) => path.join(directory, name);
    writeFileSync(at('index.txt'), '');
    writeFileSync(at('ext'), 'subjectAltName=DNS:gateway.test\n');
    writeFileSync(at('ca.cnf'), `[ca]\ndefault_ca=c\n[c]\ndatabase=${at('index.txt')}\nnew_certs_dir=${directory}\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n`);
    openssl('req', '-new', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-subj', '/CN=gateway.test', '-keyout', at('key'), '-out', at('csr'));
    openssl('ca', '-batch', '-config', at('ca.cnf'), '-selfsign', '-keyfile', at('key'), '-extfile', at('ext'), '-in', at('csr'), '-out', at('crt'), '-startdate', '20240101000000Z', '-enddate', '20250101000000Z', '-notext');
    return { tls_certificate: at('crt'), tls_key: at('key') };
  };

  test('expired', async () => {
    assertBlames(await examine({ settings: expiredPair() }), 'certificate: failed', /expired/);
  });

  test('the key of another', async () => {
    assertBlames(await examine({ settings: { tls_key: other.key } }), 'certificate: failed', /holds no certificate that the key belongs to/);
  });

  test('without its intermediate', async () => {
    const leaf = path.join(own.directory, 'leaf.crt');
    assertBlames(await examine({ settings: { tls_certificate: leaf } }), 'certificate: failed', /signed by "CN=Test intermediate", which is neither in the file/);
  });

  test('in any order', async () => {
    const file = path.join(temporaryDirectory(), 'chain.crt');
    writeFileSync(file, read(own.cert).split(/(?<=-----END CERTIFICATE-----\n)/).reverse().join(''));
    const report = await examine({ settings: { tls_certificate: file } });
    assert.deepEqual(report.of('certificate').map((c) => c.status), ['ok']);
  });

  test('without names', async () => {
    const directory = temporaryDirectory();
    const [cert, key] = ['c.crt', 'c.key'].map((name) => path.join(directory, name));
    openssl('req', '-x509', '-nodes', '-days', '30', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-subj', '/CN=gateway.test', '-keyout', key, '-out', cert);
    assertBlames(await examine({ settings: { tls_certificate: cert, tls_key: key } }), 'certificate: failed', /has no subject alternative name/);
  });

  test('signed with SHA-1', async () => {
    const at = (name) => path.join(own.directory, name);
    openssl('x509', '-req', '-sha1', '-days', '30', '-in', at('leaf.csr'), '-CA', at('root.crt'), '-CAkey', at('root.key'), '-CAcreateserial', '-extfile', at('leaf.ext'), '-out', at('sha1.crt'));
    assertBlames(await examine({ settings: { tls_certificate: at('sha1.crt') } }), 'certificate: warning', /weak key or signature/);
  });

  test('with a weak key', async () => {
    const directory = temporaryDirectory();
    const [cert, key] = ['c.crt', 'c.key'].map((name) => path.join(directory, name));
    openssl('req', '-x509', '-nodes', '-days', '30', '-newkey', 'rsa:1024', '-subj', '/CN=g', '-addext', 'subjectAltName=DNS:g.test', '-keyout', key, '-out', cert);
    assertBlames(await examine({ settings: { tls_certificate: cert, tls_key: key } }), 'certificate: warning', /weak key or signature \(RSA, 1024 bits\)/);
  });

  test('soon to expire', async () => {
    const directory = temporaryDirectory();
    const [cert, key] = ['c.crt', 'c.key'].map((name) => path.join(directory, name));
    openssl('req', '-x509', '-nodes', '-days', '3', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-subj', '/CN=g', '-addext', 'subjectAltName=DNS:g.test', '-keyout', key, '-out', cert);
    const report = await examine({ settings: { tls_certificate: cert, tls_key: key } });
    assertBlames(report, 'certificate: warning', /expires soon/);
  });
});

describe('the machine', () => {
  test('settings that are wrong', async () => {
    assertBlames(await examine({ settings: { max_headers: 'many' } }), 'settings: failed', /POSTERN_MAX_HEADERS/);
  });

  test('a data directory that others can write to: the next start makes it private', async () => {
    const data_dir = temporaryDirectory();
    chmodSync(data_dir, 0o2770);
    const report = await examine({ data_dir });
    const { status, seen } = report.checks.find((x) => x.check === 'data directory');
    assert.equal(status, 'ok');
    assert.match(seen, /mode 2770; the next start makes that 0700/);
    assert.equal(statSync(data_dir).mode & 0o7777, 0o2770, 'it was only looked at');
  });

  test('a data directory of another user: what to do is what can be done', { skip: root ? false : 'only root can make one' }, async () => {
    const data_dir = temporaryDirectory();
    chownSync(data_dir, 12345, 12345);
    chmodSync(data_dir, 0o755);
    const { stdout } = await run('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', commonBinary(), 'doctor', '--json', '--data-dir', data_dir]).catch((error) => error);
    const { status, seen, todo } = JSON.parse(stdout).checks.find((x) => x.check === 'data directory');
    assert.equal(status, 'failed');
    assert.match(seen, /belongs to user 12345, and this is user 65534/);
    assert.match(todo, /^Run as user 12345 \(runAsUser in Kubernetes\)/);
    assert.doesNotMatch(todo, /chown/);
  });

  test('a data directory that is a file', async () => {
    const data_dir = path.join(temporaryDirectory(), 'file');
    writeFileSync(data_dir, '');
    const report = await examine({ data_dir });
    assert.deepEqual(report.names.slice(0, 1), ['data directory: failed']);
  });

  test('a full disk', { skip: root ? false : 'mounting a small file system needs root' }, async () => {
    const data_dir = temporaryDirectory();
    const [settings, billing] = [{ upstream: await container() }, await endpoint(cloud)];
    const args = ['doctor', '--json', '--known-roots', cloud.root, '--ca-file', own.root, ...billing.args, '--data-dir', data_dir, '--upstream', settings.upstream,
      '--listen', `127.0.0.1:${await freePort()}`, '--tls-certificate', own.cert, '--tls-key', own.key, '--workers', '1', '--max-connections', '16'];
    const report = await unshared('-m', `mount -t tmpfs -o size=1m,mode=0700 tmpfs ${data_dir} || exit 9`, args);
    const blamed = report.checks.filter((c) => ['warning', 'failed'].includes(c.status) && c.check !== 'cpu');
    assert.deepEqual(blamed.map((c) => `${c.check}: ${c.status}`), ['disk: failed']);
    assert.match(blamed[0].seen, /MiB free/);
  });

  test('a limit of open files below what the settings may need', async () => {
    const report = await examine({ settings: { max_connections: 1000000, workers: 64 } });
    assertBlames(report, 'open files: warning', /are allowed/);
    assert.equal(report.code, 1);
  });

  test('a port that something else uses', async () => {
    const port = await listen(net.createServer((socket) => socket.end('220 mail\r\n')));
    assertBlames(await examine({ settings: { listen: `127.0.0.1:${port}` } }), 'listen: failed', /does not speak TLS/);
  });

  test('a gateway that asks its clients for a certificate, and one that serves another than it is set to', async () => {
    const serve = (certificate) => listen(tls.createServer({ cert: read(certificate.cert), key: read(certificate.key), requestCert: true, rejectUnauthorized: true, maxVersion: 'TLSv1.2' }));
    const same = await examine({ settings: { listen: `127.0.0.1:${await serve(own)}` } });
    assert.deepEqual(same.names, [], JSON.stringify(same.blamed));
    assertBlames(await examine({ settings: { listen: `127.0.0.1:${await serve(other)}` } }), 'listen: warning', /certificate other than/);
  });

  test('an address that is not this machine\'s', async () => {
    assertBlames(await examine({ settings: { listen: '192.0.2.1:8443' } }), 'listen: failed', /192\.0\.2\.1:8443/);
  });

  for (const [what, file, damage, pattern] of [
    ['damaged keys', 'keys.db', (at) => truncateSync(at, 8192), /keys\.db.*(malformed|damaged)/],
    ['damaged usage', 'usage.db', (at) => truncateSync(at, 8192), /usage\.db.*(malformed|damaged)/],
    ['keys of a newer version', 'keys.db', (at) => patch(at, 60, [0, 0, 0, 99]), /newer version/],
    ['a foreign file as keys', 'keys.db', (at) => patch(at, 68, [1, 2, 3, 4]), /something else/],
    ['rubbish as usage', 'usage.db', (at) => writeFileSync(at, 'not a database at all, but some text'.repeat(500)), /not a database/],
  ]) {
    test(what, async () => {
      const upstream = await container();
      const postern = await Postern.start({ upstream });
      await postern.createKey();
      await postern.stop();
      damage(path.join(postern.settings.data_dir, file));
      assertBlames(await examine({ data_dir: postern.settings.data_dir, upstream }), `${file}: failed`, pattern);
    });
  }
});

function patch(file, offset, bytes) {
  const fd = openSync(file, 'r+');
  writeSync(fd, Buffer.from(bytes), 0, bytes.length, offset);
  closeSync(fd);
}

/** Not the sync form: the servers are in this process. */
const run = (command, args) => promisify(execFile)(command, args, { env: { PATH: process.env.PATH, ASAN_OPTIONS: 'exitcode=99', UBSAN_OPTIONS: 'halt_on_error=1:exitcode=98' } });

/** Runs the doctor in namespaces of its own, after `prepare` (shell). */
async function unshared(flags, prepare, args) {
  const quoted = [BIN, ...args].map((word) => `'${word}'`).join(' ');
  const { stdout } = await run('timeout', ['30', 'unshare', flags, 'sh', '-c', `${prepare}; ${quoted}; test $? -lt 3`]);
  return JSON.parse(stdout);
}

describe('the container', () => {
  test('down', async () => {
    assertBlames(await examine({ upstream: `http://127.0.0.1:${await freePort()}` }), 'container: failed', /connection refused/);
  });

  test('accepts and says nothing', async () => {
    const port = await listen(net.createServer(() => {}));
    assertBlames(await examine({ upstream: `http://127.0.0.1:${port}` }), 'container: failed', /in time/);
  });

  test('not HTTP', async () => {
    const port = await listen(net.createServer((socket) => socket.end('SSH-2.0-x\r\n\r\n')));
    assertBlames(await examine({ upstream: `http://127.0.0.1:${port}` }), 'container: failed', /not HTTP/);
  });

  test('loading', async () => {
    const report = await examine({ upstream: await container({ ready: 503 }) });
    assertBlames(report, 'container ready: warning', /503: it is still loading/);
    assert.equal(report.code, 1);
  });

  for (const [apiStatus, status] of [['Invalid', 'failed'], ['Mismatch', 'failed'], ['CouldNotConnect', 'failed'], ['OutOfQuota', 'failed'],
    ['BillingEndpointBusy', 'warning'], ['ContainerUseUnauthorized', 'failed'], ['Unknown', 'warning'], ['SomethingNew', 'warning']]) {
    test(`apiStatus ${apiStatus}`, async () => {
      assertBlames(await examine({ upstream: await container({ apiStatus }) }), `container billing: ${status}`, new RegExp(apiStatus));
    });
  }

  const outside = Object.values(os.networkInterfaces()).flat().some((at) => !at.internal && at.family === 'IPv4');
  test('open to the network', { skip: outside ? false : 'this machine has loopback only' }, async () => {
    assertBlames(await examine({ upstream: await container({ host: '0.0.0.0' }) }), 'container port: warning', /GET \/status: 200.*without a key/);
  });
});

describe('outbound traffic', () => {
  test('a name that does not exist', async () => {
    assertBlames(await examine({ billing: { args: ['--billing', 'https://nowhere.invalid/'] } }), 'outbound: name: failed', /nowhere\.invalid/);
  });

  test('a name server that does not answer', { skip: root ? false : 'namespaces need root' }, async () => {
    const file = path.join(temporaryDirectory(), 'resolv.conf');
    writeFileSync(file, 'nameserver 127.0.0.1\n');
    const bound = path.join(temporaryDirectory(), 'bound');
    const silent = `import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 53)); open("${bound}", "w"); time.sleep(40)`;
    const report = await unshared('-nm', `ip link set lo up && ip addr add 10.9.9.1/32 dev lo && mount --bind ${file} /etc/resolv.conf || exit 9
      timeout 40 python3 -c '${silent}' >/dev/null 2>&1 &
      for i in $(seq 200); do [ -e ${bound} ] && break; sleep 0.1; done`, ['doctor', '--json', '--data-dir', temporaryDirectory(), '--billing', `https://${HOST}/`]);
    const blamed = report.checks.filter((c) => c.status === 'failed' && c.check.startsWith('outbound'));
    assert.deepEqual(blamed.map((c) => c.check), ['outbound: name']);
    assert.match(blamed[0].seen, /name server did not answer in time/);
  });

  test('a URL that is none', async () => {
    assertBlames(await examine({ billing: { args: ['--billing', 'westus'] } }), 'outbound: name: failed', /must begin with https/);
  });

  test('a port nobody answers on', async () => {
    const port = await freePort();
    assertBlames(await examine({ billing: { args: ['--billing', `https://${HOST}:${port}/`, '--resolve', `${HOST}:${port}:127.0.0.1`] } }),
      'outbound: connect: failed', /connection refused/);
  });

  test('a firewall that drops packets', async () => {
    // A listener whose queue is full answers as one does: not at all.
    const full = `import socket, sys
listener = socket.socket(); listener.bind(('127.0.0.1', 0)); listener.listen(0)
waiting = [socket.socket() for _ in range(3)]
for s in waiting: s.setblocking(False); s.connect_ex(listener.getsockname())
print(listener.getsockname()[1], flush=True); sys.stdin.read()`;
    const child = spawn('python3', ['-c', full], { stdio: ['pipe', 'pipe', 'inherit'] });
    const port = Number(await new Promise((resolve) => child.stdout.once('data', resolve)));
    try {
      assertBlames(await examine({ billing: { args: ['--billing', `https://${HOST}:${port}/`, '--resolve', `${HOST}:${port}:127.0.0.1`] } }),
        'outbound: connect: failed', /127\.0\.0\.1:\d+: no response/);
    } finally {
      child.stdin.end();
    }
  });

  test('the wrong host answers', async () => {
    assertBlames(await examine({ billing: await endpoint(other), knownRoots: other.root }), 'outbound: TLS: failed', /is not for westus/);
  });

  test('something that is not TLS answers', async () => {
    const server = net.createServer((socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    assertBlames(await examine({ billing: await endpoint(cloud, { server }) }), 'outbound: TLS: failed', /./);
  });

  test('cut during the handshake', async () => {
    const server = net.createServer((socket) => socket.on('data', () => socket.destroy()));
    assertBlames(await examine({ billing: await endpoint(cloud, { server }) }), 'outbound: TLS: failed', /cut during the TLS handshake/);
  });

  test('a middlebox with a private CA', async () => {
    const report = await examine({ billing: await endpoint(privateCa) });
    assertBlames(report, 'outbound: chain: failed', /deep packet inspection.*Test intermediate/);
    assert.match(report.of('clock')[0].seen, /no server was reached/); // nothing was asked of it
  });

  test('a middlebox whose CA this machine trusts', async () => {
    const both = path.join(temporaryDirectory(), 'both.pem');
    writeFileSync(both, read(own.root) + read(privateCa.root));
    assertBlames(await examine({ billing: await endpoint(privateCa), caFile: both }), 'outbound: chain: failed', /trusted here, but none that Azure uses/);
  });

  test('a middlebox with a self-signed certificate', async () => {
    assertBlames(await examine({ billing: await endpoint(selfSigned([HOST])) }), 'outbound: chain: failed', /deep packet inspection/);
  });

  test('a proxy that opens TLS', async () => {
    const proxy = await connectProxy({ intercept: privateCa });
    assertBlames(await examine({ args: ['--proxy', proxy.url] }), 'outbound: chain: failed', /through the proxy.*deep packet inspection/);
  });

  test('two connections that see two keys', async () => {
    let n = 0;
    const second = chained([HOST], { directory: temporaryDirectory() });
    const contexts = [cloud, second].map((c) => tls.createSecureContext({ cert: read(c.cert), key: read(c.key) }));
    const server = https.createServer({ SNICallback: (_, done) => done(null, contexts[n++ % 2]) }, (_, response) => response.end());
    const known = path.join(temporaryDirectory(), 'known.pem');
    writeFileSync(known, read(cloud.root) + read(second.root));
    assertBlames(await examine({ billing: await endpoint(cloud, { server }), knownRoots: known }), 'outbound: chain: warning', /two different keys/);
    // The second one under a private CA is no renewal.
    n = 0;
    assertBlames(await examine({ billing: await endpoint(cloud, { server: https.createServer({ SNICallback: (_, done) => done(null, contexts[n++ % 2]) }) }) }),
      'outbound: chain: failed', /deep packet inspection/);
  });

  test('a proxy that refuses, one that wants credentials, one that is not there', async () => {
    const refusing = await connectProxy({ status: 403 });
    assertBlames(await examine({ args: ['--proxy', refusing.url] }), 'outbound: connect: failed', /with 403: it does not allow this host/);
    const asking = await connectProxy({ credentials: 'me:secret' });
    assertBlames(await examine({ args: ['--proxy', asking.url] }), 'outbound: connect: failed', /with 407: it wants credentials/);
    assertBlames(await examine({ args: ['--proxy', `http://127.0.0.1:${await freePort()}`] }), 'outbound: connect: failed', /connection refused/);
    assertBlames(await examine({ args: ['--proxy', 'socks5://127.0.0.1:1'] }), 'outbound: connect: failed', /the proxy cannot be used/);
  });

  test('a clock that is an hour off', async () => {
    const late = await endpoint(cloud, { date: new Date(Date.now() + 3600e3).toUTCString() });
    assertBlames(await examine({ billing: late }), 'clock: failed', /behind the billing endpoint's time/);
  });

  test('an endpoint that hangs does not hold the doctor', async () => {
    const began = Date.now();
    const report = await examine({ billing: await endpoint(cloud, { server: net.createServer(() => {}) }) });
    assertBlames(report, 'outbound: TLS: failed', /did not end in time/);
    assert.ok(Date.now() - began < 25000); // 15 s, on a machine that others use too
  });

  test('the environment names endpoint and proxy', async () => {
    const proxy = await connectProxy({});
    const billing = await endpoint(cloud);
    const { stdout } = await run('sh', ['-c', '"$0" "$@"; test $? -lt 3', 'env', `Billing=${billing.args[1]}`, `HTTP_PROXY=${proxy.url}`, BIN, 'doctor', '--json', '--known-roots', cloud.root, '--resolve', billing.args[3],
      '--data-dir', temporaryDirectory(), '--upstream', await container()]);
    const report = JSON.parse(stdout);
    assert.equal(proxy.seen.length, 2);
    assert.ok(report.checks.some((c) => c.check === 'outbound: chain' && c.status === 'ok'));
  });
});

describe('output', () => {
  test('the table says what to do, in 80 columns, without control characters', async () => {
    const result = await cli(['doctor', '--data-dir', temporaryDirectory(), '--upstream', `http://127.0.0.1:${await freePort()}`, '--billing', 'https://nowhere.invalid/']);
    assert.equal(result.code, 2);
    assert.match(result.stdout, /^FAILED {3}container {9}/m);
    assert.match(result.stdout, /^ {27}-> Check that the container runs/m);
    assert.match(result.stdout, /\n\d+ failed, \d+ warnings?, \d+ ok, \d+ skipped\.\n$/);
    for (const line of result.stdout.split('\n')) assert.ok(line.length <= 80 || !line.slice(27).includes(' '), line);
    assert.doesNotMatch(result.stdout, /[\x00-\x09\x0b-\x1f\x7f]/);
  });

  test('wrong usage', async () => {
    for (const args of [['--resolve', 'x'], ['--billling', 'x'], ['word'], ['--billing', 'a,'.repeat(20)]]) {
      const result = await cli(['doctor', ...args]);
      assert.equal(result.code, 2);
      assert.match(result.stderr, /^postern doctor: /);
      assert.equal(result.stdout, '');
    }
  });
});
