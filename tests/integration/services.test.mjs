// SPDX-License-Identifier: Apache-2.0
// Unmodified SDKs from npm through the gateway: Language, Translator, Document Intelligence, OpenAI; curl for the rest.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { launch, noChromium } from './lib/browser.mjs';
import { Authority, selfSigned } from './lib/certs.mjs';
import { RawClient, keyLine, request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { backwards, chat, speak, startServices, words } from './lib/services.mjs';
import { deferred, eventually, sleep } from './lib/util.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const limit = { timeout: 180000 };
const run = promisify(execFile);
const TEXT = 'A good gateway opens quietly';
let services;
let certificate;
let postern;
let key;
let disabled;
let expired;

async function call(task, options, version = 22) {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const binary = path.join(here, `../node_modules/node${version}-${arch}/bin/node`);
  const argument = JSON.stringify({ task, endpoint: `https://localhost:${postern.port}`, text: TEXT, ...options });
  const { stdout } = await run(binary, [path.join(here, 'lib/services_client.mjs'), argument], {
    env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: certificate.cert },
    timeout: 90000,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

const issue = async (of) => (await request(postern.port, '/sts/v1.0/issueToken', { method: 'POST', key: of.key1, body: '' })).text;

before(async () => {
  services = await startServices();
  certificate = await selfSigned(['localhost', '127.0.0.1']);
  postern = await Postern.start({ upstream: services.url, tls_certificate: certificate.cert, tls_key: certificate.key, token_lifetime: '2s',
    open_paths: '/status, /ready, /swagger, /swagger/*' });
  key = await postern.createKey('services', [], { wait: false });
  disabled = await postern.createKey('disabled', [], { wait: false });
  assert.equal((await postern.cli(['key', 'disable', disabled.id])).code, 0);
  expired = await issue(await postern.createKey('expired'));
  await sleep(3100); // time itself: past its two seconds
}, limit);

after(async () => {
  await postern?.stop();
  await services?.upstream.stop();
}, limit);

const chatted = chat([{ content: TEXT }]).join('');
const results = {
  sentiment: 'positive',
  languages: 'en',
  keyPhrases: words(TEXT),
  job: words(TEXT),
  translate: [`de: ${backwards(TEXT)}`, `fr: ${backwards(TEXT)}`],
  document: backwards(TEXT),
  chat: chatted,
  azureChat: chatted,
  chatStream: chatted,
};

describe('with the right key', () => {
  for (const [task, result] of Object.entries(results)) {
    test(task, limit, async () => {
      for (const version of [20, 22]) assert.deepEqual(await call(task, { key: key.key1 }, version), { result });
    });
  }
});

describe('refused, in the SDK’s own error class', () => {
  const classes = { sentiment: 'RestError', translate: 'HttpResponse', document: 'HttpResponse', chat: 'AuthenticationError', azureChat: 'AuthenticationError' };
  for (const [task, name] of Object.entries(classes)) {
    test(task, limit, async () => {
      for (const [what, secret, why] of [['a wrong key', 'wrong', 'invalid subscription key or wrong API endpoint'], ['a disabled key', disabled.key1, 'invalid subscription key: it has been disabled']]) {
        const outcome = await call(task, { key: secret });
        assert.equal(outcome.error, name, `${what}: ${JSON.stringify(outcome)}`);
        assert.equal(outcome.statusCode, 401);
        assert.equal(outcome.code, task === 'translate' ? 401000 : '401');
        assert.match(outcome.message, task === 'translate' ? /credentials are missing or invalid/ : new RegExp(`Access denied due to ${why}`));
      }
    });
  }
});

describe('with an access token', () => {
  for (const task of ['sentiment', 'document', 'chat']) {
    test(task, limit, async () => {
      const long = await Postern.start({ upstream: services.url, tls_certificate: certificate.cert, tls_key: certificate.key });
      try {
        const own = await long.createKey('token');
        const token = (await request(long.port, '/sts/v1.0/issueToken', { method: 'POST', key: own.key1, body: '' })).text;
        assert.deepEqual(await call(task, { token, endpoint: `https://localhost:${long.port}` }), { result: results[task] });
      } finally {
        await long.stop();
      }
      const outcome = await call(task, { token: expired });
      assert.equal(outcome.statusCode, 401, JSON.stringify(outcome));
      assert.match(outcome.message, /Access token is missing, invalid, audience is incorrect/);
    });
  }
});

describe('with a client certificate alone', () => {
  let ca;
  let gateway;
  before(async () => {
    ca = new Authority('Clients CA');
    gateway = await Postern.start({ upstream: services.url, tls_certificate: certificate.cert, tls_key: certificate.key, client_certificate: 'optional', client_ca: ca.cert });
  }, limit);
  after(() => gateway?.stop(), limit);

  // Of the SDKs this one needs no credential; its job is begun, polled and read by the certificate.
  test('document', limit, async () => {
    const robot = ca.issue('robot');
    const ask = () => call('document', { endpoint: `https://localhost:${gateway.port}`, tls: robot.tls });
    const refused = await ask();
    assert.deepEqual([refused.error, refused.statusCode, refused.code], ['HttpResponse', 403, 'ClientCertificateNotApproved']);
    const approved = await gateway.cli(['client-cert', 'approve', robot.cert]);
    assert.equal(approved.code, 0, approved.stderr);
    const document = await eventually(10000, 'the approval to be applied', async () => ((last) => last.result && last)(await ask()), 100);
    assert.deepEqual(document, { result: results.document });
    assert.equal((await gateway.cli(['client-cert', 'revoke', robot.cert])).code, 0);
    await eventually(10000, 'the revocation to be applied', async () => (await ask()).statusCode === 403, 100);
  });
});

test('the Translator’s refusals have its own codes, numbers', limit, async () => {
  for (const [target, secret] of [['/translate?api-version=3.0&to=de', undefined], ['/translate', 'wrong'], ['/Detect', disabled.key1]]) {
    const answer = await request(postern.port, target, { method: 'POST', key: secret, body: '[]' });
    assert.equal(answer.status, 401);
    assert.deepEqual(answer.json(), { error: { code: 401000, message: 'The request is not authorized because credentials are missing or invalid.' } });
  }
  const conflict = await request(postern.port, '/translate', { method: 'POST', key: key.key1, headers: { 'api-key': 'another' }, body: '[]' });
  assert.deepEqual([conflict.status, conflict.json().error.code], [400, 400000]);
});

test('refusals can be flat, as some services have them', limit, async () => {
  const gateway = await Postern.start({ upstream: services.url, error_shape: 'flat' });
  try {
    const refused = await request(gateway.port, '/language/:analyze-text', { key: 'wrong' });
    assert.equal(refused.status, 401);
    const { statusCode, message, ...rest } = refused.json();
    assert.deepEqual([statusCode, rest], [401, {}]);
    assert.match(message, /^Access denied due to invalid subscription key/);
    assert.equal((await request(gateway.port, '/translate', { key: 'wrong' })).json().error.code, 401000);
  } finally {
    await gateway.stop();
  }
});

test('keys can be switched off, as in the cloud', limit, async () => {
  const tokens = await Postern.start({ upstream: services.url, key_authentication: 'off', tls_certificate: certificate.cert, tls_key: certificate.key });
  try {
    const own = await tokens.createKey('off');
    for (const target of ['/text/analytics/v3.1/sentiment', '/sts/v1.0/issueToken']) {
      const answer = await request(tokens.port, target, { method: 'POST', key: own.key1, body: '' });
      assert.equal(answer.status, 403);
      assert.deepEqual(answer.json(), { error: { code: 'AuthenticationTypeDisabled', message: 'Key based authentication is disabled for this resource.' } });
    }
    assert.equal((await request(tokens.port, '/ready')).status, 200);
    const outcome = await call('sentiment', { key: own.key1, endpoint: `https://localhost:${tokens.port}` });
    assert.deepEqual([outcome.error, outcome.statusCode, outcome.code], ['RestError', 403, 'AuthenticationTypeDisabled']);
  } finally {
    await tokens.stop();
  }
});

test('speech is synthesized, chunked, from SSML by curl', limit, async () => {
  const ssml = `<speak version="1.0"><voice name="x">${TEXT}</voice></speak>`;
  const { stdout } = await run('curl', ['-sS', '--max-time', '20', '--cacert', certificate.cert, '-H', `Ocp-Apim-Subscription-Key: ${key.key1}`,
    '-H', 'Content-Type: application/ssml+xml', '-H', 'X-Microsoft-OutputFormat: riff-24khz-16bit-mono-pcm', '--data-binary', ssml,
    `https://localhost:${postern.port}/cognitiveservices/v1`], { encoding: 'buffer' });
  assert.deepEqual(stdout, speak(ssml));
});

test('Computer Vision’s Read is begun and polled by curl', limit, async () => {
  const curl = (...args) => run('curl', ['-sS', '--max-time', '20', '--cacert', certificate.cert, '-H', `Ocp-Apim-Subscription-Key: ${key.key1}`, ...args]);
  const { stdout } = await curl('-D', '-', '-o', '/dev/null', '--data-binary', TEXT, `https://localhost:${postern.port}/vision/v3.2/read/analyze`);
  const [, where] = /operation-location: (\S+)/i.exec(stdout);
  assert.ok(where.startsWith(`https://localhost:${postern.port}/vision/`), where);
  await curl(where);
  const result = JSON.parse((await curl(where)).stdout);
  assert.equal(result.analyzeResult.readResults[0].lines[0].text, backwards(TEXT));
});

test('an event of a stream is there before the next one is made', limit, async () => {
  const gates = [];
  services.gate = () => {
    const gate = deferred();
    gates.push(gate);
    return gate.promise;
  };
  const client = await RawClient.connect(postern.port);
  try {
    const body = JSON.stringify({ model: 'phi', stream: true, messages: [{ role: 'user', content: TEXT }] });
    await client.write(`POST /openai/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n${keyLine(key.key1)}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    let text = '';
    for (const piece of chat([{ content: TEXT }])) {
      while (!text.includes(JSON.stringify(piece))) text += (await client.reader.some(10000)).toString();
      gates.at(-1).resolve(); // only now may the container go on
    }
    while (!text.includes('[DONE]')) text += (await client.reader.some(10000)).toString();
  } finally {
    services.gate = undefined;
    gates.forEach((gate) => gate.resolve());
    client.destroy();
  }
});

test('the container’s swagger page works in a browser, below an open path', { ...limit, skip: noChromium }, async () => {
  const browser = await launch();
  try {
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    await page.goto(`https://localhost:${postern.port}/swagger`);
    await page.waitForFunction(() => document.title === 'Language container');
  } finally {
    await browser.close();
  }
  const closed = ['/swaggers', '/swagger/..%2ftext', '/swagger/../text', '/swagger/%2e%2e/text', '/swagger//x', '/swagger/x\\..\\..\\text', '/Swagger/ui.js', '/swagger/a%5c..%5cb',
    '/swagger/..;/text', '/swagger/..;a=b/text', '/swagger/%2e%2e;/text', '/swagger/..%3b/text', '/swagger/%252e%252e/text', '/swagger/ui.js;x'];
  for (const target of closed) {
    const { status } = await request(postern.port, target);
    assert.ok(status === 401 || status === 400, `${target}: ${status}`);
  }
});
