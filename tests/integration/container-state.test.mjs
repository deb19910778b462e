// SPDX-License-Identifier: Apache-2.0
// What the gateway says of its container: changes of state in the log, once each; status and metrics; what was
// malformed in a response that became a 502.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { caller } from './lib/admin.mjs';
import { RawClient, request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 60000 };

async function start(t, upstream, settings = {}) {
  const socketPath = path.join(temporaryDirectory('s'), 'admin.sock');
  const gateway = await Postern.start({ upstream, admin_listen: `unix:${socketPath}`, open_paths: '/status', ...settings });
  t.after(() => gateway.stop());
  const call = caller({ socketPath });
  const lines = (pattern) => gateway.stderr.split('\n').filter((line) => pattern.test(line));
  return {
    gateway,
    lines,
    line: (pattern) => eventually(10000, `the log line ${pattern}`, () => lines(pattern)[0]),
    container: async () => (await call('GET', '/admin/v1/status')).json.upstream,
    metric: async (name) => Number(new RegExp(`^postern_${name} (.*)$`, 'm').exec((await call('GET', '/metrics')).text)?.[1]),
    get: (target = '/status') => request(gateway.port, target),
  };
}

test('a container that is gone, comes and goes: one line each, and the status says what is known', limit, async (t) => {
  const port = await freePort();
  const { lines, line, container, metric, get } = await start(t, `http://127.0.0.1:${port}`);
  const first = await container();
  assert.deepEqual([first.state, first.last_request, first.last_answer, first.failure, first.outage, first.api_status], ['unknown', null, null, null, null, null]);
  assert.equal(lines(/container/).length, 0, 'nothing is known, nothing is said');

  for (let i = 0; i < 50; i++) assert.equal((await get()).status, 503);
  await line(new RegExp(`warning +upstream: the container at 127.0.0.1:${port} is unreachable: it does not accept connections; clients get 503`));
  const gone = await container();
  assert.deepEqual([gone.state, gone.failure, gone.outage.failed_requests], ['down', { error: 'upstream_refused', reason: 'it does not accept connections' }, 50]);
  assert.ok(new Date(gone.outage.since) <= new Date(gone.last_failure));
  assert.equal(gone.last_request, gone.last_failure);
  assert.equal(await metric('upstream_down'), 1);
  assert.equal(await metric('upstream_failures_total'), 50);

  const upstream = await Upstream.start((x) => x.answer(200, 'ok'), { port });
  t.after(() => upstream.stop());
  await eventually(10000, 'a response', async () => (await get()).status === 200);
  const [back] = [await line(/info +upstream: the container at .* responds again after \d+ s; requests failed: (\d+)/)];
  assert.ok(Number(/failed: (\d+)/.exec(back)[1]) >= 50);
  const now = await container();
  assert.deepEqual([now.state, now.outage], ['up', null]);
  assert.equal(now.failure.error, 'upstream_refused');
  assert.equal(await metric('upstream_down'), 0);
  assert.equal(lines(/is unreachable/).length, 1);
});

test('a name without an address, one that never responds: the reason is named', limit, async (t) => {
  const silent = await Upstream.start(() => new Promise(() => {}));
  t.after(() => silent.stop());
  const slow = await start(t, silent.url, { upstream_first_byte_timeout: '200ms' });
  assert.equal((await slow.get()).status, 504);
  await slow.line(/the container at .* fails: it did not respond in time; clients get 504/);
  assert.equal((await slow.container()).failure.error, 'upstream_timeout');

  const unknown = await start(t, 'http://nowhere.invalid:5000');
  assert.equal((await unknown.get()).status, 503);
  await unknown.line(/the container at nowhere.invalid:5000 is unreachable: its name has no address; clients get 503/);
  assert.equal((await unknown.container()).failure.error, 'upstream_unresolved');
});

test('what an Azure AI container says of its subscription is taken from /status when it passes', limit, async (t) => {
  let says = 'Invalid';
  const upstream = await Upstream.start((x) => x.json({ service: 'x', apiStatus: says, apiStatusMessage: 'as it says' }));
  t.after(() => upstream.stop());
  const { container, get } = await start(t, upstream.url, { open_paths: '/status, /other' });
  await get('/other');
  assert.equal((await container()).api_status, null);
  for (const [value, grade] of [['Invalid', 'refuses'], ['Unknown', 'unsure'], ['Valid', 'serves']]) {
    says = value;
    assert.equal((await get()).status, 200);
    const seen = (await container()).api_status;
    assert.deepEqual([seen.value, seen.grade], [value, grade]);
    assert.ok(seen.meaning.length > 0 && new Date(seen.seen) <= new Date());
  }
});

describe('a malformed response', limit, () => {
  const cases = [
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc', /Content-Length/],
    ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nab', /Content-Length.*at byte 35/],
    ['a length beside chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', /Transfer-Encoding|Content-Length/],
    ['a field without a name', 'HTTP/1.1 200 OK\r\n: x\r\n\r\n', /header.*, at byte \d+$/],
    ['control characters', 'HTTP/1.1 200 OK\r\nX: a\u0001\u001b[31mb\r\n\r\n', /, at byte \d+$/],
    ['not HTTP at all', '\u001b[31m"SSH-2.0-\\evil\n', /at byte 1$/],
    ['another version', 'HTTP/3.7 200 OK\r\n\r\n', /version/i],
    ['a bad chunk size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', /chunk size.*, at byte 48$/, true],
  ];
  let upstream;
  let bytes;
  before(async () => {
    upstream = await Upstream.start(async (x) => {
      await x.write(bytes);
      x.end();
    });
  });
  after(() => upstream.stop());

  for (const [name, answer, words, cut] of cases) {
    test(`${name}: the log says what was malformed`, limit, async (t) => {
      bytes = answer;
      const { gateway, line } = await start(t, upstream.url);
      const client = await RawClient.connect(gateway.port);
      t.after(() => client.destroy());
      const got = await client.get('/status');
      assert.deepEqual([got.status, got.broken], cut ? [200, true] : [502, false]);
      const said = await line(new RegExp(`warning +upstream: request ${got.get('x-request-id')}: invalid response from the container: `));
      assert.match(said, words);
      assert.ok(!/[\u0000-\u001f\u007f-\uffff]/.test(said) && !said.includes('evil') && !said.includes('[31m'), `the container's bytes stay out of the log: ${said}`);
    });
  }

  test('a flood of them: a bounded number of lines', limit, async (t) => {
    bytes = cases[0][1];
    const { lines, line, get, metric } = await start(t, upstream.url);
    for (let i = 0; i < 300; i++) assert.equal((await get()).status, 502);
    await line(/invalid response from the container/);
    assert.equal(await metric('upstream_failures_total'), 300);
    assert.ok(lines(/invalid response from the container/).length <= 6, lines(/invalid response/).join('\n'));
    assert.equal(lines(/the container at .* fails: it sent an invalid response; clients get 502/).length, 1);
  });
});
