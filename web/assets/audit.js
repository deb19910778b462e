// SPDX-License-Identifier: Apache-2.0
// The trail: who changed what, when, from where.
import { get } from './api.js';
import { field, select, wide } from './dialog.js';
import { cell, failure, fill, h, heading, loading, named, row, table } from './dom.js';
import { number, plural, time } from './format.js';
import { learnNames, nameOf } from './key-names.js';

const PAGE = 50;
const kinds = { system: 'gateway', cli: 'command line', socket: 'REST, Unix socket', token: 'REST, token', session: 'page', certificate: 'REST, certificate' };
const words = {
  'key.create': 'Key created', 'key.import': 'Key imported', 'key.import_bulk': 'Keys imported', 'key.update': 'Key changed', 'key.rotate': 'Secret rotated',
  'key.revoke_secret': 'Secret revoked', 'key.enable': 'Key enabled', 'key.disable': 'Key disabled', 'key.delete': 'Key deleted',
  'client_cert.approve': 'Certificate approved', 'client_cert.revoke': 'Certificate revoked', 'admin_token.create': 'Token created', 'admin_token.revoke': 'Token revoked', 'admin_token.refuse': 'Token refused',
  'session.open': 'Signed in', 'session.confirm': 'Session confirmed', 'session.close': 'Signed out', 'session.end': 'Session ended',
};
const actions = [['', 'All events'], ['key.', 'All key events'], ['admin_token.', 'All admin token events'], ['session.', 'All session events'], ...Object.entries(words)];
const what = (action) => (words[action] ? [words[action], h('div', { class: 'small muted' }, h('code', {}, action))] : h('code', {}, action));

const shown = (value) => (value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value));

/** Only what is different: [[name, before, after]…]. */
function differences(before, after) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return names.map((name) => [name, before?.[name], after?.[name]]).filter(([, was, is]) => JSON.stringify(was) !== JSON.stringify(is));
}

function details(entry) {
  const changed = differences(entry.before, entry.after);
  if (changed.length === 0) return h('span', { class: 'muted' }, '–');
  return h('details', {}, h('summary', {}, plural(changed.length, 'field')),
    h('dl', { class: 'facts small' }, changed.map(([name, was, is]) => [h('dt', {}, name), h('dd', {}, entry.before ? [h('code', {}, shown(was)), ' → '] : null, h('code', {}, shown(is)))])));
}

const who = ({ name, kind, address }) => [name ? named(name) : kinds[kind], h('div', { class: 'small muted' }, [name ? kinds[kind] ?? kind : null, address].filter(Boolean).join(', '))];

const isKey = (entry) => entry.action.startsWith('key.') && entry.action !== 'key.import_bulk';

/** A key by its name, if it is there still; a deleted one and a token by the name in its entry. */
function targetOf(entry) {
  const name = isKey(entry) ? nameOf(entry.target) : null;
  const before = entry.after?.name ?? entry.before?.name;
  const id = h('code', {}, entry.target);
  if (name !== null) return [h('a', { href: `#/keys/${encodeURIComponent(entry.target)}` }, named(name)), h('div', { class: 'small muted' }, id)];
  return before ? [named(before), h('div', { class: 'small muted' }, id)] : id;
}

export function auditTable(entries, { target = true } = {}) {
  const columns = [{ label: 'Action' }, ...(target ? [{ label: 'Target' }] : []), { label: 'When' }, { label: 'Who' }, { label: 'Changed' }];
  const rows = entries.map((entry) => row(heading(what(entry.action)), target ? cell('Target', targetOf(entry)) : null,
    cell('When', time(entry.time, { seconds: true })), cell('Who', who(entry.actor)), cell('Changed', details(entry))));
  return table({ caption: 'Changes, newest first', columns, rows, class: 'trail' });
}

export async function auditView(main, { signal: left, query, state, remember }) {
  let { cursors = [undefined] } = state;
  let loadingList = new AbortController();
  const count = h('span', { class: 'muted', role: 'status' });
  const list = h('div', {}, loading('trail'));
  const action = select(actions, query.action ?? '');
  const target = h('input', { type: 'search', value: query.target ?? '', placeholder: 'Id of a key or token', spellcheck: 'false' });
  const load = async () => {
    const filter = { action: action.value, target: target.value.trim() };
    remember(filter, { cursors });
    loadingList.abort();
    loadingList = new AbortController();
    const signal = AbortSignal.any([left, loadingList.signal]);
    try {
      const page = await get('/audit', { ...filter, limit: PAGE, cursor: cursors.at(-1) }, signal);
      await learnNames(page.items.filter(isKey).map((entry) => entry.target), signal);
      const first = (cursors.length - 1) * PAGE + 1;
      count.textContent = page.items.length < page.total ? `${plural(page.total, 'change')}, ${number(first)} to ${number(first + page.items.length - 1)} shown` : plural(page.total, 'change');
      const before = cursors;
      const turn = (to) => () => {
        if (cursors !== before) return; // it was pressed twice
        cursors = to;
        load().then(() => scrollTo({ top: 0 }));
      };
      const turned = list.contains(document.activeElement) ? document.activeElement.dataset.page : undefined;
      fill(list, page.items.length === 0 ? h('div', { class: 'card empty' }, h('h2', {}, 'No matching entries'), h('p', {}, 'Every change to keys and tokens is recorded here, whether made on this page, over REST or on the command line.'))
        : [h('div', { class: 'table-wrap' }, auditTable(page.items)),
          cursors.length === 1 && !page.next_cursor ? null : h('nav', { class: 'pager', 'aria-label': 'Pages' }, h('span', {}), h('div', { class: 'row' },
            h('button', { type: 'button', 'data-page': 'newer', disabled: cursors.length === 1, onclick: turn(cursors.slice(0, -1)) }, 'Newer'),
            h('button', { type: 'button', 'data-page': 'older', disabled: !page.next_cursor, onclick: turn([...cursors, page.next_cursor]) }, 'Older')))]);
      if (turned) (list.querySelector(`[data-page="${turned}"]:enabled`) ?? list.querySelector('[data-page]:enabled'))?.focus({ preventScroll: true });
    } catch (error) {
      if (!signal.aborted) fill(list, failure(error, load));
    }
  };
  const again = () => {
    cursors = [undefined];
    return load();
  };
  action.addEventListener('change', again);
  target.addEventListener('change', again);
  fill(main, h('div', { class: 'head' }, h('div', {}, h('h1', { tabindex: '-1' }, 'Audit'), count)),
    h('form', { class: 'filters', onsubmit: (event) => event.preventDefault() }, field('action', 'Action', action), wide(field('target', 'Target', target))), list);
  await load();
}
