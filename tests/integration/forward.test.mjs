// SPDX-License-Identifier: Apache-2.0
// What reaches the container and what comes back: methods, framing, fields, identity.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { RawClient, keyLine, request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream, routes } from './lib/upstream.mjs';
import { apart, eventually } from './lib/util.mjs';

const limit = { timeout: 60000 };
let upstream;
let postern;
let key;

const table = {
  '/show': async (x) => x.showHead({ body: (await x.body()).toString('latin1') }),
  '/length': async (x) => x.json({ length: (await x.body()).length, framing: x.framing }),
  '/chunked': async (x) => {
    await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    // Odd splits: a size line in two pieces, a chunk in three, an extension, a trailer.
    for (const piece of ['5', '\r\nhel', 'l', 'o\r\n', '1;ext=1\r\n \r\n', '5\r\nworld\r\n0', '\r\nX-Trailer: no\r\n\r\n']) {
      await x.write(piece);
      await apart();
    }
  },
  '/until-close': async (x) => {
    await x.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nfirst ');
    await apart(30);
    await x.write('second');
    x.end();
  },
  '/http10': async (x) => {
    await x.write('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold style');
    x.end();
  },
  '/empty-until-close': async (x) => {
    await x.write('HTTP/1.1 200 OK\r\n\r\n');
    x.end();
  },
  '/204': (x) => x.write('HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n'),
  '/304': (x) => x.write('HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 12345\r\n\r\n'),
  '/reset-content': (x) => x.answer(205),
  '/1xx': async (x) => {
    await x.write('HTTP/1.1 102 Processing\r\n\r\n');
    await apart(10);
    await x.write('HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody');
  },
  '/own-ids': (x) => x.answer(200, 'ok', { 'apim-request-id': 'the-containers', 'x-envoy-upstream-service-time': '7' }),
  '/fields': (x) =>
    x.answer(200, 'ok', {
      'Set-Cookie': ['a=1', 'b=2', 'a=3'],
      'X-Custom': 'Ünïcode'.normalize('NFC'),
      'apim-request-id': 'from-container',
      'Operation-Location': 'https://elsewhere.example/operations/1',
      'Retry-After': '7',
      Connection: 'keep-alive, X-Hop',
      'X-Hop': 'gone',
      'Keep-Alive': 'timeout=5',
      'Proxy-Authenticate': 'Basic',
      Trailer: 'X-T',
      Upgrade: 'h2c',
      'X-Request-Id': 'the-containers-own',
    }),
  '/status-418': (x) => x.answer(418, 'tea', { 'Content-Type': 'text/x-tea' }),
  '/early-413': async (x) => {
    await x.answer(413, '{"error":{"code":"TooLarge","message":"from the container"}}', { 'Content-Type': 'application/json', Connection: 'close' });
    x.bodyRead = true;
    await apart(100);
    x.end();
  },
  '/own-error': (x) => x.json({ error: { code: 'NoCredit', message: 'Api Key is invalid.' } }, 401),
};

before(async () => {
  upstream = await Upstream.start(routes(table));
  postern = await Postern.start({ upstream: upstream.url });
  key = await postern.createKey('forward');
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
  assert.deepEqual(upstream?.errors, []);
}, limit);

const show = async (options = {}, target = '/show') => {
  const answer = await request(postern.port, target, { key: key.key1, ...options });
  assert.equal(answer.status, 200, answer.text);
  const seen = answer.json();
  return { answer, first: seen.first, fields: seen.fields, body: seen.body, all: (name) => seen.fields.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, v]) => v) };
};

describe('methods', limit, () => {
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'REPORT', 'M-SEARCH', 'X-OWN']) {
    test(method, limit, async () => {
      const { first, body } = await show({ method, body: ['GET', 'OPTIONS'].includes(method) ? undefined : 'payload' });
      assert.equal(first, `${method} /show HTTP/1.1`);
      assert.equal(body, ['GET', 'OPTIONS'].includes(method) ? '' : 'payload');
    });
  }
  test('HEAD has the length and no body, and the connection goes on', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`HEAD /show HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}\r\n`);
    const head = await client.response({ method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.ok(Number(head.get('content-length')) > 0, 'what GET would have had');
    const next = await client.get('/show', { key: key.key1 });
    assert.equal(next.status, 200);
    client.destroy();
  });
  test('HEAD of an answer in chunks', limit, async () => {
    const client = await RawClient.connect(postern.port);
    upstream.handler = async (x) => {
      upstream.handler = routes(table);
      await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    };
    await client.write(`HEAD /x HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}\r\n`);
    const head = await client.response({ method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal((await client.get('/show', { key: key.key1 })).status, 200);
    client.destroy();
  });
  for (const method of ['CONNECT', 'TRACE']) {
    test(`${method} is not forwarded`, limit, async () => {
      const before = upstream.requests.length;
      const client = await RawClient.connect(postern.port);
      const target = method === 'CONNECT' ? 'example.com:443' : '/show';
      await client.write(`${method} ${target} HTTP/1.1\r\nHost: example.com\r\n${keyLine(key.key1)}\r\n`);
      const answer = await client.response();
      assert.ok([400, 405, 501].includes(answer.status), `status ${answer.status}`);
      assert.equal(upstream.requests.length, before);
      client.destroy();
    });
  }
});

describe('bodies', limit, () => {
  test('with Content-Length both ways, any bytes', limit, async () => {
    const bytes = randomBytes(300000);
    const { body, all } = await show({ method: 'POST', body: bytes });
    assert.ok(Buffer.from(body, 'latin1').equals(bytes));
    assert.deepEqual(all('content-length'), [String(bytes.length)]);
    assert.deepEqual(all('transfer-encoding'), []);
  });
  test('Content-Length: 0 stays', limit, async () => {
    const { all } = await show({ method: 'POST', body: '' });
    assert.deepEqual(all('content-length'), ['0']);
  });
  test('a POST without body and length (issueToken style)', limit, async () => {
    const { body } = await show({ method: 'POST' });
    assert.equal(body, '');
  });
  test('a chunked request, oddly split', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`POST /length HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Transfer-Encoding: chunked\r\n\r\n`);
    for (const piece of ['A', '\r\n01234', '56789\r', '\n1\r\n!\r\n', 'f', 'f\r\n' + 'x'.repeat(255), '\r\n0\r\n', '\r\n']) {
      await client.write(piece);
      await apart();
    }
    const answer = await client.response();
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(JSON.parse(answer.text), { length: 266, framing: 'chunked' });
    assert.equal((await client.get('/show', { key: key.key1 })).status, 200, 'the connection goes on');
    client.destroy();
  });
  test('an answer in chunks, oddly split; the trailer is dropped', limit, async () => {
    const answer = await request(postern.port, '/chunked', { key: key.key1 });
    assert.equal(answer.text, 'hello world');
    assert.equal(answer.broken, false);
    assert.ok(!/x-trailer/i.test(answer.raw));
  });
  for (const [path, text] of [['/until-close', 'first second'], ['/http10', 'old style'], ['/empty-until-close', '']]) {
    test(`an answer until close: ${path}`, limit, async () => {
      const client = await RawClient.connect(postern.port);
      const answer = await client.get(path, { key: key.key1 });
      assert.equal(answer.status, 200);
      assert.equal(answer.text, text);
      assert.equal(answer.broken, false);
      // The end is marked, so that a cut cannot look whole; and so the connection can go on.
      assert.ok(answer.get('transfer-encoding') === 'chunked' || answer.get('content-length') !== undefined);
      assert.equal((await client.get('/show', { key: key.key1 })).status, 200);
      client.destroy();
    });
  }
  test('an HTTP/1.0 client gets no chunks', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`GET /chunked HTTP/1.0\r\nHost: h\r\n${keyLine(key.key1)}\r\n`);
    const answer = await client.response();
    assert.equal(answer.get('transfer-encoding'), undefined);
    assert.equal(answer.text, 'hello world');
    assert.ok(await client.closes());
    client.destroy();
  });
  test('204, 205 and 304 have no body', limit, async () => {
    const client = await RawClient.connect(postern.port);
    const no = await client.get('/204', { key: key.key1 });
    assert.equal(no.status, 204);
    assert.equal(no.get('x-a'), '1');
    assert.equal(no.get('transfer-encoding'), undefined);
    const not = await client.get('/304', { key: key.key1 });
    assert.equal(not.status, 304);
    assert.equal(not.get('etag'), '"x"');
    assert.equal((await client.get('/reset-content', { key: key.key1 })).status, 205);
    assert.equal((await client.get('/show', { key: key.key1 })).status, 200);
    client.destroy();
  });
  test('1xx of the container do not disturb', limit, async () => {
    const client = await RawClient.connect(postern.port);
    const answer = await client.get('/1xx', { key: key.key1 });
    assert.equal(answer.status, 200);
    assert.equal(answer.text, 'body');
    client.destroy();
  });
  test('the container\'s statuses and errors pass as they are', limit, async () => {
    const tea = await request(postern.port, '/status-418', { key: key.key1 });
    assert.deepEqual([tea.status, tea.text, tea.get('content-type')], [418, 'tea', 'text/x-tea']);
    const own = await request(postern.port, '/own-error', { key: key.key1 });
    assert.equal(own.status, 401);
    assert.equal(own.json().error.code, 'NoCredit');
    const missing = await request(postern.port, '/nothing-here', { key: key.key1 });
    assert.equal(missing.status, 404);
  });
  test('Expect: 100-continue gets its 100 before the body', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`POST /length HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
    const go = (await client.reader.until('\r\n\r\n', 5000)).toString();
    assert.match(go, /^HTTP\/1\.1 100 /);
    await client.write('12345');
    const answer = await client.response();
    assert.deepEqual(JSON.parse(answer.text), { length: 5, framing: 5 });
    client.destroy();
  });
  test('Expect: 100-continue without a valid key gets 401, not 100', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write('POST /length HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    const answer = await client.response();
    assert.equal(answer.status, 401);
    assert.deepEqual(answer.interim, []);
    client.destroy();
  });
  test('an unknown expectation', limit, async () => {
    const answer = await request(postern.port, '/length', { method: 'POST', key: key.key1, headers: { Expect: 'a-miracle' }, body: 'x' });
    assert.equal(answer.status, 417);
  });
});

describe('fields', limit, () => {
  test('hop-by-hop fields stop here, also those that Connection names', limit, async () => {
    const { all } = await show({
      headers: { Connection: 'X-Private, keep-alive', 'X-Private': '1', 'Keep-Alive': 'timeout=9', TE: 'trailers', Trailer: 'X-T', 'Proxy-Authorization': 'Basic x', 'Proxy-Connection': 'keep-alive', Upgrade: 'h2c', 'HTTP2-Settings': 'AAA', 'X-Public': 'stays' },
    });
    for (const name of ['x-private', 'keep-alive', 'te', 'trailer', 'proxy-authorization', 'proxy-connection', 'upgrade']) assert.deepEqual(all(name), [], name);
    assert.deepEqual(all('x-public'), ['stays']);
  });
  test('Connection cannot take away what Postern adds', limit, async () => {
    const { all } = await show({ headers: { Connection: 'X-Postern-Key-Id, X-Forwarded-For, X-Request-Id, Host' } });
    assert.deepEqual(all('x-postern-key-id'), [key.id]);
    assert.equal(all('x-forwarded-for').length, 1);
    assert.equal(all('host').length, 1);
    assert.equal(all('x-request-id').length, 1);
  });
  test('repeated fields and their order survive', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`GET /show HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-B: 2\r\nX-A: 3\r\n${keyLine(key.key1)}X-C: 4\r\nx-a: 5\r\nAccept: a\r\nAccept: b\r\n\r\n`);
    const { fields } = JSON.parse((await client.response()).text);
    const own = fields.filter(([n]) => /^(x-[abc]|accept)$/i.test(n)).map(([n, v]) => `${n.toLowerCase()}=${v}`);
    assert.deepEqual(own, ['x-a=1', 'x-b=2', 'x-a=3', 'x-c=4', 'x-a=5', 'accept=a', 'accept=b']);
    client.destroy();
  });
  test('the answer\'s fields come back, repeated ones in order, hop-by-hop ones not', limit, async () => {
    const answer = await request(postern.port, '/fields', { key: key.key1 });
    assert.deepEqual(answer.all('set-cookie'), ['a=1', 'b=2', 'a=3']);
    assert.equal(answer.get('operation-location'), 'https://elsewhere.example/operations/1');
    assert.equal(answer.get('retry-after'), '7');
    for (const name of ['x-hop', 'keep-alive', 'proxy-authenticate', 'trailer', 'upgrade']) assert.equal(answer.get(name), undefined, name);
  });
  test('bytes above 127 in a value pass unchanged', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`GET /show HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}X-Latin: caf\xe9\r\n\r\n`);
    const { fields } = JSON.parse((await client.response()).text);
    assert.equal(fields.find(([n]) => n.toLowerCase() === 'x-latin')[1], 'caf\xe9');
    client.destroy();
  });
  test('who called is added, and a client cannot say it itself', limit, async () => {
    const { all } = await show({ headers: { 'X-Postern-Key-Id': 'admin', 'x-postern-scope': 'all', 'X-Postern-Key-ID': 'other' } });
    assert.deepEqual(all('x-postern-key-id'), [key.id]);
    assert.deepEqual(all('x-postern-scope'), []);
  });
  test('X-Forwarded-* and Forwarded are Postern\'s, a stranger\'s own are dropped', limit, async () => {
    const { all } = await show({
      headers: { Host: 'api.example.com:8443', 'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Proto': 'http', 'X-Forwarded-Host': 'evil', 'X-Forwarded-Port': '1', Forwarded: 'for=6.6.6.6', 'X-Real-IP': '6.6.6.6', X_Forwarded_For: '6.6.6.6' },
    });
    assert.deepEqual(all('x-forwarded-for'), ['127.0.0.1']);
    assert.deepEqual(all('x-forwarded-proto'), ['https']);
    assert.deepEqual(all('x-forwarded-host'), ['api.example.com:8443']);
    assert.equal(all('forwarded').length, 1);
    assert.match(all('forwarded')[0], /for="?127\.0\.0\.1/);
    assert.match(all('forwarded')[0], /proto=https/);
    for (const name of ['x-forwarded-port', 'x-real-ip', 'x_forwarded_for']) assert.deepEqual(all(name), [], name);
  });
  test('Host is the container\'s own by default', limit, async () => {
    const { all } = await show({ headers: { Host: 'vision.example.com' } });
    assert.deepEqual(all('host'), [`127.0.0.1:${upstream.port}`]);
  });
  test('a request id is made, returned, passed on and logged', limit, async () => {
    const { answer, all } = await show();
    const id = answer.get('x-request-id');
    assert.match(id, /^[0-9A-Za-z._-]{16,64}$/);
    assert.deepEqual(all('x-request-id'), [id]);
    const line = await postern.logged((l) => l.request_id === id);
    assert.equal(line.status, 200);
  });
  test('a good request id of the client is kept, a bad one replaced', limit, async () => {
    const kept = await show({ headers: { 'X-Request-Id': 'my-id.42' } });
    assert.equal(kept.answer.get('x-request-id'), 'my-id.42');
    assert.deepEqual(kept.all('x-request-id'), ['my-id.42']);
    for (const bad of ['a b', '<script>', 'x'.repeat(200), '"']) {
      const { answer, all } = await show({ headers: { 'X-Request-Id': bad } });
      assert.notEqual(answer.get('x-request-id'), bad);
      assert.deepEqual(all('x-request-id'), [answer.get('x-request-id')]);
    }
  });
  test('the container\'s own X-Request-Id does not go out beside Postern\'s', limit, async () => {
    const answer = await request(postern.port, '/fields', { key: key.key1, headers: { 'X-Request-Id': 'mine' } });
    assert.deepEqual(answer.all('x-request-id'), ['mine']);
  });
  test('the cloud\'s names: apim-request-id and the milliseconds, unless the container gives its own', limit, async () => {
    const { answer } = await show({ headers: { 'X-Request-Id': 'mine' } });
    assert.deepEqual(answer.all('apim-request-id'), ['mine']);
    assert.match(answer.get('x-envoy-upstream-service-time'), /^\d{1,5}$/);
    const own = await request(postern.port, '/own-ids', { key: key.key1 });
    assert.deepEqual(own.all('apim-request-id'), ['the-containers']);
    assert.deepEqual(own.all('x-envoy-upstream-service-time'), ['7']);
  });
  test('traceparent passes', limit, async () => {
    const value = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { all } = await show({ headers: { traceparent: value, tracestate: 'a=b' } });
    assert.deepEqual(all('traceparent'), [value]);
    assert.deepEqual(all('tracestate'), ['a=b']);
  });
  test('the target goes on byte for byte', limit, async () => {
    for (const target of ['/show?a=1&b=%20x&a=2', '/show?', '/show?x=/../..//', '/show?q=a+b%2Bc;d']) {
      const { first } = await show({}, target);
      assert.equal(first, `GET ${target} HTTP/1.1`);
    }
  });
  test('so does a path that can be read in more than one way, when no rule depends on it', limit, async (t) => {
    t.after(() => { upstream.handler = routes(table); });
    upstream.handler = (x) => x.showHead();
    for (const target of ['/show;a=b/x', '/a/..;/show', '/show%3ba', '//show/./x/../y', '/a%2fb%5cc', '/100%25/%252e', '/%c0%ae']) {
      const { first } = await show({}, target);
      assert.equal(first, `GET ${target} HTTP/1.1`);
    }
  });
  test('so does a "%" in a query that begins no escape, as browsers send it', limit, async () => {
    for (const target of ['/show?b=100%', '/show?%&a=%zz', '/show?a=%2', '/show?subscription-key=%%41']) {
      const { first } = await show({}, target);
      assert.equal(first, `GET ${target} HTTP/1.1`);
    }
    const refused = await request(postern.port, '/show/100%', { key: key.key1 });
    assert.equal(refused.status, 400);
    assert.match(refused.json().error.message, /percent-encoding/);
  });
  test('but where credentials are looked for in the query, such a one is refused', limit, async () => {
    const answer = await request(postern.port, '/sts/v1.0/issueToken?Subscription-Key%=x&a=100%', { method: 'POST', key: key.key1, body: '' });
    assert.equal(answer.status, 400);
    assert.match(answer.json().error.message, /may carry a credential/);
  });
  test('an absolute form becomes the origin form', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`GET https://localhost:${postern.port}/show?a=1 HTTP/1.1\r\nHost: other\r\n${keyLine(key.key1)}\r\n`);
    const answer = await client.response();
    if (answer.status === 200) assert.equal(JSON.parse(answer.text).first, 'GET /show?a=1 HTTP/1.1');
    else assert.equal(answer.status, 400);
    client.destroy();
  });
});

describe('the head of a response', () => {
  const fields = Array.from({ length: 60 }, (_, i) => `${i % 2 ? 'X-Large' : 'x-LARGE'}-${i % 7}: ${String.fromCharCode(97 + (i % 26)).repeat(960)}\r\n`).join('');
  const odd = `Zeta: 1\r\nX-Empty: \r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Empty: \r\n${fields}`;
  const heads = {
    '/large': `HTTP/1.1 200 Quite  all right, (still)\r\n${odd}cOntent-length: 2\r\nAlpha: 2\r\n`,
    '/large-304': `HTTP/1.1 304 Not today\r\n${odd}ETag: "x"\r\n`,
    '/large-head': `HTTP/1.1 200 Nothing follows\r\n${odd}Alpha: 2\r\n`,
    '/large-head-length': `HTTP/1.1 200 Nothing follows\r\nContent-Length: 123456\r\n${odd}`,
  };
  /** Without what Postern adds behind it. */
  const theirs = (raw) => raw.replace(/\r\n(?:X-Request-Id|apim-request-id|x-envoy-upstream-service-time|Date): [^\r]*(?=\r\n)/g, '');

  test('is the container\'s, byte for byte, after a large request, pipelined, for HEAD and 304', limit, async (t) => {
    t.after(() => { upstream.handler = routes(table); });
    upstream.handler = (x) => x.write(`${heads[x.path]}\r\n${x.path === '/large' && x.method === 'GET' ? 'ok' : ''}`);
    const padding = `X-Padding: ${'p'.repeat(30000)}\r\n`;
    for (const [method, target] of [['GET', '/large'], ['HEAD', '/large'], ['GET', '/large-304'], ['HEAD', '/large-head'], ['HEAD', '/large-head-length']]) {
      const client = await RawClient.connect(postern.port);
      const ask = (of, path) => `${of} ${path} HTTP/1.1\r\nHost: localhost\r\n${keyLine(key.key1)}${padding}\r\n`;
      await client.write(ask('GET', '/large') + ask(method, target) + ask('GET', '/large'));
      for (const [of, path] of [['GET', '/large'], [method, target], ['GET', '/large']]) {
        const answer = await client.response({ method: of });
        assert.equal(theirs(answer.raw), `${heads[path]}\r\n`, `${of} ${path}`);
        assert.equal(answer.text, of === 'GET' && path === '/large' ? 'ok' : '');
      }
      client.destroy();
    }
  });
  test('comes whole to a client that reads slowly, and the body behind it', limit, async (t) => {
    t.after(() => { upstream.handler = routes(table); });
    const body = Buffer.alloc(1 << 20, 'b');
    upstream.handler = (x) => x.write(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${odd}Content-Length: ${body.length}\r\n\r\n`), body]));
    const client = await RawClient.connect(postern.port);
    client.socket.pause();
    const asked = 12; // more than the kernel's buffers hold
    await client.write(`GET /slow HTTP/1.1\r\nHost: localhost\r\n${keyLine(key.key1)}\r\n`.repeat(asked));
    await eventually(10000, 'the container to be asked', () => upstream.requests.includes('GET /slow'));
    client.socket.resume();
    for (let i = 0; i < asked; i++) {
      const answer = await client.response();
      assert.equal(theirs(answer.raw), `HTTP/1.1 200 OK\r\n${odd}Content-Length: ${body.length}\r\n\r\n`);
      assert.ok(answer.body.equals(body));
    }
    client.destroy();
  });
});

describe('with other settings', limit, () => {
  test('Host kept, trusted proxies, open paths', limit, async (t) => {
    const other = await Postern.start({ upstream: upstream.url, host_header: 'keep', trusted_proxies: '127.0.0.0/8' });
    t.after(() => other.stop());
    const made = await other.createKey();
    const answer = await request(other.port, '/show', {
      key: made.key1,
      headers: { Host: 'api.example.com', 'X-Forwarded-For': '192.0.2.7', 'X-Forwarded-Proto': 'https', Forwarded: 'for=192.0.2.7' },
    });
    const seen = answer.json().fields;
    const all = (name) => seen.filter(([n]) => n.toLowerCase() === name).map(([, v]) => v);
    assert.deepEqual(all('host'), ['api.example.com']);
    assert.equal(all('x-forwarded-for').join(', ').replaceAll(' ', ''), '192.0.2.7,127.0.0.1');
    assert.match(all('forwarded').join(','), /for=192\.0\.2\.7.*for="?127\.0\.0\.1/);
  });
});

describe('open paths', limit, () => {
  test('/status and /ready need no key, the rest does', limit, async () => {
    upstream.handler = (x) => (['/status', '/ready'].includes(x.path) ? x.json({ path: x.path, key: x.get('x-postern-key-id') ?? null }) : routes(table)(x));
    for (const path of ['/status', '/ready', '/status?full=1']) {
      const answer = await request(postern.port, path);
      assert.equal(answer.status, 200, path);
      assert.equal(answer.json().key, null);
    }
    for (const path of ['/', '/show', '/status/', '/status/x', '//status', '/ready/../show', '/Status', '/%73tatus', '/status%2f..%2fshow', '/./status', '/x/../status', '/status;a', '/status%00', '/status\\x']) {
      const answer = await request(postern.port, path);
      assert.ok([400, 401].includes(answer.status), `${path} got ${answer.status}`);
    }
    upstream.handler = routes(table);
  });
  test('a credential on an open path is not forwarded, a wrong one is not held against it or is refused', limit, async () => {
    upstream.handler = (x) => x.showHead();
    const answer = await request(postern.port, '/status', { key: key.key1 });
    assert.equal(answer.status, 200);
    assert.ok(!answer.text.includes(key.key1));
    const wrong = await request(postern.port, '/status', { key: 'nonsense' });
    assert.ok([200, 401].includes(wrong.status));
    assert.ok(!wrong.text.includes('nonsense'));
    upstream.handler = routes(table);
  });
});

describe('early answers', limit, () => {
  test('an answer that comes before the upload ends reaches the client', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(`POST /early-413 HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Content-Length: 50000000\r\n\r\n`);
    const block = Buffer.alloc(65536);
    let stop = false;
    const upload = (async () => {
      for (let sent = 0; sent < 50000000 - block.length && !stop && !client.reader.closed; sent += block.length) {
        await client.write(block);
        await apart(2);
      }
    })();
    const answer = await client.response();
    stop = true;
    await upload;
    assert.equal(answer.status, 413);
    assert.match(answer.text, /from the container/);
    client.destroy();
    assert.equal((await request(postern.port, '/show', { key: key.key1 })).status, 200);
  });
});
