// SPDX-License-Identifier: Apache-2.0
// Clients that misbehave. What two parsers could read in two ways is refused; nothing of it reaches the
// container; the connection does not go on; everybody else is served.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { RawClient, keyLine, request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { apart, eventually, openDescriptors } from './lib/util.mjs';

const limit = { timeout: 60000 };
let upstream;
let postern;
let key;

before(async () => {
  upstream = await Upstream.start(async (x) => {
    const body = await x.body();
    await x.json({ target: x.target, length: body.length, body: body.toString('latin1') });
  });
  postern = await Postern.start({ upstream: upstream.url, client_min_rate_grace: '1s' });
  key = await postern.createKey('clients');
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

const well = async () => assert.equal((await request(postern.port, '/well', { key: key.key1 })).status, 200);

/** Sends bytes; returns the answers that come until the connection is closed, or goes quiet. */
async function talk(bytes, ms = 3000) {
  const client = await RawClient.connect(postern.port);
  const before = upstream.requests.length;
  await client.write(bytes.replaceAll('KEY', key.key1));
  const answers = [];
  for (;;) {
    try {
      answers.push(await client.response({ ms: answers.length ? 700 : ms }));
    } catch {
      break;
    }
  }
  const closed = client.reader.closed;
  client.destroy();
  return { answers, closed, reached: upstream.requests.slice(before) };
}

const K = 'Ocp-Apim-Subscription-Key: KEY\r\n';
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: h\r\n' + K + '\r\n';

describe('smuggling: refused with an error, closed, nothing forwarded', limit, () => {
  const attempts = {
    'CL and TE': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'TE and CL': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Transfer-Encoding: chunked\r\nContent-Length: 100\r\n\r\n0\r\n\r\n`,
    'two different CLs': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n`,
    'a list of CLs': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Content-Length: 0, 5\r\n\r\n`,
    'a CL with sign': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Content-Length: +5\r\n\r\nhello`,
    'a negative CL': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Content-Length: -5\r\n\r\nhello`,
    'a hexadecimal CL': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Content-Length: 0x5\r\n\r\nhello`,
    'a CL with rubbish behind': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Content-Length: 5 5\r\n\r\nhello`,
    'an empty CL': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Content-Length: \r\n\r\n`,
    'a CL beyond 64 bits': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Content-Length: 99999999999999999999\r\n\r\nhello`,
    'TE gzip': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n`,
    'TE chunked twice': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'TE chunked, identity': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    'TE identity': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Transfer-Encoding: identity\r\n\r\n`,
    'TE xchunked': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    'TE with a vertical tab': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
    'TE in HTTP/1.0': `POST /a HTTP/1.0\r\nHost: h\r\n${K}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'space before the colon of CL': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Content-Length : ${smuggled.length}\r\n\r\n`,
    'space before the colon of TE': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    'tab before the colon': `GET /a HTTP/1.1\r\nHost: h\r\n${K}X-A\t: b\r\n\r\n`,
    'obs-fold': `GET /a HTTP/1.1\r\nHost: h\r\n${K}X-A: b\r\n c\r\n\r\n`,
    'obs-fold of TE': `POST /a HTTP/1.1\r\nHost: h\r\n${K}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
    'a first field that begins with a space': `GET /a HTTP/1.1\r\n Host: h\r\n${K}\r\n`,
    'bare LF in the head': `GET /a HTTP/1.1\r\nHost: h\r\n${K}X-A: b\nX-B: c\r\n\r\n`,
    'bare LF at the end of the head': `GET /a HTTP/1.1\r\nHost: h\r\n${K}\n`,
    'bare LF everywhere': `GET /a HTTP/1.1\nHost: h\nOcp-Apim-Subscription-Key: KEY\n\n`,
    'bare CR': `GET /a HTTP/1.1\r\nHost: h\r\n${K}X-A: b\rX-B: c\r\n\r\n`,
    'CR CR LF': `GET /a HTTP/1.1\r\r\nHost: h\r\n${K}\r\n`,
    'NUL in a value': `GET /a HTTP/1.1\r\nHost: h\r\n${K}X-A: a\0b\r\n\r\n`,
    'NUL in a name': `GET /a HTTP/1.1\r\nHost: h\r\n${K}X\0A: b\r\n\r\n`,
    'NUL in the target': `GET /a\0b HTTP/1.1\r\nHost: h\r\n${K}\r\n`,
    'a control byte in a value': `GET /a HTTP/1.1\r\nHost: h\r\n${K}X-A: a\x01b\r\n\r\n`,
    'a field without name': `GET /a HTTP/1.1\r\nHost: h\r\n${K}: b\r\n\r\n`,
    'a field without colon': `GET /a HTTP/1.1\r\nHost: h\r\n${K}nonsense\r\n\r\n`,
    'a name that is no token': `GET /a HTTP/1.1\r\nHost: h\r\n${K}X(A): b\r\n\r\n`,
    'no Host': `GET /a HTTP/1.1\r\n${K}\r\n`,
    'two Hosts': `GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n${K}\r\n`,
    'a Host that is none': `GET /a HTTP/1.1\r\nHost: a/b@c\r\n${K}\r\n`,
    'two spaces in the request line': `GET  /a HTTP/1.1\r\nHost: h\r\n${K}\r\n`,
    'a tab in the request line': `GET\t/a\tHTTP/1.1\r\nHost: h\r\n${K}\r\n`,
    'a space in the target': `GET /a b HTTP/1.1\r\nHost: h\r\n${K}\r\n`,
    'no version': `GET /a\r\nHost: h\r\n${K}\r\n`,
    'HTTP/2.0': `GET /a HTTP/2.0\r\nHost: h\r\n${K}\r\n`,
    'HTTP/1.2, lower case': `GET /a http/1.1\r\nHost: h\r\n${K}\r\n`,
    'a target without slash': `GET a HTTP/1.1\r\nHost: h\r\n${K}\r\n`,
    'a fragment': `GET /a#b HTTP/1.1\r\nHost: h\r\n${K}\r\n`,
    'a bad escape': `GET /a%zz HTTP/1.1\r\nHost: h\r\n${K}\r\n`,
    'another scheme': `GET ftp://h/a HTTP/1.1\r\nHost: h\r\n${K}\r\n`,
    'a method that is no token': `GE(T /a HTTP/1.1\r\nHost: h\r\n${K}\r\n`,
  };
  for (const [name, bytes] of Object.entries(attempts)) {
    test(name, limit, async () => {
      const { answers, closed, reached } = await talk(bytes + smuggled);
      assert.ok(answers.length <= 1, `answered ${answers.map((a) => a.status)}`);
      for (const answer of answers) {
        assert.ok(answer.status >= 400 && answer.status < 600 && answer.status !== 401, `${answer.status}`);
        assert.match(answer.text, /^\{"error":\{"code":/, answer.text);
      }
      assert.ok(closed, 'the connection goes on');
      assert.deepEqual(reached, []);
    });
  }
  test('afterwards all is well', limit, well);
});

describe('chunks', limit, () => {
  const head = `POST /chunks HTTP/1.1\r\nHost: h\r\n${K}Transfer-Encoding: chunked\r\n\r\n`;
  const bad = {
    'a size that is no number': 'zz\r\nhello\r\n0\r\n\r\n',
    'a negative size': '-1\r\nhello\r\n0\r\n\r\n',
    'a size with 0x': '0x5\r\nhello\r\n0\r\n\r\n',
    'a size with a plus': '+5\r\nhello\r\n0\r\n\r\n',
    'an empty size': '\r\nhello\r\n0\r\n\r\n',
    'a size beyond 64 bits': 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n',
    'a size near 64 bits': 'ffffffffffffffff\r\nhello\r\n0\r\n\r\n',
    'no CRLF behind the data': '5\r\nhelloXX0\r\n\r\n',
    'data longer than its size': '5\r\nhello world\r\n0\r\n\r\n',
    'bare LF behind the size': '5\nhello\r\n0\r\n\r\n',
    'bare LF behind the data': '5\r\nhello\n0\r\n\r\n',
    'a space in the size': '5 5\r\nhello\r\n0\r\n\r\n',
    'NUL in the size': '5\0\r\nhello\r\n0\r\n\r\n',
  };
  for (const [name, body] of Object.entries(bad)) {
    test(`${name}: refused, nothing whole reaches the container`, limit, async () => {
      const whole = [];
      const handler = upstream.handler;
      upstream.handler = async (x) => {
        const bytes = await x.body(); // throws when it is cut
        whole.push(`${x.target} ${bytes}`);
        await x.answer(200);
      };
      const { answers, closed } = await talk(head + body + smuggled);
      upstream.handler = handler;
      assert.ok(answers.length <= 1);
      for (const answer of answers) assert.ok(answer.status >= 400, `${answer.status}`);
      assert.ok(closed);
      assert.deepEqual(whole, []);
    });
  }
  test('extensions are read over', limit, async () => {
    const { answers } = await talk(`${head}5;name=value;x="y z"\r\nhello\r\n0;last\r\n\r\n`);
    assert.ok([200, 400].includes(answers[0].status));
    if (answers[0].status === 200) assert.equal(JSON.parse(answers[0].text).body, 'hello');
  });
  test('endless extensions are not', limit, async () => {
    const { answers, closed } = await talk(`${head}5;${'x'.repeat(200000)}\r\nhello\r\n0\r\n\r\n`);
    assert.ok(answers.every((a) => a.status >= 400));
    assert.ok(closed);
  });
  test('trailers of the client are dropped', limit, async () => {
    const { answers } = await talk(`${head}5\r\nhello\r\n0\r\nX-Trailer: 1\r\nContent-Length: 5\r\n\r\n`);
    assert.equal(answers[0].status, 200);
    assert.equal(JSON.parse(answers[0].text).body, 'hello');
  });
  test('leading zeros of a size', limit, async () => {
    const { answers } = await talk(`${head}0005\r\nhello\r\n000\r\n\r\n`);
    assert.ok([200, 400].includes(answers[0].status));
  });
});

describe('the same length twice', limit, () => {
  test('is refused, or read as one', limit, async () => {
    const { answers, reached } = await talk(`POST /a HTTP/1.1\r\nHost: h\r\n${K}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`);
    assert.equal(answers.length, 1);
    assert.ok(answers[0].status === 400 ? reached.length === 0 : answers[0].status === 200);
  });
});

describe('pipelined', limit, () => {
  test('requests are answered in order', limit, async () => {
    const n = 20;
    const bytes = Array.from({ length: n }, (_, i) => (i % 3 ? `GET /p${i} HTTP/1.1\r\nHost: h\r\n${K}\r\n` : `POST /p${i} HTTP/1.1\r\nHost: h\r\n${K}Content-Length: 3\r\n\r\nabc`)).join('');
    const { answers } = await talk(bytes);
    assert.deepEqual(answers.map((a) => JSON.parse(a.text).target), Array.from({ length: n }, (_, i) => `/p${i}`));
  });
  test('a refused one (401) in between does not shift the others', limit, async () => {
    const { answers } = await talk(`GET /p1 HTTP/1.1\r\nHost: h\r\n${K}\r\nGET /p2 HTTP/1.1\r\nHost: h\r\n\r\nGET /p3 HTTP/1.1\r\nHost: h\r\n${K}\r\n`);
    assert.equal(answers[0].status, 200);
    assert.equal(answers[1].status, 401);
    if (answers.length > 2) assert.equal(JSON.parse(answers[2].text).target, '/p3');
  });
  test('a refused upload does not become the next request', limit, async () => {
    const { answers, reached } = await talk(`POST /p1 HTTP/1.1\r\nHost: h\r\nContent-Length: ${smuggled.length - 3 + key.key1.length}\r\n\r\n${smuggled}`);
    assert.equal(answers[0].status, 401);
    assert.equal(answers.length, 1);
    assert.deepEqual(reached, []);
  });
});

describe('floods', limit, () => {
  test('many fields: 431', limit, async () => {
    const { answers, reached } = await talk(`GET /a HTTP/1.1\r\nHost: h\r\n${K}${'X-A: 1\r\n'.repeat(6000)}\r\n`);
    assert.equal(answers[0]?.status, 431);
    assert.match(answers[0].text, /^\{"error"/);
    assert.deepEqual(reached, []);
  });
  test('one huge field: 431', limit, async () => {
    const { answers, reached } = await talk(`GET /a HTTP/1.1\r\nHost: h\r\n${K}X-A: ${'x'.repeat(100000)}\r\n\r\n`);
    assert.equal(answers[0]?.status, 431);
    assert.deepEqual(reached, []);
  });
  test('a huge target: 414', limit, async () => {
    const { answers, reached } = await talk(`GET /${'x'.repeat(100000)} HTTP/1.1\r\nHost: h\r\n${K}\r\n`);
    assert.equal(answers[0]?.status, 414);
    assert.deepEqual(reached, []);
  });
  test('a head that never ends is cut off at its limit', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write('GET /a HTTP/1.1\r\nHost: h\r\n');
    let sent = 0;
    while (!client.reader.closed && sent < 4 << 20) {
      await client.write(`X-${sent}: ${'y'.repeat(1000)}\r\n`);
      sent += 1000;
      await apart(1);
    }
    assert.ok(sent < 1 << 20, `${sent} bytes of head were read`);
    client.destroy();
  });
  test('heads near the limit still pass', limit, async () => {
    const { answers } = await talk(`GET /a HTTP/1.1\r\nHost: h\r\n${K}X-A: ${'x'.repeat(24000)}\r\n\r\n`);
    assert.equal(answers[0]?.status, 200);
  });
  test('many connections at once, all leave: nothing is left over', limit, async () => {
    const before = openDescriptors(postern.pid);
    const clients = await Promise.all(Array.from({ length: 100 }, () => RawClient.connect(postern.port, { timeoutMs: 30000 })));
    for (const [i, client] of clients.entries()) {
      if (i % 4 === 0) await client.write('GET /x HT');
      if (i % 4 === 1) await client.write(`POST /x HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Content-Length: 100\r\n\r\nabc`);
      if (i % 4 === 2) await client.write(`GET /x HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}\r\n`);
    }
    await eventually(5000, 'all of them to be taken', () => openDescriptors(postern.pid) >= before + 100);
    for (const [i, client] of clients.entries()) i % 2 ? client.destroy() : client.socket.end();
    await eventually(10000, 'their descriptors to be closed', () => openDescriptors(postern.pid) <= before + 60, 100);
    for (const client of clients) client.destroy();
    await well();
  });
});

describe('strange but legal', limit, () => {
  test('empty lines before a request', limit, async () => {
    const { answers } = await talk(`\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n${K}\r\n`);
    assert.ok(answers[0]?.status === 200 || answers[0]?.status === 400);
  });
  test('byte by byte', limit, async () => {
    const client = await RawClient.connect(postern.port);
    for (const byte of `POST /slow HTTP/1.1\r\nHost: h\r\n${keyLine(key.key1)}Content-Length: 4\r\n\r\nbody`) {
      await client.write(byte);
      await new Promise(setImmediate);
    }
    const answer = await client.response();
    assert.equal(JSON.parse(answer.text).body, 'body');
    client.destroy();
  });
  test('HTTP/1.0 without Host', limit, async () => {
    const { answers, closed } = await talk(`GET /ten HTTP/1.0\r\n${K}\r\n`);
    assert.equal(answers[0]?.status, 200);
    assert.ok(closed);
  });
  test('Connection: close is honoured', limit, async () => {
    const { answers, closed } = await talk(`GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${K}\r\n${smuggled}`);
    assert.equal(answers.length, 1);
    assert.ok(closed);
  });
  test('OPTIONS *', limit, async () => {
    const { answers } = await talk(`OPTIONS * HTTP/1.1\r\nHost: h\r\n${K}\r\n`);
    assert.ok([200, 400, 401, 404].includes(answers[0]?.status));
  });
  test('an upgrade that nobody wants is left out', limit, async () => {
    const { answers } = await talk(`GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n${K}\r\n`);
    assert.equal(answers[0]?.status, 200);
  });
});

test('clients that leave with their requests unread are no reason to wait at the end', limit, async () => {
  const gateway = await Postern.start({ upstream: upstream.url, shutdown_timeout: '1h' });
  const hers = await gateway.createKey('gone');
  const rounds = 5;
  for (let i = 0; i < rounds; i++) {
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(gateway.port)));
    for (const client of clients) {
      client.socket.write(`GET /x HTTP/1.1\r\nHost: h\r\n${keyLine(hers.key1)}\r\n`);
      client.destroy();
    }
  }
  assert.equal((await request(gateway.port, '/x', { key: hers.key1 })).status, 200);
  await gateway.stop();
});
