// SPDX-License-Identifier: Apache-2.0
// Small things every test needs: time, ports, directories, what the kernel says of a process.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Rejects when `promise` is not settled in time; says what was waited for. */
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Polls until `probe` gives something truthy, and returns that. */
export async function eventually(ms, what, probe, everyMs = 20) {
  const deadline = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`not within ${ms} ms: ${what}${last ? ` (${last.message})` : ''}`);
    }
    await sleep(everyMs);
  }
}

/** Reads a value until it has stayed the same for `quietMs`, and returns it: what flows has come to a stand. */
export async function settled(ms, what, read, quietMs = 400) {
  let value = await read();
  let since = Date.now();
  return eventually(ms, `${what} to come to a stand`, async () => {
    const now = await read();
    if (now !== value) since = Date.now();
    value = now;
    return Date.now() - since >= quietMs && { value };
  }).then((result) => result.value);
}

/** What `promise` gives, or undefined when that takes longer than `ms`. */
export const atMost = (ms, promise) => Promise.race([promise, sleep(ms)]);

/** Between two writes: what follows arrives as a piece of its own. Nobody tells the writer that the first one has arrived. */
export const apart = (ms = 5) => sleep(ms);

// Ports below the ephemeral range, so that nobody's outgoing connection takes one between our look
// and the gateway's bind; every test process starts at another place.
let portCounter = 0;
export async function freePort(host = '127.0.0.1') {
  for (let i = 0; i < 500; i++) {
    const port = 20000 + ((process.pid * 61 + portCounter++) % 12000);
    if (await canBind(port, host)) return port;
  }
  throw new Error('no free port');
}

function canBind(port, host) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A fresh private directory, removed when the test process ends. */
const directories = [];
export function temporaryDirectory(name = 'data') {
  const directory = mkdtempSync(path.join(os.tmpdir(), `postern-test-${name}-`));
  directories.push(directory);
  return directory;
}
process.on('exit', () => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

/** Resident bytes of a process. */
export function residentBytes(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)[1]) * 1024;
}

/** Open descriptors of a process. */
export const openDescriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;

/** Watches the resident memory of a process; stop() returns the highest value seen. */
export function watchResident(pid, everyMs = 50) {
  let highest = residentBytes(pid);
  const timer = setInterval(() => {
    try {
      highest = Math.max(highest, residentBytes(pid));
    } catch {
      clearInterval(timer);
    }
  }, everyMs);
  return {
    stop() {
      clearInterval(timer);
      return highest;
    },
  };
}

export function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => {
    d.resolve = resolve;
    d.reject = reject;
  });
  return d;
}
