// SPDX-License-Identifier: Apache-2.0
// The contract and the rules agree: for every field and parameter of web/openapi.json that a request may have, requests
// at each of its bounds, one beyond, and of other types are sent; what the contract accepts is accepted, what it does not
// is refused. What no schema can say (a time in the past, a network with bits behind its prefix) is left to other tests.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

import { all, caller, document, signIn } from './lib/admin.mjs';
import { Postern } from './lib/postern.mjs';
import { eventually, freePort, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 120000 };
const ajv = new Ajv2020.default({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ ...document, $id: 'api' });
const resolve = (node) => (node?.$ref ? { ...resolve(node.$ref.slice(2).split('/').reduce((at, name) => at[name], document)), ...node, $ref: undefined } : node);
const absolute = (schema) => JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/'));

const socketPath = path.join(temporaryDirectory('s'), 'admin.sock');
let postern;
let call;
let secure;
let token;
let session;

before(async () => {
  const port = await freePort();
  postern = await Postern.start({ admin_listen: `unix:${socketPath}, 127.0.0.1:${port}` });
  call = caller({ socketPath });
  token = await eventually(20000, 'the first token', () => readFileSync(path.join(postern.settings.data_dir, 'admin.token'), 'utf8').trim());
  secure = caller({ port });
  session = await eventually(20000, 'a session', () => signIn(secure, token)); // wrong tokens, which come later, close the door for a minute
  await eventually(20000, 'the admin side', () => call('GET', '/admin/v1/status'));
}, limit);

after(() => postern?.stop(), limit);

/** Something valid for a field whose schema does not show it; by the end of its place. */
const examples = [
  [/\.path$/, '/language'], [/\.networks\[\]$/, '10.0.0.0/8'], [/\.methods\[\]$/, 'GET'], [/\.(key1|key2)$/, () => `0123456789${Math.random().toString(36).slice(2)}abcdef`],
  [/\.id$/, () => Math.random().toString(36).slice(2).padEnd(12, '0').slice(0, 12)], [/\.tags\[\]$/, 'prod'], [/\.name$/, 'bounds'], [/\.token$/, () => token],
];
const exampleOf = (place) => {
  const found = examples.find(([pattern]) => pattern.test(place))?.[1] ?? 'x';
  return typeof found === 'function' ? found() : found;
};

/** Texts that a pattern may or may not take. */
const texts = ['', ' ', 'x', 'X', 'ü', '😀', 'tab\there', 'line\nbreak', '\u0001', '\u007f', '\u0085', '\u00a0', '\u2028', '\u202e', '\u2066', '\u200b', 'ps_abc', 'ps_0123456789abcdef', '0123456789abcdef', '0123456789 abcdef', '0123456789abcde',
  'get', 'GET', 'PURGE', '*', '/', '//', '/a', '/a/', '/a//b', '/a/./b', '/a/../b', '/a/..', '/a/...', '/.', '/..a', '/%2e/x', '/%2E%2e', '/a%2fb', '/a%2Gb', '/a%', '/a%4', '/%41', '/a;b', '/a?b', '/a#b', '/a\\b', '/a b', '/%20', '/%20/x', '/.%20', '/%20..%20', '/%20.%2E', '/...%20', '/a%20', '/%20a/.b', '/x/%20', '/%00', '/%7f', '/%7F', '/%25', '/ä', '/%C3%A4',
  '/%C3', '/%c3%28', '/%E2%82%AC', '/%E2%84%AA', '/%C5%BF', '/%C4%B0', '/%ED%A0%80', '/%F0%9F%98%80', '/%F4%90%80%80', '/%C0%AF', 'a/b', '/~user/<x>', '10.0.0.1', '10.0.0.0/8', '10.0.0.0/33', 'fd00::/8', '::1', 'localhost', '300.1.1.1', '10.0.0.0/08', '010.0.0.1', '10.1', '::/0', '::/128', '::/129', 'fd00::/8/8', '::ffff:10.0.0.1'];
const times = ['2099-01-01T00:00:00Z', '2099-01-01T00:00:00.123456Z', '2099-01-01T00:00:00.123+05:30', '2099-01-01T23:59:59-11:00', '2099-01-01', '2099-02-29', '2099-02-30T00:00:00Z', '2099-13-01T00:00:00Z', '2099-00-01T00:00:00Z', '2099-01-01T24:00:00Z', '2099-01-01T00:60:00Z',
  '2099-01-01T00:00:00', '2099-01-01T00:00Z', '2099-1-1T00:00:00Z', '99-01-01T00:00:00Z', '2099-01-01T00:00:00+25:00', '2099-01-01T00:00:00 Z', 'tomorrow', '4070908800', '', '10000-01-01T00:00:00Z'];

const others = [null, true, 0, -1, 1.5, '', 'x', [], {}, [null], ['x'], { x: 1 }];

function* stringValues(schema, place) {
  const { minLength: min, maxLength: max } = schema;
  const seed = exampleOf(place);
  const sized = (n) => (seed.length >= n ? seed.slice(0, n) : seed.padEnd(n, 'a'));
  yield seed;
  for (const n of [min - 1, min, max, max + 1]) if (n >= 0 && n <= 5000) yield sized(n);
  // Characters are counted, not bytes.
  if (max) for (const filler of ['ü', '😀']) for (const n of [max, max + 1]) yield filler.repeat(n);
  for (const value of schema.enum ?? []) yield* [value, `${value}x`, value.toUpperCase()];
  if (schema.format || schema.anyOf) yield* times;
  else yield* texts;
}

function* values(raw, place) {
  const schema = resolve(raw);
  const variants = schema.oneOf ?? (schema.format === undefined && schema.anyOf?.some((one) => one.type !== 'string') ? schema.anyOf : undefined);
  if (variants) {
    for (const one of variants) yield* values(one, place);
    return;
  }
  const types = [schema.type ?? (schema.enum ? typeof schema.enum[0] : 'string')].flat();
  yield* others;
  if (types.includes('string')) yield* stringValues(schema, place);
  if (types.includes('integer')) {
    for (const n of [schema.minimum - 1, schema.minimum, schema.maximum, schema.maximum + 1]) if (Number.isSafeInteger(n)) yield n;
    yield* [1, 1.5, '1', 2 ** 53];
  }
  if (types.includes('boolean')) yield* [true, false, 'true', 1];
  if (types.includes('array')) yield* arrayValues(schema, place);
  if (types.includes('object')) yield* objectValues(schema, place);
}

/** Different ones as far as there are any. */
function itemsOf(schema, place, n) {
  const one = resolve(schema);
  if (one.enum) return Array.from({ length: n }, (_, i) => one.enum[i % one.enum.length]);
  if (one.type === 'object') return Array.from({ length: n }, (_, i) => ({ path: `/p${i}` }));
  return Array.from({ length: n }, (_, i) => (/networks/.test(place) ? `10.${i >> 8}.${i & 255}.1` : `item${i}`));
}

function* arrayValues(schema, place) {
  const { minItems: min = 0, maxItems: max } = schema;
  for (const n of [min - 1, min, min + 1, max, max + 1]) if (n >= 0 && n < 200) yield itemsOf(schema.items, place, n);
  const [one] = itemsOf(schema.items, place, 1);
  yield [one, one];
  for (const item of values(schema.items, `${place}[]`)) yield [item];
}

function validObject(schema, place) {
  return Object.fromEntries((schema.required ?? []).map((name) => [name, validValue(schema.properties[name], `${place}.${name}`)]));
}

function validValue(raw, place) {
  const schema = resolve(raw);
  if (schema.enum) return schema.enum[0];
  if (schema.oneOf) return validValue(schema.oneOf[0], place);
  const [type] = [schema.type].flat();
  return { string: exampleOf(place), integer: schema.minimum ?? 1, boolean: true, array: [], object: schema.properties ? validObject(schema, place) : {} }[type];
}

function* objectValues(schema, place) {
  const whole = () => validObject(schema, place);
  yield whole();
  yield { ...whole(), unknown: 1 };
  for (const name of schema.required ?? []) {
    const { [name]: _, ...less } = whole();
    yield less;
  }
  for (const [name, field] of Object.entries(schema.properties ?? {})) for (const value of values(field, `${place}.${name}`)) yield { ...whole(), [name]: value };
}

/** What the contract cannot say, and the rules do. */
function isBeyond(body) {
  if (body.key1 !== undefined && body.key1 === body.key2) return true;
  return [body.name, body.note, ...(Array.isArray(body.tags) ? body.tags : [])].some((text) => typeof text === 'string' && /[\ud800-\udfff]/.test(text) && !text.isWellFormed?.());
}

const bodies = all.filter((operation) => operation.requestBody);
const notRefused = (status) => status !== 400 && status !== 422;

test('every operation with a body is looked at', () => {
  assert.deepEqual(bodies.map((o) => o.operationId).sort(), ['changeKey', 'confirmSession', 'createKey', 'createToken', 'importKey', 'rotateKey', 'signIn']);
});

for (const operation of bodies) {
  test(`${operation.operationId}: each field at its bounds`, limit, async () => {
    const { schema } = operation.requestBody.content['application/json'];
    const validate = ajv.compile(absolute(schema));
    const { json: key } = await call('POST', '/admin/v1/keys', { body: { name: 'to be changed' } });
    const target = operation.path.replace('{id}', key.id);
    const ofSession = /session/.test(operation.path);
    const wrong = [];
    let n = 0;
    const send = ofSession ? secure : call;
    const headers = operation.operationId === 'changeKey' ? { 'if-match': '*' } : operation.operationId === 'confirmSession' ? { cookie: session.cookie, 'x-csrf-token': session.csrf } : {};
    for (const body of values(schema, operation.operationId)) {
      if (body === undefined || (body !== null && typeof body === 'object' && isBeyond(body))) continue;
      const fits = validate(body);
      const answer = await send(operation.method, target, { body, headers });
      n++;
      // Wrong tokens are guesses, and counted: what fits the contract is not sent on.
      if (notRefused(answer.status) !== fits) wrong.push(`${fits ? 'fits' : 'does not fit'}, ${answer.status}: ${JSON.stringify(body).slice(0, 200)} ${answer.text.slice(0, 200)}`);
      if (answer.status === 201 && answer.json.key1 !== undefined) await call('DELETE', `/admin/v1/keys/${answer.json.id}`);
    }
    assert.ok(n > 20, `${n} requests`);
    assert.deepEqual(wrong, [], `${wrong.length} of ${n}\n${wrong.slice(0, 40).join('\n')}`);
  });
}

describe('parameters', limit, () => {
  const wire = (value) => (value === null || typeof value === 'object' ? undefined : String(value));

  function* parameterValues(parameter) {
    const schema = resolve(parameter.schema);
    if (schema.type === 'integer') {
      for (const n of [schema.minimum - 1, schema.minimum, schema.maximum, schema.maximum + 1, 1.5]) if (Number.isFinite(n)) yield String(n);
      yield* ['', 'x', '-1', '99999999999999999999'];
    } else {
      yield* stringValues(schema, `.${parameter.name}`);
      for (const n of [499, 500, 501]) yield Array.from({ length: n }, () => 'a').join(',');
      yield* ['key,hour', 'key,', ',key', 'hour,day', 'day,key,hour', 'key,key', 'nothing'];
    }
  }

  /** As a number where the schema has one: a query has texts only. */
  const typed = (schema, text) => (schema.type === 'integer' && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);

  for (const operation of all.filter((o) => o.parameters?.some((p) => resolve(p).in === 'query'))) {
    test(`${operation.operationId}: each parameter at its bounds; unknown ones are named`, limit, async () => {
      const wrong = [];
      for (const raw of operation.parameters) {
        const parameter = resolve(raw);
        if (parameter.name === 'cursor') continue; // its content is the gateway's
        const schema = resolve(parameter.schema);
        const validate = ajv.compile(absolute(parameter.schema));
        for (const value of parameterValues(parameter)) {
          const text = wire(value);
          if (text === undefined || text.length > 8000) continue;
          const fits = validate(typed(schema, text));
          const answer = await call('GET', `${operation.path}?${parameter.name}=${encodeURIComponent(text)}`);
          if ((answer.status === 200) !== fits) wrong.push(`${parameter.name}: ${fits ? 'fits' : 'does not fit'}, ${answer.status}: ${JSON.stringify(text).slice(0, 120)} ${answer.text.slice(0, 160)}`);
        }
      }
      assert.deepEqual(wrong, [], `${wrong.length}\n${wrong.slice(0, 40).join('\n')}`);
      for (const name of ['foo', 'Limit', 'limit ', 'x'.repeat(100)]) {
        const { status, json } = await call('GET', `${operation.path}?${encodeURIComponent(name)}=1`);
        assert.equal(status, 400);
        assert.equal(json.error.message, `Unknown query parameter "${name.slice(0, 64)}".`);
      }
      assert.match((await call('GET', `${operation.path}?limit=1&limit=1`)).json.error.message, /limit is given twice/);
      assert.match((await call('GET', `${operation.path}?limit`)).json.error.message, /limit needs a value/);
    });
  }

  test('Idempotency-Key', limit, async () => {
    const schema = document.components.parameters.IdempotencyKey.schema;
    const validate = ajv.compile(schema);
    for (const text of ['', 'a', `${Math.random()}`, 'a'.repeat(128), 'b'.repeat(129), 'with blanks', '~', 'ä']) {
      const { status } = await call('POST', '/admin/v1/keys', { body: { name: `idempotent ${text.length}` }, headers: { 'idempotency-key': Buffer.from(text).toString('latin1') } });
      assert.equal(notRefused(status), validate(text), JSON.stringify(text));
    }
  });
});
