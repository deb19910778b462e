// SPDX-License-Identifier: Apache-2.0
// What the gateway runs with, and where each value comes from.
import { get } from './api.js';
import { field, wide } from './dialog.js';
import { cell, fill, h, heading, loading, row, table } from './dom.js';
import { plural } from './format.js';

const sources = { default: 'default', file: 'settings file', environment: 'environment', flag: 'command line' };
const columns = [{ label: 'Setting' }, { label: 'Value' }, { label: 'From' }, { label: 'Default' }];

function settingRow(setting) {
  return row(heading(h('code', {}, setting.name), h('div', { class: 'small muted' }, setting.help)),
    cell('Value', h('code', {}, setting.value === '' ? '(empty)' : setting.value)),
    cell('From', setting.source === 'default' ? h('span', { class: 'muted' }, sources.default) : h('span', { class: 'tag' }, sources[setting.source] ?? setting.source)),
    setting.source === 'default' ? h('td', { role: 'cell', 'data-label': 'Default', class: 'same muted' }, 'same')
      : cell('Default', h('code', { class: 'muted' }, setting.default === '' ? '(empty)' : setting.default)));
}

export async function settingsView(main, { signal, query, remember }) {
  fill(main, loading('settings'));
  const { items } = await get('/settings', {}, signal);
  const search = h('input', { type: 'search', value: query.text ?? '', placeholder: 'Name or explanation' });
  const set = h('input', { type: 'checkbox', id: 'only-set', checked: query.set === '1' });
  const count = h('span', { class: 'muted', role: 'status' });
  const list = h('div', { class: 'table-wrap' });
  const draw = () => {
    const text = search.value.toLowerCase();
    const shown = items.filter((s) => (!set.checked || s.source !== 'default') && `${s.name} ${s.help}`.toLowerCase().includes(text));
    count.textContent = plural(shown.length, 'setting');
    fill(list, shown.length > 0 ? table({ caption: 'Settings', class: 'settings', columns, rows: shown.map(settingRow) }) : h('div', { class: 'empty' }, h('h2', {}, 'No matching settings')));
    remember({ text: search.value, set: set.checked ? '1' : '' });
  };
  for (const input of [search, set]) input.addEventListener('input', draw);
  fill(main, h('div', { class: 'head' }, h('div', {}, h('h1', { tabindex: '-1' }, 'Settings'), count)),
    h('form', { class: 'filters', role: 'search', onsubmit: (event) => event.preventDefault() }, wide(field('text', 'Search', search)), h('label', { class: 'row', for: 'only-set' }, set, 'Only settings that are set')), list);
  draw();
}
