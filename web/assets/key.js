// SPDX-License-Identifier: Apache-2.0
// One key: its secrets, what it may, what it has used, who changed it.
import { call, get } from './api.js';
import { auditTable } from './audit.js';
import { actionButton, copyButton, facts, failure, fill, h, loading, message, named, refresh } from './dom.js';
import { number, plural, time } from './format.js';
import { deleteKey, editKey, revokeSecret, rotateSecret, setEnabled } from './key-dialogs.js';
import { listAddress, stateBadge } from './keys.js';
import { isAdmin } from './session.js';
import { requestsChart, usageOver } from './usage-data.js';

/** How often a key is looked at while a secret’s grace period runs. */
const AGAIN_MS = 10000;

const anything = (text) => h('span', { class: 'muted' }, text);

function limitsText({ rate, concurrency, quota }) {
  const parts = [
    rate && `${plural(rate.requests, 'request')} per ${plural(rate.per_seconds, 'second')}`,
    quota && `${plural(quota.requests, 'request')} per ${quota.per}`,
    concurrency && `${number(concurrency)} at once`,
  ].filter(Boolean);
  return parts.length > 0 ? [parts.map((part) => h('div', {}, part)), h('div', { class: 'small muted' }, 'not enforced yet')] : anything('none');
}

const scopeLine = (scope) => h('div', { class: 'mono' }, `${scope.methods?.length ? scope.methods.join(', ') : 'all methods'} ${scope.path}`);

function about(key) {
  return h('section', { class: 'card' }, h('h2', {}, 'About'), facts([
    ['Id', h('span', { class: 'row' }, h('code', {}, key.id), copyButton(() => key.id, 'Copy', 'Copy the id'))],
    key.note ? ['Note', named(key.note)] : null,
    key.tags.length > 0 ? ['Tags', h('span', { class: 'row' }, key.tags.map((tag) => h('span', { class: 'tag' }, named(tag))))] : null,
    ['Created', time(key.created)],
    ['Changed', time(key.updated)],
    ['Last used', time(key.last_used, { relative: true })],
    ['Valid', key.not_before ? ['from ', time(key.not_before), ', '] : null, key.expires ? ['until ', time(key.expires)] : 'no expiry'],
    ['Allowed paths', key.scopes.length > 0 ? key.scopes.map(scopeLine) : anything('all')],
    ['Allowed networks', key.networks.length > 0 ? key.networks.map((network) => h('div', { class: 'mono' }, network)) : anything('any')],
    ['Limits', limitsText(key.limits)],
  ]));
}

/** While the old secret works: until when, and who still comes with it. */
function graceNotice(name, old) {
  const count = old.requests;
  return h('div', { class: `message grace ${count ? 'warn' : ''}`, 'data-secret': name }, h('div', {},
    h('strong', {}, 'The previous secret ', h('code', {}, old.masked), ' is still accepted'), ' until ', time(old.valid_until), ' (', time(old.valid_until, { relative: true }), '). ',
    count === undefined ? null : count === 0 ? 'No request has used it since the rotation.' : `${plural(count, 'request')} used it since the rotation.`));
}

function secretSlot(key, name, again) {
  const secret = key.secrets[name];
  const actions = isAdmin() ? h('div', { class: 'row' },
    actionButton('Rotate', { class: 'small', 'aria-label': `Rotate ${name}` }, async () => (await rotateSecret(key, name)) && again()),
    secret ? actionButton('Revoke', { class: 'small danger', 'aria-label': `Revoke ${name}` }, async () => (await revokeSecret(key, name)) && again()) : null) : null;
  return h('div', { class: 'secret-slot' },
    h('div', {}, h('h3', {}, name), secret ? [h('code', {}, secret.masked),
      h('div', { class: 'small muted' }, secret.imported ? 'imported ' : 'created ', time(secret.created), ', last used ', time(secret.last_used, { relative: true }))] : anything('none: revoked or never created')),
    actions, secret?.old ? graceNotice(name, secret.old) : null);
}

/** While an old secret works, how many still come with it is looked at again and again. */
function watchGrace(card, key, signal) {
  const isRunning = () => Object.values(key.secrets).some((secret) => secret?.old);
  const look = async () => {
    try {
      if (document.visibilityState === 'visible') {
        key = await get(`/keys/${encodeURIComponent(key.id)}`, {}, signal);
        for (const notice of card.querySelectorAll('.grace')) {
          const { secret } = notice.dataset;
          const old = key.secrets[secret]?.old;
          if (old) refresh(notice, graceNotice(secret, old));
          else notice.remove();
        }
      }
    } catch {
      // It is looked at again; what the person does next will say what is wrong.
    }
    if (isRunning() && !signal.aborted) setTimeout(look, AGAIN_MS);
  };
  if (isRunning()) setTimeout(look, AGAIN_MS);
}

async function usageCard(place, key, signal) {
  try {
    const usage = await usageOver('7d', { key: key.id }, signal);
    const chart = requestsChart('Requests in the last 7 days', usage);
    chart.append(h('a', { href: `#/usage?key=${encodeURIComponent(key.id)}` }, 'All usage of this key'));
    fill(place, chart);
  } catch (error) {
    if (!signal.aborted) fill(place, failure(error));
  }
}

async function auditCard(place, key, signal) {
  try {
    const page = await get('/audit', { target: key.id, limit: 10 }, signal);
    fill(place, h('h2', {}, 'Changes'), page.items.length > 0 ? h('div', { class: 'table-wrap flat' }, auditTable(page.items, { target: false })) : anything('No changes recorded.'),
      page.next_cursor ? h('p', {}, h('a', { href: `#/audit?target=${encodeURIComponent(key.id)}` }, 'All changes')) : null);
  } catch (error) {
    if (!signal.aborted) fill(place, h('h2', {}, 'Changes'), failure(error));
  }
}

function actions(key, etag, again) {
  return h('div', { class: 'row' },
    actionButton('Edit', {}, async () => (await editKey(key, etag)) && again()),
    key.enabled ? actionButton('Disable', {}, async () => (await setEnabled(key, etag, false)) && again())
      : actionButton('Enable', { class: 'primary' }, async () => (await setEnabled(key, etag, true)) && again()),
    actionButton('Delete', { class: 'danger' }, async () => {
      if (await deleteKey(key)) location.hash = '#/keys';
    }));
}

export async function keyView(main, at) {
  const { signal, again } = at;
  if (main.dataset.ready !== at.path.join('/')) fill(main, loading('key'));
  let answer;
  try {
    answer = await call('GET', `/keys/${encodeURIComponent(at.path[1])}`, { signal });
  } catch (error) {
    if (error.status !== 404) throw error;
    fill(main, h('a', { class: 'back', href: listAddress() }, '← Keys'), h('h1', { tabindex: '-1' }, 'No such key'), h('p', { class: 'muted' }, `No key has the id ${at.path[1]}; it may have been deleted.`));
    return;
  }
  const key = answer.json;
  const usage = h('div', { class: 'stack' }, loading('usage'));
  const changes = h('section', { class: 'card' }, h('h2', {}, 'Changes'), loading('changes'));
  const secrets = h('section', { class: 'card' }, h('h2', {}, 'Secrets'), secretSlot(key, 'key1', again), secretSlot(key, 'key2', again));
  document.title = `${key.name} · Postern`;
  fill(main,
    h('div', { class: 'head' }, h('div', {}, h('a', { class: 'back', href: listAddress() }, '← Keys'), h('div', { class: 'row' }, h('h1', { tabindex: '-1', dir: 'auto' }, key.name), stateBadge(key))),
      isAdmin() ? actions(key, answer.headers.get('ETag'), again) : null),
    h('div', { class: 'stack' },
      key.state === 'active' ? null : message('warn', { disabled: 'This key is disabled: requests with it get 401.', expired: 'This key has expired: requests with it get 401. Edit it to extend its expiry.', not_yet: 'This key is not valid yet: requests with it get 401.' }[key.state]),
      h('div', { class: 'cards' }, secrets, about(key)),
      usage, changes));
  watchGrace(secrets, key, signal);
  usageCard(usage, key, signal);
  auditCard(changes, key, signal);
}
