// SPDX-License-Identifier: Apache-2.0
// The trail: who changed what, when, from where.
import { get } from './api.js';
import { field, select, wide } from './dialog.js';
import { cell, failure, fill, h, heading, loading, row, table } from './dom.js';
import { plural, time } from './format.js';
import { learnNames, nameOf } from './key-names.js';

const PAGE = 50;
const kinds = { system: 'the gateway itself', cli: 'command line', socket: 'REST, Unix socket', token: 'REST, token', session: 'page', certificate: 'REST, certificate' };
const actions = [['', 'Everything'], ['key.', 'Everything of keys'], ['admin_token.', 'Everything of admin tokens'], ['session.', 'Signing in and out'],
  ...['key.create', 'key.import', 'key.import_bulk', 'key.update', 'key.rotate', 'key.revoke_secret', 'key.enable', 'key.disable', 'key.delete', 'client_cert.approve', 'client_cert.revoke', 'admin_token.create', 'admin_token.revoke', 'session.open', 'session.confirm', 'session.close', 'session.end'].map((name) => [name, name])];

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

const who = ({ name, kind, address }) => [name || kinds[kind], h('div', { class: 'small muted' }, [name ? kinds[kind] ?? kind : null, address].filter(Boolean).join(', '))];

const isKey = (entry) => entry.action.startsWith('key.') && entry.action !== 'key.import_bulk';

/** A key by its name, if it is there still; a deleted one and a token by the name in its entry. */
function targetOf(entry) {
  const name = isKey(entry) ? nameOf(entry.target) : null;
  const before = entry.after?.name ?? entry.before?.name;
  const id = h('code', {}, entry.target);
  if (name !== null) return [h('a', { href: `#/keys/${encodeURIComponent(entry.target)}` }, name), h('div', { class: 'small muted' }, id)];
  return before ? [before, h('div', { class: 'small muted' }, id)] : id;
}

export function auditTable(entries, { target = true } = {}) {
  const columns = [{ label: 'What' }, ...(target ? [{ label: 'Of' }] : []), { label: 'When' }, { label: 'Who' }, { label: 'Changed' }];
  const rows = entries.map((entry) => row(heading(h('code', {}, entry.action)), target ? cell('Of', targetOf(entry)) : null,
    cell('When', time(entry.time)), cell('Who', who(entry.actor)), cell('Changed', details(entry))));
  return table({ caption: 'Changes, the latest first', columns, rows });
}

export async function auditView(main, { signal, query, remember }) {
  const cursors = [undefined];
  const count = h('span', { class: 'muted', role: 'status' });
  const list = h('div', {}, loading('the trail'));
  const action = select(actions, query.action ?? '');
  const target = h('input', { type: 'search', value: query.target ?? '', placeholder: 'Id of a key or token', spellcheck: 'false' });
  const load = async () => {
    const filter = { action: action.value, target: target.value.trim() };
    remember(filter);
    try {
      const page = await get('/audit', { ...filter, limit: PAGE, cursor: cursors.at(-1) }, signal);
      await learnNames(page.items.filter(isKey).map((entry) => entry.target), signal);
      count.textContent = page.total === undefined ? '' : plural(page.total, 'change');
      const turn = (move) => () => {
        move();
        load().then(() => scrollTo({ top: 0 }));
      };
      fill(list, page.items.length === 0 ? h('div', { class: 'card empty' }, h('h2', {}, 'Nothing on record'), h('p', {}, 'Every change of keys and tokens is kept here, whoever makes it: on this page, over REST, or with the command line.'))
        : [h('div', { class: 'table-wrap' }, auditTable(page.items)),
          h('nav', { class: 'pager', 'aria-label': 'Pages' }, h('span', {}), h('div', { class: 'row' },
            h('button', { type: 'button', disabled: cursors.length === 1, onclick: turn(() => cursors.pop()) }, 'Newer'),
            h('button', { type: 'button', disabled: !page.next_cursor, onclick: turn(() => cursors.push(page.next_cursor)) }, 'Older')))]);
    } catch (error) {
      if (!signal.aborted) fill(list, failure(error, load));
    }
  };
  const again = () => {
    cursors.splice(1);
    return load();
  };
  action.addEventListener('change', again);
  target.addEventListener('change', again);
  fill(main, h('div', { class: 'head' }, h('div', {}, h('h1', { tabindex: '-1' }, 'Audit'), count)),
    h('form', { class: 'filters', onsubmit: (event) => event.preventDefault() }, field('action', 'What', action), wide(field('target', 'Of', target))), list);
  await load();
}
