// SPDX-License-Identifier: Apache-2.0
// A gateway with its admin page, and what people do there.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { request } from './client.mjs';
import { Postern } from './postern.mjs';
import { Upstream } from './upstream.mjs';
import { eventually, freePort } from './util.mjs';

export class Gateway {
  static async start(settings = {}) {
    const gateway = new Gateway();
    gateway.upstream = await Upstream.start((x) => (x.path.startsWith('/fail') ? x.answer(500, 'no') : x.answer(200, 'ok')));
    const port = await freePort();
    gateway.url = `https://127.0.0.1:${port}`;
    gateway.postern = await Postern.start({ upstream: gateway.upstream.url, admin_listen: `127.0.0.1:${port}`, ...settings });
    gateway.token = await eventually(10000, 'the first token', () => readFileSync(path.join(gateway.postern.settings.data_dir, 'admin.token'), 'utf8').trim());
    return gateway;
  }

  async stop() {
    await this.postern?.stop();
    await this.upstream?.stop?.();
  }

  async makeToken(name, role) {
    return (await this.postern.cli(['admin-token', 'create', '--name', name, '--role', role, '--json'])).json().token;
  }

  /** Asks REST as a program does. */
  async rest(method, target, { body, token = this.token, headers = {} } = {}) {
    const answer = await request(Number(new URL(this.url).port), `/admin/v1${target}`, {
      method, body: body && JSON.stringify(body), headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
    });
    return { status: answer.status, json: answer.body?.length ? JSON.parse(answer.body.toString()) : undefined };
  }

  async status(key, target = '/x') {
    return (await request(this.postern.port, target, { key })).status;
  }

  /** A change by the page is in force within a second; slow machines get more. */
  answers(status, key) {
    return eventually(15000, `${status} with the key`, async () => (await this.status(key)) === status);
  }
}

export const heading = (page, name) => page.getByRole('heading', { name, exact: true, level: 1 }).waitFor();

export async function signIn(page, { url, token }, hash = '') {
  await page.goto(`${url}/${hash}`);
  await page.getByLabel('Admin token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

/** Fills the dialog's name, sends it, and reads what is shown once: {id, key1, key2}. */
export async function createKey(page, name) {
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill(name);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  const secrets = await readSecrets(page);
  await heading(page, name);
  return { id: decodeURIComponent(new URL(page.url()).hash.split('/').at(-1)), ...secrets };
}

/** What a dialog shows this once; it is then closed. */
export async function readSecrets(page) {
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Copy it now.').waitFor();
  const shown = await dialog.locator('code').allTextContents();
  const labels = await dialog.locator('.label').allTextContents();
  await dialog.getByRole('button', { name: 'I have stored it' }).click();
  return Object.fromEntries(labels.map((label, i) => [label, shown[i]]));
}

/** Does what draws the view anew, and waits until it is: what stood there before is not taken for its result. */
export async function drawnAnew(page, action) {
  await page.locator('main h1').evaluate((h1) => (h1.dataset.before = ''));
  await action();
  await page.locator('main:not(:has(h1[data-before]))[data-ready]').waitFor();
}

/** Opens a view by its address. */
export async function visit(page, { url }, hash, ready) {
  const path = hash.split('?')[0];
  const target = `${url}/#/${hash}`;
  await page.evaluate(() => document.querySelectorAll('main h1').forEach((h1) => (h1.dataset.before = '')));
  if (page.url() === target) await page.reload();
  else await page.goto(target);
  await page.locator(`main[data-ready="${path}"]:not(:has(h1[data-before]))`).waitFor();
  if (ready) await page.locator(ready).first().waitFor();
}
