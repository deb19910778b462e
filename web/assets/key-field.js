// SPDX-License-Identifier: Apache-2.0
// A field that takes a key by its name or its id, and proposes those that fit what is typed.
import { get } from './api.js';
import { field } from './dialog.js';
import { fill, h, newId } from './dom.js';
import { learnNames, nameOf } from './key-names.js';

const SETTLE_MS = 250;
const PROPOSED = 20;

/** What the list proposes: a name, with the id behind it where several keys have the name. */
function proposals(keys) {
  const seen = new Map();
  for (const key of keys) seen.set(key.name, (seen.get(key.name) ?? 0) + 1);
  return new Map(keys.map((key) => [seen.get(key.name) > 1 ? `${key.name} (${key.id})` : key.name, key.id]));
}

/** `id` is the key that is chosen, or ''; `onChange(id)` is told of another. */
export function keyField(id, onChange, signal) {
  const list = h('datalist', { id: newId('keys') });
  const input = h('input', { value: id, list: list.id, placeholder: 'All keys: name or id', autocomplete: 'off', spellcheck: 'false', dir: 'auto' });
  const element = field('key', 'Key', input);
  const broken = h('p', { class: 'broken', id: newId('broken'), role: 'alert' });
  let proposed = new Map();
  let timer;
  element.append(list, broken);

  const propose = async () => {
    const { items } = await get('/keys', { text: input.value, sort: 'name', limit: PROPOSED }, signal).catch(() => ({ items: [] }));
    proposed = proposals(items);
    fill(list, [...proposed.keys()].map((text) => h('option', { value: text })));
  };
  /** The id of the key that is meant; undefined: none, or it is not clear which. An id of a deleted key has usage too. */
  const find = async (text) => {
    if (text === '' || proposed.has(text)) return proposed.get(text) ?? '';
    const { items } = await get('/keys', { name: text, limit: 2 }, signal);
    if (items.length > 0) return items.length === 1 ? items[0].id : undefined;
    return /^[0-9a-z]{12}(,[0-9a-z]{12})*$/.test(text) ? text : undefined;
  };
  const choose = async () => {
    const text = input.value.trim();
    const found = await find(text).catch(() => undefined);
    if (signal.aborted || input.value.trim() !== text) return;
    broken.textContent = found === undefined ? 'No key or more than one key has this name; choose one from the list.' : '';
    if (found === undefined) {
      input.setAttribute('aria-invalid', 'true');
      input.setAttribute('aria-describedby', broken.id);
      return;
    }
    input.removeAttribute('aria-invalid');
    if (found === id) return;
    id = found;
    onChange(id);
  };
  input.addEventListener('focus', propose, { once: true });
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(propose, SETTLE_MS);
    if (proposed.has(input.value)) choose(); // one of the list was picked
  });
  input.addEventListener('change', choose);
  if (id) learnNames([id], signal).then(() => input.value === id && (input.value = nameOf(id) ?? id)).catch(() => {});
  return element;
}
