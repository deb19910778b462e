// SPDX-License-Identifier: Apache-2.0
// The admin page in headless Chromium against the real binary: what an operator does there, and what goes wrong.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertAccessible, assertFits, assertQuiet, launch, noChromium, person, picture, sizes } from './lib/browser.mjs';
import { request } from './lib/client.mjs';
import { Gateway, createKey, drawnAnew, heading, readSecrets, signIn, visit } from './lib/page.mjs';
import { Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort } from './lib/util.mjs';

const limit = { timeout: 180000, skip: noChromium };
const MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>"\'&amp;';
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

const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());
const dialog = (page) => page.getByRole('dialog');
const rotate = async (page, secret, grace) => {
  await page.getByRole('button', { name: `Rotate ${secret}` }).click();
  await dialog(page).getByLabel(grace, { exact: true }).check();
  await dialog(page).getByRole('button', { name: 'Rotate', exact: true }).click();
  let secrets;
  await drawnAnew(page, async () => (secrets = await readSecrets(page)));
  return secrets;
};

test('an operator’s day: from the first key to signing out', limit, async () => {
  const page = await person(browser);
  await page.goto(gateway.url);
  await page.getByLabel('Admin token').fill('pa_wrong');
  await page.keyboard.press('Enter');
  await page.getByText('This token is wrong, expired or revoked.').waitFor();
  await signIn(page, gateway);
  await heading(page, 'Keys');
  await page.getByText('No keys yet').waitFor();
  await picture(page, 'keys-empty');

  // The first key; the secret that is copied is the one that works.
  await page.getByRole('button', { name: 'Create the first key' }).click();
  await dialog(page).getByLabel('Name', { exact: true }).fill('speech-frontend');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByRole('button', { name: 'Copy key1' }).click();
  const copied = await eventually(5000, 'the clipboard', () => clipboard(page));
  await page.keyboard.press('Escape');
  assert.ok(await dialog(page).isVisible(), 'Escape does not throw a secret away');
  const shown = await readSecrets(page);
  assert.equal(copied, shown.key1);
  assert.match(shown['Example with curl'], new RegExp(`^curl .*-H 'Ocp-Apim-Subscription-Key: ${shown.key1}' https://127\\.0\\.0\\.1:${gateway.postern.port}/$`));
  await heading(page, 'speech-frontend');
  assert.ok(!(await page.content()).includes(shown.key1), 'the secret is nowhere in the page any more');
  await gateway.answers(200, copied);

  // Its usage appears.
  for (let i = 0; i < 5; i++) await gateway.status(copied, '/language/x');
  await gateway.status(copied, '/fail');
  await eventually(30000, 'the requests in the table', async () => {
    await page.getByRole('link', { name: 'Keys', exact: true }).first().click();
    await page.locator('.keys .spark svg').first().waitFor();
    const label = await page.locator('.keys .spark svg').first().getAttribute('aria-label');
    await visit(page, gateway, 'status');
    return /^\d+ requests? in the last 24 hours, 1 error$/.test(label);
  }, 500);
  await visit(page, gateway, 'usage', '.charts');
  await page.getByRole('rowheader', { name: 'speech-frontend' }).waitFor();
  await page.getByRole('rowheader', { name: '/language/x' }).waitFor();

  // Rotated with grace: both secrets work; rotated without: the old one stops.
  await page.getByRole('link', { name: 'speech-frontend' }).click();
  const next = await rotate(page, 'key1', '15 min');
  await gateway.answers(200, next.key1);
  assert.equal(await gateway.status(copied), 200, 'the old secret has its grace');
  await page.getByText('The previous secret').waitFor();
  // Counted, and shown without anybody asking anew.
  await page.getByText('1 request used it since the rotation.').waitFor({ timeout: 60000 });
  const last = await rotate(page, 'key1', 'Not at all');
  await gateway.answers(200, last.key1);
  await gateway.answers(401, copied);
  await gateway.answers(401, next.key1);
  assert.equal(await gateway.status(shown.key2), 200, 'key2 is as it was');

  // Disabled and enabled again; edited; deleted by its name only.
  await page.getByRole('button', { name: 'Disable' }).click();
  await dialog(page).getByRole('button', { name: 'Disable' }).click();
  await page.getByText('This key is disabled').waitFor();
  await gateway.answers(401, last.key1);
  await page.getByRole('button', { name: 'Enable' }).click();
  await page.getByRole('button', { name: 'Disable' }).waitFor();
  await gateway.answers(200, last.key1);
  await page.getByRole('button', { name: 'Delete' }).click();
  await dialog(page).getByRole('textbox').fill('speech');
  await page.getByRole('button', { name: 'Delete permanently' }).click();
  await page.getByText('This is not the name of the key.').waitFor();
  await dialog(page).getByRole('textbox').fill('speech-frontend');
  await page.getByRole('button', { name: 'Delete permanently' }).click();
  await heading(page, 'Keys');
  await gateway.answers(401, last.key1);

  // Signed out, here and on the server.
  const cookies = await page.context().cookies();
  const cookie = cookies.find(({ name }) => name.startsWith('__Host-'));
  assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === 'Strict' && cookie.path === '/');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Admin token').waitFor();
  const answer = await request(Number(new URL(gateway.url).port), '/admin/v1/session', { headers: { cookie: `${cookie.name}=${cookie.value}` } });
  assert.equal(answer.status, 401);
  await page.reload();
  await page.getByLabel('Admin token').waitFor();
  assertQuiet(page, [401]);
  await page.context().close();
});

test('markup in every text is shown as text', limit, async () => {
  const page = await person(browser);
  await signIn(page, gateway);
  await page.getByRole('button', { name: 'Create key' }).click();
  for (const label of ['Name', 'Note']) await dialog(page).getByLabel(label, { exact: true }).fill(MARKUP);
  await dialog(page).getByLabel('Tags').fill('<b>bold</b>');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByRole('heading', { name: `“${MARKUP}” is ready` }).waitFor();
  await readSecrets(page);
  await heading(page, MARKUP);
  const id = page.url().split('/').at(-1);
  await page.getByRole('definition').filter({ hasText: MARKUP }).waitFor();
  await page.getByText('<b>bold</b>').first().waitFor();
  const scope = '/<script>alert(3)</script>';
  assert.equal((await gateway.rest('PATCH', `/keys/${id}`, { body: { scopes: [{ path: scope }] }, headers: { 'if-match': '*' } })).status, 200);
  await page.reload();
  await page.getByText(`all methods ${scope}`).waitFor();
  assert.equal((await gateway.rest('PATCH', `/keys/${id}`, { body: { scopes: [] }, headers: { 'if-match': '*' } })).status, 200);
  const key = (await gateway.rest('POST', `/keys/${id}/rotate`, { body: { secret: 'key1', grace_seconds: 0 } })).json.key1;
  await gateway.answers(200, key);
  await gateway.status(key, '/%3Cimg%20src=x%20onerror=alert(4)%3E');
  await page.getByRole('button', { name: 'Delete' }).click();
  await dialog(page).getByText(MARKUP).first().waitFor();
  await page.keyboard.press('Escape');
  await visit(page, gateway, 'audit', 'table');
  await page.getByRole('link', { name: MARKUP }).first().waitFor();
  await page.getByRole('row').filter({ hasText: 'key.create' }).locator('details summary').first().click();
  await page.getByText('<b>bold</b>').first().waitFor();
  await visit(page, gateway, `keys?text=${encodeURIComponent('onerror')}`, '.keys');
  await page.getByRole('link', { name: MARKUP }).waitFor();
  await visit(page, gateway, `usage?key=${encodeURIComponent(MARKUP)}&route=${encodeURIComponent(MARKUP)}`);
  await visit(page, gateway, `usage?key=${id}`, '.charts');
  await page.getByRole('rowheader', { name: /onerror=alert\(4\)/ }).waitFor();
  await page.goto(`${gateway.url}/#/keys/${encodeURIComponent(MARKUP)}`);
  await heading(page, 'No such key');

  // A token’s name: in the bar, in both tables of Access, in the trail; and a session’s end speaks it.
  const token = (await gateway.rest('POST', '/tokens', { body: { name: MARKUP, role: 'admin' } })).json;
  const other = await person(browser);
  await signIn(other, { url: gateway.url, token: token.token }, '#/access');
  await other.locator('.who').getByText(MARKUP).waitFor();
  await other.getByRole('rowheader', { name: MARKUP }).nth(1).waitFor();
  await other.getByRole('button', { name: `Revoke ${MARKUP}` }).click();
  await dialog(other).getByText(`Revoke “${MARKUP}”?`).waitFor();
  await other.keyboard.press('Escape');
  await visit(other, gateway, 'audit', 'table');
  await other.getByText(MARKUP).first().waitFor();
  assertQuiet(other);
  await other.context().close();
  assert.equal((await gateway.rest('DELETE', `/tokens/${token.id}`)).status, 204);
  assertQuiet(page, [400, 404, 422]);
  await page.context().close();
  assert.equal((await gateway.rest('DELETE', `/keys/${id}`)).status, 204);
});

test('what fails keeps what was typed', limit, async () => {
  const page = await person(browser);
  await signIn(page, gateway);
  await page.getByRole('button', { name: 'Create key' }).click();
  const name = dialog(page).getByLabel('Name', { exact: true });

  // The rule that is broken stands at its field, which has the focus.
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await eventually(10000, 'the field marked', async () => (await name.getAttribute('aria-invalid')) === 'true');
  assert.ok(await name.evaluate((input) => input === document.activeElement));
  assert.ok(await name.evaluate((input) => input.getAttribute('aria-describedby').split(' ').some((id) => document.getElementById(id)?.classList.contains('broken'))));

  // No network: nothing is lost, and the next attempt makes one key.
  await name.fill('typed with care');
  await page.context().setOffline(true);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByText('The gateway does not respond.').waitFor();
  assert.equal(await name.inputValue(), 'typed with care');
  await page.context().setOffline(false);

  // The session ends in the middle: signing in again goes on where it was.
  const { json } = await gateway.rest('GET', '/sessions');
  for (const session of json.items) await gateway.rest('DELETE', `/sessions/${session.id}`);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  await page.getByLabel('Admin token').fill(gateway.token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await readSecrets(page);
  await heading(page, 'typed with care');
  const { json: { total } } = await gateway.rest('GET', '/keys?name=typed%20with%20care');
  assert.equal(total, 1);
  assertQuiet(page, [401, 422, 'net::ERR_INTERNET_DISCONNECTED']);
  await page.context().close();
});

test('two people edit one key: the second is told, and decides', limit, async () => {
  const page = await person(browser);
  await signIn(page, gateway);
  const { id } = await createKey(page, 'shared');
  await page.getByRole('button', { name: 'Edit' }).click();
  await dialog(page).getByLabel('Note').fill('mine');
  const other = await gateway.rest('PATCH', `/keys/${id}`, { body: { note: 'theirs', tags: ['other'] }, headers: { 'if-match': '*' } });
  assert.equal(other.status, 200, JSON.stringify(other.json));
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('button', { name: 'Overwrite' }).click();
  await page.getByRole('definition').filter({ hasText: 'mine' }).waitFor();
  const { json } = await gateway.rest('GET', `/keys/${id}`);
  assert.equal(json.note, 'mine');
  assert.deepEqual(json.tags, ['other'], 'only what was changed here is sent');
  assertQuiet(page, [412]);
  await page.context().close();
});

test('every field of a key can be set, changed and emptied', limit, async () => {
  const page = await person(browser);
  await signIn(page, gateway);
  const { id } = await createKey(page, 'fields');
  const fill = async (label, value) => dialog(page).getByLabel(label).fill(value);
  await page.getByRole('button', { name: 'Edit' }).click();
  await fill('Tags', 'prod, eu');
  await fill('Expires', '2099-05-01T12:00');
  await fill('Valid from', '2026-01-01T00:00');
  await dialog(page).locator('summary').click();
  await page.getByRole('button', { name: 'Add a scope' }).click();
  await fill('Methods of this scope', 'get, post');
  await fill('Path prefix of this scope', '/language');
  await fill('Allowed client networks', '127.0.0.0/8\n10.1.0.0/16');
  await dialog(page).locator('[data-field="limits.rate"] input').fill('100');
  await fill('per seconds', '60');
  await fill('Concurrency: requests at once', '4');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('100 requests per 60 seconds').waitFor();
  const { json } = await gateway.rest('GET', `/keys/${id}`);
  assert.deepEqual(json.tags, ['prod', 'eu']);
  assert.equal(json.expires, '2099-05-01T10:00:00.000Z', 'the reader’s zone is Berlin’s');
  assert.deepEqual(json.scopes, [{ methods: ['GET', 'POST'], path: '/language' }]);
  assert.deepEqual(json.networks, ['127.0.0.0/8', '10.1.0.0/16']);
  assert.deepEqual(json.limits.rate, { requests: 100, per_seconds: 60 });
  assert.equal(json.limits.concurrency, 4);

  // What is half said is told so in words for people, before it is sent.
  await page.getByRole('button', { name: 'Edit' }).click();
  await fill('per seconds', '');
  await fill('Concurrency: requests at once', '0');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await dialog(page).locator('[data-field="limits.concurrency"]').getByText('Enter a whole number from 1 up, or leave it empty.').waitFor();
  await fill('Concurrency: requests at once', '4');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await dialog(page).locator('[data-field="limits.rate.per_seconds"]').getByText('Enter the number of seconds.').waitFor();
  await page.keyboard.press('Escape');
  await dialog(page).waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Edit' }).click();
  await fill('Expires', '');
  await fill('Tags', '');
  await page.getByRole('button', { name: 'Remove' }).click();
  await fill('Allowed client networks', '');
  await fill('Concurrency: requests at once', '');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('definition').getByText('all', { exact: true }).waitFor();
  const { json: now } = await gateway.rest('GET', `/keys/${id}`);
  assert.deepEqual([now.expires, now.tags, now.scopes, now.networks], [null, [], [], []]);
  assert.deepEqual(now.limits.rate, { requests: 100, per_seconds: 60 });
  assertQuiet(page);
  await page.context().close();
});

test('by keyboard alone', limit, async () => {
  const page = await person(browser);
  await page.goto(gateway.url);
  await page.getByLabel('Admin token').waitFor();
  await page.keyboard.type(gateway.token);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Create key' }).waitFor();
  await page.getByRole('button', { name: 'Create key' }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.type('by keyboard');
  await page.keyboard.press('Enter');
  await page.getByText('Copy it now.').waitFor();
  for (let i = 0; i < 10 && (await page.evaluate(() => document.activeElement.textContent)) !== 'I have stored it'; i++) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await heading(page, 'by keyboard');
  await eventually(5000, 'focus on the heading', () => page.evaluate(() => document.activeElement.tagName === 'H1'));
  await page.getByRole('button', { name: 'Rotate key2' }).focus();
  await page.keyboard.press('Enter');
  await dialog(page).waitFor();
  await page.keyboard.press('Escape');
  await dialog(page).waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Rotate key2', 'focus comes back');
  await eventually(20000, 'the chart read aloud', async () => {
    await page.locator('.chart').first().focus();
    await page.keyboard.press('End');
    return /successful \d/.test(await page.locator('.readout').first().textContent());
  }, 200);
  assertQuiet(page);
  await page.context().close();
});

test('a viewer sees and changes nothing', limit, async () => {
  const page = await person(browser);
  const { id } = (await gateway.rest('POST', '/keys', { body: { name: 'seen' } })).json;
  await signIn(page, { url: gateway.url, token: await gateway.makeToken('dashboards', 'viewer') });
  await heading(page, 'Keys');
  assert.equal(await page.getByRole('button', { name: /^Create (key|the first key)$/ }).count(), 0);
  await visit(page, gateway, `keys/${id}`);
  for (const name of ['Edit', 'Disable', 'Delete', 'Rotate key1', 'Revoke key1']) assert.equal(await page.getByRole('button', { name, exact: true }).count(), 0, name);
  for (const view of ['usage', 'status', 'settings', 'audit', 'access']) await visit(page, gateway, view);
  await page.getByText('Viewers see only their own session.').waitFor();
  assertQuiet(page);
  await page.context().close();
});

test('sessions and tokens: made, listed, ended', limit, async () => {
  const page = await person(browser);
  await signIn(page, gateway, '#/access');
  await page.getByRole('button', { name: 'Create token' }).click();
  await dialog(page).getByLabel('Name', { exact: true }).fill('terraform');
  await dialog(page).getByRole('button', { name: 'Create' }).click();

  // The token is asked for again, in front of what was typed: a wrong one and giving up lose nothing.
  const still = page.getByRole('dialog', { name: 'Confirm it’s you' });
  await still.getByLabel('Admin token').fill('pa_wrong_wrong');
  await page.keyboard.press('Enter');
  await still.getByText('This token is wrong, expired or revoked.').waitFor();
  await still.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('Nothing was changed: your token was not confirmed.').waitFor();
  assert.equal(await dialog(page).getByLabel('Name', { exact: true }).inputValue(), 'terraform');
  await dialog(page).getByRole('button', { name: 'Create' }).click();
  await still.getByLabel('Admin token').fill(gateway.token);
  await still.getByRole('button', { name: 'Confirm' }).click();
  await dialog(page).getByText('Copy it now.').waitFor();
  const token = await dialog(page).locator('code').textContent();
  await dialog(page).getByRole('button', { name: 'I have stored it' }).click();
  const viewer = await person(browser);
  await signIn(viewer, { url: gateway.url, token });
  await visit(page, gateway, 'status');
  await visit(page, gateway, 'access', 'table');
  await page.getByRole('button', { name: /^End the session of terraform/ }).click();
  await page.getByText('The session of terraform has ended.').waitFor();
  await viewer.getByRole('link', { name: 'Usage' }).click();
  await viewer.getByRole('heading', { name: 'Sign in again' }).waitFor();
  await page.getByRole('button', { name: 'Revoke terraform' }).click();
  await dialog(page).getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('row').filter({ hasText: 'terraform' }).getByText('Revoked', { exact: true }).waitFor();
  assert.equal((await gateway.rest('GET', '/keys', { token })).status, 401);
  assertQuiet(page, [401, 403]);
  await viewer.context().close();
  await page.context().close();
});

test('numbers are those of the gateway; times are the reader’s, and in UTC on hover', limit, async () => {
  const page = await person(browser);
  const made = (await gateway.rest('POST', '/keys', { body: { name: 'counted exactly', expires: '2099-01-31T23:30:00Z' } })).json;
  await gateway.answers(200, made.key2);
  for (let i = 0; i < 7; i++) await gateway.status(made.key1, '/y');
  for (let i = 0; i < 3; i++) await gateway.status(made.key1, '/fail');
  await gateway.rest('POST', `/keys/${made.id}/rotate`, { body: { secret: 'key2', grace_seconds: 600 } });
  const by = async () => (await gateway.rest('GET', `/usage?by=key&key=${made.id}`)).json.items[0];
  await eventually(20000, 'the requests to be written', async () => ((await by())?.errors === 3));
  const { requests } = await by();
  assert.ok(requests >= 11);
  await signIn(page, gateway, '#/keys?text=counted');
  const line = page.getByRole('row').filter({ hasText: 'counted exactly' });
  await line.getByRole('img', { name: `${requests} requests in the last 24 hours, 3 errors`, exact: true }).waitFor();
  await line.getByText('Rotating').waitFor();
  const expires = line.locator('time').filter({ hasText: '2099-02-01 00:30' });
  assert.equal(await expires.getAttribute('title'), '2099-01-31 23:30:00 UTC', 'Berlin’s night, UTC’s evening');
  assert.equal(await expires.getAttribute('datetime'), made.expires);
  await visit(page, gateway, `usage?key=${made.id}`, '.charts');
  assert.equal(await page.locator('.figure').filter({ hasText: 'Requests' }).locator('.value').textContent(), String(requests));
  await page.locator('.figure').filter({ hasText: 'Errors' }).getByText('3', { exact: true }).waitFor();
  assertQuiet(page);
  await page.context().close();
  assert.equal((await gateway.rest('DELETE', `/keys/${made.id}`)).status, 204);
});

/** At least one request that the sums know of, whatever ran before. */
async function someUsage() {
  const { id, key1 } = (await gateway.rest('POST', '/keys', { body: { name: 'some usage' } })).json;
  await gateway.answers(200, key1);
  await gateway.answers(401, 'wrong');
  await eventually(20000, 'the request in the sums', async () => (await gateway.rest('GET', `/usage?by=key&key=${id}`)).json.items.length > 0);
  assert.equal((await gateway.rest('DELETE', `/keys/${id}`)).status, 204);
}

test('usage: ranges, a key’s own, CSV', limit, async () => {
  await someUsage();
  const page = await person(browser);
  await signIn(page, gateway, '#/usage');
  await page.locator('.figures').waitFor();
  for (const range of ['24 hours', '30 days', '90 days', '7 days']) {
    await page.getByRole('button', { name: range }).click();
    await page.locator(`[aria-pressed="true"]`).filter({ hasText: range }).waitFor();
    await page.locator('main .stack:not([aria-busy]) .breakdowns:not([aria-busy])').waitFor();
  }
  const errors = page.getByRole('table', { name: 'Usage by error' });
  assert.match(await errors.innerText(), /key_wrong/);
  assert.doesNotMatch(await errors.innerText(), /unknown/);
  const today = new Date().toISOString().slice(0, 10);
  await page.getByLabel('From day (UTC)').fill(today);
  await page.getByLabel('To day (UTC)').fill(today);
  await page.waitForURL(`**/#/usage?range=${today}..${today}`);
  await page.locator('main .stack:not([aria-busy]) .charts').waitFor();
  const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download CSV' }).click()]);
  const chunks = [];
  for await (const chunk of await saved.createReadStream()) chunks.push(chunk);
  const lines = Buffer.concat(chunks).toString().trim().split(/\r?\n/);
  assert.match(lines[0], /^key,route,hour,requests/);
  assert.ok(lines.length > 1);
  assert.match(saved.suggestedFilename(), /^usage-.*\.csv$/);
  assertQuiet(page);
  await page.context().close();
});

test('usage over time does not wait for its tables, and a table that fails is asked for again by itself', limit, async () => {
  await someUsage();
  const page = await person(browser);
  await signIn(page, gateway);
  let held = () => {};
  const isHeld = new Promise((resolve) => (held = resolve));
  const asked = [];
  await page.route('**/admin/v1/usage?by=key&*', async (route) => {
    asked.push(new URL(route.request().url()).searchParams.get('limit'));
    if (asked.length > 1) return route.continue();
    await isHeld;
    return route.fulfill({ status: 503, contentType: 'application/json', body: JSON.stringify({ error: { code: 'StoreUnavailable', message: 'The store is busy.' } }) });
  });
  await visit(page, gateway, 'usage', '.charts');
  await page.getByText('Loading keys…').waitFor();
  held();
  await page.getByText('The store is busy.').waitFor();
  await page.getByRole('table', { name: 'Usage by route' }).waitFor();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('table', { name: 'Usage by key' }).waitFor();
  assert.deepEqual(asked, ['26', '26'], 'only the lines that are shown, and one to tell whether there are more');
  assert.ok(await page.locator('.charts').isVisible());
  assertQuiet(page, [503]);
  await page.context().close();
});

test('usage: a key is chosen by its name', limit, async () => {
  const page = await person(browser);
  const keys = [];
  for (const name of ['chosen by name', 'twice there', 'twice there']) keys.push((await gateway.rest('POST', '/keys', { body: { name } })).json.id);
  await signIn(page, gateway);
  await visit(page, gateway, 'usage');
  const field = page.getByLabel('Key', { exact: true });
  for (const text of ['nobody', 'twice there']) {
    await field.fill(text);
    await field.press('Tab');
    await page.getByText('No key or more than one key has this name').waitFor();
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    await field.fill('');
    await field.press('Tab');
    await eventually(10000, 'the complaint gone', async () => (await field.getAttribute('aria-invalid')) === null);
  }
  await field.fill('chosen by name');
  await field.press('Tab');
  await page.waitForURL(`**/#/usage?range=7d&key=${keys[0]}`);
  await page.getByText('No requests in this range').waitFor();
  await page.reload();
  await eventually(10000, 'its name in the field', async () => (await field.inputValue()) === 'chosen by name');
  assertQuiet(page);
  await page.context().close();
  for (const id of keys) assert.equal((await gateway.rest('DELETE', `/keys/${id}`)).status, 204);
});

test('pressed twice it is sent once; when the answer is lost, sending again makes no second key', limit, async () => {
  const page = await person(browser);
  await signIn(page, gateway);
  const sent = [];
  let pass = () => {};
  const passed = new Promise((resolve) => (pass = resolve));
  await page.route('**/admin/v1/keys', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    sent.push(await route.request().headerValue('idempotency-key'));
    if (sent.length > 1) return route.continue();
    await passed;
    await route.fetch();
    return route.abort();
  });
  await page.getByRole('button', { name: 'Create key' }).click();
  await dialog(page).getByLabel('Name', { exact: true }).fill('made once');
  const create = page.getByRole('button', { name: 'Create', exact: true });
  await create.click();
  await page.locator('dialog button[aria-busy]').waitFor();
  for (const key of ['Enter', 'Enter', 'Escape', 'Escape']) await page.keyboard.press(key);
  assert.ok(await create.evaluate((button) => button === document.activeElement), 'the focus stays');
  await dialog(page).getByRole('button', { name: 'Cancel' }).click({ force: true });
  assert.ok(await dialog(page).isVisible(), 'nobody gives up what may be done already');
  assert.equal(sent.length, 1);
  pass();
  await page.getByText('The gateway does not respond.').waitFor();
  assert.equal(await dialog(page).getByLabel('Name', { exact: true }).inputValue(), 'made once');
  await create.click();
  await page.getByText('This request created the key').waitFor();
  await page.getByRole('link', { name: 'Go to the key' }).click();
  await heading(page, 'made once');
  assert.equal(new Set(sent).size, 1);
  const { json } = await gateway.rest('GET', '/keys?name=made%20once');
  assert.equal(json.total, 1);
  assertQuiet(page, [409, 'net::ERR_FAILED']);
  await page.context().close();
  assert.equal((await gateway.rest('DELETE', `/keys/${json.items[0].id}`)).status, 204);
});

test('signing in anew in one tab leaves the other at work', limit, async () => {
  const page = await person(browser);
  await signIn(page, gateway);
  const tab = await page.context().newPage();
  await tab.goto(gateway.url);
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await tab.getByLabel('Admin token').fill(gateway.token);
  await tab.getByRole('button', { name: 'Sign in' }).click();
  await tab.getByRole('button', { name: 'Sign out' }).waitFor();
  const { id } = await createKey(page, 'of the first tab');
  assertQuiet(page, [403]); // its token for changes was of the session before
  await page.context().close();
  assert.equal((await gateway.rest('DELETE', `/keys/${id}`)).status, 204);
});

test('long names, many tags, other scripts; addresses that somebody typed', limit, async () => {
  const page = await person(browser);
  const keys = [
    { name: 'x'.repeat(100), note: 'n'.repeat(300), tags: Array.from({ length: 32 }, (_, i) => `tag-${i}-${'y'.repeat(i)}`) },
    { name: 'מפתח לצוות התרגום (2)', tags: ['עברית'] },
    { name: 'two  spaces, e\u0301' },
  ];
  for (const key of keys) key.id = (await gateway.rest('POST', '/keys', { body: key })).json.id;
  await signIn(page, gateway);
  for (const width of [320, 640, 900, 1440]) {
    await page.setViewportSize({ width, height: 800 });
    for (const [view, ready] of [['keys', '.spark svg'], [`keys/${keys[0].id}`, '.chart svg text'], ['audit', 'table']]) {
      await visit(page, gateway, view, ready);
      await assertFits(page, `${view} at ${width} px`);
      await picture(page, `long-${view.split('/').length}-${view.slice(0, 4)}-${width}`);
    }
    await visit(page, gateway, `keys/${keys[0].id}`);
    for (const button of ['Edit', 'Delete', 'Rotate key1']) {
      await page.getByRole('button', { name: button, exact: true }).click();
      await dialog(page).waitFor();
      await assertFits(page, `${button} at ${width} px`);
      await page.keyboard.press('Escape');
      await dialog(page).waitFor({ state: 'detached' });
    }
  }
  await visit(page, gateway, 'keys');
  await page.getByRole('row').filter({ hasText: 'xxxx' }).getByText('28 more').waitFor();
  // What is written from right to left does not turn what stands beside it; blanks and accents may be typed in either way.
  for (const [key, typed] of [[keys[1], keys[1].name], [keys[2], 'two spaces, \u00e9']]) {
    await visit(page, gateway, `keys/${key.id}`);
    await page.getByRole('button', { name: 'Delete' }).click();
    assert.equal(await dialog(page).getByRole('heading').locator('bdi').textContent(), key.name);
    await dialog(page).getByRole('textbox').fill(typed);
    await page.getByRole('button', { name: 'Delete permanently' }).click();
    await heading(page, 'Keys');
  }
  await page.goto(`${gateway.url}/#/keys/%`);
  await heading(page, 'No such key');
  await page.goto(`${gateway.url}/#/%E0%A4%A?x=%`);
  await heading(page, 'Keys');
  assertQuiet(page, [404]);
  await page.context().close();
  assert.equal((await gateway.rest('DELETE', `/keys/${keys[0].id}`)).status, 204);
});

test('what a dialog says is said in it; the focus comes back to what was pressed, also when that is drawn anew', limit, async () => {
  const page = await person(browser);
  const { id } = (await gateway.rest('POST', '/keys', { body: { name: 'pressed' } })).json;
  await signIn(page, gateway);
  await visit(page, gateway, `keys/${id}`);
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent);
  await page.getByRole('button', { name: 'Rotate key1' }).focus();
  await page.keyboard.press('Enter');
  await dialog(page).getByRole('button', { name: 'Rotate', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Copy key1' }).click();
  await dialog(page).getByRole('status').getByText('Copy key1: done').waitFor();
  await drawnAnew(page, () => readSecrets(page));
  await eventually(10000, 'the focus back', async () => (await focused()) === 'Rotate key1');
  await page.getByRole('button', { name: 'Edit' }).focus();
  await page.keyboard.press('Enter');
  await dialog(page).getByLabel('Note').fill('changed');
  await drawnAnew(page, () => page.getByRole('button', { name: 'Save', exact: true }).click());
  await eventually(10000, 'the focus back', async () => (await focused()) === 'Edit');
  // A secret that is shown is not left by accident.
  await page.getByRole('button', { name: 'Rotate key2' }).click();
  await dialog(page).getByRole('button', { name: 'Rotate', exact: true }).click();
  await dialog(page).getByText('Copy it now.').waitFor();
  assert.ok(await page.evaluate(() => !window.dispatchEvent(new Event('beforeunload', { cancelable: true }))), 'the browser is told to ask');
  await drawnAnew(page, () => readSecrets(page));
  assert.ok(await page.evaluate(() => window.dispatchEvent(new Event('beforeunload', { cancelable: true }))));
  assertQuiet(page);
  await page.context().close();
  assert.equal((await gateway.rest('DELETE', `/keys/${id}`)).status, 204);
});

test('a gateway that goes and comes back: said once, and what somebody has selected stays', limit, async () => {
  const own = await Gateway.start();
  const page = await person(browser);
  try {
    await signIn(page, own, '#/status');
    await page.getByText('No problems found.').waitFor();
    const digest = page.getByRole('definition').locator('code.small');
    await digest.evaluate((code) => getSelection().selectAllChildren(code));
    const selected = () => page.evaluate(() => getSelection().toString());
    const before = await selected();
    assert.match(before, /^[0-9A-F:]{95}$/);
    const asOf = page.getByText(/^Updated /);
    const first = await asOf.textContent();
    await eventually(30000, 'another look', async () => (await asOf.textContent()) !== first, 200);
    assert.equal(await selected(), before);
    await own.postern.stop();
    await page.getByText('The gateway does not respond.').waitFor();
    const alert = await page.getByRole('alert').elementHandle();
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.waitForEvent('requestfailed'); // of the button, or the next that was due
    await page.waitForEvent('requestfailed');
    assert.ok(await alert.evaluate((element) => element.isConnected), 'what is said already is not said again');
    own.postern = await Postern.start({ ...own.postern.settings, port: own.postern.port });
    await page.getByRole('heading', { name: 'Sign in again' }).waitFor({ timeout: 30000 });
    await dialog(page).getByLabel('Admin token').fill(own.token);
    await dialog(page).getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('No problems found.').waitFor();
    assertQuiet(page, [401, 'net::ERR_']);
  } finally {
    await page.context().close();
    await own.stop();
  }
});

test('the status claims of the container only what is known', limit, async () => {
  const port = await freePort();
  const own = await Gateway.start({ upstream: `http://127.0.0.1:${port}`, open_paths: '/status, /other' });
  const page = await person(browser);
  let upstream;
  const says = (text) => page.getByText(text).first().waitFor({ timeout: 30000 });
  try {
    await signIn(page, own, '#/status');
    await says('No problems found. The container has not been asked since the start');
    await own.status(undefined, '/other');
    await says('The container does not respond: it does not accept connections. 1 request failed since');
    await says('Not responding');
    let apiStatus = 'Invalid';
    upstream = await Upstream.start((x) => (x.path === '/status' ? x.json({ apiStatus }) : x.answer(200, 'ok')), { port });
    await own.status(undefined, '/other');
    await says('No problems found. The container responds. Its API status is unknown');
    await own.status(undefined, '/status');
    await says(/the container’s API status was Invalid: the ApiKey it was started with is not valid/);
    assert.equal(await page.getByText('All is well.').count(), 0);
    apiStatus = 'Valid';
    await own.status(undefined, '/status');
    await says('All is well. The container responds, and its subscription is valid.');
    await assertAccessible(page, 'status');
    assertQuiet(page);
  } finally {
    await page.context().close();
    await upstream?.stop();
    await own.stop();
  }
});

test('in high contrast and on paper', limit, async () => {
  await someUsage();
  const { id } = (await gateway.rest('POST', '/keys', { body: { name: 'on paper' } })).json;
  const page = await person(browser, { forcedColors: 'active' });
  await signIn(page, gateway);
  await visit(page, gateway, 'usage', '.breakdowns:not([aria-busy])');
  await picture(page, 'usage-high-contrast');
  const background = (selector) => page.locator(selector).first().evaluate((element) => getComputedStyle(element).backgroundColor);
  assert.notEqual(await background('[aria-pressed="true"]'), await background('[aria-pressed="false"]'), 'which range is chosen');
  assert.notEqual(await background('.swatch.s1'), await background('.swatch.s2'), 'what the legend means');
  await page.emulateMedia({ media: 'print', forcedColors: 'none' });
  await page.setViewportSize({ width: 720, height: 1000 });
  for (const [view, ready] of [['keys', '.spark svg'], ['usage', '.breakdowns:not([aria-busy])'], ['audit', 'table']]) {
    await visit(page, gateway, view, ready);
    assert.ok(!(await page.locator('.bar').isVisible()));
    assert.equal(await page.locator('main table').first().evaluate((table) => getComputedStyle(table).display), 'table');
    await assertFits(page, `${view} on paper`);
    await picture(page, `${view}-paper`);
  }
  assertQuiet(page);
  await page.context().close();
  assert.equal((await gateway.rest('DELETE', `/keys/${id}`)).status, 204);
});

test('10,000 keys: a page of them at a time', limit, async () => {
  const lines = Array.from({ length: 10000 }, (_, i) => JSON.stringify({ name: `bulk-${String(i).padStart(5, '0')}`, key1: `imported-secret-of-key-${i}` }));
  const done = await gateway.postern.cli(['key', 'import', '--bulk'], { input: `${lines.join('\n')}\n`, ms: 120000 });
  assert.equal(done.code, 0, done.stderr);
  const page = await person(browser);
  await signIn(page, gateway, '#/keys?text=bulk-');
  await page.getByText('10,000 keys').waitFor();
  assert.equal(await page.locator('.keys tbody tr').count(), 50);
  // In a hurry it is turned once; there and back, and read again, it is the same page, as far down as it was.
  await page.getByRole('button', { name: 'Next' }).dblclick();
  await page.getByRole('link', { name: 'bulk-00050' }).waitFor();
  await page.locator('.pager').getByText('51–100 of 10,000').waitFor();
  assert.match(await page.getByRole('status').filter({ hasText: '10,000 keys' }).textContent(), /51 to 100 shown; order: Name/);
  assert.equal(await page.locator('.keys tbody tr').count(), 50);
  const link = page.getByRole('link', { name: 'bulk-00090' });
  await link.scrollIntoViewIfNeeded();
  await eventually(10000, 'how far down it is, noted', () => page.evaluate(() => scrollY > 0 && history.state.scroll === scrollY));
  const down = await page.evaluate(() => scrollY);
  await link.click();
  await heading(page, 'bulk-00090');
  await page.goBack();
  await link.waitFor();
  await eventually(10000, 'the place in the list', () => page.evaluate((y) => scrollY === y, down));
  await page.reload();
  await link.waitFor();
  await page.locator('.pager').getByText('51–100 of 10,000').waitFor();
  await page.getByRole('button', { name: 'Previous' }).click();
  await page.getByRole('link', { name: 'bulk-00049' }).waitFor();
  await page.getByRole('button', { name: 'Name', exact: true }).click();
  await page.getByRole('link', { name: 'bulk-09999' }).waitFor();
  assert.equal(await page.locator('th[aria-sort="descending"]').innerText(), 'Name');
  await page.getByLabel('Search').fill('bulk-04711');
  await page.getByText('1 key', { exact: true }).waitFor();
  for (const [label, option, expected] of [['State', 'expired', 'No matching keys'], ['State', '', '1 key'], ['Used', '30', 'No matching keys'], ['Used', '', '1 key'], ['Expires', '90', 'No matching keys'], ['Expires', '', '1 key']]) {
    await page.getByLabel(label, { exact: true }).selectOption(option);
    await page.getByText(expected, { exact: true }).waitFor();
  }
  await page.getByLabel('Search').fill('bulk-');
  await page.getByText('10,000 keys').waitFor();
  await page.getByRole('button', { name: 'Last used' }).click();
  await page.locator('th[aria-sort="ascending"]').filter({ hasText: 'Last used' }).waitFor();
  assert.equal(await page.locator('.keys tbody tr').count(), 50);
  // Where there is no room for columns, the order is chosen.
  await page.setViewportSize(sizes.narrow);
  await page.getByLabel('Order').selectOption('-name');
  await page.getByRole('link', { name: 'bulk-09999' }).waitFor();
  assert.equal(await page.locator('thead button:visible').count(), 0, 'no button that nobody sees');
  await page.getByLabel('Search').fill('no such thing');
  await page.getByRole('button', { name: 'Show all keys' }).click();
  await page.locator('.keys tbody tr').nth(49).waitFor();
  assertQuiet(page);
  await page.context().close();
});
