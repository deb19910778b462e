// SPDX-License-Identifier: Apache-2.0
// What can be done to a key: create, edit, rotate, revoke, disable, delete. Whatever fails leaves its dialog as it was.
import { call } from './api.js';
import { ask, choice, show } from './dialog.js';
import { copyButton, h, message, named, notify, quoted } from './dom.js';
import { filledIn, changes, keyForm } from './key-form.js';
import { forgetName } from './key-names.js';

const graces = [['0', 'Not at all'], ['900', '15 min'], ['3600', '1 h'], ['21600', '6 h'], ['86400', '24 h'], ['604800', '7 days']];
export const graceText = Object.fromEntries(graces);

const pathOf = (key) => `/keys/${encodeURIComponent(key.id)}`;

/** Where the gateway is as far as this page can tell by itself. */
const here = { url: `https://${location.hostname}`, trust: '' };
/** A new secret does not wait longer for the address that is shown with it. */
const WHERE_MS = 1500;

/** Where clients reach the gateway: its public URL, or this page's host with the gateway's own port. Undefined when it
 * is not to be had; nobody is asked to sign in for it. */
async function gateway() {
  try {
    const [{ items }, status] = await Promise.all(['/settings', '/status'].map(async (path) => (await call('GET', path, { signingIn: true })).json));
    const value = (name) => items.find((setting) => setting.name === name)?.value ?? '';
    const url = value('public_url') || `https://${location.hostname}:${/:(\d+)$/.exec(value('listen'))?.[1] ?? '443'}`;
    return { url: url.replace(/\/$/, ''), trust: status.certificate.self_signed ? ` --cacert ${shell(status.certificate.path)}` : '' };
  } catch {
    return undefined;
  }
}

const once = (label, secret) => h('div', { class: 'field' }, h('span', { class: 'label' }, label),
  h('div', { class: 'secret' }, h('code', {}, secret), copyButton(() => secret, 'Copy', `Copy ${label}`)));

/** As a shell reads it: in quotes where it has to be. */
const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** Shows the secrets that `answer` brought, at once. They are kept nowhere: neither in the page nor in the browser.
 * `where` is gateway()’s promise, asked for before there was a secret to lose. */
async function showSecrets(title, answer, where) {
  const secret = answer.key1 ?? answer.key2;
  const found = where.then((place) => place ?? gateway()); // once more, by the session of now
  const { url, trust } = (await Promise.race([found, new Promise((done) => setTimeout(done, WHERE_MS))])) ?? here;
  const path = answer.scopes[0]?.path ?? '/';
  const line = `curl${trust} -H 'Ocp-Apim-Subscription-Key: ${secret}' ${shell(url + path)}`;
  await show(title, [
    message('warn', [h('strong', {}, 'Copy it now. '), 'It will not be shown again: the gateway stores only a digest of it.']),
    ['key1', 'key2'].filter((name) => answer[name]).map((name) => once(name, answer[name])),
    once('Example with curl', line),
  ], 'I have stored it');
}

/** Sends what makes a key. Sent again, because the answer was lost, the same request makes no second one. */
function maker() {
  let sent;
  let attempt;
  return async (body) => {
    const text = JSON.stringify(body);
    if (text !== sent) [sent, attempt] = [text, crypto.randomUUID()];
    try {
      return (await call('POST', '/keys', { body, headers: { 'Idempotency-Key': attempt } })).json;
    } catch (error) {
      if (error.code === 'OutcomeUnknown') sent = undefined; // who sends it once more has looked
      throw error;
    }
  };
}

/** The key is there, and nobody has seen its secrets: the way to it. */
function toMade(error, close) {
  const path = /\/keys\/([^/]+)$/.exec(error.location ?? '');
  return error.code === 'AlreadyMade' && path && h('a', { href: `#/keys/${path[1]}`, onclick: close }, 'Go to the key');
}

export async function createKey() {
  const form = keyForm();
  const make = maker();
  const where = gateway();
  const made = await ask('Create a key', form.element, {
    action: 'Create', narrow: false, send: () => make(filledIn(form.value())), remedy: (error, run, close) => toMade(error, close),
  });
  if (!made) return;
  await showSecrets([quoted(made.name), ' is ready'], made, where);
  location.hash = `#/keys/${made.id}`;
}

const patch = (key, body, etag) => call('PATCH', pathOf(key), { body, headers: { 'If-Match': etag } });

/** Edits `key` as read with `etag`; true when it was changed. */
export function editKey(key, etag) {
  const form = keyForm(key);
  const save = async (tag) => {
    const body = changes(key, form.value());
    if (Object.keys(body).length > 0) await patch(key, body, tag);
    forgetName(key.id);
    return true;
  };
  return ask(['Edit ', quoted(key.name)], form.element, {
    action: 'Save', narrow: false, send: () => save(etag),
    remedy: (error, run) => error.status === 412 && h('button', { type: 'button', class: 'small', onclick: () => run(() => save('*')) }, 'Overwrite'),
  });
}

export function setEnabled(key, etag, enabled) {
  const send = async () => {
    await patch(key, { enabled }, etag);
    return true;
  };
  if (enabled) return send();
  return ask(['Disable ', quoted(key.name), '?'], h('p', {}, 'Both of its secrets are rejected within a second: requests with them get 401, and open streams are closed. You can re-enable the key later.'), {
    action: 'Disable', danger: true, send,
    remedy: (error, run) => error.status === 412 && h('button', { type: 'button', class: 'small', onclick: () => run(async () => { await patch(key, { enabled }, '*'); return true; }) }, 'Disable anyway'),
  });
}

/** Deleting asks for the name, since nothing brings a key back. */
export async function deleteKey(key) {
  const typed = h('input', { autocomplete: 'off', spellcheck: 'false', dir: 'auto', 'aria-label': 'The key’s name' });
  const plain = (text) => text.normalize('NFC').replace(/\s+/g, ' ').trim();
  const done = await ask(['Delete ', quoted(key.name), '?'], [
    h('p', {}, 'Both secrets are rejected from now on, and deleting cannot be undone. Recorded usage is kept.'),
    h('div', { class: 'field', 'data-field': 'confirm' }, h('p', {}, 'Type the name to confirm: ', h('code', { class: 'whole' }, named(key.name))), typed),
  ], {
    action: 'Delete permanently', danger: true,
    send: async () => {
      if (plain(typed.value) !== plain(key.name)) throw Object.assign(new Error('The key was not deleted.'), { details: [{ field: 'confirm', rule: 'This is not the name of the key.' }] });
      await call('DELETE', pathOf(key));
      forgetName(key.id);
      return true;
    },
  });
  if (done) notify(`“${key.name}” has been deleted.`);
  return done;
}

export async function rotateSecret(key, name) {
  const grace = choice('grace_seconds', 'Keep accepting the old secret for', graces, '86400');
  const runs = key.secrets[name]?.old;
  const where = gateway();
  const answer = await ask([`Rotate ${name} of `, quoted(key.name)], [
    h('p', {}, `Creates a new ${name}. Clients can use the old one for as long as you choose here; ${name === 'key1' ? 'key2' : 'key1'} does not change.`),
    runs ? message('warn', 'An earlier rotation is still in its grace period: the secret it replaced is rejected at once.') : null,
    grace.element,
  ], {
    action: 'Rotate',
    send: async () => (await call('POST', `${pathOf(key)}/rotate`, { body: { secret: name, grace_seconds: Number(grace.value()) } })).json,
  });
  if (answer) await showSecrets([`The new ${name} of `, quoted(key.name)], answer, where);
  return Boolean(answer);
}

export function revokeSecret(key, name) {
  return ask([`Revoke ${name} of `, quoted(key.name), '?'], h('p', {}, `${name}, and the secret it replaced, are rejected within a second. Rotate it to get a new one.`), {
    action: 'Revoke', danger: true,
    send: async () => {
      await call('DELETE', `${pathOf(key)}/secrets/${name}`);
      return true;
    },
  });
}
