// SPDX-License-Identifier: Apache-2.0
// Chunked request bodies: extensions are ignored, and nothing that two parsers could read in two ways goes on.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { RawClient, keyLine } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';

const limit = { timeout: 60000 };
let upstream;
let postern;
let key;
let seen;

before(async () => {
  seen = [];
  upstream = await Upstream.start(async (x) => {
    const body = (await x.body()).toString('latin1');
    seen.push(`${x.method} ${x.path} ${body}`);
    await x.answer(200, body);
  });
  postern = await Postern.start({ upstream: upstream.url });
  key = await postern.createKey('chunks');
});
after(async () => {
  await postern?.stop();
  await upstream?.stop();
});

const head = () => `POST /c HTTP/1.1\r\nHost: localhost\r\n${keyLine(key.key1)}Transfer-Encoding: chunked\r\n\r\n`;
/** What a second parser could take for a request of its own. */
const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n';

async function send(pieces) {
  const client = await RawClient.connect(postern.port);
  try {
    await client.write(head());
    for (const piece of pieces) await client.write(piece);
    return await client.response({ method: 'POST' });
  } finally {
    client.destroy();
  }
}

describe('extensions are ignored', limit, () => {
  const long = `;n="${'x'.repeat(4000)}"`;
  const bodies = {
    'a name': '3;a\r\nabc\r\n0\r\n\r\n',
    'a value': '3;a=b\r\nabc\r\n0\r\n\r\n',
    'a quoted value': '3;a="b;c\\"d"\r\nabc\r\n0\r\n\r\n',
    'blanks in front': '3 ;a = "b"\r\nabc\r\n0\r\n\r\n',
    'several': '2;a;b=c\r\nab\r\n1;d="e"\r\nc\r\n0\r\n\r\n',
    'at the last chunk': '3\r\nabc\r\n0;last=1\r\n\r\n',
    'at the last chunk, with a trailer': '3;a\r\nabc\r\n0;last="1"\r\nX-Trailer: dropped\r\n\r\n',
    'long ones': `1${long}\r\na\r\n2${long}\r\nbc\r\n0\r\n\r\n`,
    'what looks like a chunk in a value': '3;a="0"\r\nabc\r\n0\r\n\r\n',
  };
  for (const [name, body] of Object.entries(bodies)) {
    test(name, limit, async () => {
      const answer = await send([body]);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.text, 'abc');
    });
  }

  test('byte by byte, and the connection goes on', limit, async () => {
    const client = await RawClient.connect(postern.port);
    await client.write(head());
    for (const byte of '3 ; a="b\\"c" ;d\r\nabc\r\n0;e\r\n\r\n') await client.write(byte);
    assert.equal((await client.response({ method: 'POST' })).text, 'abc');
    await client.write(`${head()}1;x\r\nz\r\n0\r\n\r\n`);
    assert.equal((await client.response({ method: 'POST' })).text, 'z');
    client.destroy();
  });

  test('all that a request may have of them', limit, async () => {
    const one = `1;${'e'.repeat(1021)}\r\nx\r\n`;
    const answer = await send([one.repeat(64), '0\r\n\r\n']);
    assert.equal(answer.text, 'x'.repeat(64));
  });
});

describe('what is malformed is refused, and nothing behind it is read as a request', limit, () => {
  const bodies = {
    'an empty name': `3;\r\nabc\r\n0;\r\n\r\n${HIDDEN}`,
    'an empty name at the last chunk': `0;\r\n\r\n${HIDDEN}`,
    'a bare LF behind an extension': `3;a\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a bare LF in an extension': `3;a\nb=c\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a bare LF in a quoted value': `3;a="\n"\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a CRLF in a quoted value': `3;a="\r\n0\r\n\r\n${HIDDEN}"\r\nabc\r\n0\r\n\r\n`,
    'an escaped CR in a quoted value': `3;a="\\\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a bare CR': `3;a\rb\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a bare CR at the end': `3;a\r\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a NUL': `3;a\0b\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a quote that is not closed': `3;a="b\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a value behind a value': `3;a="b"c\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a name outside ASCII': `3;\xe4\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'blanks without an extension': `3 \r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'blanks behind the last extension': `3;a \r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'blanks in front of the size': ` 3\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a prefix': `0x3;a\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a huge extension': `3;a=${'b'.repeat(5000)}\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'a size without an end': '3;' + 'a'.repeat(60000),
    'too many extensions': `${`1;${'e'.repeat(1021)}\r\nx\r\n`.repeat(64)}1;e\r\nx\r\n0\r\n\r\n${HIDDEN}`,
    'an extension that is longer than its chunk': `1;a\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
    'data that is shorter than its size': `5;a\r\nabc\r\n0\r\n\r\n${HIDDEN}`,
  };
  for (const [name, body] of Object.entries(bodies)) {
    test(name, limit, async () => {
      const client = await RawClient.connect(postern.port);
      seen.length = 0;
      client.write(head() + body);
      const answer = await client.response({ method: 'POST' });
      assert.equal(answer.status, 400, answer.text);
      assert.equal(JSON.parse(answer.text).error.code, 'InvalidRequestBody');
      assert.match(answer.text, /malformed/);
      await assert.rejects(client.response(), /closed/i); // one answer, and the end
      assert.ok(!seen.some((line) => line.includes('hidden')), `${seen}`);
      client.destroy();
    });
  }
});
