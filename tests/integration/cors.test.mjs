// SPDX-License-Identifier: Apache-2.0
// Pages of other origins: preflights, what answers bear, and a real browser that keeps to it.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { launch, noChromium } from './lib/browser.mjs';
import { RawClient, request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { freePort } from './lib/util.mjs';

const limit = { timeout: 120000 };
const PAGE = 'https://app.example';
let upstream;
let postern;
let key;
let seen = [];

const answer = async (x) => {
  seen.push(x.method);
  const body = await x.body();
  const fields = { 'Access-Control-Allow-Origin': 'https://container.example', 'access-control-max-age': '1', Vary: 'Accept', 'Operation-Location': 'https://elsewhere.example/x', 'X-Inner': '1' };
  return x.answer(200, `got ${body.length}`, fields);
};

before(async () => {
  upstream = await Upstream.start(answer);
  postern = await Postern.start({ upstream: upstream.url, cors_allow_origins: `${PAGE}, https://*.apps.example`, cors_max_age: '10m' });
  key = await postern.createKey('browser');
}, limit);

after(async () => {
  await postern?.stop();
  await upstream?.stop();
}, limit);

const preflight = (origin, { gateway = postern, method = 'POST', headers = 'ocp-apim-subscription-key,content-type' } = {}) =>
  request(gateway.port, '/text/analytics/v3.1/sentiment', {
    method: 'OPTIONS',
    headers: { Origin: origin, 'Access-Control-Request-Method': method, ...(headers && { 'Access-Control-Request-Headers': headers }) },
  });
const corsOf = (from) => from.fields.filter(([name]) => /^access-control-/i.test(name)).map(([name]) => name.toLowerCase()).sort();

describe('a preflight', () => {
  test('of an allowed page needs no key, and the container is not asked', limit, async () => {
    seen = [];
    for (const origin of [PAGE, 'https://one.apps.example']) {
      const told = await preflight(origin);
      assert.equal(told.status, 204);
      assert.equal(told.text, '');
      assert.equal(told.get('access-control-allow-origin'), origin);
      assert.equal(told.get('access-control-allow-methods'), 'GET, HEAD, POST, PUT, PATCH, DELETE');
      assert.equal(told.get('access-control-allow-headers'), 'ocp-apim-subscription-key,content-type');
      assert.equal(told.get('access-control-max-age'), '600');
      assert.equal(told.get('access-control-allow-credentials'), undefined);
      assert.ok(told.get('x-request-id'));
    }
    assert.deepEqual(seen, []);
  });

  test('of another page is refused, in words that name the setting', limit, async () => {
    for (const origin of ['https://evil.example', 'http://app.example', 'null', 'https://apps.example', `${PAGE}.evil.example`]) {
      const told = await preflight(origin);
      assert.equal(told.status, 403, origin);
      assert.match(told.json().error.message, /cors_allow_origins/);
      assert.deepEqual(corsOf(told), []);
    }
  });

  test('may list no names that are none', limit, async () => {
    const told = await preflight(PAGE, { headers: 'x-good, b@d' });
    assert.equal(told.status, 204);
    assert.equal(told.get('access-control-allow-headers'), undefined);
  });

  test('is a request like others without its fields', limit, async () => {
    const plain = await request(postern.port, '/x', { method: 'OPTIONS', headers: { Origin: PAGE } });
    assert.equal(plain.status, 401);
  });

  test('reaches the container without a key when CORS is left to it, and nothing else does', limit, async () => {
    const off = await Postern.start({ upstream: upstream.url });
    try {
      seen = [];
      const told = await preflight(PAGE, { gateway: off });
      assert.equal(told.status, 200);
      assert.equal(told.get('access-control-allow-origin'), 'https://container.example');
      assert.deepEqual(seen, ['OPTIONS']);
      const asked = { Origin: PAGE, 'Access-Control-Request-Method': 'POST' };
      const others = {
        'another method': { method: 'GET', headers: asked },
        'a body': { method: 'OPTIONS', headers: asked, body: 'x' },
        'no Origin': { method: 'OPTIONS', headers: { 'Access-Control-Request-Method': 'POST' } },
        'no Access-Control-Request-Method': { method: 'OPTIONS', headers: { Origin: PAGE } },
      };
      for (const [name, options] of Object.entries(others)) assert.equal((await request(off.port, '/x', options)).status, 401, name);
      assert.deepEqual(seen, ['OPTIONS']);
      const other = await off.createKey('off');
      const passed = await request(off.port, '/x', { key: other.key1, headers: { Origin: PAGE } });
      assert.equal(passed.get('access-control-allow-origin'), 'https://container.example');
    } finally {
      await off.stop();
    }
  });
});

describe('an answer', () => {
  test('bears Postern’s fields and not the container’s', limit, async () => {
    const told = await request(postern.port, '/x', { key: key.key1, method: 'POST', body: 'abc', headers: { Origin: PAGE } });
    assert.equal(told.status, 200);
    assert.equal(told.text, 'got 3');
    assert.deepEqual(corsOf(told), ['access-control-allow-origin', 'access-control-expose-headers']);
    assert.equal(told.get('access-control-allow-origin'), PAGE);
    assert.match(told.get('access-control-expose-headers'), /Operation-Location.*apim-request-id/);
    const vary = told.fields.filter(([name]) => /^vary$/i.test(name)).map(([, value]) => value);
    assert.deepEqual(vary.sort(), ['Accept', 'Origin']);
    assert.equal(told.get('x-inner'), '1');
  });

  test('to another page, or none, has no field but Vary', limit, async () => {
    for (const headers of [{ Origin: 'https://evil.example' }, {}]) {
      const told = await request(postern.port, '/x', { key: key.key1, headers });
      assert.equal(told.status, 200);
      assert.deepEqual(corsOf(told), []);
      assert.ok(told.fields.some(([name, value]) => /^vary$/i.test(name) && value === 'Origin'));
    }
  });

  test('that refuses can be read by the page: 401, 404, 413, a head too large, an early answer', limit, async () => {
    const cases = [
      [{ method: 'POST', body: 'x' }, 401],
      [{ key: key.key1, headers: { Expect: '200-ok' } }, 417],
      [{ key: key.key1, headers: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`X-${i}`, 'x'.repeat(100)])) }, 200],
    ];
    for (const [options, status] of cases) {
      const told = await request(postern.port, '/x', { ...options, headers: { ...options.headers, Origin: PAGE } });
      assert.equal(told.status, status);
      assert.equal(told.get('access-control-allow-origin'), PAGE, String(status));
    }
    // In the middle of an upload, around libmicrohttpd.
    const client = await RawClient.connect(postern.port);
    try {
      await client.write(`POST /x HTTP/1.1\r\nHost: localhost\r\nOrigin: ${PAGE}\r\nOcp-Apim-Subscription-Key: ${key.key1}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nrubbish\r\n`);
      const told = await client.response({ method: 'POST' });
      assert.equal(told.status, 400);
      assert.equal(told.get('access-control-allow-origin'), PAGE);
    } finally {
      client.destroy();
    }
  });
});

test('“*” and credentials, and origins that are none', limit, async () => {
  const all = await Postern.start({ upstream: upstream.url, cors_allow_origins: '*', cors_allow_headers: 'content-type, authorization', cors_expose_headers: '' });
  try {
    const told = await preflight('null', { gateway: all });
    assert.equal(told.get('access-control-allow-origin'), '*');
    assert.equal(told.get('access-control-allow-headers'), 'content-type, authorization');
    const refused = await request(all.port, '/x', { headers: { Origin: 'https://any.example' } });
    assert.deepEqual([refused.status, refused.get('access-control-allow-origin'), refused.get('vary')], [401, '*', undefined]);
    assert.equal(refused.get('access-control-expose-headers'), undefined);
  } finally {
    await all.stop();
  }
  const checked = await postern.cli(['check'], { settings: { cors_allow_origins: 'https://App.example/' } });
  assert.equal(checked.code, 1);
  assert.match(checked.stdout + checked.stderr, /cors_allow_origins: "https:\/\/App\.example\/" is not an origin/i);
  const warned = await postern.cli(['check'], { settings: { cors_allow_origins: '*', cors_allow_credentials: 'on' } });
  assert.match(warned.stdout + warned.stderr, /lets any web page call/);
  const bad = await Postern.start({ upstream: upstream.url, cors_allow_origins: 'app.example' }).catch((error) => error);
  assert.match(String(bad.message), /cors_allow_origins: .+app\.example.+ is not an origin/);
});

test('a page in Chromium reads answers and refusals, and one of another origin does not', { ...limit, skip: noChromium }, async () => {
  const server = http.createServer((_, res) => res.setHeader('Content-Type', 'text/html').end('<!doctype html><title>page</title>'));
  const port = await freePort();
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const gateway = await Postern.start({ upstream: upstream.url, cors_allow_origins: `http://127.0.0.1:${port}` });
  const browser = await launch();
  try {
    const made = await gateway.createKey('page');
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const call = (page, secret) =>
      page.evaluate(async ([url, subscription]) => {
        const told = await fetch(url, { method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json', 'Ocp-Apim-Subscription-Key': subscription } })
          .catch((error) => ({ failed: error.name }));
        if (told.failed) return told;
        return { status: told.status, where: told.headers.get('operation-location'), inner: told.headers.get('x-inner'), text: await told.text() };
      }, [`https://127.0.0.1:${gateway.port}/text`, secret]);
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
    assert.deepEqual(await call(page, made.key1), { status: 200, where: 'https://elsewhere.example/x', inner: null, text: 'got 2' });
    const refused = await call(page, 'wrong');
    assert.equal(refused.status, 401);
    assert.equal(JSON.parse(refused.text).error.code, '401');
    await page.goto(`http://localhost:${port}/`);
    assert.deepEqual(await call(page, made.key1), { failed: 'TypeError' });
  } finally {
    await browser.close();
    await gateway.stop();
    server.close();
  }
});
