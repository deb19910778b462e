// SPDX-License-Identifier: Apache-2.0
// WebSocket streams through the gateway: bytes, back-pressure, ends, limits, what must not get through.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';

import WebSocket, { WebSocketServer } from 'ws';

import { valuesOf } from './lib/bytes.mjs';
import { RawClient } from './lib/client.mjs';
import { Postern, SANITIZED, sumRequests } from './lib/postern.mjs';
import { eventually, openDescriptors, residentBytes, settled, sleep, within } from './lib/util.mjs';

const MiB = 1 << 20;
const limit = { timeout: 200000 };
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = createHash('sha1').update(KEY + GUID).digest('base64');
const HANDSHAKE = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`;
const WRONG_KEY = /^Access denied due to invalid subscription key or wrong API endpoint\.$/;

let container; // a WebSocket server that echoes, and more by path
let rogue; // a TCP server whose answers a test chooses
let postern;
let key;
const opened = []; // requests of the container's streams

function behave(ws, request) {
  opened.push({ ws, request });
  const url = new URL(request.url, 'http://container');
  ws.on('error', () => {});
  if (url.pathname.endsWith('/flood')) {
    const piece = Buffer.alloc(MiB, 7);
    let sent = 0;
    ws.flood = () => sent;
    const next = () => {
      if (sent < 64 && ws.readyState === WebSocket.OPEN) ws.send(piece, () => ((sent += 1), next()));
    };
    next();
  } else if (url.pathname.endsWith('/lazy')) {
    request.socket.pause();
    ws.resume_ = () => request.socket.resume();
    let bytes = 0;
    ws.on('message', (data) => ((bytes += data.length), data.length < 10 && ws.send(String(bytes))));
  } else if (url.pathname.endsWith('/close')) {
    ws.on('message', (data) => ws.close(Number(data), 'as you asked'));
  } else if (url.pathname.endsWith('/half-frame')) {
    ws._socket.write(Buffer.from([0x82, 0x7e, 0x10, 0x00, 1, 2, 3])); // 4096 bytes promised, three sent
  } else {
    ws.on('message', (data, binary) => ws.send(data, { binary }));
  }
}

async function startContainer(port = 0) {
  const server = http.createServer((request, response) => {
    response.end(JSON.stringify({ headers: request.headers, url: request.url }));
  });
  const sockets = new WebSocketServer({ server, maxPayload: 64 * MiB, perMessageDeflate: true });
  sockets.on('connection', behave);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    async stop() {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function startRogue() {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    server.seen = Buffer.alloc(0);
    socket.on('data', (data) => {
      const first = server.seen.length === 0;
      server.seen = Buffer.concat([server.seen, data]);
      if (first) server.answer(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function connect(gateway, path = '/echo', { use = key.key1, headers = {}, ...options } = {}) {
  return new WebSocket(`wss://127.0.0.1:${gateway.port}${path}`, {
    rejectUnauthorized: false,
    perMessageDeflate: false,
    maxPayload: 64 * MiB,
    headers: { ...(use ? { 'Ocp-Apim-Subscription-Key': use } : {}), ...headers },
    ...options,
  });
}
async function open(...args) {
  const ws = connect(...args);
  await within(30000, 'a WebSocket to open', once(ws, 'open'));
  return ws;
}
const ending = async (ws, ms = 10000) => {
  ws.on('error', () => {});
  const [code, reason] = await within(ms, 'the end of a WebSocket', once(ws, 'close'));
  return { code, reason: reason.toString() };
};
const echo = async (ws, data) => {
  ws.send(data);
  const [back, binary] = await within(60000, 'an echo', once(ws, 'message'));
  return binary ? back : back.toString();
};
async function status(ws) {
  const [, response] = await within(10000, 'an HTTP answer', once(ws, 'unexpected-response'));
  response.resume();
  ws.on('error', () => {});
  return response.statusCode;
}

const start = (settings = {}, options) =>
  Postern.start({ upstream: `http://127.0.0.1:${container.port}`, ...settings }, options);

before(async () => {
  container = await startContainer();
  rogue = await startRogue();
  postern = await start();
  key = await postern.createKey('streams');
}, limit);
after(async () => {
  await postern?.stop();
  await container?.stop();
  rogue?.close();
}, limit);

describe('bytes', limit, () => {
  test('text, binary, fragments, pings', async () => {
    const ws = await open(postern);
    assert.equal(await echo(ws, 'grüß Gott'), 'grüß Gott');
    const bytes = randomBytes(70000);
    assert.deepEqual(await echo(ws, bytes), bytes);
    ws.send('one ', { fin: false });
    ws.send('two', { fin: true });
    assert.equal(String((await within(5000, 'fragments', once(ws, 'message')))[0]), 'one two');
    ws.ping('are you there');
    assert.equal(String((await within(5000, 'a pong', once(ws, 'pong')))[0]), 'are you there');
    ws.close(1000, 'done');
    assert.equal((await ending(ws)).code, 1000);
  });

  test('messages of 16 MiB, both ways', async () => {
    const ws = await open(postern);
    const bytes = randomBytes(16 * MiB);
    assert.ok(bytes.equals(await echo(ws, bytes)));
    ws.terminate();
  });

  test('permessage-deflate and subprotocols are the two ends\' business', async () => {
    const ws = connect(postern, '/echo', { perMessageDeflate: true });
    await once(ws, 'open');
    assert.match(ws.extensions, /permessage-deflate/);
    assert.equal(await echo(ws, 'x'.repeat(5000)), 'x'.repeat(5000));
    ws.terminate();
  });

  test('the container\'s close code goes through', async () => {
    const ws = await open(postern, '/close');
    ws.send('4321');
    assert.deepEqual(await ending(ws), { code: 4321, reason: 'as you asked' });
  });

  test('the head: key removed, id of the key and address added', async () => {
    const ws = await open(postern, '/echo?X-ConnectionId=abc', { headers: { 'X-ConnectionId': 'abc' } });
    const { headers, url } = opened.at(-1).request;
    assert.equal(url, '/echo?X-ConnectionId=abc');
    assert.equal(headers['ocp-apim-subscription-key'], undefined);
    assert.equal(headers['x-postern-key-id'], key.id);
    assert.equal(headers['x-connectionid'], 'abc');
    ws.terminate();
  });
});

describe('back-pressure', limit, () => {
  test('a client that does not read stops the container', async () => {
    const ws = connect(postern, '/flood');
    await once(ws, 'open');
    ws._socket.pause();
    const far = opened.at(-1).ws;
    await eventually(10000, 'the flood to begin', () => far.flood() > 0);
    const stuck = await settled(30000, 'the flood', () => far.flood());
    const before = residentBytes(postern.pid);
    assert.ok(stuck < 64, `the container could send ${stuck} MiB into nothing`);
    await sleep(300); // time itself: memory must not grow meanwhile
    assert.ok(residentBytes(postern.pid) - before < 4 * MiB);
    let got = 0;
    ws.on('message', (data) => (got += data.length));
    ws._socket.resume();
    await eventually(60000, 'the whole flood', () => got === 64 * MiB);
    ws.terminate();
  });

  test('a container that does not read stops the client', async () => {
    const ws = await open(postern, '/lazy');
    const piece = Buffer.alloc(MiB, 3);
    for (let i = 0; i < 48; i++) ws.send(piece);
    await settled(20000, 'what is sent', () => ws.bufferedAmount);
    assert.ok(ws.bufferedAmount > 8 * MiB, `only ${ws.bufferedAmount} bytes were held back`);
    opened.at(-1).ws.resume_();
    assert.equal(await echo(ws, 'sum'), String(48 * MiB + 3));
    ws.terminate();
  });
});

test('1,000 at once', limit, async () => {
  const n = SANITIZED ? 150 : 1000;
  const descriptors = openDescriptors(postern.pid);
  const resident = residentBytes(postern.pid);
  const all = [];
  for (let i = 0; i < n; i += 50) all.push(...(await Promise.all(Array.from({ length: Math.min(50, n - i) }, () => open(postern)))));
  const answers = await Promise.all(all.map((ws, i) => echo(ws, `stream ${i}`)));
  answers.forEach((answer, i) => assert.equal(answer, `stream ${i}`));
  const each = (residentBytes(postern.pid) - resident) / n;
  console.log(`# memory per stream: ${(each / 1024).toFixed(1)} KiB`);
  if (!SANITIZED) assert.ok(each < 96 * 1024, `${each} bytes per stream`);
  for (const ws of all) ws.terminate();
  await eventually(20000, 'their descriptors to be closed', () => openDescriptors(postern.pid) <= descriptors + 4);
});

describe('what must not get through', limit, () => {
  let gateway;
  let secret;
  before(async () => {
    gateway = await start({ upstream: `http://127.0.0.1:${rogue.address().port}` });
    secret = (await gateway.createKey()).key1;
  });
  after(() => gateway?.stop());
  const upgrade = async (answer, { headers = HANDSHAKE, behind = '', version = '1.1' } = {}) => {
    rogue.seen = Buffer.alloc(0);
    rogue.answer = answer;
    const client = await RawClient.connect(gateway.port);
    await client.write(`GET /x HTTP/${version}\r\nHost: localhost\r\nOcp-Apim-Subscription-Key: ${secret}\r\n${headers}\r\n${behind}`);
    return client;
  };
  const say = (text) => (socket) => socket.write(text, 'latin1');
  const agree = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n`;

  const bad = {
    'a wrong Sec-WebSocket-Accept': agree.replace(ACCEPT, ACCEPT.toLowerCase()),
    'no Sec-WebSocket-Accept': agree.replace(/Sec-.*\r\n/, ''),
    'two of them': `${agree}Sec-WebSocket-Accept: ${ACCEPT}\r\n`,
    'another protocol': agree.replace('websocket', 'h2c'),
    'no Connection: Upgrade': agree.replace('Connection: Upgrade\r\n', ''),
  };
  for (const [what, head] of Object.entries(bad)) {
    test(`a 101 with ${what}: 502`, async () => {
      const client = await upgrade(say(`${head}\r\n`));
      assert.equal((await client.response()).status, 502);
      client.destroy();
    });
  }

  test('a 101 that nobody asked for: 502', async () => {
    const client = await upgrade(say(`${agree}\r\n`), { headers: '' });
    assert.equal((await client.response()).status, 502);
    assert.doesNotMatch(rogue.seen.toString(), /upgrade/i);
    client.destroy();
  });

  test('upgrades to other protocols go on as ordinary requests', async () => {
    const client = await upgrade(say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), {
      headers: 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n',
    });
    assert.equal((await client.response()).text, 'ok');
    assert.doesNotMatch(rogue.seen.toString(), /upgrade|settings/i);
    client.destroy();
  });

  const malformed = {
    'no key': HANDSHAKE.replace(/Sec-WebSocket-Key.*\r\n/, ''),
    'a short key': HANDSHAKE.replace(KEY, 'c2hvcnQ='),
    'two keys': `${HANDSHAKE}Sec-WebSocket-Key: ${KEY}\r\n`,
    'a body': `${HANDSHAKE}Content-Length: 3\r\n`,
  };
  for (const [what, headers] of Object.entries(malformed)) {
    test(`a handshake with ${what}: 400`, async () => {
      const client = await upgrade(() => assert.fail('it reached the container'), { headers, behind: what === 'a body' ? 'abc' : '' });
      const answer = await client.response();
      assert.equal(answer.status, 400);
      assert.match(answer.text, /InvalidWebSocketHandshake/);
      assert.equal(rogue.seen.length, 0);
      client.destroy();
    });
  }

  for (const version of ['12', '8', '13, 8', '']) {
    test(`version "${version}": 426, which names the right one`, async () => {
      const client = await upgrade(say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), { headers: HANDSHAKE.replace('Version: 13', `Version: ${version}`) });
      const answer = await client.response();
      assert.equal(answer.status, 426);
      assert.deepEqual(valuesOf(answer.fields, 'sec-websocket-version'), ['13']);
      assert.deepEqual(valuesOf(answer.fields, 'upgrade'), ['websocket']);
      assert.match(valuesOf(answer.fields, 'connection').join(), /upgrade/i);
      assert.match(answer.text, /InvalidWebSocketHandshake.*Use version 13/);
      assert.equal(rogue.seen.length, 0);
      await client.write(`GET /x HTTP/1.1\r\nHost: h\r\nOcp-Apim-Subscription-Key: ${secret}\r\n\r\n`);
      assert.equal((await client.response()).text, 'ok'); // the connection can go on
      client.destroy();
    });
  }

  test('an upgrade in HTTP/1.0 is ignored', async () => {
    const client = await upgrade(say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), { version: '1.0' });
    assert.equal((await client.response()).text, 'ok');
    assert.doesNotMatch(rogue.seen.toString(), /upgrade|sec-websocket-accept/i);
    client.destroy();
  });

  test('bytes sent before the 101: 400, and the container sees nothing', async () => {
    const client = await upgrade(() => {}, { behind: 'GET /admin HTTP/1.1\r\nHost: x\r\n\r\n' });
    assert.equal((await client.response()).status, 400);
    assert.equal(rogue.seen.length, 0);
    client.destroy();
  });

  test('bytes right behind the container\'s 101 belong to the stream', async () => {
    const client = await upgrade(say(`${agree}X-Note: hi\r\n\r\n\x81\x05hello`));
    const answer = await within(5000, 'the 101', client.response());
    assert.equal(answer.status, 101);
    assert.equal((await client.reader.exactly(7, 5000)).toString('latin1'), '\x81\x05hello');
    client.destroy();
  });

  test('an answer other than 101 is an ordinary answer', async () => {
    const client = await upgrade(say('HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope'));
    const answer = await client.response();
    assert.equal(answer.status, 403);
    assert.equal(answer.text, 'nope');
    client.destroy();
  });
});

describe('ends', limit, () => {
  test('a half-closed client still gets what the container says', async () => {
    const ws = await open(postern, '/echo');
    ws.send('last words');
    ws._socket.end();
    assert.equal(String((await within(10000, 'the echo', once(ws, 'message')))[0]), 'last words');
    ws.terminate();
  });

  test('a client that leaves: the container\'s side ends, and is noted', async () => {
    const ws = await open(postern, '/echo?left');
    const far = opened.at(-1).ws;
    ws.terminate();
    await within(5000, 'the container to be told', once(far, 'close'));
  });

  test('the container restarts: streams break, new ones work', async () => {
    const own = await startContainer();
    const gateway = await start({ upstream: `http://127.0.0.1:${own.port}` });
    const secret = (await gateway.createKey()).key1;
    const ws = await open(gateway, '/echo', { use: secret });
    const end = ending(ws);
    await own.stop();
    assert.equal((await end).code, 1006);
    const again = await startContainer(own.port);
    const next = await open(gateway, '/echo', { use: secret });
    assert.equal(await echo(next, 'again'), 'again');
    next.terminate();
    await gateway.stop();
    await again.stop();
  });

  test('SIGTERM: 1001, and the gateway ends', async () => {
    const gateway = await start();
    const secret = (await gateway.createKey()).key1;
    const all = await Promise.all(Array.from({ length: 5 }, () => open(gateway, '/echo', { use: secret })));
    const cut = connect(gateway, '/half-frame', { use: secret });
    let halves = 0;
    cut.once('upgrade', ({ socket }) => socket.on('data', (data) => (halves += data.length)));
    await within(30000, 'a WebSocket to open', once(cut, 'open'));
    await eventually(5000, 'half a frame', () => halves >= 7);
    const ends = all.map((ws) => ending(ws));
    const half = ending(cut);
    await gateway.stop();
    for (const end of await Promise.all(ends)) assert.equal(end.code, 1001);
    assert.equal((await half).code, 1006); // in the middle of a frame nothing can be said
  });
});

test('SIGTERM while the container has not answered the handshake: 1001 behind its 101', limit, async () => {
  const gateway = await start({ upstream: `http://127.0.0.1:${rogue.address().port}` });
  const secret = (await gateway.createKey()).key1;
  rogue.seen = Buffer.alloc(0);
  const asked = new Promise((resolve) => (rogue.answer = resolve));
  const client = await RawClient.connect(gateway.port);
  await client.write(`GET /x HTTP/1.1\r\nHost: localhost\r\nOcp-Apim-Subscription-Key: ${secret}\r\n${HANDSHAKE}\r\n`);
  const socket = await within(5000, 'the handshake to reach the container', asked);
  const stopped = gateway.stop(); // fails when the gateway waits for the stream until drain_timeout
  await eventually(5000, 'the stop to begin', () => gateway.stderr.includes('stopping'));
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`);
  assert.equal((await within(5000, 'the 101', client.response())).status, 101);
  const frame = await client.reader.exactly(4, 5000);
  assert.equal(frame[0], 0x88);
  assert.equal(frame.readUInt16BE(2), 1001);
  client.destroy();
  await stopped;
});

describe('credentials', limit, () => {
  test('no key, wrong key: 401 where a client can see it, 4000 on Speech paths', async () => {
    assert.equal(await status(connect(postern, '/echo', { use: null })), 401);
    assert.equal(await status(connect(postern, '/echo', { use: 'wrong' })), 401);
    const before = opened.length;
    const refused = connect(postern, '/speech/recognition/conversation/cognitiveservices/v1', { use: 'wrong' });
    const end = await ending(refused);
    assert.equal(end.code, 4000);
    assert.match(end.reason, WRONG_KEY);
    const missing = await ending(connect(postern, '/stt/speech/universal/v2', { use: null }));
    assert.equal(missing.code, 4000);
    assert.match(missing.reason, /missing subscription key/);
    assert.equal(opened.length, before, 'a refused upgrade reached the container');
    const line = await postern.logged((entry) => entry.path.startsWith('/speech/recognition'));
    assert.equal(line.status, 401);
    assert.equal(line.end, 'refused');
  });

  test('how it is refused is a setting, and a route’s', async () => {
    const gateway = await start({ websocket_refusal: 'close', routes: '/speech websocket_refusal=http, /auto websocket_refusal=auto' });
    const refused = (path) => connect(gateway, path, { use: 'wrong' });
    assert.equal((await ending(refused('/echo'))).code, 4000);
    assert.equal(await status(refused('/speech/x')), 401);
    assert.equal(await status(refused('/auto')), 401);
    await gateway.stop();
  });

  test('many refused at once: each is told, none is held', async () => {
    const gateway = await start();
    const all = Array.from({ length: SANITIZED ? 100 : 200 }, () => ending(connect(gateway, '/speech/x', { use: 'wrong' }), 30000));
    for (const { code } of await Promise.all(all)) assert.equal(code, 4000);
    await eventually(10000, 'all of them in the log', () => gateway.log.filter((entry) => entry.status === 401).length === all.length);
    await gateway.stop();
  });

  test('a disabled key ends its streams within a second: 4000', async () => {
    const mine = await postern.createKey('soon gone');
    const ws = await open(postern, '/echo', { use: mine.key1 });
    const other = await open(postern);
    const end = ending(ws);
    const done = await postern.cli(['key', 'disable', mine.id]);
    assert.equal(done.code, 0, done.stderr);
    const from = Date.now();
    const { code, reason } = await end;
    console.log(`# ended ${Date.now() - from} ms after the command`);
    assert.equal(code, 4000);
    assert.match(reason, /^Access denied due to invalid subscription key: it has been disabled/);
    assert.equal(await echo(other, 'still here'), 'still here');
    other.terminate();
  });

  const ways = {
    'a deleted key': (mine) => postern.cli(['key', 'delete', mine.id, '--yes']),
    'a key whose scopes no longer hold the path': (mine) => postern.cli(['key', 'update', mine.id, '--scope', '/elsewhere']),
    'a key whose networks no longer hold the client': (mine) => postern.cli(['key', 'update', mine.id, '--network', '192.0.2.1']),
    'a secret rotated away': (mine) => postern.cli(['key', 'rotate', mine.id, '--secret', 'key1', '--grace', '0']),
  };
  for (const [what, act] of Object.entries(ways)) {
    test(`${what} ends its streams: 4000`, async () => {
      const mine = await postern.createKey(what);
      const [first, second] = [await open(postern, '/echo', { use: mine.key1 }), await open(postern, '/echo', { use: mine.key2 })];
      const end = ending(first);
      const done = await act(mine);
      assert.equal(done.code, 0, done.stderr);
      assert.equal((await end).code, 4000);
      if (what.startsWith('a secret')) assert.equal(await echo(second, 'the other secret'), 'the other secret');
      second.terminate();
    });
  }

  test('a key that expires ends its streams: 4000', async () => {
    const expires = new Date(Date.now() + 7000).toISOString().replace(/\.\d+/, '');
    const mine = await postern.createKey('short-lived', ['--expires', expires]);
    const ws = await open(postern, '/echo', { use: mine.key1 });
    assert.equal((await ending(ws)).code, 4000);
    assert.ok(Date.now() >= Date.parse(expires), 'it ended before its key did');
  });
});

describe('limits', limit, () => {
  test('refused upgrades take no place of those that are let in', async () => {
    const gateway = await start({ max_websockets: 2 });
    const secret = (await gateway.createKey()).key1;
    // Open, until they are told why: that they are refused.
    const refused = Array.from({ length: 4 }, () => connect(gateway, '/speech/x', { use: 'wrong' }));
    const ends = refused.map((ws) => ending(ws));
    await Promise.all(refused.map((ws) => within(10000, 'a refusal to be accepted', once(ws, 'open'))));
    const good = await Promise.all([open(gateway, '/echo', { use: secret }), open(gateway, '/echo', { use: secret })]);
    for (const { code } of await Promise.all(ends)) assert.equal(code, 4000);
    // Who may not come in is not told that there is no room.
    assert.equal(await status(connect(gateway, '/echo', { use: 'wrong' })), 401);
    assert.equal(await status(connect(gateway, '/echo', { use: secret })), 503);
    for (const ws of good) ws.terminate();
    await gateway.stop();
  });

  test('idle, longest duration, number', async () => {
    const gateway = await start({ websocket_idle_timeout: '1s', websocket_max_duration: '3s', max_websockets: 2 });
    const secret = (await gateway.createKey()).key1;
    const idle = await open(gateway, '/echo', { use: secret });
    const busy = await open(gateway, '/echo', { use: secret });
    const talk = setInterval(() => busy.send('.'), 200);
    const ends = [ending(idle), ending(busy)];
    assert.equal(await status(connect(gateway, '/echo', { use: secret })), 503);
    assert.match((await ends[0]).reason, /idle/);
    const third = await open(gateway, '/echo', { use: secret }); // a place is free again
    third.terminate();
    assert.match((await ends[1]).reason, /longest/);
    clearInterval(talk);
    await gateway.stop();
  });

  test('streams do not use up the connections of ordinary requests', async () => {
    const gateway = await start({ upstream_max_connections: 2 });
    const secret = (await gateway.createKey()).key1;
    const all = [];
    for (let i = 0; i < 6; i++) all.push(await open(gateway, '/echo', { use: secret }));
    const client = await RawClient.connect(gateway.port);
    assert.equal((await client.get('/plain', { key: secret })).status, 200);
    client.destroy();
    for (const ws of all) ws.terminate();
    await gateway.stop();
  });
});

test('usage: noted in the middle and at the end, one request', limit, async () => {
  const gateway = await start({ websocket_usage_interval: '500ms' });
  const mine = await gateway.createKey();
  const ws = await open(gateway, '/echo', { use: mine.key1 });
  const since = Date.now();
  await echo(ws, Buffer.alloc(1000));
  await eventually(10000, 'it to be noted twice', () => gateway.log.filter((entry) => entry.stream === 'goes_on').length >= 2);
  const open_ms = Date.now() - since;
  ws.close(1000);
  await ending(ws);
  await gateway.logged((entry) => entry.stream === 'ended');
  const lines = gateway.log.filter((entry) => entry.stream);
  assert.ok(lines.length >= 3);
  assert.ok(lines.slice(0, -1).every((entry) => entry.stream === 'goes_on'));
  assert.equal(new Set(lines.map((entry) => entry.request_id)).size, 1);
  const sum = (name) => lines.reduce((all, entry) => all + entry[name], 0);
  assert.equal(sum('bytes_in'), 1008 + 8); // a masked frame of 1000 bytes, and the close frame
  assert.equal(sum('bytes_out'), 1004 + 4);
  assert.ok(sum('duration_ms') > open_ms - 10, `${sum('duration_ms')} of ${open_ms} ms`);
  await gateway.stop();
  const { rows } = await gateway.usage(['--key', mine.id]).then((usage) => (Array.isArray(usage) ? { rows: usage } : usage));
  assert.equal(sumRequests(rows), 1);
});
