// SPDX-License-Identifier: Apache-2.0
// The admin side's REST interface over its Unix socket: every operation of web/openapi.json that is served, every
// answer checked against the document.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { all, caller, cookieOf, document, driven, signIn } from './lib/admin.mjs';
import { request } from './lib/client.mjs';
import { Postern, cli } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort, temporaryDirectory } from './lib/util.mjs';

let postern;
let upstream;
let socketPath;
let call;
let port;

before(async () => {
  upstream = await Upstream.start((x) => x.answer(200, 'ok'));
  socketPath = path.join(temporaryDirectory(), 'admin.sock');
  port = await freePort();
  postern = await Postern.start({ upstream: upstream.url, admin_listen: `127.0.0.1:${port}, unix:${socketPath}` });
  call = caller({ socketPath });
});

after(async () => {
  await postern?.stop();
  assert.ok(!existsSync(socketPath), 'the socket is removed at the end');
  await upstream?.stop?.();
});

test('status says when the container answered last, and when it did not', async () => {
  const container = await Upstream.start((x) => x.answer(200, 'ok'));
  const own = path.join(temporaryDirectory(), 'admin.sock');
  const gateway = await Postern.start({ upstream: container.url, admin_listen: `unix:${own}` });
  const state = async () => (await caller({ socketPath: own })('GET', '/admin/v1/status')).json.upstream;
  try {
    const { url, state: unknown, ...rest } = await state();
    assert.deepEqual([url, unknown], [container.url, 'unknown']);
    for (const [name, value] of Object.entries(rest)) assert.equal(value, null, name);
    assert.equal((await request(gateway.port, '/ready')).status, 200);
    const up = await state();
    assert.equal(up.state, 'up');
    assert.ok(Math.abs(new Date(up.last_answer) - Date.now()) < 60000);
    await container.stop();
    assert.equal((await request(gateway.port, '/ready')).status, 503);
    const down = await state();
    assert.equal(down.state, 'down');
    assert.ok(new Date(down.last_failure) >= new Date(down.last_answer));
  } finally {
    await gateway.stop();
  }
});

test('metrics are Prometheus text, strictly, and count what happens', async () => {
  const container = await Upstream.start((x) => x.answer(x.target.startsWith('/missing') ? 404 : 200, 'ok'));
  const own = path.join(temporaryDirectory(), 'admin.sock');
  const gateway = await Postern.start({ upstream: container.url, admin_listen: `unix:${own}`, workers: 2 });
  const read = async () => {
    const answer = await caller({ socketPath: own })('GET', '/metrics');
    assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    return parseMetrics(answer.text);
  };
  try {
    const key = await gateway.createKey('metrics');
    const before = await read();
    assert.equal(before.get('postern_workers'), 2);
    for (let i = 0; i < 3; i++) assert.equal((await request(gateway.port, '/a', { key: key.key1, method: 'POST', body: 'abc' })).status, 200);
    assert.equal((await request(gateway.port, '/missing', { key: key.key1 })).status, 404);
    // One call and its repeats, and another credential.
    for (let i = 0; i < 4; i++) assert.equal((await request(gateway.port, '/a', { key: 'wrong' })).status, 401);
    assert.equal((await request(gateway.port, '/a', { key: 'wrong, too' })).status, 401);
    let now;
    const grew = (name) => now.get(name) - (before.get(name) ?? 0);
    await eventually(5000, 'all of it to be counted', async () => ((now = await read()), grew('postern_requests_total{class="4xx"}') >= 6));
    assert.equal(grew('postern_requests_total{class="2xx"}'), 3);
    assert.equal(grew('postern_requests_total{class="4xx"}'), 6);
    assert.equal(grew('postern_errors_total{error="key_wrong"}'), 5);
    assert.ok(grew('postern_wrong_credentials_total') >= 2 && grew('postern_wrong_credentials_total') <= 4, 'two, once for each worker that saw one');
    assert.equal(grew('postern_received_bytes_total'), 9);
    assert.equal(grew('postern_request_duration_seconds_count'), 9);
    assert.equal(grew('postern_request_duration_seconds_bucket{le="+Inf"}'), 9);
    assert.ok(grew('postern_request_duration_seconds_sum') > 0);
    assert.ok(Math.abs(now.get('postern_upstream_last_answer_timestamp_seconds') - Date.now() / 1000) < 60);
    assert.ok(now.get('postern_certificate_expiry_timestamp_seconds') > Date.now() / 1000);
    assert.equal(now.has('postern_egress_tunnels_open'), false, 'there is no way out here');
  } finally {
    await gateway.stop();
    await container.stop();
  }
});

/** Name with labels → number; throws at what the text format 0.0.4 does not allow. */
function parseMetrics(text) {
  const found = new Map();
  const types = new Map();
  assert.ok(text.endsWith('\n'));
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) (postern_[a-z0-9_]+) (.+)$/.exec(line);
    if (comment) {
      if (comment[1] === 'TYPE') {
        assert.ok(!types.has(comment[2]), `${comment[2]} is there twice`);
        assert.match(comment[3], /^(counter|gauge|histogram)$/);
        types.set(comment[2], comment[3]);
      }
      continue;
    }
    const sample = /^(postern_[a-z0-9_]+)(\{[a-z_]+="[^"\\\n]*"\})? (\d+(?:\.\d+)?)$/.exec(line);
    assert.ok(sample, `not a sample: ${line}`);
    const family = types.has(sample[1]) ? sample[1] : sample[1].replace(/_(bucket|sum|count)$/, '');
    assert.ok(types.has(family), `${sample[1]} has no type`);
    assert.equal(types.get(family) === 'counter', family.endsWith('_total'), `${family} is named for its type`);
    assert.ok(!found.has(sample[1] + (sample[2] ?? '')), `${line} is there twice`);
    found.set(sample[1] + (sample[2] ?? ''), Number(sample[3]));
  }
  const buckets = [...found].filter(([name]) => name.includes('_bucket{')).map(([, value]) => value);
  assert.deepEqual(buckets, buckets.toSorted ? buckets.toSorted((a, b) => a - b) : [...buckets].sort((a, b) => a - b));
  return found;
}

test('single requests, newest first, by key, status, route and time, in pages', async () => {
  const key = await postern.createKey('requests');
  for (let i = 0; i < 7; i++) assert.equal((await request(postern.port, `/counted/${i % 2 ? 'odd' : 'even'}?i=${i}`, { key: key.key2, method: 'POST', body: 'abc', headers: { 'X-Request-Id': `number-${i}` } })).status, 200);
  assert.equal((await request(postern.port, '/counted/even', { key: 'wrong', headers: { 'X-Request-Id': 'with <markup> & "quotes"' } })).status, 401);
  const list = async (query) => (await call('GET', `/admin/v1/requests?${query}`)).json;
  await eventually(10000, 'the requests to be written', async () => (await list(`key=${key.id}`)).items.length === 7);
  const pages = [];
  let query = `key=${key.id}&limit=3`;
  for (let page = await list(query); ; page = await list(`${query}&cursor=${page.next_cursor}`)) {
    pages.push(page.items.map((item) => item.request_id));
    if (!page.next_cursor) break;
  }
  assert.deepEqual(pages.flat(), [6, 5, 4, 3, 2, 1, 0].map((i) => `number-${i}`));
  assert.ok(pages.slice(0, -1).every((page) => page.length === 3));
  const [newest] = (await list(`key=${key.id}`)).items;
  assert.deepEqual({ ...newest, time: 0, duration_us: 0, ttfb_us: 0 },
    { time: 0, request_id: 'number-6', key: key.id, secret: 'key2', method: 'POST', route: '/counted/even', status: 200, bytes_in: 3, bytes_out: 2, duration_us: 0, ttfb_us: 0, client: '127.0.0.1', end: 'ok',
      error: '', rule: '', endpoint: new URL(upstream.url).host, attempts: 1 });
  assert.ok(Math.abs(new Date(newest.time) - Date.now()) < 60000 && newest.duration_us > 0 && newest.ttfb_us > 0);
  assert.equal((await list(`key=${key.id}&route=/counted/odd`)).items.length, 3);
  assert.ok((await list('status=401')).items.every((item) => item.status === 401));
  assert.ok((await list('status=401')).items.length > 0);
  const wrong = (await list('error=key_wrong')).items;
  assert.ok(wrong.length > 0 && wrong.every((item) => item.status === 401 && item.error === 'key_wrong' && item.end === 'refused' && item.endpoint === '' && item.attempts === 0));
  assert.deepEqual((await list(`key=${key.id}&error=key_wrong`)).items, []);
  const byError = (await call('GET', '/admin/v1/usage?by=error,endpoint')).json.items;
  assert.ok(byError.some((one) => one.error === '' && one.endpoint === new URL(upstream.url).host && one.errors === 0));
  const refused = byError.find((one) => one.error === 'key_wrong');
  assert.deepEqual([refused.endpoint, refused.requests], ['', refused.errors]);
  assert.equal((await call('GET', '/admin/v1/usage?by=error&error=key_wrong')).json.items[0].requests, refused.requests);
  const [errorHead, errorLine] = (await call('GET', '/admin/v1/usage?by=endpoint,error&error=key_wrong&format=csv')).text.split('\r\n');
  assert.match(errorHead, /^error,endpoint,requests/);
  assert.match(errorLine, /^"key_wrong","",\d/);
  assert.deepEqual(await list(`key=${key.id}&to=2020-01-01`), { items: [], next_cursor: null });
  assert.deepEqual(await list(`key=${key.id}&from=2100-01-01`), { items: [], next_cursor: null });
  assert.deepEqual(await list('key=nobody'), { items: [], next_cursor: null });
  for (const bad of ['limit=501', 'cursor=x', 'status=99', 'from=soon', 'by=key']) assert.equal((await call('GET', `/admin/v1/requests?${bad}`)).status, 400, bad);
});

test('the same request again makes no second key', async () => {
  const create = (name, key) => call('POST', '/admin/v1/keys', { body: { name }, headers: { 'idempotency-key': key } });
  const first = await create('once', 'try 1');
  assert.equal(first.status, 201);
  const again = await create('once', 'try 1');
  assert.equal(again.status, 409);
  assert.match(again.json.error.message, new RegExp(`created the key ${first.json.id} at 20`));
  assert.equal(again.headers.location, `/admin/v1/keys/${first.json.id}`);
  assert.ok(!again.text.includes(first.json.key1));
  assert.equal((await create('twice', 'try 1')).status, 422);
  // What made nothing can be asked again; another key, and another caller, are others.
  assert.equal((await create('', 'try 2')).status, 422);
  assert.equal((await create('once', 'try 2')).status, 201);
  for (const bad of ['', 'x'.repeat(129), 'a\tb']) assert.equal((await create('once', bad)).status, 400, bad);
  const both = await Promise.all(Array.from({ length: 8 }, () => create('at once', 'try 3')));
  assert.deepEqual(both.map((answer) => answer.status).sort(), [201, 409, 409, 409, 409, 409, 409, 409]);
  assert.equal((await call('GET', '/admin/v1/keys?name=at%20once')).json.total, 1);
});

const status = async (key) => (await request(postern.port, '/x', { key })).status;
const works = (key) => eventually(10000, 'the key to work', async () => (await status(key)) === 200);
const stops = (key) => eventually(10000, 'the key to stop', async () => (await status(key)) === 401);

test('the socket is for its owner alone', () => {
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
});

test('a key through its life', async () => {
  const made = await call('POST', '/admin/v1/keys', { body: { name: 'Überblick <b>', note: '"; DROP', expires: '2099-01-01T00:00:00Z' } });
  assert.equal(made.status, 201);
  const { id, key1, key2 } = made.json;
  assert.equal(made.headers.location, `/admin/v1/keys/${id}`);
  assert.equal(made.json.name, 'Überblick <b>');
  assert.equal(made.json.expires, '2099-01-01T00:00:00.000Z');
  await works(key1);
  await works(key2);

  const read = await call('GET', `/admin/v1/keys/${id}`);
  assert.equal(read.headers.etag, made.headers.etag);
  assert.ok(!read.text.includes(key1) && !read.text.includes(key2), 'no secret is shown again');
  assert.ok(read.json.secrets.key1.masked.endsWith(key1.slice(-4)));

  const rotated = await call('POST', `/admin/v1/keys/${id}/rotate`, { body: { secret: 'key1', grace_seconds: 600 } });
  assert.equal(rotated.status, 200);
  assert.notEqual(rotated.json.key1, key1);
  assert.equal(rotated.json.key2, undefined);
  assert.ok(rotated.json.secrets.key1.old.masked.endsWith(key1.slice(-4)));
  await works(rotated.json.key1);
  await works(key1);

  const again = await call('POST', `/admin/v1/keys/${id}/rotate`, { body: { secret: 'key1', grace_seconds: 0 } });
  await works(again.json.key1);
  await stops(rotated.json.key1);

  const revoked = await call('DELETE', `/admin/v1/keys/${id}/secrets/key2`);
  assert.equal(revoked.json.secrets.key2, null);
  await stops(key2);

  const lost = await call('DELETE', `/admin/v1/keys/${id}`, { headers: { 'if-match': made.headers.etag } });
  assert.equal(lost.status, 412);
  await works(again.json.key1);
  const gone = await call('DELETE', `/admin/v1/keys/${id}`, { headers: { 'if-match': revoked.headers.etag } });
  assert.equal(gone.status, 204);
  await stops(again.json.key1);
  assert.equal((await call('GET', `/admin/v1/keys/${id}`)).status, 404);
  assert.equal((await call('DELETE', `/admin/v1/keys/${id}`)).status, 404);
});

test('a secret in the place of an id is not repeated', async () => {
  const { key1 } = (await call('POST', '/admin/v1/keys', { body: { name: 'pasted' } })).json;
  for (const [method, target, body] of [['GET', key1], ['PATCH', key1, { note: 'x' }], ['DELETE', key1], ['POST', `${key1}/rotate`, { secret: 'key1' }], ['DELETE', `${key1}/secrets/key1`]]) {
    const answer = await call(method, `/admin/v1/keys/${target}`, { body, headers: { 'if-match': '*' } });
    assert.equal(answer.status, 404);
    assert.ok(!answer.text.includes(key1), method);
  }
});

test('an existing secret is taken over once', async () => {
  const body = { name: 'old', key1: '0123456789abcdef0123456789abcdef' };
  const made = await call('POST', '/admin/v1/keys/import', { body });
  assert.equal(made.status, 201);
  assert.ok(!made.text.includes(body.key1));
  await works(body.key1);
  assert.equal((await call('POST', '/admin/v1/keys/import', { body })).status, 409);
});

test('what is wrong is named', async () => {
  const rules = async (target, body) => {
    const answer = await call('POST', target, { body });
    assert.equal(answer.status, 422, answer.text);
    return answer.json.error.details.map((d) => d.field).sort();
  };
  assert.deepEqual(await rules('/admin/v1/keys', {}), ['name']);
  assert.deepEqual(await rules('/admin/v1/keys', { name: 5, expires: 'soon', wat: 1 }), ['expires', 'name', 'wat']);
  assert.deepEqual(await rules('/admin/v1/keys', { name: 'x', expires: '2001-01-01T00:00:00Z' }), ['expires']);
  assert.deepEqual(await rules('/admin/v1/keys', { name: 'a\r\nSet-Cookie: x' }), ['name']);
  assert.deepEqual(await rules('/admin/v1/keys', { name: 'x', scopes: {}, tags: 'a', limits: [], enabled: true }), ['enabled', 'limits', 'scopes', 'tags']);
  assert.deepEqual(await rules('/admin/v1/keys', { name: 'x', networks: ['10.0.0.0/33'] }), ['networks']);
  assert.deepEqual(await rules('/admin/v1/keys', { name: 'x', scopes: [{ path: 'no-slash' }] }), ['scopes']);
  assert.deepEqual(await rules('/admin/v1/keys', { name: 'x', limits: { rate: { requests: 0, per_seconds: 1 } } }), ['limits']);
  assert.deepEqual(await rules('/admin/v1/keys/import', { name: 'x', key1: 'short' }), ['key1']);
  assert.deepEqual(await rules('/admin/v1/keys/0123456789ab/rotate', { secret: 'key3', grace_seconds: 2592001 }), ['grace_seconds', 'secret']);
  for (const [raw, words] of [
    ['', /^The body is empty; send a JSON object\.$/],
    ['null', /^The body must be a JSON object\.$/],
    ['"x"', /^The body must be a JSON object\.$/],
    ['{"name":"a","name":"b"}', /^A field is given twice at line 1, column \d+\.$/],
    ['{"name":"\\u0000"}', /^A text contains a NUL character at line 1, column \d+\.$/],
    ['{"name":1e400}', /^A number is too large at line 1, column \d+\.$/],
    ['['.repeat(5000), /^The JSON is nested too deeply at line 1, column \d+\.$/],
    ['{"name" "x"}', /^Invalid JSON at line 1, column \d+\.$/],
  ]) {
    const refused = await call('POST', '/admin/v1/keys', { raw });
    assert.deepEqual([refused.status, refused.json.error.code], [400, 'BadJson'], raw);
    assert.match(refused.json.error.message, words);
  }
  for (const raw of ['{', '[]', '{"name":"a","name":"b"}', '{"name":"\\u0000"}', Buffer.from('{"name":"\xff"}', 'latin1'), '']) {
    assert.equal((await call('POST', '/admin/v1/keys', { raw })).status, 400, String(raw));
  }
  const big = JSON.stringify({ name: 'x'.repeat(70000) });
  // It hangs up on the body; who is still writing may find that out before the answer.
  await eventually(5000, '413', async () => (await call('POST', '/admin/v1/keys', { raw: big })).status === 413);
  assert.equal((await call('POST', '/admin/v1/keys', { raw: '{}', headers: { 'content-type': 'text/plain' } })).status, 415);
  for (const target of ['keys?limit=0', 'keys?limit=501', 'keys?limit=1&limit=2', 'keys?wat=1', 'keys?sort=wat', 'keys?state=wat',
    'keys?expires_before=soon', 'keys?cursor=x', 'usage?by=wat', 'usage?by=hour,day', 'usage?from=2026-01-02&to=2026-01-01', 'usage?format=xml', 'usage?limit=0', 'status?x']) {
    assert.equal((await call('GET', `/admin/v1/${target}`)).status, 400, target);
  }
});

test('a key is changed field by field, and by one person at a time', async () => {
  const given = { name: 'fields', note: 'a', tags: ['x', 'y'], expires: '2099-01-01T00:00:00Z', not_before: '2026-01-01T00:00:00Z', networks: ['127.0.0.0/8'],
    scopes: [{ methods: ['GET'], path: '/x' }], limits: { rate: { requests: 10, per_seconds: 60 }, concurrency: 2, quota: { requests: 5, per: 'day' } } };
  const made = await call('POST', '/admin/v1/keys', { body: given });
  assert.equal(made.status, 201, made.text);
  const target = `/admin/v1/keys/${made.json.id}`;
  const shown = ({ name, note, tags, expires, not_before, networks, scopes, limits }) => ({ name, note, tags, expires: expires?.replace('.000', ''), not_before: not_before?.replace('.000', ''), networks, scopes, limits });
  assert.deepEqual(shown(made.json), given);
  const change = (body, match = '*') => call('PATCH', target, { body, headers: match ? { 'if-match': match } : {} });

  // Each alone, and the others stay.
  let wanted = given;
  for (const part of [{ name: 'new' }, { note: '' }, { tags: [] }, { expires: null }, { not_before: null }, { networks: ['10.0.0.0/8', '::1'] }, { scopes: [] },
    { limits: { rate: null, concurrency: 7, quota: null } }, { limits: {} }]) {
    wanted = { ...wanted, ...part, ...(part.limits?.concurrency ? { limits: { concurrency: 7 } } : {}) };
    const answer = await change(part);
    assert.equal(answer.status, 200, answer.text);
    const { expires, not_before: notBefore, ...rest } = shown(answer.json);
    const { expires: e, not_before: n, networks, ...others } = wanted;
    assert.deepEqual([expires ?? null, notBefore ?? null], [e, n]);
    assert.equal(answer.json.networks.length, networks.length);
    assert.deepEqual({ ...rest, networks: undefined }, { ...others, networks: undefined });
  }
  const disabled = await change({ enabled: false });
  assert.equal(disabled.json.state, 'disabled');
  assert.equal((await change({ enabled: true })).json.state, 'active');
  assert.equal((await change({})).status, 200);

  // One person at a time.
  const { headers: { etag } } = await call('GET', target);
  assert.equal((await change({ note: 'first' }, etag)).status, 200);
  assert.equal((await change({ note: 'second' }, etag)).status, 412);
  assert.equal((await change({ note: 'second' }, null)).status, 428);
  assert.equal((await call('GET', target)).json.note, 'first');
  const wrong = await change({ name: '', key1: 'x', enabled: 'yes' });
  assert.deepEqual(wrong.json.error.details.map((d) => d.field).sort(), ['enabled', 'key1', 'name']);
  assert.deepEqual((await change({ name: '' })).json.error.details.map((d) => d.field), ['name']);
  assert.equal((await call('PATCH', '/admin/v1/keys/0123456789ab', { body: { note: 'x' }, headers: { 'if-match': '*' } })).status, 404);
  assert.equal((await call('PATCH', '/admin/v1/keys/0123456789ab', { body: { note: 'x' }, headers: { 'if-match': '"1"' } })).status, 404);
});

test('other paths and methods', async () => {
  for (const target of ['/x', '/assets/', '/admin/v1', '/admin/v1/keys/', '/admin/v1/keys/a/b', '/admin/v2/keys']) {
    assert.equal((await call('GET', target)).status, 404, target);
  }
  const answer = await call('PUT', '/admin/v1/keys');
  assert.equal(answer.status, 405);
  assert.equal(answer.headers.allow, 'GET, HEAD, POST');
});

test('REST and the command line see each other’s changes, in turns', async () => {
  const listed = async () => (await postern.cli(['key', 'list', '--json'])).stdout;
  for (let i = 0; i < 3; i++) {
    const { id } = (await call('POST', '/admin/v1/keys', { body: { name: `turn-${i}` } })).json;
    assert.match(await listed(), new RegExp(`"${id}"`), 'a key made over REST');
    const made = await postern.createKey(`other-turn-${i}`, [], { wait: false });
    assert.equal((await call('GET', `/admin/v1/keys/${made.id}`)).status, 200, 'a key made by the command line');
  }
});

test('lists: pages, order, filters', async () => {
  for (const name of ['b', 'a', 'c']) await call('POST', '/admin/v1/keys', { body: { name: `list-${name}` } });
  const names = [];
  let cursor = '';
  for (let pages = 0; pages < 10; pages++) {
    const page = await call('GET', `/admin/v1/keys?text=list-&sort=-name&limit=2${cursor && `&cursor=${cursor}`}`);
    assert.equal(page.json.total, 3);
    names.push(...page.json.items.map((k) => k.name));
    cursor = page.json.next_cursor;
    if (cursor === null) break;
  }
  assert.deepEqual(names, ['list-c', 'list-b', 'list-a']);
  assert.deepEqual((await call('GET', '/admin/v1/keys?name=list-b')).json.items.map((k) => k.name), ['list-b']);
  assert.equal((await call('GET', '/admin/v1/keys?state=disabled')).json.total, 0);
  assert.equal((await call('GET', '/admin/v1/keys?expires_before=2000-01-01')).json.total, 0);
});

test('the trail says who did what, page by page', async () => {
  const { id } = (await call('POST', '/admin/v1/keys', { body: { name: 'traced' } })).json;
  await call('PATCH', `/admin/v1/keys/${id}`, { body: { note: 'why' }, headers: { 'if-match': '*' } });
  await postern.cli(['key', 'disable', id]);
  const trail = async (query) => (await call('GET', `/admin/v1/audit?target=${id}${query}`)).json;
  const all = await trail('');
  assert.deepEqual(all.items.map((e) => [e.action, e.actor.kind]), [['key.disable', 'cli'], ['key.update', 'socket'], ['key.create', 'socket']]);
  assert.equal(all.total, 3);
  assert.equal(all.next_cursor, null);
  assert.equal(all.items[1].after.note, 'why');
  assert.equal(all.items[1].actor.name, `uid ${process.getuid()}`);
  const first = await trail('&limit=2');
  await call('PATCH', `/admin/v1/keys/${id}`, { body: { note: 'later' }, headers: { 'if-match': '*' } });
  assert.deepEqual((await trail(`&limit=2&cursor=${first.next_cursor}`)).items.map((e) => e.action), ['key.create'], 'a newer entry shifts nothing');
  assert.equal((await trail('&action=key.disable')).total, 1);
  assert.equal((await trail('&action=key.')).total, 4);
  assert.equal((await trail('&actor=nobody')).total, 0);
  assert.equal((await trail('&to=2001-01-01')).total, 0);
  assert.equal((await call('GET', '/admin/v1/audit?cursor=x')).status, 400);
});

test('usage, status, settings and the document', async () => {
  const { id, key1 } = (await call('POST', '/admin/v1/keys', { body: { name: 'counted' } })).json;
  await works(key1);
  const line = await eventually(10000, 'usage to be written down', async () => {
    const { json } = await call('GET', `/admin/v1/usage?by=key,secret,status,route,day&key=${id}&status=200`);
    return json.items[0];
  });
  assert.equal(line.key, id);
  assert.equal(line.secret, 'key1');
  assert.ok(line.requests >= 1);
  const classes = (await call('GET', `/admin/v1/usage?by=class&key=${id}`)).json.items;
  assert.deepEqual(classes.map((one) => one.class).filter((one) => one === '2xx'), ['2xx']);
  const statuses = (await call('GET', `/admin/v1/usage?by=status,class&key=${id}`)).json.items;
  assert.ok(statuses.every((one) => one.class === `${Math.floor(one.status / 100)}xx`));
  const [classHead, classLine] = (await call('GET', `/admin/v1/usage?by=class,status&key=${id}&status=200&format=csv`)).text.split('\r\n');
  assert.match(classHead, /^status,class,requests/);
  assert.match(classLine, /^200,2xx,\d/);
  assert.deepEqual((await call('GET', `/admin/v1/usage?by=hour&key=${id}&to=2001-01-01`)).json.items, []);
  const csv = await call('GET', `/admin/v1/usage?by=day,route,key,secret,status&key=${id}&status=200&format=csv`);
  const [head, ...rows] = csv.text.split('\r\n');
  assert.equal(head, 'key,secret,route,status,day,requests,errors,bytes_in,bytes_out,duration_us,duration_max_us,ttfb_us');
  assert.equal(rows.at(-1), '');
  assert.ok(rows[0].startsWith(`"${id}",key1,"/x",200,${line.day},${line.requests},0,`), rows[0]);
  assert.equal((await call('GET', `/admin/v1/usage?by=hour&to=2001-01-01&format=csv`)).text, 'hour,requests,errors,bytes_in,bytes_out,duration_us,duration_max_us,ttfb_us\r\n');
  assert.ok((await call('GET', `/admin/v1/keys/${id}`)).json.last_used);
  const state = (await call('GET', '/admin/v1/status')).json;
  assert.equal(state.workers, 1);
  assert.deepEqual(state.stores, { keys: 'ok', usage: 'ok' });
  assert.equal(state.certificate.self_signed, true);
  const settings = (await call('GET', '/admin/v1/settings')).json.items;
  assert.equal(settings.find((s) => s.name === 'admin_listen').source, 'environment');
  assert.deepEqual((await call('GET', '/admin/v1/openapi.json')).json, document);
});

test('tokens and sessions', async () => {
  const made = await call('POST', '/admin/v1/tokens', { body: { name: 'pipeline', role: 'viewer', expires: '2099-01-01T00:00:00Z' } });
  assert.equal(made.status, 201);
  assert.match(made.json.token, /^pa_/);
  const listed = await call('GET', '/admin/v1/tokens');
  assert.deepEqual(listed.json.items.map((t) => [t.name, t.role]), [['first', 'admin'], ['pipeline', 'viewer']]);
  assert.ok(!listed.text.includes(made.json.token));
  const over = caller({ port });
  const { csrf, session, ...signedIn } = await signIn(over, made.json.token);
  let { cookie } = signedIn;
  assert.equal((await over('GET', '/admin/v1/session', { headers: { cookie } })).json.id, session.id);
  const confirmed = await over('POST', '/admin/v1/session/confirm', { body: { token: made.json.token }, headers: { cookie, 'x-csrf-token': csrf } });
  assert.equal(confirmed.status, 200, confirmed.text);
  cookie = cookieOf(confirmed);
  assert.equal((await call('POST', '/admin/v1/session/confirm', { body: { token: made.json.token } })).status, 404, 'the socket has no session');
  assert.deepEqual((await call('GET', '/admin/v1/sessions')).json.items.map((s) => [s.id, s.role, s.csrf_token]), [[session.id, 'viewer', undefined]]);
  assert.equal((await over('DELETE', '/admin/v1/session', { headers: { cookie, 'x-csrf-token': csrf } })).status, 204);
  const second = await signIn(over, made.json.token);
  assert.equal((await call('DELETE', `/admin/v1/sessions/${second.session.id}`)).status, 204);
  assert.equal((await call('DELETE', `/admin/v1/sessions/${second.session.id}`)).status, 404);
  assert.equal((await call('DELETE', `/admin/v1/tokens/${made.json.id}`)).status, 204);
  assert.equal((await call('DELETE', `/admin/v1/tokens/${made.json.id}`)).status, 204, 'it is revoked');
  const trail = (await call('GET', `/admin/v1/audit?action=admin_token.revoke&target=${made.json.id}`)).json.items;
  assert.deepEqual(trail.map(({ before, after }) => [before, after]), [[{ revoked: false }, { revoked: true }]], 'once');
  assert.equal((await call('DELETE', '/admin/v1/tokens/000000000000')).status, 404);
  for (const [body, fields] of [[{}, ['name', 'role']], [{ name: 'x', role: 'root' }, ['role']], [{ name: 'x', role: 'admin', expires: 5, wat: 1 }, ['expires', 'wat']]]) {
    const answer = await call('POST', '/admin/v1/tokens', { body });
    assert.deepEqual(answer.json.error.details.map((d) => d.field).sort(), fields);
  }
});

test('every served operation was driven', () => {
  const served = all.map((o) => o.operationId);
  assert.deepEqual(served.filter((id) => !driven.has(id)), []);
});

test('a place that cannot be listened on is said', async () => {
  const file = path.join(temporaryDirectory(), 'file');
  writeFileSync(file, 'keep');
  for (const [listen, says] of [[`unix:${file}`, 'is not a socket'], ['unix:relative', 'admin_listen'], ['wat', 'admin_listen'], [`unix:/${'x'.repeat(200)}`, 'admin_listen']]) {
    const { code, stderr } = await cli(['serve'], { settings: { data_dir: temporaryDirectory(), listen: '127.0.0.1:0', admin_listen: listen } });
    assert.notEqual(code, 0);
    assert.match(stderr, new RegExp(says));
  }
  assert.equal(readFileSync(file, 'utf8'), 'keep');
});
