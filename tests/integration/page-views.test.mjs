// SPDX-License-Identifier: Apache-2.0
// Every view of the admin page in headless Chromium: nothing overlaps or overflows, and axe finds nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertAccessible, assertFits, assertQuiet, launch, noChromium, person, picture, schemes, sizes } from './lib/browser.mjs';
import { Gateway, signIn, visit } from './lib/page.mjs';
import { SANITIZED } from './lib/postern.mjs';

const limit = { timeout: 180000, skip: noChromium };
let gateway;
let browser;

before(async () => {
  if (noChromium) return;
  gateway = await Gateway.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
});

const dialog = (page) => page.getByRole('dialog');

describe('every view, light and dark, wide and narrow', limit, () => {
  const views = [['keys', '.spark svg'], ['usage', '.breakdowns:not([aria-busy])'], ['status', '.cards'], ['audit', 'table'], ['settings', 'table'], ['access', 'table']];
  let key;

  before(async () => {
    if (noChromium) return;
    for (const name of ['translation-batch', 'document-intake', 'search-index']) key = (await gateway.rest('POST', '/keys', { body: { name, note: `Owned by the ${name} team` } })).json;
    await gateway.answers(200, key.key1);
    for (let i = 0; i < 12; i++) await gateway.status(key.key1, ['/language/analyze', '/translator/text', '/fail'][i % 3]);
    await gateway.rest('POST', `/keys/${key.id}/rotate`, { body: { secret: 'key2', grace_seconds: 3600 } });
  });

  const look = async (page, name, whole = true) => {
    await picture(page, name, { fullPage: whole });
    await assertAccessible(page, name);
    await assertFits(page, name);
  };

  // How the page looks is the browser's doing, whatever the gateway was built with.
  for (const scheme of SANITIZED ? schemes.slice(0, 1) : schemes) {
    for (const size of SANITIZED ? ['narrow'] : Object.keys(sizes)) {
      test(`${scheme}, ${size}`, limit, async () => {
        const page = await person(browser, { scheme, size });
        const tag = `${scheme}-${size}`;
        await page.goto(gateway.url);
        await page.getByLabel('Admin token').waitFor();
        await look(page, `sign-in-${tag}`);
        await signIn(page, gateway);
        for (const [view, ready] of views) {
          await visit(page, gateway, view, ready);
          await look(page, `${view}-${tag}`);
        }
        await visit(page, gateway, `keys/${key.id}`, '.chart svg text');
        await page.getByText('The previous secret').first().waitFor();
        await look(page, `key-${tag}`);
        for (const [button, name] of [['Edit', 'edit'], ['Rotate key1', 'rotate'], ['Delete', 'delete']]) {
          await page.getByRole('button', { name: button, exact: true }).click();
          await dialog(page).waitFor();
          await look(page, `${name}-${tag}`, false);
          await page.keyboard.press('Escape');
        }
        await page.getByRole('button', { name: 'Rotate key1' }).click();
        await dialog(page).getByRole('button', { name: 'Rotate', exact: true }).click();
        await dialog(page).getByText('Copy it now.').waitFor();
        await look(page, `secret-${tag}`, false);
        await dialog(page).getByRole('button', { name: 'I have stored it' }).click();
        await visit(page, gateway, 'access', 'table');
        await page.getByRole('button', { name: 'Create token' }).click();
        await dialog(page).getByLabel('Name', { exact: true }).fill('grafana');
        await dialog(page).getByRole('button', { name: 'Create' }).click();
        await page.getByRole('heading', { name: 'Confirm it’s you' }).waitFor();
        await look(page, `confirm-${tag}`, false);
        assertQuiet(page, [403]);
        await page.context().close();
      });
    }
  }

  test('what lies between narrow and wide', limit, async () => {
    const page = await person(browser);
    await signIn(page, gateway);
    for (const [view, ready] of [...views, [`keys/${key.id}`, '.chart svg text']]) {
      for (const width of [480, 700, 860, 1045, 1100, 1285]) {
        await page.setViewportSize({ width, height: 800 });
        await visit(page, gateway, view, ready);
        await assertFits(page, `${view} at ${width} px`);
        if (view === 'keys') await picture(page, `keys-${width}`);
      }
    }
    await page.context().close();
  });

  test('4K', limit, async () => {
    const page = await person(browser, { viewport: { width: 3840, height: 2160 } });
    await signIn(page, gateway);
    for (const [view, ready] of views.slice(0, 2)) {
      await visit(page, gateway, view, ready);
      await look(page, `${view}-4k`);
    }
    // What is written at the axes is in the picture, also where letters are larger.
    const cut = await page.locator('.chart').evaluateAll((charts) => charts.flatMap((chart) => {
      const box = chart.getBoundingClientRect();
      return [...chart.querySelectorAll('text')].filter((text) => {
        const at = text.getBoundingClientRect();
        return at.left < box.left || at.right > box.right + 1 || at.bottom > box.bottom + 1;
      }).map((text) => text.textContent);
    }));
    assert.deepEqual(cut, []);
    assert.ok(await page.locator('.charts').evaluate((charts) => new Set([...charts.children].map((chart) => chart.offsetTop)).size === 1), 'four charts side by side');
    await page.context().close();
  });
});
