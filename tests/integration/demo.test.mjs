// SPDX-License-Identifier: Apache-2.0
// `postern demo`: what it prints works when pasted, and the sample container computes its answers.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { RawClient, request } from './lib/client.mjs';
import { Postern } from './lib/postern.mjs';
import { eventually, temporaryDirectory } from './lib/util.mjs';

const limit = { timeout: 60000 };
let demo;
let data_dir;
let key;

const printed = (gateway) => eventually(10000, 'the greeting', () => (/\^C|Ctrl-C/i.test(gateway.stdout) ? gateway.stdout : false));
const curlLines = (text) =>
  text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('curl '));

before(async () => {
  data_dir = temporaryDirectory('demo');
  demo = await Postern.start({ data_dir }, { command: ['demo'] });
  key = /\bps_[A-Za-z0-9]+_[A-Za-z0-9]+_[A-Za-z0-9]+\b/.exec(await printed(demo))?.[0];
  assert.ok(key, demo.stdout);
}, limit);
after(() => demo?.stop(), limit);

const post = async (path, value, more = {}) => {
  const answer = await request(demo.port, path, { method: 'POST', key, body: typeof value === 'string' ? value : JSON.stringify(value), headers: { 'Content-Type': 'application/json' }, ...more });
  return { status: answer.status, value: answer.json(), answer };
};

describe('the greeting', limit, () => {
  test('every printed curl line works when pasted', limit, async () => {
    const lines = curlLines(demo.stdout);
    assert.ok(lines.length >= 2, demo.stdout);
    for (const line of lines) {
      assert.ok(!/ (-k|--insecure)\b/.test(line), 'a certificate that is there should be checked');
      const result = spawnSync('sh', ['-c', line.replace(/^curl /, 'curl -sS --max-time 20 --write-out "\\n%{http_code}" ')], { encoding: 'utf8' });
      assert.equal(result.status, 0, `${line}\n${result.stderr}`);
      assert.match(result.stdout, /\n200$/, `${line}\n${result.stdout}`);
    }
  });
  test('has the address and the fingerprint of the certificate that is served', limit, async () => {
    assert.ok(demo.stdout.includes(`https://`) && demo.stdout.includes(`:${demo.port}`));
    const client = await RawClient.connect(demo.port);
    const { fingerprint256 } = client.socket.getPeerCertificate();
    client.destroy();
    assert.ok(demo.stdout.replaceAll(':', '').toLowerCase().includes(fingerprint256.replaceAll(':', '').toLowerCase()));
    assert.ok(demo.stdout.includes(data_dir));
  });
  test('a second start keeps the data, and its lines work too', limit, async () => {
    const own = temporaryDirectory('demo-again');
    let fingerprint;
    for (let i = 0; i < 3; i++) {
      const again = await Postern.start({ data_dir: own }, { command: ['demo'] });
      const lines = curlLines(await printed(again));
      const line = lines.find((l) => /ps_[A-Za-z0-9]/.test(l) || /-key|Key/.test(l));
      const result = spawnSync('sh', ['-c', line.replace(/^curl /, 'curl -sS --max-time 20 -o /dev/null --write-out "%{http_code}" ')], { encoding: 'utf8' });
      assert.equal(result.stdout, '200', `${line}\n${result.stderr}`);
      const client = await RawClient.connect(again.port);
      const now = client.socket.getPeerCertificate().fingerprint256;
      client.destroy();
      assert.equal(now, fingerprint ?? now);
      fingerprint = now;
      await again.stop();
    }
    assert.equal(statSync(own).mode & 0o077, 0);
  });
});

describe('the sample container', limit, () => {
  test('/status, /ready and the home page', limit, async () => {
    const status = (await request(demo.port, '/status')).json();
    assert.equal(status.apiStatus, 'Valid');
    assert.equal(status.apiStatusMessage, 'Api Key is valid, no action needed.');
    assert.equal((await request(demo.port, '/ready')).status, 200);
    assert.equal((await request(demo.port, '/')).status, 401);
    assert.match((await request(demo.port, '/', { key })).text, /sentiment/);
  });
  test('tells languages apart', limit, async () => {
    const texts = {
      en: 'The room was clean and the staff were friendly.',
      de: 'Das Zimmer war sauber und das Personal war sehr freundlich.',
      fr: 'La chambre était propre et le personnel était très agréable.',
      es: 'La habitación estaba limpia y el personal fue muy amable.',
      it: 'La camera era pulita e il personale è stato molto gentile.',
      pt: 'O quarto estava limpo e os funcionários foram muito simpáticos, não é?',
      nl: 'De kamer was schoon en het personeel was heel vriendelijk.',
      sv: 'Rummet var rent och personalen var mycket trevlig, det är bra.',
      pl: 'Pokój był czysty i obsługa była bardzo miła, ale nie jest tanio.',
      ru: 'Номер был чистым, и персонал был очень дружелюбным.',
      ja: '部屋はきれいで、スタッフはとても親切でした。',
    };
    const documents = Object.entries(texts).map(([id, text]) => ({ id, text }));
    const { status, value } = await post('/text/analytics/v3.1/languages', { documents });
    assert.equal(status, 200);
    for (const { id, detectedLanguage } of value.documents) {
      assert.equal(detectedLanguage.iso6391Name, id);
      assert.ok(detectedLanguage.confidenceScore > 0.3 && detectedLanguage.confidenceScore <= 1);
    }
    assert.equal(value.documents.length, documents.length);
    assert.deepEqual(value.errors, []);
    const unknown = (await post('/text/analytics/v3.1/languages', { documents: [{ id: '1', text: '12345 67' }] })).value;
    assert.equal(unknown.documents[0].detectedLanguage.iso6391Name, '(Unknown)');
    assert.equal(unknown.documents[0].detectedLanguage.confidenceScore, 0);
  });
  test('tells moods apart, sentence by sentence', limit, async () => {
    const documents = [
      { id: 'good', text: 'The food was excellent. I am very happy!' },
      { id: 'bad', text: 'Das Zimmer war schmutzig und kalt.' },
      { id: 'mixed', text: 'The food was excellent. The room was dirty.' },
      { id: 'flat', text: 'The station is in Paris.' },
      { id: 'turned', text: 'The food was not good.' },
      { id: 'offsets', text: 'Très bien ! 😀 Mauvais.' },
    ];
    const { value } = await post('/text/analytics/v3.1/sentiment', { documents });
    const of = Object.fromEntries(value.documents.map((d) => [d.id, d]));
    assert.equal(of.good.sentiment, 'positive');
    assert.equal(of.bad.sentiment, 'negative');
    assert.equal(of.mixed.sentiment, 'mixed');
    assert.equal(of.flat.sentiment, 'neutral');
    assert.equal(of.turned.sentiment, 'negative');
    for (const { confidenceScores: s, sentences } of value.documents) {
      assert.ok(Math.abs(s.positive + s.neutral + s.negative - 1) < 0.02);
      assert.ok(sentences.length >= 1);
    }
    const text = [...documents[5].text]; // by code points
    for (const s of of.offsets.sentences) assert.equal(text.slice(s.offset, s.offset + s.length).join(''), s.text);
  });
  test('errors in Azure\'s shape', limit, async () => {
    const sentiment = '/text/analytics/v3.1/sentiment';
    const inner = async (value) => {
      const { status, value: v } = await post(sentiment, value);
      assert.equal(status, 400);
      return v.error.innererror.code;
    };
    assert.equal(await inner({ documents: [] }), 'MissingInputRecords');
    assert.equal(await inner({}), 'MissingInputRecords');
    assert.equal(await inner('not json'), 'InvalidRequestBodyFormat');
    assert.equal(await inner(''), 'InvalidRequestBodyFormat');
    assert.equal(await inner({ documents: Array.from({ length: 11 }, (_, i) => ({ id: `${i}`, text: 'a' })) }), 'InvalidDocumentBatch');
    assert.equal(await inner({ documents: [{ id: '1', text: 'a' }, { id: '1', text: 'b' }] }), 'InvalidDocument');
    assert.equal(await inner({ documents: [{ text: 'a' }] }), 'InvalidDocument');
    const partly = (await post(sentiment, { documents: [{ id: '1', text: '' }, { id: '2', text: 'good' }, { id: '3', text: 'x'.repeat(5121) }] })).value;
    assert.deepEqual([partly.documents.map((d) => d.id), partly.errors.map((d) => d.id)], [['2'], ['1', '3']]);
    assert.equal((await post(sentiment, `{"documents":[{"id":"1","text":"${'x'.repeat(1100000)}"}]}`)).status, 413);
    const wrongMethod = await request(demo.port, sentiment, { key });
    assert.equal(wrongMethod.status, 405);
    assert.equal(wrongMethod.get('allow'), 'POST');
    assert.equal((await request(demo.port, '/nowhere', { key })).json().error.code, '404');
  });
  test('/echo gives any bytes back', limit, async () => {
    const bytes = randomBytes(3 << 20);
    const answer = await request(demo.port, '/echo', { method: 'POST', key, body: bytes, headers: { 'Content-Type': 'audio/wav' } });
    assert.equal(answer.get('content-type'), 'audio/wav');
    assert.ok(answer.body.equals(bytes));
  });
  test('/stream sends its events slowly', limit, async () => {
    const start = Date.now();
    const answer = await request(demo.port, '/stream?chunks=4&delay_ms=100', { key });
    assert.ok(Date.now() - start >= 290);
    assert.equal(answer.get('content-type'), 'text/event-stream');
    assert.deepEqual([...answer.text.matchAll(/"chunk":(\d)/g)].map((m) => m[1]), ['1', '2', '3', '4']);
    for (const query of ['chunks=1001', 'delay_ms=99999', 'chunks=-1', 'chunks=x']) assert.equal((await request(demo.port, `/stream?${query}`, { key })).status, 400, query);
  });
});

test('the next free port is taken when the default one is not free', limit, async () => {
  // Two demos without `listen`, each with its own data: both run, and say where.
  const starts = [];
  for (let i = 0; i < 2; i++) {
    const one = await Postern.start({ data_dir: temporaryDirectory('demo-port'), listen: undefined, port: 0 }, { command: ['demo'], expectReady: false });
    starts.push(one);
    await printed(one);
  }
  const urls = starts.map((one) => /https:\/\/[^\s/]+:(\d+)/.exec(one.stdout)[1]);
  assert.notEqual(urls[0], urls[1]);
  for (const port of urls) assert.equal((await request(Number(port), '/status')).status, 200);
  for (const one of starts) await one.stop();
});
