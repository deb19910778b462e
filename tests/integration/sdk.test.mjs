// SPDX-License-Identifier: Apache-2.0
// Jobs through the gateway, with the unmodified SDK that follows Operation-Location to wherever it leads, and the
// questions that Postern answers itself.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { selfSigned } from './lib/certs.mjs';
import { request } from './lib/client.mjs';
import { startDocuments } from './lib/documents.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const limit = { timeout: 120000 };
const run = promisify(execFile);
const POD = 'layout-5d8f7c:5000';
const ANALYZE = '/formrecognizer/documentModels/prebuilt-read:analyze?api-version=2023-07-31';

let container;
let certificate;
let postern;
let key;

const start = (settings = {}) =>
  Postern.start({ upstream: container.url, upstream_names: 'layout-5d8f7c', tls_certificate: certificate.cert, tls_key: certificate.key, ...settings });

async function read(version, options) {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const binary = path.join(here, `../node_modules/node${version}-${arch}/bin/node`);
  const argument = JSON.stringify({ endpoint: `https://localhost:${postern.port}`, ...options });
  const { stdout } = await run(binary, [path.join(here, 'lib/documents_client.mjs'), argument], {
    env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: certificate.cert },
    timeout: 60000,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

before(async () => {
  container = await startDocuments();
  certificate = await selfSigned(['localhost', '127.0.0.1']);
  postern = await start();
  key = await postern.createKey('documents');
}, limit);

after(async () => {
  await postern?.stop();
  await container?.upstream.stop();
}, limit);

// What the container makes its URLs of; '' is a relative one.
const spellings = { 'the Host it was asked by': undefined, 'localhost': 'localhost', 'its pod': POD, 'nothing': '' };

describe('a job of @azure/ai-form-recognizer', () => {
  for (const [name, authority] of Object.entries(spellings)) {
    for (const version of [20, 22]) {
      test(`is followed when the container builds its URL of ${name}, Node ${version}`, limit, async () => {
        container.authority = authority === 'localhost' ? `localhost:${new URL(container.url).port}` : authority;
        const text = `${name} and ${version}`;
        const outcome = await read(version, { key: key.key1, text });
        assert.deepEqual(outcome, { pages: 1, content: [...text].reverse().join('') });
      });
    }
  }

  test('with a wrong key is a RestError with code 401', limit, async () => {
    assert.deepEqual(await read(22, { key: 'wrong', text: 'x' }), { error: 'RestError', statusCode: 401, code: '401' });
  });

  test('with a disabled key too', limit, async () => {
    const other = await postern.createKey('disabled');
    await postern.change(other.id, ['key', 'disable', other.id]);
    assert.deepEqual(await read(20, { key: other.key1, text: 'x' }), { error: 'RestError', statusCode: 401, code: '401' });
  });
});

describe('where a job is', () => {
  const location = async (gateway, headers = {}) => {
    const made = await request(gateway.port, ANALYZE, { method: 'POST', key: key.key1, body: 'x', headers });
    assert.equal(made.status, 202);
    return new URL(made.get('operation-location'));
  };

  test('is what the client called us; a forwarder it made up is not believed', limit, async () => {
    container.authority = POD;
    const url = await location(postern, { Host: 'ai.example:8443', 'X-Forwarded-Host': 'forged.example', 'X-Forwarded-Prefix': '/forged' });
    assert.equal(url.origin, 'https://ai.example:8443');
    assert.match(url.pathname, /^\/formrecognizer\//);
    assert.ok(container.hosts.every((host) => host === new URL(container.url).host));
  });

  test('is below public_url, when it is set, and what a trusted proxy said, when not', limit, async () => {
    container.authority = POD;
    const data_dir = postern.settings.data_dir;
    await postern.stop();
    const forwarded = { Host: 'inner', 'X-Forwarded-Host': 'outer.example', 'X-Forwarded-Prefix': '/ai' };
    postern = await start({ data_dir, trusted_proxies: '127.0.0.0/8' });
    assert.match((await location(postern, forwarded)).href, /^https:\/\/outer\.example\/ai\/formrecognizer\//);
    await postern.stop();
    postern = await start({ data_dir, trusted_proxies: '127.0.0.0/8', public_url: 'https://public.example/p/' });
    assert.match((await location(postern, forwarded)).href, /^https:\/\/public\.example\/p\/formrecognizer\//);
  });

  test('is left alone at other hosts', limit, async () => {
    container.authority = 'elsewhere.example';
    assert.equal((await location(postern)).origin, 'http://elsewhere.example');
  });
});

describe('a job of another key', () => {
  const GUID = /[0-9a-f]{8}-[0-9a-f-]{27}/;
  const begin = async (gateway, of) => {
    container.authority = undefined;
    const made = await request(gateway.port, ANALYZE, { method: 'POST', key: of.key1, body: 'mine' });
    assert.equal(made.status, 202);
    return new URL(made.get('operation-location')).pathname.replace(/^\/p\//, '/'); // public_url's prefix is a proxy's to take off
  };
  const status = async (gateway, path, of, method = 'GET') => (await request(gateway.port, path, { method, key: of?.key1 })).status;
  let other;

  before(async () => {
    other = await postern.createKey('other');
  }, limit);

  test('is not there, however its id is spelled, and no word of it reaches the container', limit, async () => {
    const path = await begin(postern, key);
    const id = GUID.exec(path)[0];
    const seen = container.hosts.length;
    const spellings = [id, id.toUpperCase(), id.replaceAll('-', ''), `{${id}}`, `%7B${id}%7D`, `(${id})`, `%${id.charCodeAt(0).toString(16)}${id.slice(1)}`,
      `${id}/figures/1.1`, `.//${id}`, `x%2F..%2F${id}`, `%20${id}`, `%C2%A0${id}`, `${id};x`, `%25${id.charCodeAt(0).toString(16)}${id.slice(1)}`, `1${id}`,
      '{0x12345678,0x1234,0x1234,{0x1,0x2,0x3,0x4,0x5,0x6,0x7,0x8}}'];
    for (const spelling of spellings) {
      for (const method of ['GET', 'DELETE', 'POST']) {
        const answer = await request(postern.port, path.replace(id, spelling), { method, key: other.key1 });
        assert.equal(answer.status, 404, `${method} ${spelling}`);
        assert.deepEqual(answer.json(), { error: { code: 'NotFound', message: 'Resource not found.' } });
      }
    }
    assert.equal(container.hosts.length, seen);
    assert.equal(await status(postern, path, undefined), 401);
    assert.equal(await status(postern, path, key), 200);
    assert.equal((await request(postern.port, path, { key: key.key2 })).status, 200);
    const token = await request(postern.port, '/sts/v1.0/issueToken', { method: 'POST', key: key.key1, body: '' });
    assert.equal((await request(postern.port, path, { headers: { Authorization: `Bearer ${token.text}` } })).status, 200);
  });

  test('stays so over a restart and a kill -9; with job_ownership=off anyone may have it', limit, async () => {
    const path = await begin(postern, key);
    const data_dir = postern.settings.data_dir;
    await postern.kill();
    postern = await start({ data_dir });
    assert.equal(await status(postern, path, other), 404);
    assert.equal(await status(postern, path, key), 200);
    await postern.stop();
    postern = await start({ data_dir, job_ownership: 'off' });
    assert.equal(await status(postern, path, other), 200);
    await postern.stop();
    postern = await start({ data_dir, job_table_size: 1000 });
    assert.equal(await status(postern, path, other), 404);
  });
});

test('links to the next page of a job are rewritten in its body, and nothing else of it', limit, async () => {
  const results = (authority) => {
    const link = `http://${authority}/text/analytics/v3.1/analyze/jobs/1?$top=20\\u0026$skip=20`;
    return `{"tasks":{"a":"see http://${authority}/x"},"errors":[], "@nextLink" : "${link}","documents":[{"text":"\\"@nextLink\\":\\"http://${authority}/y\\""}]}`;
  };
  const pages = await Upstream.start(async (x) => {
    const authority = new URL(x.target, 'http://a').searchParams.get('as') ?? x.get('host');
    const body = results(authority);
    const headers = { 'Content-Type': x.target.includes('plain') ? 'text/plain' : 'application/json; charset=utf-8' };
    if (x.target.includes('pieces')) {
      await x.write(`HTTP/1.1 200 OK\r\nContent-Type: ${headers['Content-Type']}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      for (const piece of body.match(/.{1,7}/gs)) await x.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
      await x.write('0\r\n\r\n');
    } else await x.answer(200, body, headers);
  });
  const gateway = await Postern.start({ upstream: pages.url, upstream_names: POD });
  const mine = await gateway.createKey('pages');
  const ask = (target, more) => request(gateway.port, target, { key: mine.key1, headers: { Host: 'gateway.example' }, ...more });
  try {
    const wanted = (authority) => results(authority).replace(/("@nextLink" : )"[^"]*"/, '$1"https://gateway.example/text/analytics/v3.1/analyze/jobs/1?$top=20&$skip=20"');
    const job = '/text/analytics/v3.1/analyze/jobs/1';
    const own = pages.url.replace('http://', '');
    for (const target of [job, `${job}?pieces=1`]) assert.equal((await ask(target)).text, wanted(own), target);
    for (const authority of [POD, 'localhost:' + own.split(':')[1]]) assert.equal((await ask(`${job}?as=${authority}`)).text, wanted(authority), authority);
    // Elsewhere nothing is touched: another host, another path, another type, another method.
    assert.equal((await ask(`${job}?as=elsewhere.example`)).text, results('elsewhere.example'));
    for (const target of ['/other/jobs/1', `${job}?plain=1`]) assert.equal((await ask(target)).text, results(own), target);
    assert.equal((await ask(job, { method: 'POST', body: '{}' })).text, results(own));
    // HEAD names no length that GET would not have.
    assert.equal((await ask(job, { method: 'HEAD' })).get('content-length'), undefined);
    assert.equal((await ask(`${job}?plain=1`, { method: 'HEAD' })).get('content-length'), String(results(own).length));
    const line = await gateway.logged((entry) => entry.path === job && entry.method === 'GET');
    assert.equal(line.status, 200);
  } finally {
    await gateway.stop();
    await pages.stop();
  }
});

test('a public_url that is none stops the start, with its name, and check tells of it', limit, async () => {
  const checked = await postern.cli(['check'], { settings: { public_url: 'ai.example' } });
  assert.equal(checked.code, 1);
  assert.match(checked.stdout + checked.stderr, /public_url: "ai\.example" is not https:/i);
  const bad = await start({ public_url: 'ai.example' }).catch((error) => error);
  assert.match(String(bad.message), /public_url: .+ai\.example.+ is not https:/);
});

test("the Speech SDK's question for another host is answered here, with a key and without", limit, async () => {
  const asked = container.hosts.length;
  for (const options of [{}, { key: key.key1 }]) {
    for (const target of ['/stt/speech/universal/v2?GenerateRedirectResponse=true', '/%73peech/x?a=b&generate%52edirectresponse=1']) {
      const answer = await request(postern.port, target, options);
      assert.equal(answer.status, 404);
      assert.equal(JSON.parse(answer.body).error.code, '404');
    }
  }
  assert.equal(container.hosts.length, asked);
});
