// SPDX-License-Identifier: Apache-2.0
// The containers of one pod, in the shapes of the real ones: Language, Translator, Document Intelligence, Computer Vision's Read,
// Text-to-Speech, and an OpenAI-style chat. What they answer is made of what they were sent, so that a mix-up shows.
import { createHash, randomUUID } from 'node:crypto';

import { Upstream } from './upstream.mjs';
import { apart } from './util.mjs';

const MODEL = '2023-04-01';
export const digest = (text) => createHash('sha256').update(text).digest('hex').slice(0, 12);
export const backwards = (text) => [...text].reverse().join('');
export const words = (text) => [...new Set(text.split(/\W+/).filter((word) => word.length > 3))];
export const score = (text) => (/good|great/i.test(text) ? 'positive' : /bad|awful/i.test(text) ? 'negative' : 'neutral');
/** What the synthesizer makes of SSML: as many bytes as the text between its tags has letters, times a hundred. */
export const speak = (ssml) => Buffer.alloc(ssml.replace(/<[^>]*>/g, '').trim().length * 100, digest(ssml));
/** The chat's pieces. */
export const chat = (messages) => messages.at(-1).content.split(' ').map((word) => `${backwards(word)} `);

const documents = (input, each) => ({
  documents: input.documents.map((document) => ({ id: document.id, warnings: [], ...each(document.text) })),
  errors: [],
  modelVersion: MODEL,
});
const scores = { positive: 0.5, neutral: 0.3, negative: 0.2 };
const language = {
  sentiment: (text) => ({
    sentiment: score(text),
    confidenceScores: scores,
    sentences: [{ sentiment: score(text), confidenceScores: scores, offset: 0, length: text.length, text, targets: [], assessments: [] }],
  }),
  languages: (text) => ({ detectedLanguage: { name: /ü|ß/.test(text) ? 'German' : 'English', iso6391Name: /ü|ß/.test(text) ? 'de' : 'en', confidenceScore: 1 } }),
  keyPhrases: (text) => ({ keyPhrases: words(text) }),
};
const times = { createdDateTime: '2024-01-01T00:00:00Z', lastUpdatedDateTime: '2024-01-01T00:00:00Z' };
const read = (text) => ({ content: backwards(text), apiVersion: '2024-11-30', modelId: 'prebuilt-read', stringIndexType: 'utf16CodeUnit', pages: [{ pageNumber: 1, spans: [{ offset: 0, length: text.length }] }] });

const json = async (x) => JSON.parse((await x.body()).toString() || '{}');

/** {url, upstream, jobs, marks: for the stream's test} */
export async function startServices() {
  const jobs = new Map();
  const services = { jobs, gate: undefined };
  const begin = (x, where, job) => {
    const id = randomUUID();
    jobs.set(id, { ...job, id, polls: 0 });
    return x.answer(202, '', { 'Operation-Location': `http://${x.get('host')}${where(id)}`, 'apim-request-id': randomUUID() });
  };
  const poll = (x, id, running, done) => {
    const job = jobs.get(id);
    if (!job) return x.json({ error: { code: 'NotFound', message: 'Resource not found.' } }, 404);
    return x.json(job.polls++ === 0 ? running(job) : done(job));
  };
  const routes = [
    ['POST', /^\/text\/analytics\/v3\.1\/(sentiment|languages|keyPhrases)$/, async (x, kind) => x.json(documents(await json(x), language[kind]))],
    ['POST', /^\/text\/analytics\/v3\.1\/analyze$/, async (x) => begin(x, (id) => `/text/analytics/v3.1/analyze/jobs/${id}`, { input: (await json(x)).analysisInput })],
    ['GET', /^\/text\/analytics\/v3\.1\/analyze\/jobs\/(.+)$/, (x, id) => {
      const state = (job, status, tasks) => ({
        jobId: id, ...times, lastUpdateDateTime: times.lastUpdatedDateTime, expirationDateTime: '2034-01-01T00:00:00Z', status, errors: [],
        tasks: { completed: tasks.length, failed: 0, inProgress: 1 - tasks.length, total: 1, ...(tasks.length && { keyPhraseExtractionTasks: tasks }) },
      });
      const task = (job) => ({ lastUpdateDateTime: times.lastUpdatedDateTime, state: 'succeeded', results: documents(job.input, language.keyPhrases) });
      return poll(x, id, (job) => state(job, 'running', []), (job) => state(job, 'succeeded', [task(job)]));
    }],
    ['POST', /^\/translate$/, async (x) => x.json({ value: (await json(x)).inputs.map(({ text, targets }) => ({
      detectedLanguage: { language: 'en', score: 1 },
      translations: targets.map((target) => ({ language: target.language, text: `${target.language}: ${backwards(text)}` })),
    })) })],
    ['POST', /^\/documentintelligence\/documentModels\/([^/:]+):analyze$/, async (x, model) =>
      begin(x, (id) => `/documentintelligence/documentModels/${model}/analyzeResults/${id}?api-version=2024-11-30`, { text: Buffer.from((await json(x)).base64Source, 'base64').toString() })],
    ['GET', /^\/documentintelligence\/documentModels\/[^/]+\/analyzeResults\/([^/]+)$/, (x, id) =>
      poll(x, id, () => ({ status: 'running', ...times }), (job) => ({ status: 'succeeded', ...times, analyzeResult: read(job.text) }))],
    ['POST', /^\/vision\/v3\.2\/read\/analyze$/, async (x) => begin(x, (id) => `/vision/v3.2/read/analyzeResults/${id}`, { text: (await x.body()).toString() })],
    ['GET', /^\/vision\/v3\.2\/read\/analyzeResults\/([^/]+)$/, (x, id) =>
      poll(x, id, () => ({ status: 'running' }), (job) => ({ status: 'succeeded', analyzeResult: { readResults: [{ page: 1, lines: [{ text: backwards(job.text) }] }] } }))],
    ['POST', /^\/cognitiveservices\/v1$/, async (x) => {
      const audio = speak((await x.body()).toString());
      await x.write(`HTTP/1.1 200 OK\r\nContent-Type: audio/x-wav\r\nX-Format: ${x.get('x-microsoft-outputformat')}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      for (let at = 0; at < audio.length; at += 700) {
        const piece = audio.subarray(at, at + 700);
        await x.write(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]));
      }
      return x.write('0\r\n\r\n');
    }],
    ['POST', /^\/openai(?:\/v1|\/deployments\/[^/]+)\/chat\/completions$/, async (x) => {
      const input = await json(x);
      const pieces = chat(input.messages);
      const common = { id: `chatcmpl-${digest(pieces.join(''))}`, created: 1, model: input.model ?? 'deployed' };
      if (!input.stream) {
        const message = { role: 'assistant', content: pieces.join('') };
        return x.json({ ...common, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }] });
      }
      await x.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
      const event = (text) => x.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
      for (const content of pieces) {
        await event(`data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content } }] })}\n\n`);
        await services.gate?.(); // a test lets one event out at a time
        await apart(1);
      }
      await event('data: [DONE]\n\n');
      return x.write('0\r\n\r\n');
    }],
    ['GET', /^\/swagger(?:\/index\.html)?$/, (x) => x.answer(200, '<!doctype html><title>Swagger UI</title><script src="./swagger/ui.js"></script>', { 'Content-Type': 'text/html' })],
    ['GET', /^\/swagger\/ui\.js$/, (x) => x.answer(200, 'fetch("/swagger/v1/swagger.json").then((r) => r.json()).then((d) => { document.title = d.info.title; });', { 'Content-Type': 'text/javascript' })],
    ['GET', /^\/swagger\/v1\/swagger\.json$/, (x) => x.json({ openapi: '3.0.1', info: { title: 'Language container', version: '1' }, servers: [{ url: '/' }], paths: {} })],
    ['GET', /^\/(?:status|ready)$/, (x) => x.json({ service: 'services', apiStatus: 'Valid', apiStatusMessage: 'Api Key is valid, no action needed.' })],
  ];
  services.upstream = await Upstream.start((x) => {
    for (const [method, path, handle] of routes) {
      const match = x.method === method ? path.exec(x.path) : null;
      if (match) return handle(x, ...match.slice(1));
    }
    return x.json({ error: { code: 'NotFound', message: 'Resource not found.' } }, 404);
  });
  services.url = services.upstream.url;
  return services;
}
