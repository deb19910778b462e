// SPDX-License-Identifier: Apache-2.0
// A container that reads documents, in the shapes of Document Intelligence 3.1: a job is begun with
// POST /formrecognizer/documentModels/{model}:analyze and polled at …/analyzeResults/{id}, where Operation-Location
// sends the client. What it "reads" is the document's own bytes, upside down, so that a mix-up shows.
import { randomUUID } from 'node:crypto';

import { Upstream } from './upstream.mjs';

const begin = /^\/formrecognizer\/documentModels\/([^/:]+):analyze$/;
const poll = /^\/formrecognizer\/documentModels\/([^/:]+)\/analyzeResults\/([0-9a-f-]+)$/;

const result = (model, job) => {
  const content = [...job.text].reverse().join('');
  const page = { pageNumber: 1, spans: [{ offset: 0, length: content.length }], words: [], lines: [] };
  return { apiVersion: '2023-07-31', modelId: model, stringIndexType: 'utf16CodeUnit', content, pages: [page], paragraphs: [], styles: [] };
};

/** {url, hosts: the Host of each request, authority: what URLs are made of, undefined for Host, as Kestrel} */
export async function startDocuments() {
  const jobs = new Map();
  const container = { hosts: [], authority: undefined };
  container.upstream = await Upstream.start(async (x) => {
    container.hosts.push(x.get('host'));
    const [, model] = begin.exec(x.path) ?? [];
    if (x.method === 'POST' && model) {
      const id = randomUUID();
      jobs.set(id, { text: (await x.body()).toString(), polls: 0 });
      const authority = container.authority ?? x.get('host');
      const where = `http://${authority}/formrecognizer/documentModels/${model}/analyzeResults/${id}?api-version=2023-07-31`;
      return x.answer(202, '', { 'Operation-Location': authority === '' ? where.slice('http://'.length) : where });
    }
    const [, of, id] = poll.exec(x.path) ?? [];
    const job = jobs.get(id);
    if (!job) return x.json({ error: { code: 'NotFound', message: 'Resource not found.' } }, 404);
    const times = { createdDateTime: '2024-01-01T00:00:00Z', lastUpdatedDateTime: '2024-01-01T00:00:00Z' };
    if (job.polls++ === 0) return x.json({ status: 'running', ...times });
    return x.json({ status: 'succeeded', ...times, analyzeResult: result(of, job) });
  });
  container.url = container.upstream.url;
  return container;
}
