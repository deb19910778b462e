// SPDX-License-Identifier: Apache-2.0
// A container that misbehaves: the client gets a clear 502, 503 or 504, or a visibly broken connection once
// the head was sent; never a short answer that looks whole.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once as onceEvent } from 'node:events';
import { after, before, describe, test } from 'node:test';

import { RawClient, request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { apart, atMost, deferred, eventually, freePort, sleep, within } from './lib/util.mjs';

const limit = { timeout: 60000 };
let upstream;
let postern;
let key;

before(async () => {
  upstream = await Upstream.start((x) => x.answer(200, 'fine'));
  postern = await Postern.start({ upstream: upstream.url, upstream_first_byte_timeout: '1500ms', upstream_idle_timeout: '1s' });
  key = await postern.createKey('faults');
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

const good = (x) => x.answer(200, 'fine');

/** Lets the container answer one request with `handler`; afterwards it is well again. */
async function once(handler, { method = 'GET', body, target = '/x' } = {}) {
  upstream.handler = async (x) => {
    await x.body();
    await handler(x);
  };
  const answer = await request(postern.port, target, { key: key.key1, method, body });
  upstream.handler = good;
  return answer;
}

function assertGatewayError(answer, status) {
  assert.equal(answer.status, status, answer.raw + answer.text);
  assert.equal(answer.broken, false);
  assert.match(answer.get('content-type'), /^application\/json/);
  assert.ok(answer.get('x-request-id'));
  const { error } = answer.json();
  assert.equal(typeof error.code, 'string');
  assert.ok(error.message.length > 10);
}

const well = async () => assert.equal((await request(postern.port, '/x', { key: key.key1 })).text, 'fine', 'the next request is served');

describe('before the head', limit, () => {
  const rubbish = {
    'no HTTP at all': 'SSH-2.0-OpenSSH_9.2\r\n',
    'binary rubbish': Buffer.from([0, 1, 2, 255, 254, 13, 10, 13, 10]),
    'a broken status line': 'HTTP/1.1 abc OK\r\n\r\n',
    'a status of two digits': 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n',
    'HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'HTTP/0.9': '<html>hello</html>',
    'an impossible version': 'HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n',
    'a space before the colon': 'HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok',
    'no colon': 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n',
    'NUL in a value': 'HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n',
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc',
    'a list of lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nabc',
    'a negative length': 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
    'a length with a plus': 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok',
    'a length beyond 64 bits': 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n',
    'length and chunked': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    'an unknown coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx',
    'chunked twice': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n',
    'folded lines': 'HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 0\r\n\r\n',
    'bare LF': 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok',
    'a giant field': `HTTP/1.1 200 OK\r\nX-Big: ${'x'.repeat(200000)}\r\nContent-Length: 0\r\n\r\n`,
    'endless fields': `HTTP/1.1 200 OK\r\n${'X-A: 1\r\n'.repeat(20000)}Content-Length: 0\r\n\r\n`,
    'endless 1xx': 'HTTP/1.1 103 Early\r\n\r\n'.repeat(1000),
    'an unasked 101': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  };
  for (const [name, bytes] of Object.entries(rubbish)) {
    test(`${name}: 502`, limit, async () => {
      const answer = await once(async (x) => {
        await x.write(bytes);
        x.end();
      });
      assertGatewayError(answer, 502);
      await well();
    });
  }
  test('closed without an answer: 502 for a POST', limit, async () => {
    assertGatewayError(await once((x) => x.end(), { method: 'POST', body: 'x' }), 502);
    await well();
  });
  test('reset without an answer: 502 for a POST', limit, async () => {
    assertGatewayError(await once((x) => x.reset(), { method: 'POST', body: 'x' }), 502);
    await well();
  });
  test('half a head, then closed: 502', limit, async () => {
    const answer = await once(async (x) => {
      await x.write('HTTP/1.1 200 OK\r\nContent-Le');
      x.end();
    });
    assertGatewayError(answer, 502);
    await well();
  });
  test('no answer in time: 504', limit, async () => {
    const start = Date.now();
    const answer = await once(async (x) => {
      await atMost(8000, x.gone);
      x.end();
    });
    assertGatewayError(answer, 504);
    assert.ok(Date.now() - start > 1300 && Date.now() - start < 4000, `${Date.now() - start} ms`);
    await well();
  });
  test('half a head, then silence: 504', limit, async () => {
    const answer = await once(async (x) => {
      await x.write('HTTP/1.1 200 OK\r\nX-A: ');
      await atMost(8000, x.gone);
      x.end();
    });
    assertGatewayError(answer, 504);
    await well();
  });
  test('nobody listens: 503, and service comes back with the container', limit, async (t) => {
    const port = await freePort();
    const gateway = await Postern.start({ upstream: `http://127.0.0.1:${port}` });
    t.after(() => gateway.stop());
    const made = await gateway.createKey();
    const refused = await request(gateway.port, '/x', { key: made.key1 });
    assertGatewayError(refused, 503);
    assert.match(refused.get('retry-after'), /^\d+$/);
    const late = await Upstream.start(good, { port });
    t.after(() => late.stop());
    await eventually(3000, 'service', async () => (await request(gateway.port, '/x', { key: made.key1 })).status === 200);
  });
  test('a container that accepts nobody: 504 or 503, in time', limit, async (t) => {
    // A listener with a full backlog: the kernel drops further SYNs.
    const script = `import socket,sys,time
s=socket.socket(); s.bind(("127.0.0.1",0)); s.listen(0)
held=[]
for i in range(4):
  c=socket.socket(); c.setblocking(False)
  try: c.connect(s.getsockname())
  except BlockingIOError: pass
  held.append(c)
print(s.getsockname()[1], flush=True)
sys.stdin.read()`;
    const full = spawn('python3', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => full.stdin.end());
    const [port] = await onceEvent(full.stdout, 'data');
    const gateway = await Postern.start({ upstream: `http://127.0.0.1:${String(port).trim()}`, upstream_connect_timeout: '500ms' });
    t.after(() => gateway.stop());
    const made = await gateway.createKey();
    const start = Date.now();
    const answer = await request(gateway.port, '/x', { key: made.key1 });
    assertGatewayError(answer, answer.status === 503 ? 503 : 504);
    assert.ok(Date.now() - start < 5000);
  });
});

describe('after the head', limit, () => {
  const cuts = {
    'Content-Length not reached': async (x) => {
      await x.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this');
      await apart(50);
      x.end();
    },
    'Content-Length not reached, reset': async (x) => {
      await x.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this');
      await apart(50);
      x.reset();
    },
    'in a chunk': async (x) => {
      await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\nonly this');
      await apart(50);
      x.end();
    },
    'between chunks': async (x) => {
      await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n');
      await apart(50);
      x.end();
    },
    'a bad chunk size': async (x) => {
      await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\nzz\r\n');
      await apart(50);
      await atMost(3000, x.gone);
      x.end();
    },
    'more than the chunk said': async (x) => {
      await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonlythis\r\n0\r\n\r\n');
      await atMost(3000, x.gone);
      x.end();
    },
    'reset of an answer until close': async (x) => {
      await x.write('HTTP/1.1 200 OK\r\n\r\nsome of it');
      await apart(100);
      x.reset();
    },
    'silence in the middle': async (x) => {
      await x.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this');
      await atMost(8000, x.gone);
      x.end();
    },
  };
  for (const [name, handler] of Object.entries(cuts)) {
    test(`${name}: visibly broken`, limit, async () => {
      const answer = await once(handler);
      if (answer.status === 200) assert.equal(answer.broken, true, `looked whole: ${answer.raw}${answer.text}`);
      else assertGatewayError(answer, 502); // it was seen before the head went out
      const line = await postern.logged((l) => l.request_id === answer.get('x-request-id'));
      assert.match(line.end, /^upstream_/);
      await well();
    });
  }
  test('bytes behind the answer are not given to the next request', limit, async () => {
    const client = await RawClient.connect(postern.port);
    upstream.handler = async (x) => {
      await x.body();
      await x.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL');
    };
    const first = await client.get('/a', { key: key.key1 });
    assert.equal(first.text, 'ok');
    upstream.handler = good;
    for (let i = 0; i < 4; i++) assert.equal((await client.get('/b', { key: key.key1 })).text, 'fine');
    client.destroy();
  });
  test('an answer before a request is thrown away', limit, async () => {
    // The container speaks while its connection idles in the pool.
    const [answered, left] = [deferred(), deferred()];
    upstream.handler = async (x) => {
      await x.body();
      await x.answer(200, 'one');
      await answered.promise;
      await x.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL');
      await x.gone;
      left.resolve();
    };
    assert.equal((await request(postern.port, '/a', { key: key.key1 })).text, 'one');
    upstream.handler = good;
    answered.resolve();
    await within(5000, 'the gateway to leave that connection', left.promise);
    for (let i = 0; i < 4; i++) await well();
  });
});

describe('stale pooled connections', limit, () => {
  /** Every connection serves `n` requests and is then closed by the container, without a word. */
  const serving = (n) => async (x) => {
    await x.body();
    await x.answer(200, `${x.connection.served}`);
    if (x.connection.served >= n) x.end();
  };
  test('closed while idle: nobody notices', limit, async () => {
    const client = await RawClient.connect(postern.port);
    upstream.handler = serving(1);
    for (let i = 0; i < 10; i++) {
      await apart(20); // the gateway sees the end of the connection before the next request
      assert.equal((await client.get('/x', { key: key.key1 })).status, 200);
    }
    upstream.handler = good;
    client.destroy();
  });
  test('closed at the moment of reuse: an idempotent request is repeated on a fresh connection', limit, async () => {
    upstream.handler = good;
    await well(); // a pooled connection is there
    let broke = 0;
    upstream.handler = async (x) => {
      if (x.connection.served > 1 && broke === 0) {
        broke++;
        return x.end();
      }
      await x.body();
      return x.answer(200, 'again');
    };
    const before = upstream.requests.length;
    const answer = await request(postern.port, '/retry', { key: key.key1 });
    assert.equal(answer.status, 200);
    assert.equal(answer.text, 'again');
    assert.equal(broke, 1, 'no pooled connection was used');
    assert.equal(upstream.requests.slice(before).filter((r) => r === 'GET /retry').length, 2);
    upstream.handler = good;
  });
  test('a POST whose body was sent is not repeated', limit, async () => {
    upstream.handler = good;
    await well();
    let seen = 0;
    upstream.handler = async (x) => {
      await x.body();
      seen++;
      return x.end();
    };
    const answer = await request(postern.port, '/post', { key: key.key1, method: 'POST', body: 'once only' });
    upstream.handler = good;
    assertGatewayError(answer, 502);
    assert.equal(seen, 1, 'the container saw it twice');
  });
  test('an idempotent request is repeated once, not for ever', limit, async () => {
    upstream.handler = good;
    await well();
    let seen = 0;
    upstream.handler = async (x) => {
      seen++;
      return x.end();
    };
    assertGatewayError(await request(postern.port, '/loop', { key: key.key1 }), 502);
    upstream.handler = good;
    assert.ok(seen <= 2, `${seen} tries`);
  });
  test('`Connection: close` of the container is honoured', limit, async () => {
    upstream.handler = async (x) => {
      await x.body();
      await x.answer(200, 'bye', { Connection: 'close' });
      await sleep(300); // time itself: it closes late, so that a reuse would be felt
      x.end();
    };
    for (let i = 0; i < 4; i++) assert.equal((await request(postern.port, '/c', { key: key.key1 })).text, 'bye');
    upstream.handler = good;
  });
  test('connections are reused', limit, async () => {
    upstream.handler = good;
    await well();
    const before = upstream.accepted;
    const client = await RawClient.connect(postern.port);
    for (let i = 0; i < 50; i++) assert.equal((await client.get('/x', { key: key.key1 })).status, 200);
    client.destroy();
    assert.ok(upstream.accepted - before <= 2, `${upstream.accepted - before} connections for 50 requests`);
  });
});

describe('many at once', limit, () => {
  test('good and bad answers do not mix', limit, async (t) => {
    const gateway = await Postern.start({ upstream: upstream.url }); // with more patience for a busy container
    t.after(() => gateway.stop());
    const { key1 } = await gateway.createKey();
    upstream.handler = async (x) => {
      const body = (await x.body()).toString();
      const n = Number(x.target.slice(2));
      await sleep(n % 7); // so that answers come in another order than requests
      if (n % 5 === 1) return x.reset();
      if (n % 5 === 2) {
        await x.write(`HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n${x.target}`);
        return x.end();
      }
      return x.answer(200, `${x.target} ${body}`);
    };
    const all = await Promise.all(
      Array.from({ length: 120 }, (_, n) => request(gateway.port, `/n${n}`, { key: key1, method: 'POST', body: `b${n}`, ms: 20000 })),
    );
    all.forEach((answer, n) => {
      if (n % 5 === 1) assertGatewayError(answer, 502);
      else if (n % 5 === 2) assert.ok(answer.broken || answer.status === 502);
      else assert.equal(answer.text, `/n${n} b${n}`);
    });
    upstream.handler = good;
    await well();
  });
  test('keep-alive clients see their own answers', limit, async () => {
    upstream.handler = async (x) => {
      await x.body();
      await x.answer(200, x.target);
    };
    await Promise.all(
      Array.from({ length: 16 }, async (_, c) => {
        const client = await RawClient.connect(postern.port);
        for (let i = 0; i < 40; i++) assert.equal((await client.get(`/${c}/${i}`, { key: key.key1 })).text, `/${c}/${i}`);
        client.destroy();
      }),
    );
    upstream.handler = good;
  });
});
