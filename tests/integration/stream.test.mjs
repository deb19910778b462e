// SPDX-License-Identifier: Apache-2.0
// Bodies of any size with constant memory, answers as they are made, and clients that leave.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ClosedError, readBody, readHead, valuesOf } from './lib/bytes.mjs';
import { RawClient, keyLine } from './lib/client.mjs';
import { Postern, SANITIZED } from './lib/postern.mjs';
import { Upstream, routes } from './lib/upstream.mjs';
import { atMost, deferred, eventually, residentBytes, settled, watchResident, within } from './lib/util.mjs';

const MiB = 1 << 20;
// Sanitizers slow the ciphers down twentyfold; 2 GiB is for the real thing.
const BIG = Number(process.env.POSTERN_TEST_BIG_BYTES ?? (SANITIZED ? 192 * MiB : 2048 * MiB));
const GROWTH = (SANITIZED ? 320 : 16) * MiB; // a sanitizer keeps freed memory in quarantine
const limit = { timeout: 240000 };
const BLOCK = 64 * 1024;

/** Numbered blocks: what is lost, doubled or moved shows. */
function* blocks(total) {
  for (let at = 0; at < total; at += BLOCK) {
    const block = Buffer.alloc(Math.min(BLOCK, total - at), at / BLOCK);
    block.writeDoubleLE(at, 0);
    yield block;
  }
}
class BlockChecker {
  constructor() {
    this.total = 0;
    this.head = Buffer.alloc(8);
  }
  take(piece) {
    let at = 0;
    while (at < piece.length) {
      const inBlock = this.total % BLOCK;
      const n = Math.min(piece.length - at, BLOCK - inBlock);
      if (inBlock < 8) {
        const part = Math.min(8 - inBlock, n);
        piece.copy(this.head, inBlock, at, at + part);
        if (inBlock + part === 8) assert.equal(this.head.readDoubleLE(0), this.total - inBlock, 'a block out of its place');
      }
      if (n > 16) assert.equal(piece[at + n - 1], Math.floor(this.total / BLOCK) & 0xff, 'a block with another\'s bytes');
      at += n;
      this.total += n;
    }
  }
}

let upstream;
let postern;
let key;
const events = { left: deferred(), pulled: 0, swallowed: 0, gate: deferred(), taken: deferred() };

const table = {
  '/small': (x) => x.answer(200, 'small'),
  '/upload': async (x) => {
    const checker = new BlockChecker();
    for await (const piece of x.pieces()) checker.take(piece);
    await x.json({ total: checker.total });
  },
  '/download': async (x) => {
    await x.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BIG}\r\n\r\n`);
    for (const block of blocks(BIG)) if (!(await x.write(block))) return;
  },
  '/download-chunked': async (x) => {
    const total = 64 * MiB;
    await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (const block of blocks(total)) if (!(await x.write(Buffer.concat([Buffer.from(`${block.length.toString(16)}\r\n`), block, Buffer.from('\r\n')])))) return;
    await x.write('0\r\n\r\n');
  },
  '/events': async (x) => {
    await x.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let i = 0; i < 8; i++) {
      const event = `data: ${i}\n\n`;
      events.taken = deferred();
      if (!(await x.write(`${event.length.toString(16)}\r\n${event}\r\n`))) return;
      await atMost(20000, Promise.race([events.taken.promise, x.gone]));
    }
    await x.write('0\r\n\r\n');
  },
  '/endless': async (x) => {
    events.left = deferred();
    const start = Date.now();
    x.gone.then(() => events.left.resolve(Date.now() - start));
    await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    while (!x.socket.destroyed && !x.connection.ended && (await x.write('1\r\n.\r\n'))) {
      if (await atMost(50, x.gone.then(() => true))) break; // 20 times a second, until the gateway leaves
    }
    x.end();
  },
  '/thinking': async (x) => {
    events.left = deferred();
    await atMost(20000, x.gone);
    events.left.resolve(true);
    x.end();
  },
  '/swallow': async (x) => {
    events.left = deferred();
    try {
      for await (const piece of x.pieces()) events.swallowed += piece.length; // until the gateway gives up
      events.left.resolve('whole');
    } catch (error) {
      events.left.resolve(error instanceof ClosedError ? 'cut' : error);
    }
    x.end();
  },
  '/stuck': async (x) => {
    x.socket.pause();
    await atMost(20000, events.gate.promise);
    x.socket.resume();
    await x.json({ length: (await x.body()).length });
  },
  '/firehose': async (x) => {
    events.pulled = 0;
    const block = Buffer.alloc(BLOCK);
    await x.write(`HTTP/1.1 200 OK\r\nContent-Length: ${512 * MiB}\r\n\r\n`);
    for (let i = 0; i < (512 * MiB) / BLOCK; i++) {
      if (!(await x.write(block))) return;
      events.pulled += BLOCK;
    }
  },
  '/both-ways': async (x) => {
    await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    for await (const piece of x.pieces()) await x.write(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]));
    await x.write('0\r\n\r\n');
  },
};

before(async () => {
  upstream = await Upstream.start(routes(table));
  postern = await Postern.start({ upstream: upstream.url, max_body_size: '3GiB' });
  key = await postern.createKey('stream');
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

async function upload(target, { chunked = false, total = BIG } = {}) {
  const client = await RawClient.connect(postern.port);
  const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${total}`;
  await client.write(`POST ${target} HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}${framing}\r\n\r\n`);
  for (const block of blocks(total)) {
    if (client.reader.closed) break;
    if (chunked) await client.write(Buffer.concat([Buffer.from(`${block.length.toString(16)}\r\n`), block, Buffer.from('\r\n')]));
    else await client.write(block);
  }
  if (chunked) await client.write('0\r\n\r\n');
  const answer = await client.response({ ms: 60000 });
  client.destroy();
  return answer;
}

async function download(target) {
  const client = await RawClient.connect(postern.port);
  await client.write(`GET ${target} HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}\r\n`);
  const head = await readHead(client.reader);
  assert.match(head.first, /200/);
  const length = valuesOf(head.fields, 'content-length')[0];
  const checker = new BlockChecker();
  for await (const piece of readBody(client.reader, length === undefined ? 'chunked' : Number(length), 60000)) checker.take(piece);
  client.destroy();
  return checker.total;
}

describe(`large bodies (${BIG / MiB} MiB)`, limit, () => {
  test('up, with constant memory', limit, async () => {
    await upload('/upload', { total: 8 * MiB }); // what is allocated once is there
    const base = residentBytes(postern.pid);
    const watch = watchResident(postern.pid);
    const answer = await upload('/upload');
    const growth = watch.stop() - base;
    assert.deepEqual(JSON.parse(answer.text), { total: BIG });
    assert.ok(growth < GROWTH, `grew by ${growth / MiB} MiB`);
  });
  test('down, with constant memory', limit, async () => {
    await download('/download-chunked');
    const base = residentBytes(postern.pid);
    const watch = watchResident(postern.pid);
    assert.equal(await download('/download'), BIG);
    const growth = watch.stop() - base;
    assert.ok(growth < GROWTH, `grew by ${growth / MiB} MiB`);
  });
  test('up in chunks', limit, async () => {
    const total = 64 * MiB;
    assert.deepEqual(JSON.parse((await upload('/upload', { total, chunked: true })).text), { total });
  });
  test('down in chunks', limit, async () => {
    assert.equal(await download('/download-chunked'), 64 * MiB);
  });
  test('both ways at once', limit, async () => {
    const total = 32 * MiB;
    const client = await RawClient.connect(postern.port);
    await client.write(`POST /both-ways HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Content-Length: ${total}\r\n\r\n`);
    const checker = new BlockChecker();
    const reading = (async () => {
      assert.match((await readHead(client.reader, 30000)).first, /200/);
      for await (const piece of readBody(client.reader, 'chunked', 30000)) checker.take(piece);
    })();
    for (const block of blocks(total)) await client.write(block);
    await within(60000, 'the echo', reading);
    assert.equal(checker.total, total);
    client.destroy();
  });
});

describe('back-pressure', limit, () => {
  test('a client that does not read stops the container, not the gateway\'s memory', limit, async () => {
    const client = await RawClient.connect(postern.port);
    const base = residentBytes(postern.pid);
    await client.write(`GET /firehose HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}\r\n`);
    client.socket.pause();
    client.reader.socket.pause();
    await eventually(10000, 'the container to begin', () => events.pulled > 0);
    const pulled = await settled(20000, 'the container', () => events.pulled);
    assert.ok(pulled < 64 * MiB, `${pulled / MiB} MiB were taken for a client that does not read`);
    assert.ok(residentBytes(postern.pid) - base < GROWTH);
    // Others are served meanwhile, by the same worker.
    const other = await RawClient.connect(postern.port);
    assert.equal((await other.get('/small', { key: key.key1 })).status, 200);
    other.destroy();
    client.destroy();
  });
  test('a container that does not read stops the client, not the gateway\'s memory', limit, async () => {
    events.gate = deferred();
    const client = await RawClient.connect(postern.port);
    const base = residentBytes(postern.pid);
    const total = 256 * MiB;
    await client.write(`POST /stuck HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Content-Length: ${total}\r\n\r\n`);
    let sent = 0;
    let stop = false;
    const sending = (async () => {
      for (const block of blocks(total)) {
        await client.write(block);
        sent += block.length;
        if (stop) return;
      }
    })();
    await eventually(10000, 'the upload to begin', () => sent > 0);
    await settled(20000, 'the upload', () => sent);
    assert.ok(sent < 64 * MiB, `${sent / MiB} MiB were taken`);
    assert.ok(residentBytes(postern.pid) - base < GROWTH);
    stop = true;
    events.gate.resolve();
    client.destroy();
    await atMost(1000, sending);
  });
});

describe('as it comes', limit, () => {
  test('server-sent events arrive one by one', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`GET /events HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}\r\n`);
    const head = await readHead(client.reader);
    assert.deepEqual(valuesOf(head.fields, 'content-type'), ['text/event-stream']);
    let n = 0;
    for await (const piece of readBody(client.reader, 'chunked')) {
      assert.equal(piece.toString(), `data: ${n++}\n\n`);
      events.taken.resolve(); // the container sends the next one only now
    }
    assert.equal(n, 8);
    client.destroy();
  });
  test('the head comes before the body is there', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`GET /endless HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}\r\n`);
    await readHead(client.reader, 2000);
    client.destroy();
    await within(3000, 'the container to see it', events.left.promise);
  });
});

describe('the client leaves', limit, () => {
  const idle = () => eventually(5000, 'nobody at the container but idle connections', () => [...upstream.connections].length <= 8);
  for (const how of ['reset', 'close']) {
    test(`in the middle of an answer (${how}): the container's work stops`, limit, async () => {
      const client = await RawClient.connect(postern.port);
      await client.write(`GET /endless HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}\r\n`);
      await readHead(client.reader);
      if (how === 'reset') client.reset();
      else client.destroy();
      await within(3000, 'the container to see it', events.left.promise);
    });
  }
  test('while the container thinks', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`GET /thinking HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}\r\n`);
    await eventually(5000, 'the container to think', () => upstream.requests.includes('GET /thinking'));
    client.destroy();
    assert.equal(await within(3000, 'the container to see it', events.left.promise), true);
    const line = await postern.logged((l) => l.path === '/thinking');
    assert.equal(line.end, 'client_left');
  });
  test('in the middle of an upload: the container sees a cut body, not a whole one', limit, async () => {
    for (const framing of ['Content-Length: 1000000', 'Transfer-Encoding: chunked']) {
      const client = await RawClient.connect(postern.port);
      events.swallowed = 0;
      await client.write(`POST /swallow HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}${framing}\r\n\r\n`);
      await client.write(framing.includes('chunked') ? `3e8\r\n${'x'.repeat(1000)}\r\n` : 'x'.repeat(1000));
      await eventually(5000, 'the container to have its part', () => events.swallowed === 1000);
      client.destroy();
      assert.equal(await within(3000, 'the container to see it', events.left.promise), 'cut', framing);
    }
  });
  for (const how of ['reset', 'close']) {
    test(`while both directions are stuck (${how}): the container's work stops`, limit, async () => {
      let sent = 0;
      events.left = deferred();
      upstream.handler = async (x) => {
        upstream.handler = routes(table);
        x.bodyRead = true;
        x.gone.then(() => events.left.resolve(true));
        x.socket.once('close', () => events.left.resolve(true));
        x.socket.pause(); // takes nothing of the body
        await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65536), Buffer.from('\r\n')]);
        for (let i = 0; i < 2000 && (await x.write(chunk)); i++) sent = i; // more than anybody buffers
        x.end();
      };
      const client = await RawClient.connect(postern.port);
      client.socket.pause();
      client.write(`POST /both HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Content-Length: ${64 * MiB}\r\n\r\n`);
      client.write(Buffer.alloc(63 * MiB));
      await eventually(10000, 'the container to begin', () => sent > 0);
      await settled(20000, 'both directions', () => `${sent} ${client.socket.bufferSize ?? client.socket.writableLength}`);
      if (how === 'reset') client.reset();
      else client.destroy();
      await within(5000, 'the container to see it', events.left.promise);
    });
  }
  test('with the write side closed after the request, the answer still comes', limit, async () => {
    const client = await RawClient.connect(postern.port);
    client.socket.end(`GET /events HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${keyLine(key.key1)}\r\n`);
    // A half-closed client is either served to the end or told off; it must not hang or crash anything.
    try {
      const answer = await client.response({ ms: 5000 });
      assert.ok(answer.broken || answer.text.includes('data: 7'), `${answer.status} ${answer.text}`);
    } catch (error) {
      assert.ok(error instanceof ClosedError, error.message);
    }
    client.destroy();
    await idle();
  });
});
