// SPDX-License-Identifier: Apache-2.0
// The Speech SDK, unmodified, through the gateway: Node 20, Node 22 (whose own WebSocket shows no HTTP status)
// and the browser build in headless Chromium.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { chromium } from 'playwright-core';

import { selfSigned } from './lib/certs.mjs';
import { RawClient } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { heard, startSpeech } from './lib/speech.mjs';
import { audio, recognize } from './lib/speech_client.mjs';
import { within } from './lib/util.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.join(here, '../node_modules');
const limit = { timeout: 120000 };
const run = promisify(execFile);
const AUDIO = { bytes: 32000, seed: 5 };
// What a refused client must not do is wait; the SDK's own time-outs are far longer.
const REFUSED_MS = 5000;

let container;
let certificate;
let postern;
let browser;
let key;

async function inNode(version, options) {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const binary = path.join(modules, `node${version}-${arch}/bin/node`);
  const { stdout } = await run(binary, [path.join(here, 'lib/speech_client.mjs'), JSON.stringify(options)], {
    env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: certificate.cert },
    timeout: 60000,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

async function inChromium(options) {
  browser ??= await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--ignore-certificate-errors'],
  });
  const page = await browser.newPage();
  await page.addScriptTag({
    content: readFileSync(path.join(modules, 'microsoft-cognitiveservices-speech-sdk/distrib/browser/microsoft.cognitiveservices.speech.sdk.bundle.js'), 'utf8'),
  });
  const outcome = await within(60000, 'the SDK in Chromium', page.evaluate(`(${recognize})(SpeechSDK, ${JSON.stringify(options)})`));
  await page.close();
  return outcome;
}

async function fetchToken(secret) {
  const client = await RawClient.connect(postern.port);
  await client.write(`POST /sts/v1.0/issueToken HTTP/1.1\r\nHost: h\r\nOcp-Apim-Subscription-Key: ${secret}\r\nContent-Length: 0\r\n\r\n`);
  const answer = await client.response();
  client.destroy();
  assert.equal(answer.status, 200, answer.text);
  return answer.text;
}

const clients = {
  'Node 20': (options) => inNode(20, options),
  'Node 22': (options) => inNode(22, options),
  Chromium: inChromium,
};

before(async () => {
  certificate = selfSigned(['localhost', '127.0.0.1']);
  container = await startSpeech();
  postern = await Postern.start({
    upstream: `http://127.0.0.1:${container.port}`,
    tls_certificate: certificate.cert,
    tls_key: certificate.key,
  });
  key = await postern.createKey('speech');
}, limit);
after(async () => {
  await browser?.close();
  await postern?.stop();
  await container?.stop();
}, limit);

function assertRefused(outcome, why = /subscription key or wrong API endpoint\./) {
  assert.equal(outcome.text, undefined);
  assert.equal(outcome.reason, 'Error', JSON.stringify(outcome));
  assert.equal(outcome.errorCode, 'ConnectionFailure', JSON.stringify(outcome)); // what the SDK makes of 4000
  assert.match(outcome.errorDetails, /4000/);
  assert.match(outcome.errorDetails, /Access denied due to invalid subscription key/);
  assert.match(outcome.errorDetails, why);
  assert.ok(outcome.ms < REFUSED_MS, `it took ${outcome.ms} ms`);
}

for (const [name, client] of Object.entries(clients)) {
  const skip = name === 'Chromium' && !existsSync('/usr/bin/chromium') ? 'no Chromium on this machine' : false;
  describe(name, { ...limit, skip }, () => {
    const options = (use) => ({ host: `wss://localhost:${postern.port}`, key: use, ...AUDIO });

    test('the right key: what was said comes back, and the key stays here', async () => {
      const outcome = await client(options(key.key1));
      assert.equal(outcome.text, heard(audio(AUDIO)), JSON.stringify(outcome));
      const { url, headers } = container.handshakes.at(-1);
      assert.match(url, /^\/speech\/recognition\//);
      assert.doesNotMatch(url, /Subscription-Key/i);
      assert.equal(headers['x-postern-key-id'], key.id);
      assert.doesNotMatch(postern.stdout + postern.stderr, new RegExp(key.key1));
    });

    test('an access token instead of the key; a broken one is refused at once', async () => {
      const answer = await fetchToken(key.key1);
      const outcome = await client({ ...options(undefined), token: answer });
      assert.equal(outcome.text, heard(audio(AUDIO)), JSON.stringify(outcome));
      const { url, headers } = container.handshakes.at(-1);
      assert.doesNotMatch(url, /Authorization|Bearer/i);
      assert.equal(headers.authorization, undefined);
      assert.equal(headers['x-postern-key-id'], key.id);
      assert.doesNotMatch(postern.stdout + postern.stderr, new RegExp(answer));
      const refused = await client({ ...options(undefined), token: `${answer.slice(0, -4)}AAAA` });
      assert.match(refused.errorDetails, /Access token is missing, invalid.*4000/);
      assert.ok(refused.ms < REFUSED_MS, `it took ${refused.ms} ms`);
    });

    test('a wrong key: refused at once, in Azure\'s words', async () => {
      const before = container.handshakes.length;
      assertRefused(await client(options('0123456789abcdef0123456789abcdef')));
      assert.equal(container.handshakes.length, before);
    });

    test('a disabled key: refused at once', async () => {
      const mine = await postern.createKey('disabled');
      await postern.change(mine.id, ['key', 'disable', mine.id]);
      assertRefused(await client(options(mine.key1)), /subscription key: it has been disabled\./);
    });
  });
}
