// SPDX-License-Identifier: Apache-2.0
// The admin side over 10,000 keys and a million requests of 35 days: lists are whole, sums come from the sums, what is
// exported does not sit in memory. How long things took is printed, not judged: the machine decides.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { caller } from './lib/admin.mjs';
import { BIN, Postern, SANITIZED } from './lib/postern.mjs';
import { eventually, residentBytes, temporaryDirectory, watchResident } from './lib/util.mjs';

const limit = { timeout: 240000 };
const KEYS = SANITIZED ? 3000 : 10000;
const ROWS = SANITIZED ? 100000 : 1000000;
const DAYS = 35;
const DAY_MS = 86400e3;
/** What answering may take of memory, whatever is asked for: SQLite's caches, some buffers. (Sanitizers keep what was
 * freed.) */
const GROWTH_BYTES = SANITIZED ? Infinity : 32 * 2 ** 20;

const idOf = (i) => i.toString(16).padStart(12, '0');
const fillUsage = (...args) => promisify(execFile)(path.join(path.dirname(BIN), 'tests/scale/fill-usage'), args.map(String), { timeout: 120000, maxBuffer: 2 ** 22 });

let postern;
let call;
let agent;
let socketPath;
let filled;
let dataDir;

const get = async (target) => {
  const answer = await call('GET', `/admin/v1/${target}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};

/** The same over a kept connection and without a look at the schema, for many pages. */
const quickly = (target) => new Promise((resolve, reject) => {
  http.get({ socketPath, agent, path: `/admin/v1/${target}`, timeout: 60000 }, (answer) => {
    const parts = [];
    answer.on('data', (part) => parts.push(part)).on('end', () => {
      const text = Buffer.concat(parts).toString();
      if (answer.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`${target}: ${answer.statusCode} ${text}`));
    });
  }).on('error', reject).on('timeout', function late() { this.destroy(new Error(`no answer to ${target}`)); });
});

const withQuery = (target, query) => `${target}?${new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined))}`;

/** Every page of a list; `between(page)` runs after each. */
async function pages(target, query, between = () => {}) {
  const items = [];
  let cursor;
  for (let turn = 0; turn < 5000; turn++) {
    const page = await quickly(withQuery(target, { ...query, cursor }));
    items.push(...page.items);
    await between(page, turn);
    cursor = page.next_cursor ?? undefined;
    if (cursor === undefined) return items;
  }
  throw new Error(`${target}: no end of pages`);
}

async function timed(what, work, t) {
  const start = process.hrtime.bigint();
  const result = await work();
  t.diagnostic(`${what}: ${Number((process.hrtime.bigint() - start) / 100000n) / 10} ms`);
  return result;
}

const unique = (items, by = (item) => item.id) => assert.equal(new Set(items.map(by)).size, items.length, 'no row twice');
const dayText = (ms) => new Date(ms).toISOString().slice(0, 10);
const startOfDay = (ms) => Math.floor(ms / DAY_MS) * DAY_MS;

/** Every third key has a note, every tenth expires, in an order of its own; names differ in case. */
function keyLine(i) {
  return JSON.stringify({
    id: idOf(i), name: `${i % 2 ? 'Team' : 'team'}-${String((i * 7919) % KEYS).padStart(5, '0')}`, key1: `imported-secret-of-key-${i}`,
    ...(i % 3 === 0 ? { note: `cost centre ${i % 100}` } : {}),
    ...(i % 10 === 0 ? { expires_at: new Date(Date.UTC(2099, 0, 1) + ((i * 31) % KEYS) * 60000).toISOString() } : {}),
  });
}

/** A gateway over the same data; `between` has them for itself. */
async function restart(between = () => {}) {
  agent?.destroy();
  agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  await postern?.stop();
  await between();
  postern = await Postern.start({ data_dir: dataDir, admin_listen: `unix:${socketPath}`, usage_retention: '400d', usage_rows_without_key: 10000000 });
}

before(async () => {
  dataDir = temporaryDirectory();
  socketPath = path.join(temporaryDirectory(), 'admin.sock');
  filled = JSON.parse((await fillUsage(dataDir, ROWS, KEYS, DAYS)).stdout);
  call = caller({ socketPath });
  await restart();
  const lines = Array.from({ length: KEYS }, (_, i) => keyLine(i)).join('\n');
  const done = await postern.cli(['key', 'import', '--bulk'], { input: `${lines}\n`, ms: 120000 });
  assert.equal(done.code, 0, done.stderr);
}, limit);

after(async () => {
  agent?.destroy();
  await postern?.stop();
}, limit);

describe('keys', limit, () => {
  // Each order by a way of its own here: what a page shows must not go back.
  const values = {
    created: (key) => key.created, id: (key) => key.id, name: (key) => key.name.toLowerCase(),
    expires: (key) => key.expires, updated: (key) => key.updated, last_used: (key) => key.last_used ?? '',
  };

  for (const [sort, value] of Object.entries(values)) {
    test(`sorted by ${sort}, both ways: every key once, in order`, limit, async (t) => {
      for (const way of ['', '-']) {
        const items = await timed(`all pages, sort=${way}${sort}`, () => pages('keys', { sort: way + sort, limit: 500 }, (page) => assert.equal(page.total, KEYS)), t);
        assert.equal(items.length, KEYS);
        unique(items);
        // What never expires is last, both ways.
        const order = items.map((key) => value(key) ?? (way ? '' : '~'));
        for (let i = 1; i < order.length; i++) assert.ok(way ? order[i - 1] >= order[i] : order[i - 1] <= order[i], `${order[i - 1]} before ${order[i]}`);
      }
    });
  }

  test('every filter finds what it should, and no more', limit, async () => {
    const all = await pages('keys', { limit: 500 });
    const [used] = all.filter((key) => key.last_used).map((key) => key.last_used).sort().slice(-Math.floor(KEYS / 50));
    const soon = new Date(Date.UTC(2099, 0, 1) + (KEYS / 2) * 60000).toISOString();
    const expected = {
      [withQuery('keys', { text: 'TEAM-' })]: () => true,
      [withQuery('keys', { text: 'cost centre 42' })]: (key) => key.note === 'cost centre 42',
      [withQuery('keys', { text: idOf(77) })]: (key) => key.id === idOf(77),
      [withQuery('keys', { name: 'team-00000' })]: (key) => key.name === 'team-00000',
      [withQuery('keys', { expires_before: soon })]: (key) => key.expires && key.expires < soon,
      [withQuery('keys', { expires_before: soon, text: 'centre', sort: '-expires' })]: (key) => key.expires && key.expires < soon && key.note,
      [withQuery('keys', { unused_since: used })]: () => false, // they were made just now: none had the time to lie idle
      [withQuery('keys', { state: 'active' })]: () => true,
      [withQuery('keys', { state: 'expired' })]: () => false,
      [withQuery('keys', { tag: 'none' })]: () => false,
    };
    for (const [target, fits] of Object.entries(expected)) {
      const query = Object.fromEntries(new URLSearchParams(target.split('?')[1]));
      const wanted = all.filter(fits).map((key) => key.id).sort();
      const found = await pages('keys', { ...query, limit: 250 }, (page) => assert.equal(page.total, wanted.length, target));
      assert.deepEqual(found.map((key) => key.id).sort(), wanted, target);
    }
    // Later, what was not used since a moment is found by it.
    const later = new Date(Date.now() + 60000).toISOString();
    assert.equal((await get(withQuery('keys', { unused_since: later }))).total, KEYS);
    assert.ok(all.filter((key) => key.last_used).length > KEYS / 2);
  });

  test('keys come and go between two pages: every key that stays is met once', limit, async () => {
    const made = [];
    const before = await pages('keys', { limit: 500 });
    // Rows that were seen go, rows that are yet to come go, new ones come: by name, so in the middle.
    const gone = [idOf(3), idOf(KEYS - 5), idOf(Math.floor(KEYS / 2))];
    for (const sort of ['name', 'created']) {
      const ids = [];
      const items = await pages('keys', { sort, limit: 500 }, async (page, turn) => {
        ids.push(...page.items.map((key) => key.id));
        if (turn === 2) {
          for (const name of ['team-00000b', 'Team-99999']) made.push((await call('POST', '/admin/v1/keys', { body: { name: `${name} ${sort}` } })).json.id);
          if (sort === 'name') for (const id of gone) assert.equal((await call('DELETE', `/admin/v1/keys/${id}`)).status, 204);
        }
      });
      unique(items);
      const seen = new Set(ids);
      for (const key of before) if (!gone.includes(key.id)) assert.ok(seen.has(key.id), `${key.id} stays and is missing`);
    }
    const now = await pages('keys', { limit: 500 });
    assert.equal(now.length, KEYS + made.length - gone.length);
    for (const id of made) assert.equal((await call('DELETE', `/admin/v1/keys/${id}`)).status, 204);
  });
});

describe('usage', limit, () => {
  const now = Date.now();
  const from = startOfDay(now) - 29 * DAY_MS;
  const plain = ({ day, requests, errors, bytes_in, bytes_out }) => ({ day, requests, errors, bytes_in, bytes_out });
  const thirtyDays = () => filled.days.filter((line) => Date.parse(line.day) >= from);
  const addUp = (lines) => lines.reduce((sum, line) => Object.fromEntries(Object.keys(sum).map((name) => [name, sum[name] + line[name]])), { requests: 0, errors: 0, bytes_in: 0, bytes_out: 0 });

  test('the sum of 30 days by day is what was counted', limit, async (t) => {
    const target = `usage?by=day&from=${dayText(from)}`;
    await get(target);
    const { items } = await timed('the daily sum of 30 days', () => get(target), t);
    assert.deepEqual(items.map(plain), thirtyDays());
    assert.equal(items.length, 30);
  });

  test('days that the range cuts are made of their hours', limit, async (t) => {
    const cut = new Date(from + 5.5 * 3600e3).toISOString();
    const end = new Date(startOfDay(now) - DAY_MS + 7 * 3600e3).toISOString();
    for (const by of ['day', 'key', 'route,day', 'status', 'class', 'class,day']) {
      const query = { from: cut, to: end, limit: undefined };
      const whole = await timed(`by ${by}, with cut days`, () => quickly(withQuery('usage', { by, ...query })), t);
      const hours = await quickly(withQuery('usage', { by: 'hour', ...query }));
      assert.deepEqual(addUp(whole.items), addUp(hours.items), by);
      if (by !== 'day') continue;
      for (const line of whole.items) assert.deepEqual(addUp([line]), addUp(hours.items.filter(({ hour }) => hour.slice(0, 10) === line.day.slice(0, 10))), line.day);
    }
    const within = await quickly(withQuery('usage', { by: 'day', from: `${dayText(from)}T03:00:00Z`, to: `${dayText(from)}T05:00:00Z` }));
    const hours = await quickly(withQuery('usage', { by: 'hour', from: `${dayText(from)}T03:00:00Z`, to: `${dayText(from)}T05:00:00Z` }));
    assert.equal(hours.items.length, 2);
    assert.deepEqual(addUp(within.items), addUp(hours.items));
  });

  test('one key, one route, one status: the parts are the whole', limit, async (t) => {
    const query = { from: new Date(from).toISOString() };
    const [whole] = (await quickly(withQuery('usage', { by: 'status', ...query, status: '200' }))).items;
    for (const by of ['key', 'route', 'secret', 'day', 'hour']) {
      const { items } = await timed(`by ${by}, of one status`, () => quickly(withQuery('usage', { by, ...query, status: '200' })), t);
      assert.deepEqual(addUp(items), addUp([whole]), by);
    }
    const busiest = (await quickly(withQuery('usage', { by: 'key', ...query }))).items.find(({ key }) => key);
    const own = await timed('the hours of one key', () => get(withQuery('usage', { by: 'hour', key: busiest.key, ...query })), t);
    assert.deepEqual(addUp(own.items), addUp([busiest]));
  });

  test('the busiest keys without the others, the earliest days', limit, async (t) => {
    const query = { from: new Date(from + 5.5 * 3600e3).toISOString() };
    for (const by of ['key', 'key,route', 'day']) {
      const all = (await quickly(withQuery('usage', { by, ...query }))).items;
      const few = (await timed(`the first 26 by ${by}`, () => get(withQuery('usage', { by, ...query, limit: 26 })), t)).items;
      assert.deepEqual(few.map(({ requests }) => requests), all.slice(0, 26).map(({ requests }) => requests), by);
      // (Of those with as many requests, either may come first.)
      for (const line of few.filter(({ requests }) => requests > all[26].requests)) assert.ok(all.slice(0, 26).some((other) => JSON.stringify(other) === JSON.stringify(line)), by);
    }
    assert.equal((await get(withQuery('usage', { by: 'route', ...query, limit: 1 }))).items.length, 1);
    assert.equal(await countLines(withQuery('usage', { by: 'key', ...query, limit: 7, format: 'csv' })), 7);
  });

  test('several keys at once are each of them', limit, async () => {
    const query = { from: new Date(startOfDay(now) - DAY_MS).toISOString() };
    const ids = [0, 1, 2, 77, KEYS - 1].map(idOf);
    const together = (await get(withQuery('usage', { by: 'key,hour', key: [...ids, 'nobody'].join(','), ...query }))).items;
    for (const id of ids) {
      const { items } = await get(withQuery('usage', { by: 'hour', key: id, ...query }));
      assert.deepEqual(together.filter(({ key }) => key === id).map(({ key, ...line }) => line), items);
    }
    assert.ok(together.every(({ key }) => ids.includes(key)));
    const cut = { ...query, from: new Date(startOfDay(now) - 1.5 * DAY_MS).toISOString() };
    assert.deepEqual((await get(withQuery('usage', { by: 'key', key: `${ids[0]},${ids[1]}`, ...cut }))).items.find(({ key }) => key === ids[1]),
      (await get(withQuery('usage', { by: 'key', key: ids[1], ...cut }))).items[0]);
    // (The first few may have been deleted by a test before.)
    const many = (n) => Array.from({ length: n }, (_, i) => idOf(i + 10)).join(',');
    assert.equal((await get(withQuery('keys', { id: many(500), sort: 'id', limit: 500 }))).items.length, 500);
    assert.deepEqual((await get(withQuery('keys', { id: `${ids[2]},nobody,,${ids[0]}`, sort: 'id' }))).items.map(({ id }) => id), [ids[0], ids[2]]);
    for (const target of ['keys?id=', 'usage?key=']) {
      const refused = await call('GET', `/admin/v1/${target}${many(501)}`);
      assert.equal(refused.status, 400);
      assert.match(refused.json.error.message, /at most 500 ids/);
    }
  });

  test('an export streams: memory does not grow with its lines', limit, async (t) => {
    const by = 'key,secret,route,status,day';
    await restart();
    await quickly('usage?by=day');
    const before = residentBytes(postern.pid);
    const watch = watchResident(postern.pid, 5);
    const lines = await timed('the export', () => countLines(`usage?by=${by}&format=csv`), t);
    // As JSON it has a bound, and takes no more memory.
    const refused = await call('GET', `/admin/v1/usage?by=${by}`);
    if (lines > 100000) assert.equal(refused.json.error.code, 'TooManyLines');
    else assert.equal(refused.json.items.length, lines);
    const many = await timed('as JSON', () => quickly('usage?by=key,route'), t);
    const growth = watch.stop() - before;
    t.diagnostic(`${lines} lines, ${many.items.length} as JSON, resident memory grew by ${(growth / 2 ** 20).toFixed(1)} MiB`);
    assert.ok(lines > ROWS / 3, `${lines} lines`);
    assert.ok(many.items.length > KEYS);
    assert.ok(growth < GROWTH_BYTES, `grew by ${growth} bytes`);
  });

  test('readers that do not read hold a bounded number of exports', limit, async () => {
    // More than a MiB, and soon made.
    const target = `/admin/v1/usage?by=key,route,status&from=${dayText(now - (SANITIZED ? DAYS : 4) * DAY_MS)}&format=csv`;
    const open = () => new Promise((resolve, reject) => {
      const sent = http.get({ socketPath, path: target, agent: false, timeout: 60000 }, (answer) => resolve({ sent, answer: answer.pause() })).on('error', reject);
    });
    const readers = [];
    for (let i = 0; i < 8; i++) readers.push(await open());
    assert.deepEqual(readers.map(({ answer }) => answer.statusCode), Array(8).fill(200));
    const refused = await call('GET', target);
    assert.equal(refused.status, 503);
    assert.equal(refused.json.error.code, 'TooManyExports');
    assert.equal(refused.headers['retry-after'], '10');
    assert.equal((await call('GET', '/admin/v1/usage?by=day')).status, 200, 'small answers go on');
    for (const { sent, answer } of readers) {
      answer.on('error', () => {});
      sent.destroy();
    }
    await eventually(10000, 'the others to be noticed gone', async () => (await countLines(target.slice('/admin/v1/'.length))) > 0, 200);
  });

  /** An export of everything, which takes seconds; `head` resolves when its answer begins. */
  function exportAll() {
    const target = '/admin/v1/usage?by=key,secret,route,status,day&format=csv';
    const state = { began: false };
    state.head = new Promise((resolve, reject) => {
      state.sent = http.get({ socketPath, path: target, agent: false, timeout: 120000 }, (answer) => {
        state.began = true;
        answer.on('error', () => {}).resume();
        resolve(answer);
      }).on('error', reject);
    });
    state.head.catch(() => {});
    return state;
  }

  test('while an export is made everybody else is answered', limit, async (t) => {
    const long = exportAll();
    let keys = 0;
    let sums = 0;
    while (!long.began) {
      await quickly('keys?limit=1');
      if (!long.began) keys++;
      await quickly(`usage?by=day&from=${dayText(from)}`);
      if (!long.began) sums++;
    }
    assert.equal((await long.head).statusCode, 200);
    t.diagnostic(`${keys} lists of keys and ${sums} sums meanwhile`);
    assert.ok(keys > 3 && sums > 3, `${keys} lists of keys, ${sums} sums`);
  });

  test('who has gone is not read for, and does not keep others waiting', limit, async () => {
    const long = [exportAll(), exportAll()];
    const many = Array.from({ length: 40 }, exportAll);
    await quickly('keys?limit=1'); // they are all there
    for (const { sent } of many) sent.destroy();
    for (const { head } of many) await assert.rejects(head);
    await quickly('usage?by=day');
    for (const { head } of long) assert.equal((await head).statusCode, 200);
  });

  test('a stop breaks off what is being read', limit, async () => {
    const long = [exportAll(), exportAll(), exportAll()];
    await quickly('keys?limit=1');
    const stopped = postern.stop();
    for (const { head } of long) {
      const end = await head.then((answer) => answer.statusCode, (error) => error.code);
      assert.ok([503, 'ECONNRESET'].includes(end), `${end}`);
    }
    await stopped;
    postern = undefined;
    await restart();
  });

  function countLines(target) {
    return new Promise((resolve, reject) => {
      http.get({ socketPath, path: `/admin/v1/${target}`, timeout: 60000 }, (answer) => {
        let lines = -1; // the head
        answer.on('data', (part) => {
          for (let at = part.indexOf(10); at >= 0; at = part.indexOf(10, at + 1)) lines++;
        }).on('end', () => resolve(lines)).on('error', reject);
        if (answer.statusCode !== 200) reject(new Error(`${answer.statusCode}`));
      }).on('error', reject);
    });
  }
});

describe('single requests', limit, () => {
  test('a filter’s pages over all of them: none missing, none twice, newest first', limit, async (t) => {
    const items = await timed('all pages of status 401', () => pages('requests', { status: 401, limit: 500 }), t);
    assert.equal(items.length, filled.refused);
    unique(items, (item) => item.request_id);
    for (let i = 1; i < items.length; i++) assert.ok(items[i - 1].time >= items[i].time);
    assert.ok(items.every((item) => item.status === 401 && item.key === '' && item.end === 'refused'));
  });

  test('a day’s pages are that day’s requests', limit, async (t) => {
    const day = filled.days[filled.days.length - 3];
    const query = { from: day.day, to: new Date(Date.parse(day.day) + DAY_MS).toISOString(), limit: 500 };
    const items = await timed('all pages of one day', () => pages('requests', query), t);
    assert.equal(items.length, day.requests);
    unique(items, (item) => item.request_id);
    assert.equal(items.reduce((sum, item) => sum + item.bytes_out, 0), day.bytes_out);
  });

  test('the newest pages, and memory while they are read', limit, async (t) => {
    const before = residentBytes(postern.pid);
    const watch = watchResident(postern.pid, 20);
    let last = null;
    const first = await get('requests?limit=500');
    assert.equal(first.items.length, 500);
    let cursor = first.next_cursor;
    for (let i = 0; i < 50; i++) {
      const page = await quickly(withQuery('requests', { limit: 500, cursor }));
      assert.equal(page.items.length, 500);
      if (last !== null) assert.ok(page.items[0].time <= last);
      last = page.items.at(-1).time;
      cursor = page.next_cursor;
    }
    const growth = watch.stop() - before;
    t.diagnostic(`resident memory grew by ${(growth / 2 ** 20).toFixed(1)} MiB`);
    assert.ok(growth < GROWTH_BYTES, `grew by ${growth} bytes`);
  });
});

test('sums do not need the rows: with all of them gone the answers are the same', limit, async (t) => {
  const targets = ['usage?by=day', 'usage?by=hour', 'usage?by=route,status', 'usage?by=key,day&key=000000000001', `usage?by=day&from=${filled.days[3].day.slice(0, 10)}T05:00:00Z`];
  const before = [];
  for (const target of targets) before.push((await quickly(target)).items);
  await restart(() => fillUsage(dataDir, 'forget'));
  assert.deepEqual(await get('requests'), { items: [], next_cursor: null });
  for (const [i, target] of targets.entries()) assert.deepEqual((await quickly(target)).items, before[i], target);
  const target = `usage?by=day&from=${dayText(startOfDay(Date.now()) - 29 * DAY_MS)}`;
  await timed('the daily sum of 30 days, after a start', () => get(target), t);
});
