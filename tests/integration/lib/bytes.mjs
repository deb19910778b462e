// SPDX-License-Identifier: Apache-2.0
// Reading bytes off a socket with patience: a buffer that can be asked for "until this", "so many".
import { Buffer } from 'node:buffer';

export class ClosedError extends Error {}

export class ByteReader {
  constructor(socket) {
    this.socket = socket;
    this.buffered = [];
    this.length = 0;
    this.ended = false; // the peer's orderly end
    this.closed = false; // nothing more will come, for whatever reason
    this.error = null;
    this.waiters = new Set();
    socket.on('data', (data) => {
      this.buffered.push(data);
      this.length += data.length;
      if (this.length > 1 << 20) socket.pause();
      this.wake();
    });
    socket.on('end', () => {
      this.ended = true;
      this.closed = true;
      this.wake();
    });
    socket.on('error', (error) => {
      this.error = error;
      this.closed = true;
      this.wake();
    });
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  wake() {
    for (const waiter of this.waiters) waiter();
    this.waiters.clear();
  }

  changed(deadline, what) {
    return new Promise((resolve, reject) => {
      const left = deadline - Date.now();
      const timer = setTimeout(() => {
        this.waiters.delete(done);
        reject(new Error(`nothing came while waiting for ${what}; so far: ${this.preview()}`));
      }, Math.max(left, 0));
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      this.waiters.add(done);
    });
  }

  preview() {
    return JSON.stringify(this.peek().toString('latin1').slice(0, 300));
  }

  peek() {
    if (this.buffered.length > 1) this.buffered = [Buffer.concat(this.buffered)];
    return this.buffered[0] ?? Buffer.alloc(0);
  }

  take(n) {
    const all = this.peek();
    const part = all.subarray(0, n);
    const rest = all.subarray(n);
    this.buffered = rest.length ? [rest] : [];
    this.length = rest.length;
    this.socket.resume();
    return part;
  }

  /** Bytes up to and with `mark`. ClosedError when the stream ends before. */
  async until(mark, ms = 10000, limit = 1 << 20) {
    const deadline = Date.now() + ms;
    for (;;) {
      const at = this.peek().indexOf(mark);
      if (at >= 0) return this.take(at + mark.length);
      if (this.length > limit) throw new Error(`no ${JSON.stringify(mark)} in ${limit} bytes`);
      if (this.closed) throw new ClosedError(`closed before ${JSON.stringify(mark)}: ${this.preview()}`);
      await this.changed(deadline, JSON.stringify(mark));
    }
  }

  /** At least one byte, at most `n`; empty at the end. */
  async some(n, ms = 10000) {
    const deadline = Date.now() + ms;
    while (this.length === 0) {
      if (this.closed) return Buffer.alloc(0);
      await this.changed(deadline, 'some bytes');
    }
    // Without joining everything that waits: this is the path of large bodies.
    const first = this.buffered[0];
    if (first.length <= n) {
      this.buffered.shift();
      this.length -= first.length;
      this.socket.resume();
      return first;
    }
    return this.take(n);
  }

  /** Exactly `n` bytes. */
  async exactly(n, ms = 10000) {
    const parts = [];
    let left = n;
    while (left > 0) {
      const part = await this.some(left, ms);
      if (part.length === 0) throw new ClosedError(`closed ${left} bytes early`);
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  /** Everything until the stream ends. */
  async rest(ms = 10000) {
    const parts = [];
    for (;;) {
      const part = await this.some(1 << 20, ms);
      if (part.length === 0) return Buffer.concat(parts);
      parts.push(part);
    }
  }

  /** Resolves when the peer has closed (what still came stays readable). */
  async untilClosed(ms = 10000) {
    const deadline = Date.now() + ms;
    while (!this.closed) {
      this.socket.resume();
      await this.changed(deadline, 'the peer to close');
    }
  }
}

/** Reads a header section: [first line, [[name, value], …]]. */
export async function readHead(reader, ms = 10000, limit = 1 << 20) {
  const text = (await reader.until('\r\n\r\n', ms, limit)).toString('latin1');
  const [first, ...lines] = text.slice(0, -4).split('\r\n');
  const fields = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return { first, fields, raw: text };
}

export const valuesOf = (fields, name) =>
  fields.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, v]) => v);

/** Yields a body by its framing: 'chunked', a number of bytes, or 'close'. ClosedError when it is cut off. */
export async function* readBody(reader, framing, ms = 10000) {
  if (framing === 'close') {
    for (;;) {
      const part = await reader.some(1 << 20, ms);
      if (part.length === 0) {
        if (reader.error) throw new ClosedError(reader.error.message);
        return;
      }
      yield part;
    }
  }
  if (framing === 'chunked') {
    for (;;) {
      const line = (await reader.until('\r\n', ms)).toString('latin1').trim();
      if (!/^[0-9a-f]+(;.*)?$/i.test(line)) throw new Error(`bad chunk size ${JSON.stringify(line)}`);
      let left = parseInt(line, 16);
      if (left === 0) {
        while ((await reader.until('\r\n', ms)).length > 2);
        return;
      }
      for (; left > 0; ) {
        const part = await reader.some(left, ms);
        if (part.length === 0) throw new ClosedError(`closed in a chunk, ${left} bytes early`);
        left -= part.length;
        yield part;
      }
      const end = (await reader.exactly(2, ms)).toString('latin1');
      if (end !== '\r\n') throw new Error('no CRLF behind a chunk');
    }
  }
  for (let left = framing; left > 0; ) {
    const part = await reader.some(left, ms);
    if (part.length === 0) throw new ClosedError(`closed ${left} bytes early`);
    left -= part.length;
    yield part;
  }
}
