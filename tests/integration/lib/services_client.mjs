// SPDX-License-Identifier: Apache-2.0
// One call of one SDK, as a program of its own: node services_client.mjs '{"task","endpoint","key","token","text"}' prints what
// came of it, or {"error","statusCode","code"} as the SDK's own error class has it.
import { Buffer } from 'node:buffer';

const { task, endpoint, key, token, text, tls } = JSON.parse(process.argv[2]);
const bearer = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3600000 }) };

async function language() {
  const { AzureKeyCredential, TextAnalyticsClient } = await import('@azure/ai-text-analytics');
  return new TextAnalyticsClient(endpoint, token ? bearer : new AzureKeyCredential(key));
}

function unexpected(answer) {
  return Object.assign(new Error(answer.body?.error?.message), { name: 'HttpResponse', statusCode: Number(answer.status), code: answer.body?.error?.code });
}

const tasks = {
  async sentiment() {
    const [one] = await (await language()).analyzeSentiment([text]);
    return one.sentiment;
  },
  async languages() {
    const [one] = await (await language()).detectLanguage([text]);
    return one.primaryLanguage.iso6391Name;
  },
  async keyPhrases() {
    const [one] = await (await language()).extractKeyPhrases([text]);
    return one.keyPhrases;
  },
  async job() {
    const poller = await (await language()).beginAnalyzeActions([text], { extractKeyPhrasesActions: [{ modelVersion: 'latest' }] }, 'en', { updateIntervalInMs: 20 });
    const found = [];
    for await (const page of await poller.pollUntilDone()) found.push(...page.extractKeyPhrasesResults[0].results[0].keyPhrases);
    return found;
  },
  async translate() {
    const { default: client } = await import('@azure-rest/ai-translation-text');
    const answer = await client(endpoint, { key, region: 'westeurope' }).path('/translate').post({ body: { inputs: [{ text, targets: [{ language: 'de' }, { language: 'fr' }] }] } });
    if (answer.status !== '200') throw unexpected(answer);
    return answer.body.value[0].translations.map((one) => one.text);
  },
  async document() {
    const { default: client, getLongRunningPoller } = await import('@azure-rest/ai-document-intelligence');
    const service = client(endpoint, tls ? undefined : token ? bearer : { key }, { tlsOptions: tls });
    const initial = await service.path('/documentModels/{modelId}:analyze', 'prebuilt-read')
      .post({ contentType: 'application/json', body: { base64Source: Buffer.from(text).toString('base64') } });
    if (initial.status !== '202') throw unexpected(initial);
    const done = await getLongRunningPoller(service, initial, { intervalInMs: 20 }).pollUntilDone();
    return done.body.analyzeResult.content;
  },
  async chat() {
    const { default: OpenAI } = await import('openai');
    const client = new OpenAI({ apiKey: token ?? key, baseURL: `${endpoint}/openai/v1` });
    const answer = await client.chat.completions.create({ model: 'phi', messages: [{ role: 'user', content: text }] });
    return answer.choices[0].message.content;
  },
  async azureChat() {
    const { AzureOpenAI } = await import('openai');
    const client = new AzureOpenAI({ endpoint, apiKey: key, apiVersion: '2024-10-21', deployment: 'phi' });
    const answer = await client.chat.completions.create({ model: 'phi', messages: [{ role: 'user', content: text }] });
    return answer.choices[0].message.content;
  },
  async chatStream() {
    const { default: OpenAI } = await import('openai');
    const client = new OpenAI({ apiKey: key, baseURL: `${endpoint}/openai/v1` });
    const stream = await client.chat.completions.create({ model: 'phi', stream: true, messages: [{ role: 'user', content: text }] });
    let whole = '';
    for await (const chunk of stream) whole += chunk.choices[0].delta.content;
    return whole;
  },
};

let outcome;
try {
  outcome = { result: await tasks[task]() };
} catch (error) {
  outcome = { error: error.constructor.name === 'Error' ? error.name : error.constructor.name, statusCode: error.statusCode ?? error.status, code: error.code, message: error.message };
}
process.stdout.write(`${JSON.stringify(outcome)}\n`);
