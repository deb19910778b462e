// SPDX-License-Identifier: Apache-2.0
// Headless Chromium for the page: it notes every console message, failed script and CSP report, asks axe, and takes
// pictures.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
const here = path.dirname(fileURLToPath(import.meta.url));
const axeSource = readFileSync(path.join(here, '../../node_modules/axe-core/axe.min.js'), 'utf8');
export const pictures = path.resolve(here, '../../../build/pictures');

export const noChromium = existsSync(CHROMIUM) ? false : 'no Chromium on this machine';

export function launch() {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
}

export const sizes = { wide: { width: 1440, height: 900 }, narrow: { width: 360, height: 740 } };
export const schemes = ['light', 'dark'];

/** A browser of its own, with its own cookies; `complaints` is what went wrong in it. */
export async function person(browser, { scheme = 'light', size = 'wide', ...options } = {}) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: sizes[size], ignoreHTTPSErrors: true, reducedMotion: 'reduce', timezoneId: 'Europe/Berlin', ...options });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`)));
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  const complaints = [];
  page.on('console', (said) => ['error', 'warning'].includes(said.type()) && complaints.push(said.text()));
  page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)));
  page.on('dialog', (dialog) => {
    complaints.push(`a script ran: ${dialog.message()}`);
    dialog.dismiss();
  });
  return Object.assign(page, { complaints });
}

/** Chromium itself says so when fetch gets an answer of 400 and above; those that a test provokes are named, by status or text. */
export function assertQuiet(page, provoked = []) {
  const left = page.complaints.filter((text) => !provoked.some((what) => text.includes(typeof what === 'number' ? `the server responded with a status of ${what}` : what)));
  assert.deepEqual(left, []);
}

export async function assertAccessible(page, what) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const text = violations.map((v) => `${v.id}: ${v.help}\n${v.nodes.slice(0, 4).map((n) => `  ${n.html.slice(0, 200)}\n  ${n.failureSummary}`).join('\n')}`).join('\n');
  assert.equal(text, '', `${what}: ${text}`);
}

/** Neither the page nor a table or card in it is wider than its place. */
export async function assertFits(page, what) {
  const wide = await page.evaluate(() => [document.documentElement, ...document.querySelectorAll('.table-wrap, .card, dialog')]
    .filter((place) => place.scrollWidth > place.clientWidth).map((place) => `${place.tagName}.${place.className}: ${place.scrollWidth} px in ${place.clientWidth}`));
  assert.deepEqual(wide, [], what);
}

export async function picture(page, name, { fullPage = true } = {}) {
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage });
}
