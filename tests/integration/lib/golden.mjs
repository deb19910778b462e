// SPDX-License-Identifier: Apache-2.0
// What goes over the wire, byte for byte, on both sides: a case is what the client sends and what the container
// responds, and its record is what each of them gets. Parts that differ from run to run are masked.
import { createHash } from 'node:crypto';
import { once } from 'node:events';

import { readBody, readHead, valuesOf } from './bytes.mjs';
import { RawClient } from './client.mjs';
import { within } from './util.mjs';

const WAIT = 8000;
/** Longer bodies stand in a record as their length and digest. */
const SHOWN = 1200;

const MASKS = [
  [/(\r\ndate: )[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d GMT/gi, '$1<date>'],
  [/(\r\n(?:x-|apim-)request-id: )[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/gi, '$1<id>'],
  [/(\r\nx-request-id: )[0-9a-zA-Z-]{20,36}(?=\r)/gi, '$1<id>'],
  [/(\r\napim-request-id: )[0-9a-zA-Z-]{20,36}(?=\r)/gi, '$1<id>'],
  [/(\r\nx-envoy-upstream-service-time: )\d+/gi, '$1<ms>'],
  [/(\r\nx-postern-key-id: )[0-9a-z]+/gi, '$1<key>'],
  [/(\r\nx-processing-ms: )\d+/gi, '$1<ms>'],
];

export function mask(text, ports) {
  for (const [pattern, to] of MASKS) text = text.replace(pattern, to);
  for (const [port, name] of ports) text = text.replaceAll(`127.0.0.1:${port}`, `127.0.0.1:<${name}>`);
  return text;
}

const shorten = (bytes) =>
  bytes.length > SHOWN ? `<${bytes.length} bytes, sha256 ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}>` : bytes.toString('latin1');

/** One response as it came: its head, and its body with the framing named. */
async function takeResponse(reader, method) {
  let head = await readHead(reader, WAIT);
  let raw = head.raw;
  while (/^HTTP\/1\.1 1(?!01)/.test(head.first)) {
    head = await readHead(reader, WAIT);
    raw += head.raw;
  }
  const status = Number(head.first.slice(9, 12));
  const coding = valuesOf(head.fields, 'transfer-encoding')[0];
  const length = valuesOf(head.fields, 'content-length')[0];
  const framing = method === 'HEAD' || status < 200 || status === 204 || status === 304 ? 0 : coding ? 'chunked' : length === undefined ? 'close' : Number(length);
  const parts = [];
  let cut = '';
  try {
    for await (const part of readBody(reader, framing, WAIT)) parts.push(part);
  } catch (error) {
    cut = '<cut>';
  }
  const named = framing === 'chunked' ? '<chunked>' : framing === 'close' ? '<until close>' : '';
  const connection = valuesOf(head.fields, 'connection').join().toLowerCase();
  return {
    text: raw + named + shorten(Buffer.concat(parts)) + cut,
    over: status === 101 || cut !== '' || framing === 'close' || connection.includes('close'),
  };
}

/** Whether the connection takes another request: 'kept' or 'closed', with what came instead. */
async function whatNext(client, response) {
  if (!response.over) {
    await client.write('GET /golden/next HTTP/1.1\r\nHost: next\r\nConnection: close\r\n\r\n');
    try {
      const next = await readHead(client.reader, WAIT);
      return `<kept, next ${next.first.slice(9, 12)}>`;
    } catch {
      return '<closed without a word>';
    }
  }
  const rest = await client.reader.rest(WAIT);
  return `<closed>${shorten(rest)}`;
}

export class Golden {
  constructor(upstream, gateways, keys) {
    Object.assign(this, { upstream, gateways, keys });
    this.current = null;
  }

  /** The container's handler. */
  respond(x) {
    if (this.current === null || x.path === '/golden/next') return x.answer(404, '');
    const done = this.#respond(x, this.current);
    this.current.responses.push(done);
    return done;
  }

  async #respond(x, current) {
    const script = current.container ?? 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok';
    if (current.early) {
      await x.write(script);
      await this.#end(x, current);
    }
    let body = '';
    if (x.framing !== 0) {
      try {
        body = `${x.framing === 'chunked' ? '<chunked>' : ''}${shorten(await x.body(WAIT))}`;
      } catch {
        body = '<cut>';
      }
    }
    current.seen.push(x.rawHead + body);
    if (current.early) return;
    await x.write(script);
    await this.#end(x, current);
  }

  async #end(x, current) {
    if (current.ends === 'later') await current.told; // else it depends on chance whether the end comes with the head
    if (current.ends) x.end();
  }

  /** Runs a case; returns its record. How much of a request the container sees that is refused in its middle is chance. */
  async run(one) {
    const { gateway: which = 'plain', methods = ['GET'], pause = false, inTurns = false } = one;
    const gateway = this.gateways[which];
    const sent = one.send(this.keys[which]);
    const client = await RawClient.connect(gateway.port);
    this.current = { ...one, seen: [], responses: [], told: once(client.socket, 'data') };
    const got = [];
    try {
      const pieces = [sent].flat();
      await client.write(pieces[0]);
      let last;
      for (const [i, method] of methods.entries()) {
        if (pause && i === 0) {
          const interim = await readHead(client.reader, WAIT);
          got.push(interim.raw);
        }
        if (inTurns && i > 0) await client.write(pieces[i]);
        if (!inTurns && i === 0) for (const piece of pieces.slice(1)) await client.write(piece);
        last = await within(WAIT * 2, `the response of ${one.name}`, takeResponse(client.reader, method));
        got.push(last.text);
      }
      got.push(await whatNext(client, last));
    } catch (error) {
      got.push(`<nothing: ${error.constructor.name}>`);
    } finally {
      client.destroy();
    }
    await Promise.allSettled(this.current.responses); // what is cut off the container learns last
    const ports = [[gateway.port, 'gateway'], [this.upstream.port, 'container']];
    const record = { client: mask(got.join('\n'), ports), container: one.blind ? '' : this.current.seen.map((text) => mask(text, ports)).join('\n') };
    this.current = null;
    return record;
  }
}

/** Records as text that shows a change of a byte in a line of its own. */
export function toText(records) {
  const lines = [];
  const put = (mark, text) => {
    for (const line of text.split('\n')) lines.push(`${mark} ${line.replace(/\\/g, '\\\\').replace(/[^\x20-\x7e]/g, (c) => (c === '\r' ? '\\r' : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`))}`);
  };
  for (const [name, { client, container }] of records) {
    lines.push(`# ${name}`);
    if (container !== '') put('>', container);
    put('<', client);
    lines.push('');
  }
  return lines.join('\n');
}
