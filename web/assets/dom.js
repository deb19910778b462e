// SPDX-License-Identifier: Apache-2.0
// Makes elements. Text becomes text nodes and nothing else: no string is ever read as markup, so a name full of
// script is shown as it was written.

/** h('a', {href: '#/keys', class: 'x', onclick: f, 'aria-label': 'y'}, 'text', child, [more], null) */
export function h(tag, properties = {}, ...children) {
  return furnish(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  return furnish(document.createElementNS('http://www.w3.org/2000/svg', tag), properties, children);
}

function furnish(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...clean(children));
  return element;
}

const clean = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

export function fill(element, ...children) {
  element.replaceChildren(...clean(children));
  return element;
}

let count = 0;
/** An id for a label to point to. */
export const newId = (what) => `${what}-${++count}`;

/** Says something in passing, on the screen and to screen readers. */
export function notify(text) {
  const notice = h('div', { class: 'notice' }, text);
  document.getElementById('notices').append(notice);
  setTimeout(() => notice.remove(), 6000);
}

export function badge(kind, text) {
  return h('span', { class: `badge ${kind}` }, text);
}

export function message(kind, text, ...actions) {
  return h('div', { class: `message ${kind}` }, h('div', {}, text), ...actions);
}

/** What a view shows when what it is about could not be had. */
export function failure(error, again) {
  return h('div', { class: 'message danger', role: 'alert' },
    h('div', {}, h('strong', {}, error.message), error.requestId ? h('div', { class: 'small muted' }, `Request ${error.requestId}`) : null),
    again ? h('button', { type: 'button', class: 'small', onclick: again }, 'Try again') : null);
}

export const loading = (what) => h('p', { class: 'loading' }, `Loading ${what}…`);

/** A button that copies `text()` and says so. */
export function copyButton(text, label, what = label) {
  const button = h('button', { type: 'button', class: 'small', 'aria-label': what }, label);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = 'Copied';
      notify(`${what}: done`);
    } catch {
      notify('The browser does not let this page copy. Select the text and copy it yourself.');
    }
    setTimeout(() => (button.textContent = label), 2000);
  });
  return button;
}

/** A button that does nothing else until what it does is done; what goes wrong is said. It keeps the focus, which a
 * disabled one would lose. */
export function actionButton(label, properties, action) {
  const button = h('button', { type: 'button', ...properties }, label);
  let busy = false;
  button.addEventListener('click', async () => {
    if (busy) return;
    busy = true;
    try {
      await action();
    } catch (error) {
      notify(error.message);
    }
    busy = false;
  });
  return button;
}

/** columns: [{label, class?, sort?}]; rows: elements or null; `sorted` is 'name' or '-name'. */
export function table({ caption, columns, rows, sorted, onSort, class: kind = '' }) {
  const head = columns.map((column) => {
    if (!column.sort) return h('th', { scope: 'col', class: column.class, role: 'columnheader' }, column.hidden ? h('span', { class: 'visually-hidden' }, column.label) : column.label);
    const state = sorted === column.sort ? 'ascending' : sorted === `-${column.sort}` ? 'descending' : 'none';
    const next = state === 'ascending' ? `-${column.sort}` : column.sort;
    return h('th', { scope: 'col', class: column.class, role: 'columnheader', 'aria-sort': state },
      h('button', { type: 'button', 'data-sort': column.sort, onclick: () => onSort(next) }, column.label));
  });
  // The roles are written out, since `display` on narrow screens would take them away.
  return h('table', { class: `collapse ${kind}`, role: 'table' },
    h('caption', { class: 'visually-hidden' }, caption),
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, head)), h('tbody', { role: 'rowgroup' }, rows));
}

export const row = (...cells) => h('tr', { role: 'row' }, cells);
export const heading = (...content) => h('th', { scope: 'row', role: 'rowheader' }, content);
export const cell = (label, ...content) => h('td', { role: 'cell', 'data-label': label }, h('div', {}, content));
export const numberCell = (label, ...content) => h('td', { role: 'cell', 'data-label': label, class: 'number' }, h('div', {}, content));

/** [[term, description]…] as a list of facts; null entries are left out. */
export function facts(entries) {
  return h('dl', { class: 'facts' }, entries.filter(Boolean).map(([term, ...what]) => [h('dt', {}, term), h('dd', {}, what)]));
}
