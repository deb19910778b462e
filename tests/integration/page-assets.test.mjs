// SPDX-License-Identifier: Apache-2.0
// The page's files as the admin side serves them: what is in web/, compressed, with an ETag and the browser's limits.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { Postern } from './lib/postern.mjs';
import { temporaryDirectory } from './lib/util.mjs';

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'";
const web = new URL('../../web/', import.meta.url);
const files = ['index.html', ...readdirSync(new URL('assets/', web)).map((name) => `assets/${name}`)];
const pathOf = (file) => (file === 'index.html' ? '/' : `/${file}`);
let postern;
let socketPath;

function ask(method, target, headers = {}) {
  return new Promise((resolve, reject) => {
    const sent = http.request({ socketPath, method, path: target, headers, timeout: 20000 }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${target}`)));
    sent.on('error', reject);
    sent.end();
  });
}

before(async () => {
  socketPath = path.join(temporaryDirectory(), 'admin.sock');
  postern = await Postern.start({ admin_listen: `unix:${socketPath}` });
});

after(() => postern?.stop());

test('every file of web/ is served as it is, plain and compressed', async () => {
  for (const file of files) {
    const is = readFileSync(new URL(file, web));
    const plain = await ask('GET', pathOf(file));
    assert.equal(plain.status, 200, file);
    assert.ok(plain.body.equals(is), file);
    assert.equal(plain.headers['content-encoding'], undefined);
    const packed = await ask('GET', pathOf(file), { 'accept-encoding': 'br, gzip;q=0.8' });
    assert.equal(packed.headers['content-encoding'], 'gzip', file);
    assert.ok(gunzipSync(packed.body).equals(is), file);
    assert.notEqual(packed.headers.etag, plain.headers.etag);
    for (const answer of [plain, packed]) {
      assert.equal(answer.headers['content-security-policy'], POLICY);
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      assert.equal(answer.headers['cache-control'], 'no-cache');
      assert.equal(answer.headers.vary, 'Accept-Encoding');
      assert.equal(answer.headers['referrer-policy'], 'no-referrer');
    }
  }
});

test('a file that is known is not sent again', async () => {
  for (const headers of [{}, { 'accept-encoding': 'gzip' }]) {
    const { headers: { etag } } = await ask('GET', '/assets/app.js', headers);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await ask('GET', '/assets/app.js', { ...headers, 'if-none-match': known });
      assert.equal(again.status, 304, known);
      assert.equal(again.body.length, 0);
      assert.equal(again.headers.etag, etag);
      assert.equal(again.headers['content-security-policy'], POLICY);
    }
    assert.equal((await ask('GET', '/assets/app.js', { ...headers, 'if-none-match': '"other"' })).status, 200);
  }
});

test('gzip;q=0 is a no', async () => {
  assert.equal((await ask('GET', '/', { 'accept-encoding': 'gzip;q=0' })).headers['content-encoding'], undefined);
});

test('HEAD tells the length, other methods are refused, nothing else is there', async () => {
  const head = await ask('HEAD', '/');
  assert.equal(head.status, 200);
  assert.equal(Number(head.headers['content-length']), readFileSync(new URL('index.html', web)).length);
  const post = await ask('POST', '/');
  assert.equal(post.status, 405);
  assert.equal(post.headers.allow, 'GET, HEAD');
  for (const missing of ['/index.html', '/assets/', '/assets/../index.html', '/assets/nothing.js', '/assets/app.js/']) assert.equal((await ask('GET', missing)).status, 404, missing);
});
