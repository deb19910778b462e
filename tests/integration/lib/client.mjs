// SPDX-License-Identifier: Apache-2.0
// Clients: hand-written bytes over TLS (RawClient), and ordinary requests (request).
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';

import { ByteReader, ClosedError, readBody, readHead, valuesOf } from './bytes.mjs';
import { within } from './util.mjs';

/** One TLS connection on which a test writes what it likes. */
export class RawClient {
  constructor(socket) {
    this.socket = socket;
    this.reader = new ByteReader(socket);
    socket.on('error', () => {}); // the reader keeps it
  }

  /** Connects and shakes hands; options are those of tls.connect. */
  static async connect(port, options = {}) {
    const transport = net.connect({ host: options.host ?? '127.0.0.1', port });
    transport.on('error', (error) => socket.destroy(error));
    const socket = tls.connect({
      socket: transport,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
      allowHalfOpen: false,
      ...options,
    });
    socket.setNoDelay(true);
    const failed = new Promise((_, reject) => {
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed during the handshake')));
    });
    failed.catch(() => {});
    socket.on('error', () => {}); // the transport's error may come twice; a test asks the promises
    await within(options.timeoutMs ?? 10000, 'a TLS handshake', Promise.race([once(socket, 'secureConnect'), failed]));
    const client = new RawClient(socket);
    client.transport = transport;
    return client;
  }

  /** Resolves when the bytes are with the kernel (or the connection is gone). */
  write(data) {
    return new Promise((resolve) => {
      if (this.socket.destroyed) return resolve();
      this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data, () => resolve());
    });
  }

  /** The next final answer; `interim` has the 1xx before it. `broken` says that it was cut off. */
  async response({ method = 'GET', ms = 10000 } = {}) {
    const interim = [];
    let head;
    for (;;) {
      head = parseHead(await readHead(this.reader, ms));
      if (head.status >= 200 || head.status === 101) break;
      interim.push(head);
    }
    const answer = { ...head, interim, body: Buffer.alloc(0), broken: false };
    const parts = [];
    try {
      for await (const part of readBody(this.reader, framingOf(head, method), ms)) parts.push(part);
    } catch (error) {
      if (!(error instanceof ClosedError)) throw error;
      answer.broken = true;
    }
    answer.body = Buffer.concat(parts);
    answer.text = answer.body.toString('utf8');
    return answer;
  }

  async get(target, { key, headers = '', ms } = {}) {
    await this.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n${keyLine(key)}${headers}\r\n`);
    return this.response({ ms });
  }

  /** True when the peer closes within `ms`. */
  async closes(ms = 10000) {
    try {
      await this.reader.untilClosed(ms);
      return true;
    } catch {
      return false;
    }
  }

  destroy() {
    this.socket.destroy();
  }

  /** A TCP reset, without TLS's goodbye. */
  reset() {
    this.transport.resetAndDestroy();
  }
}

export const keyLine = (key) => (key ? `Ocp-Apim-Subscription-Key: ${key}\r\n` : '');

function parseHead({ first, fields, raw }) {
  const match = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(first);
  if (!match) throw new Error(`not a status line: ${JSON.stringify(first)}`);
  return {
    status: Number(match[1]),
    reason: match[2] ?? '',
    fields,
    raw,
    all: (name) => valuesOf(fields, name),
    get: (name) => valuesOf(fields, name)[0],
  };
}

function framingOf(head, method) {
  if (method === 'HEAD' || head.status === 204 || head.status === 304 || head.status < 200) return 0;
  if (head.get('transfer-encoding')) return 'chunked';
  const length = head.get('content-length');
  return length === undefined ? 'close' : Number(length);
}

/** One request on a connection of its own. Body: string or Buffer (with Content-Length). */
export async function request(port, target, { method = 'GET', key, headers = {}, body, ms = 10000, tls: tlsOptions } = {}) {
  const client = await RawClient.connect(port, tlsOptions);
  try {
    const lines = Object.entries({ Host: 'localhost', ...headers }).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map((v) => `${name}: ${v}\r\n`),
    );
    const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
    if (body !== undefined) lines.push(`Content-Length: ${bytes.length}\r\n`);
    const head = `${method} ${target} HTTP/1.1\r\n${lines.join('')}${keyLine(key)}Connection: close\r\n\r\n`;
    // Not awaited: an answer may come, and have to be read, before all was sent.
    client.write(Buffer.concat([Buffer.from(head, 'latin1'), bytes]));
    const answer = await client.response({ method, ms });
    answer.json = () => JSON.parse(answer.text);
    return answer;
  } finally {
    client.destroy();
  }
}

/** A plain TCP client, for what happens before TLS. */
export async function plainConnect(port, host = '127.0.0.1') {
  const socket = net.connect({ host, port });
  await within(5000, 'a TCP connection', once(socket, 'connect'));
  const client = new RawClient(socket);
  return client;
}
