// SPDX-License-Identifier: Apache-2.0
// The list of keys. The gateway searches, sorts and pages; here are at most a page of them.
import { get } from './api.js';
import { sparkline } from './chart.js';
import { field, select, wide } from './dialog.js';
import { badge, cell, failure, fill, h, heading, loading, named, row, table } from './dom.js';
import { number, plural, time } from './format.js';
import { createKey } from './key-dialogs.js';
import { isAdmin } from './session.js';

const PAGE = 50;
const DAY_MS = 86400e3;
const SETTLE_MS = 250;
const TAGS = 4;

const states = [['', 'All'], ['active', 'Active'], ['disabled', 'Disabled'], ['expired', 'Expired'], ['not_yet', 'Not yet valid']];
const expiries = [['', 'Any time'], ['7', 'Within 7 days'], ['30', 'Within 30 days'], ['90', 'Within 90 days']];
const unused = [['', 'Any time'], ['1', 'Unused for a day'], ['30', 'Unused for 30 days'], ['90', 'Unused for 90 days'], ['365', 'Unused for a year']];
const stateBadges = { active: ['ok', 'Active'], disabled: ['', 'Disabled'], expired: ['danger', 'Expired'], not_yet: ['warn', 'Not yet valid'] };

export function stateBadge(key) {
  return badge(...stateBadges[key.state]);
}

/** Whether a secret that was rotated away works on. */
const isRotating = ({ secrets }) => Object.values(secrets).some((secret) => secret?.old);

/** What the columns sort by, in words; narrow screens have these in place of the columns. */
const orders = [['name', 'Name, A to Z'], ['-name', 'Name, Z to A'], ['-last_used', 'Most recently used'], ['last_used', 'Least recently used'], ['expires', 'Earliest expiry'], ['-expires', 'Latest expiry'], ['-created', 'Newest'], ['created', 'Oldest']];
const orderText = (sort) => orders.find(([name]) => name === sort)?.[1] ?? sort;

const columns = [
  { label: 'Name', sort: 'name' }, { label: 'Secrets' }, { label: 'State' }, { label: 'Created', sort: 'created', class: 'created' },
  { label: 'Last used', sort: 'last_used' }, { label: 'Expires', sort: 'expires' }, { label: 'Last 24 hours' },
];

const secretLine = (name, secret) => h('div', { class: 'mono' }, h('span', { class: 'visually-hidden' }, `${name} `), secret ? secret.masked : h('span', { class: 'muted' }, 'none'));

/** The first of a key’s tags; a row is no place for dozens. */
function firstTags(tags) {
  const more = tags.slice(TAGS);
  return [...tags.slice(0, TAGS).map((tag) => h('span', { class: 'tag' }, named(tag))),
    more.length > 0 ? h('span', { class: 'small muted', title: more.join(', ') }, `${number(more.length)} more`) : null];
}

const cellOf = (name, label, content) => h('td', { role: 'cell', 'data-label': label, class: name }, content);

function keyRow(key, use) {
  return row(
    heading(h('div', { class: 'row titled' }, h('a', { href: `#/keys/${key.id}` }, named(key.name)), firstTags(key.tags)), key.note ? h('div', { class: 'note', dir: 'auto' }, key.note) : null),
    cellOf('secrets', 'Secrets', h('div', {}, secretLine('key1', key.secrets.key1), secretLine('key2', key.secrets.key2))),
    cellOf('state', 'State', h('div', { class: 'row' }, stateBadge(key), isRotating(key) ? badge('warn', 'Rotating') : null)),
    cellOf('created', 'Created', h('div', {}, time(key.created))),
    cellOf('used', 'Last used', h('div', {}, time(key.last_used, { relative: true }))),
    cellOf('expires', 'Expires', h('div', {}, time(key.expires))),
    cellOf('use', 'Last 24 hours', use));
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
  if (filtered) return h('div', { class: 'empty' }, h('h2', {}, 'No matching keys'), h('p', {}, 'The search covers names, notes, tags, ids and the visible beginning of secrets.'), h('button', { type: 'button', onclick: onReset }, 'Show all keys'));
  return h('div', { class: 'empty' }, h('img', { src: '/assets/postern.svg', alt: '' }), h('h2', {}, 'No keys yet'),
    h('p', {}, 'Clients need a key to use this gateway. Give each team or app its own key: you can then see the usage of each, and revoke one without affecting the others.'),
    isAdmin() ? h('button', { type: 'button', class: 'primary', onclick: createKey }, 'Create the first key') : null);
}

/** The address of the list as it was looked at last. */
let place = '#/keys';
export const listAddress = () => place;

class KeyList {
  constructor(main, at) {
    // Who comes back finds the page of the list that they left.
    const { cursors = [undefined], now } = at.state;
    Object.assign(this, { at, signal: at.signal, cursors, now });
    this.query = { text: '', state: '', expires: '', unused: '', sort: 'name', ...at.query };
    place = location.hash || place;
    this.list = h('div', {});
    this.count = h('span', { class: 'muted' });
    this.said = h('span', { class: 'visually-hidden' });
    const search = h('input', { type: 'search', value: this.query.text, placeholder: 'Name, note, tag, id or beginning of a secret', maxlength: '256' });
    this.inputs = { text: search, state: select(states, this.query.state), expires: select(expiries, this.query.expires), unused: select(unused, this.query.unused), sort: select(orders, this.query.sort) };
    for (const [name, input] of Object.entries(this.inputs)) input.addEventListener('input', () => this.change({ [name]: input.value }, name === 'text' ? SETTLE_MS : 0));
    const order = field('sort', 'Order', this.inputs.sort);
    order.classList.add('order');
    this.filters = h('form', { class: 'filters', role: 'search', onsubmit: (event) => event.preventDefault() }, wide(field('text', 'Search', search)), field('state', 'State', this.inputs.state), field('expires', 'Expires', this.inputs.expires), field('unused', 'Used', this.inputs.unused), order);
    fill(main,
      h('div', { class: 'head' }, h('div', {}, h('h1', { tabindex: '-1' }, 'Keys'), h('div', { role: 'status', 'aria-atomic': 'true' }, this.count, this.said)),
        isAdmin() ? h('button', { type: 'button', class: 'primary', onclick: createKey }, 'Create key') : null),
      this.filters, this.list);
  }

  isFiltered() {
    return ['text', 'state', 'expires', 'unused'].some((name) => this.query[name]);
  }

  change(part, delay = 0) {
    Object.assign(this.query, part);
    this.inputs.sort.value = this.query.sort;
    this.cursors = [undefined];
    this.now = undefined; // a page and the next are of the same moment
    this.remember();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), delay);
  }

  remember() {
    this.at.remember({ ...this.query, sort: this.query.sort === 'name' ? '' : this.query.sort }, { cursors: this.cursors, now: this.now });
    place = location.hash;
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
      if (signal.aborted) return;
      if (error.status === 400 && this.cursors.length > 1) this.change({}); // the page has gone, with an older gateway
      else fill(this.list, failure(error, () => this.load()));
    }
  }

  show(page, signal) {
    const filtered = this.isFiltered();
    const none = page.items.length === 0;
    this.count.textContent = plural(page.total, 'key');
    this.filters.hidden = none && !filtered;
    this.say(page);
    if (none) {
      fill(this.list, emptyState(filtered, () => this.reset()));
      return;
    }
    const uses = page.items.map(() => h('div', { class: 'spark muted' }, '…'));
    const { sort, page: turned } = this.list.contains(document.activeElement) ? document.activeElement.dataset : {};
    fill(this.list,
      h('div', { class: 'table-wrap keys' }, table({ caption: 'Keys', columns, rows: page.items.map((key, i) => keyRow(key, uses[i])), sorted: this.query.sort, onSort: (sort) => this.change({ sort }) })),
      this.pager(page));
    if (sort) this.list.querySelector(`[data-sort="${sort}"]`).focus();
    if (turned) (this.list.querySelector(`[data-page="${turned}"]:enabled`) ?? this.list.querySelector('[data-page]:enabled'))?.focus({ preventScroll: true });
    this.showUse(page.items, uses, signal);
  }

  /** What is on the screen now, for those who do not see it change. */
  say(page) {
    const first = (this.cursors.length - 1) * PAGE + 1;
    const part = page.items.length < page.total ? `, ${number(first)} to ${number(first + page.items.length - 1)} shown` : '';
    this.said.textContent = `${part}; order: ${orderText(this.query.sort)}`;
  }

  async showUse(keys, places, signal) {
    try {
      const hours = await last24Hours(keys.map((key) => key.id), signal);
      keys.forEach((key, i) => fill(places[i], sparkline(hours.get(key.id))));
    } catch (error) {
      if (!signal.aborted) for (const place of places) fill(place, h('span', { title: error.message }, 'unknown'));
    }
  }

  pager(page) {
    const { cursors } = this;
    if (cursors.length === 1 && !page.next_cursor) return null;
    const first = (cursors.length - 1) * PAGE + 1;
    // Once for each page that is shown, however often it is pressed; and no more when another list is on its way.
    const turn = (to) => {
      if (this.cursors !== cursors) return;
      this.cursors = to;
      this.remember();
      this.load().then(() => scrollTo({ top: 0 }));
    };
    return h('nav', { class: 'pager', 'aria-label': 'Pages' }, h('span', { class: 'muted' }, `${number(first)}–${number(first + page.items.length - 1)} of ${number(page.total)}`),
      h('div', { class: 'row' },
        h('button', { type: 'button', 'data-page': 'previous', disabled: cursors.length === 1, onclick: () => turn(cursors.slice(0, -1)) }, 'Previous'),
        h('button', { type: 'button', 'data-page': 'next', disabled: !page.next_cursor, onclick: () => turn([...cursors, page.next_cursor]) }, 'Next')));
  }
}

export async function keysView(main, at) {
  await new KeyList(main, at).load();
}
