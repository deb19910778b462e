// SPDX-License-Identifier: Apache-2.0
// The list of keys. The gateway searches, sorts and pages; here are at most a page of them.
import { get } from './api.js';
import { sparkline } from './chart.js';
import { field, select, wide } from './dialog.js';
import { badge, cell, failure, fill, h, heading, loading, row, table } from './dom.js';
import { number, plural, time } from './format.js';
import { createKey } from './key-dialogs.js';
import { isAdmin } from './session.js';

const PAGE = 50;
const DAY_MS = 86400e3;
const SETTLE_MS = 250;

const states = [['', 'All'], ['active', 'Active'], ['disabled', 'Disabled'], ['expired', 'Expired'], ['not_yet', 'Not yet valid']];
const expiries = [['', 'Any time'], ['7', 'Within 7 days'], ['30', 'Within 30 days'], ['90', 'Within 90 days']];
const unused = [['', 'Any'], ['1', 'Not for a day'], ['30', 'Not for 30 days'], ['90', 'Not for 90 days'], ['365', 'Not for a year']];
const stateBadges = { active: ['ok', 'Active'], disabled: ['', 'Disabled'], expired: ['danger', 'Expired'], not_yet: ['warn', 'Not yet valid'] };

export function stateBadge(key) {
  return badge(...stateBadges[key.state]);
}

/** Whether a secret that was rotated away works on. */
const isRotating = ({ secrets }) => Object.values(secrets).some((secret) => secret?.old);

const columns = [
  { label: 'Name', sort: 'name' }, { label: 'Secrets' }, { label: 'State' }, { label: 'Created', sort: 'created', class: 'created' },
  { label: 'Last used', sort: 'last_used' }, { label: 'Expires', sort: 'expires' }, { label: 'Last 24 hours' },
];

const secretLine = (name, secret) => h('div', { class: 'mono' }, h('span', { class: 'visually-hidden' }, `${name} `), secret ? secret.masked : h('span', { class: 'muted' }, 'none'));

function keyRow(key, use) {
  return row(
    heading(h('a', { href: `#/keys/${key.id}` }, key.name), key.note ? h('div', { class: 'note' }, key.note) : null,
      key.tags.length > 0 ? h('div', { class: 'row' }, key.tags.map((tag) => h('span', { class: 'tag' }, tag))) : null),
    h('td', { role: 'cell', 'data-label': 'Secrets', class: 'secrets' }, h('div', {}, secretLine('key1', key.secrets.key1), secretLine('key2', key.secrets.key2))),
    cell('State', h('div', { class: 'row' }, stateBadge(key), isRotating(key) ? badge('warn', 'Rotating') : null)),
    h('td', { role: 'cell', 'data-label': 'Created', class: 'created' }, h('div', {}, time(key.created))),
    cell('Last used', time(key.last_used, { relative: true })),
    cell('Expires', time(key.expires)),
    h('td', { role: 'cell', 'data-label': 'Last 24 hours' }, use));
}

/** The last 24 hours of keys, hour by hour: id → 24 of {requests, errors}, the oldest first. */
async function last24Hours(ids, signal) {
  const first = Math.floor(Date.now() / 3600e3) * 3600e3 - 23 * 3600e3;
  const { items } = await get('/usage', { by: 'key,hour', key: ids.join(','), from: new Date(first).toISOString() }, signal);
  const hours = new Map(ids.map((id) => [id, Array.from({ length: 24 }, () => ({ requests: 0, errors: 0 }))]));
  for (const item of items) {
    const hour = hours.get(item.key)?.[(new Date(item.hour) - first) / 3600e3];
    if (hour) Object.assign(hour, { requests: item.requests, errors: item.errors });
  }
  return hours;
}

function emptyState(filtered, onReset) {
  if (filtered) return h('div', { class: 'empty' }, h('h2', {}, 'No key fits'), h('p', {}, 'The search looks at names, notes, tags, ids and the shown beginnings of secrets.'), h('button', { type: 'button', onclick: onReset }, 'Show all keys'));
  return h('div', { class: 'empty' }, h('img', { src: '/assets/postern.svg', alt: '' }), h('h2', {}, 'No keys yet'),
    h('p', {}, 'A key lets a client through this gateway. Give each team or program one of its own: then you see what each uses, and can take it away from one without the others noticing.'),
    isAdmin() ? h('button', { type: 'button', class: 'primary', onclick: createKey }, 'Create the first key') : null);
}

class KeyList {
  constructor(main, at) {
    Object.assign(this, { at, signal: at.signal, cursors: [undefined] });
    this.query = { text: '', state: '', expires: '', unused: '', sort: 'name', ...at.query };
    this.list = h('div', {});
    this.count = h('span', { class: 'muted', role: 'status' });
    const search = h('input', { type: 'search', value: this.query.text, placeholder: 'Name, note, tag, id, first characters', maxlength: '256' });
    this.inputs = { text: search, state: select(states, this.query.state), expires: select(expiries, this.query.expires), unused: select(unused, this.query.unused) };
    for (const [name, input] of Object.entries(this.inputs)) input.addEventListener('input', () => this.change({ [name]: input.value }, name === 'text' ? SETTLE_MS : 0));
    fill(main,
      h('div', { class: 'head' }, h('div', {}, h('h1', { tabindex: '-1' }, 'Keys'), this.count),
        isAdmin() ? h('button', { type: 'button', class: 'primary', onclick: createKey }, 'Create key') : null),
      h('form', { class: 'filters', role: 'search', onsubmit: (event) => event.preventDefault() }, wide(field('text', 'Search', search)), field('state', 'State', this.inputs.state), field('expires', 'Expires', this.inputs.expires), field('unused', 'Used', this.inputs.unused)),
      this.list);
  }

  change(part, delay = 0) {
    Object.assign(this.query, part);
    this.cursors = [undefined];
    this.now = undefined; // a page and the next are of the same moment
    this.at.remember(this.query);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), delay);
  }

  reset() {
    for (const input of Object.values(this.inputs)) input.value = '';
    this.change({ text: '', state: '', expires: '', unused: '' });
    this.inputs.text.focus();
  }

  async load() {
    this.loading?.abort();
    this.loading = new AbortController();
    const signal = AbortSignal.any([this.signal, this.loading.signal]);
    if (!this.list.hasChildNodes()) fill(this.list, loading('keys'));
    try {
      const { text, state, sort, expires, unused: idle } = this.query;
      this.now ??= Date.now();
      const days = (n) => new Date(this.now + n * DAY_MS).toISOString();
      const page = await get('/keys', { text, state, sort, expires_before: expires && days(+expires), unused_since: idle && days(-idle), limit: PAGE, cursor: this.cursors.at(-1) }, signal);
      this.show(page, signal);
    } catch (error) {
      if (!signal.aborted) fill(this.list, failure(error, () => this.load()));
    }
  }

  show(page, signal) {
    this.count.textContent = plural(page.total, 'key');
    if (page.items.length === 0) {
      fill(this.list, emptyState(['text', 'state', 'expires', 'unused'].some((name) => this.query[name]), () => this.reset()));
      return;
    }
    const uses = page.items.map(() => h('div', { class: 'spark muted' }, '…'));
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.sort ?? document.activeElement.dataset.page : undefined;
    fill(this.list,
      h('div', { class: 'table-wrap keys' }, table({ caption: 'Keys', columns, rows: page.items.map((key, i) => keyRow(key, uses[i])), sorted: this.query.sort, onSort: (sort) => this.change({ sort }) })),
      this.pager(page));
    if (focused) this.list.querySelector(`[data-sort="${focused}"], [data-page="${focused}"]:enabled`)?.focus();
    this.showUse(page.items, uses, signal);
  }

  async showUse(keys, places, signal) {
    try {
      const hours = await last24Hours(keys.map((key) => key.id), signal);
      keys.forEach((key, i) => fill(places[i], sparkline(hours.get(key.id))));
    } catch (error) {
      if (!signal.aborted) for (const place of places) fill(place, h('span', { title: error.message }, 'not known'));
    }
  }

  pager(page) {
    const first = (this.cursors.length - 1) * PAGE + 1;
    const turn = (move) => {
      move();
      this.load().then(() => scrollTo({ top: 0 }));
    };
    return h('nav', { class: 'pager', 'aria-label': 'Pages' }, h('span', { class: 'muted' }, `${number(first)}–${number(first + page.items.length - 1)} of ${number(page.total)}`),
      h('div', { class: 'row' },
        h('button', { type: 'button', 'data-page': 'previous', disabled: this.cursors.length === 1, onclick: () => turn(() => this.cursors.pop()) }, 'Previous'),
        h('button', { type: 'button', 'data-page': 'next', disabled: !page.next_cursor, onclick: () => turn(() => this.cursors.push(page.next_cursor)) }, 'Next')));
  }
}

export async function keysView(main, at) {
  await new KeyList(main, at).load();
}
