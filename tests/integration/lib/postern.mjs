// SPDX-License-Identifier: Apache-2.0
// Starts and stops the real binary, and calls its command line. Settings go in as POSTERN_<NAME>.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { RawClient } from './client.mjs';
import { eventually, freePort, temporaryDirectory, within } from './util.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const BIN = path.resolve(process.env.POSTERN_BIN ?? path.join(root, 'build/postern'));

/** Instrumented binaries are slower and larger; tests of size and speed ask. */
export const SANITIZED = (() => {
  const symbols = readFileSync(BIN).toString('latin1');
  return /__asan_init|__tsan_init|__ubsan_handle/.test(symbols);
})();

const sanitizerOptions = {
  ASAN_OPTIONS: 'exitcode=99:abort_on_error=0',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1:exitcode=98',
  TSAN_OPTIONS: `exitcode=97:halt_on_error=0:second_deadlock_stack=1`,
};

function environment(settings) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME ?? '/nonexistent', TZ: 'UTC' };
  for (const [name, value] of Object.entries(sanitizerOptions)) env[name] = value;
  delete env.POSTERN_BIN;
  for (const [name, value] of Object.entries(settings)) {
    if (value !== undefined) env[`POSTERN_${name.toUpperCase()}`] = String(value);
  }
  return env;
}

export function assertClean(stderr, what = 'postern') {
  const report = /^.*(?:Sanitizer|runtime error:)[\s\S]*/m.exec(stderr);
  assert.equal(report, null, `${what} reported: ${report?.[0].slice(0, 4000)}`);
}

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function spawnTracked(args, env, options = {}) {
  const child = spawn(options.command ?? BIN, args, { env, stdio: ['pipe', 'pipe', 'pipe'], ...options.spawn });
  running.add(child);
  child.out = '';
  child.err = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (child.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (child.err += text));
  child.stdin.on('error', () => {});
  // A gateway that a failed test left behind does not hold the process; it is killed at its end.
  for (const handle of [child, child.stdout, child.stderr]) handle.unref();
  child.exit = new Promise((resolve) => {
    child.on('error', (error) => {
      running.delete(child);
      resolve({ code: null, signal: null, error });
    });
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  return child;
}

/** Runs a sub-command to its end: {code, stdout, stderr, json()}. */
export async function cli(args, { settings = {}, input = '', ms = 30000, cwd, env = {} } = {}) {
  const child = spawnTracked(args, { ...environment(settings), ...env }, { spawn: { cwd } });
  child.stdin.end(input);
  const { code, signal, error } = await within(ms, `postern ${args.join(' ')}`, child.exit);
  if (error) throw error;
  assertClean(child.err, `postern ${args.join(' ')}`);
  return { code, signal, stdout: child.out, stderr: child.err, json: () => JSON.parse(child.out) };
}

/** A running gateway with a data directory and a port of its own. */
export class Postern {
  static async start(settings = {}, { command = ['serve'], expectReady = true, wrap } = {}) {
    const postern = new Postern();
    postern.port = settings.port ?? (await freePort());
    const { port, ...rest } = settings;
    postern.settings = {
      data_dir: settings.data_dir ?? temporaryDirectory(),
      listen: `127.0.0.1:${postern.port}`,
      workers: 1,
      admin_listen: 'off',
      access_log: 'json',
      log_level: 'debug',
      ...rest,
    };
    const argv = wrap ? [...wrap.slice(1), BIN, ...command] : command;
    postern.child = spawnTracked(argv, environment(postern.settings), wrap ? { command: wrap[0] } : {});
    postern.child.stdin.end();
    postern.pid = postern.child.pid;
    if (expectReady) await postern.#ready();
    return postern;
  }

  async #ready() {
    let exited;
    this.child.exit.then((status) => (exited = status));
    await eventually(20000, 'the gateway to accept TLS', async () => {
      if (exited) return true;
      const client = await RawClient.connect(this.port, { timeoutMs: 2000 });
      client.destroy();
      return true;
    }, 50);
    if (exited) throw new Error(`postern ended with ${JSON.stringify(exited)}:\n${this.stderr}`);
  }

  get stdout() {
    return this.child.out;
  }

  get stderr() {
    return this.child.err;
  }

  /** Lines of the access log so far. */
  get log() {
    return this.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
  }

  /** The access log's line that `match` accepts; it may take a moment to be written. */
  logged(match, ms = 5000) {
    return eventually(ms, 'a line in the access log', () => this.log.find(match));
  }

  cli(args, options = {}) {
    const { listen, ...settings } = this.settings;
    return cli(args, { ...options, settings: { ...settings, ...options.settings } });
  }

  /** Until the running gateway knows a key that was just created. */
  async applied(id) {
    await eventually(10000, `the gateway to apply the change of key ${id}`, () => {
      const changed = this.stderr.lastIndexOf(`key ${id} changed`);
      return changed >= 0 && this.stderr.includes('the changed keys are in effect', changed);
    }, 10);
  }

  /** Creates a key: {id, name, key1, key2}. With `wait`, until the running gateway knows it. */
  async createKey(name = 'test', args = [], { wait = true } = {}) {
    const made = await this.cli(['key', 'create', '--name', name, '--json', ...args]);
    assert.equal(made.code, 0, made.stderr);
    const key = made.json();
    if (wait) await this.applied(key.id);
    return key;
  }

  /** A command that changes the key `id`; returns when the running gateway has applied it. */
  async change(id, args) {
    const applied = () => this.stderr.slice(0, Math.max(0, this.stderr.lastIndexOf('the changed keys are in effect'))).split(`key ${id} changed`).length;
    const before = applied();
    const done = await this.cli(args);
    assert.equal(done.code, 0, `${args.join(' ')}: ${done.stderr}`);
    await eventually(10000, `the gateway to apply ${args.join(' ')}`, () => applied() > before, 10);
    return done;
  }

  async usage(args = []) {
    const result = await this.cli(['usage', '--json', ...args]);
    assert.equal(result.code, 0, result.stderr);
    return result.json();
  }

  /** SIGTERM; checks that it ends with 0, in time and without a sanitizer's report. */
  async stop({ signal = 'SIGTERM', ms = 15000 } = {}) {
    this.child.kill(signal);
    const status = await within(ms, `postern to end after ${signal}`, this.child.exit);
    assertClean(this.stderr);
    assert.deepEqual(status, { code: 0, signal: null }, `ended with ${JSON.stringify(status)}:\n${this.stderr}`);
  }

  /** kill -9. */
  async kill() {
    this.child.kill('SIGKILL');
    await within(10000, 'the kernel to end postern', this.child.exit);
    assertClean(this.stderr);
  }
}

/** Usage rows summed: how many requests. */
export const sumRequests = (rows) => rows.reduce((sum, row) => sum + row.requests, 0);
