// SPDX-License-Identifier: Apache-2.0
// A container that does what a test tells it, byte by byte: early answers, half answers, resets, rubbish.
//
//   const upstream = await Upstream.start(async (x) => { x.write('HTTP/1.1 200 OK\r\n…') });
//
// The handler is called once per request with an exchange `x`. What it does not answer, it leaves
// unanswered; after a handler the connection goes on to the next request unless it was ended.
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import net from 'node:net';

import { ByteReader, ClosedError, readBody, readHead, valuesOf } from './bytes.mjs';
import { deferred } from './util.mjs';

class Exchange {
  constructor(connection, head) {
    const [method, target, version] = head.first.split(' ');
    Object.assign(this, { method, target, version, fields: head.fields, rawHead: head.raw });
    this.connection = connection;
    this.socket = connection.socket;
    this.bodyRead = false;
    this.path = target.split('?')[0];
  }

  all(name) {
    return valuesOf(this.fields, name);
  }

  get(name) {
    return this.all(name)[0];
  }

  get framing() {
    if (this.get('transfer-encoding')) return 'chunked';
    return Number(this.get('content-length') ?? 0);
  }

  /** The request's body, piece by piece. */
  async *pieces(ms = 30000) {
    this.bodyRead = true;
    yield* readBody(this.connection.reader, this.framing, ms);
  }

  async body(ms) {
    const parts = [];
    for await (const part of this.pieces(ms)) parts.push(part);
    return Buffer.concat(parts);
  }

  /** Resolves when the kernel took the bytes, and the buffer is not over its mark. */
  write(data) {
    return new Promise((resolve) => {
      if (this.socket.destroyed) return resolve(false);
      this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data, (error) => resolve(!error));
    });
  }

  /** A whole answer with Content-Length; fields: {name: value or [values]}. */
  answer(status, body = '', fields = {}) {
    const bytes = Buffer.from(body);
    const lines = Object.entries(fields).flatMap(([n, v]) => (Array.isArray(v) ? v : [v]).map((one) => `${n}: ${one}\r\n`));
    const head = `HTTP/1.1 ${status} Status\r\n${lines.join('')}Content-Length: ${bytes.length}\r\n\r\n`;
    return this.write(Buffer.concat([Buffer.from(head, 'latin1'), this.method === 'HEAD' ? Buffer.alloc(0) : bytes]));
  }

  json(value, status = 200) {
    return this.answer(status, JSON.stringify(value), { 'Content-Type': 'application/json' });
  }

  /** The head as it arrived, as JSON: what reaches the container. */
  showHead(more = {}) {
    return this.json({ first: `${this.method} ${this.target} ${this.version}`, fields: this.fields, ...more });
  }

  end() {
    this.connection.ended = true;
    this.socket.end();
  }

  /** A TCP reset. */
  reset() {
    this.connection.ended = true;
    this.socket.resetAndDestroy();
  }

  /** Resolves when the gateway has closed this connection. */
  get gone() {
    return this.connection.gone.promise;
  }
}

export class Upstream {
  static async start(handler, { port = 0, host = '127.0.0.1' } = {}) {
    const upstream = new Upstream();
    upstream.handler = handler;
    upstream.requests = []; // [method target, …] as they came
    upstream.connections = new Set();
    upstream.accepted = 0;
    upstream.errors = [];
    upstream.server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => upstream.#serve(socket));
    upstream.server.listen(port, host);
    await once(upstream.server, 'listening');
    upstream.server.unref(); // a test that failed before stop() must not hold the process
    upstream.port = upstream.server.address().port;
    upstream.url = `http://${host}:${upstream.port}`;
    return upstream;
  }

  async #serve(socket) {
    this.accepted++;
    socket.unref();
    const connection = { socket, reader: new ByteReader(socket), ended: false, gone: deferred(), served: 0 };
    this.connections.add(connection);
    // Our side stays open after the peer's end (half-open); for a test, the peer's end is its leaving.
    socket.on('end', () => connection.gone.resolve());
    socket.on('close', () => {
      connection.gone.resolve();
      this.connections.delete(connection);
    });
    socket.on('error', () => connection.gone.resolve());
    try {
      while (!connection.ended && !socket.destroyed) {
        const x = new Exchange(connection, await readHead(connection.reader, 600000));
        connection.served++;
        this.requests.push(`${x.method} ${x.target}`);
        await this.handler(x);
        if (!connection.ended && !x.bodyRead) for await (const _ of x.pieces()); // keep in step
      }
    } catch (error) {
      if (!(error instanceof ClosedError) && error.code !== 'ECONNRESET') this.errors.push(error);
    } finally {
      if (!connection.ended) socket.end();
    }
  }

  async stop() {
    for (const connection of this.connections) connection.socket.destroy();
    if (this.server.listening) {
      this.server.close();
      await once(this.server, 'close');
    }
  }
}

/** Routes by path: {'/a': handler, …}; what is missing gets 404. */
export const routes = (table) => (x) =>
  (table[x.path] ?? ((y) => y.answer(404, '{"error":{"code":"404","message":"Resource not found"}}')))(x);
