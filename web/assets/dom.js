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

/** A name of people’s choice, which may be written from right to left; `quoted` is for the middle of a sentence. */
export const named = (name) => h('bdi', {}, name);
export const quoted = (name) => ['“', named(name), '”'];

const NOTICE_MS = 6000;
const ALERT_MS = 12000;
const BUSY_MS = 150;

function place(notice, ms) {
  // What is behind a dialog can be neither seen nor heard.
  const dialog = [...document.querySelectorAll('dialog[open] .notices')].at(-1);
  (dialog ?? document.getElementById('notices')).append(notice);
  setTimeout(() => notice.remove(), ms);
}

/** Says something in passing, on the screen and to screen readers. */
export function notify(text) {
  place(h('div', { class: 'notice' }, text), NOTICE_MS);
}

/** The same for what went wrong: it stays longer, and can be sent away. */
export function notifyFailure(text) {
  const notice = h('div', { class: 'notice danger', role: 'alert' }, h('div', {}, text),
    h('button', { type: 'button', class: 'small', onclick: () => notice.remove() }, 'Close'));
  place(notice, ALERT_MS);
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
      notify('The browser did not allow copying. Select the text and copy it manually.');
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
    // A dialog that it opens says itself what is going on.
    const show = setTimeout(() => document.querySelector('dialog[open]') ?? button.setAttribute('aria-busy', 'true'), BUSY_MS);
    try {
      await action();
    } catch (error) {
      notifyFailure(error.message);
    }
    busy = false;
    clearTimeout(show);
    button.removeAttribute('aria-busy');
  });
  return button;
}

/** Makes `old` look like `next` and touches only what is different, so that what somebody has selected, or reads with
 * the keyboard, stays. For parts that listen to nothing. */
export function refresh(old, next) {
  if (old.isEqualNode(next)) return;
  const alike = old.nodeName === next.nodeName && old.childNodes.length === next.childNodes.length && old.childNodes.length > 0;
  if (!alike) {
    old.replaceWith(next);
    return;
  }
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const wanted = [...next.childNodes];
  [...old.childNodes].forEach((child, i) => refresh(child, wanted[i]));
}

/** columns: [{label, class?, sort?}]; rows: elements or null; `sorted` is 'name' or '-name'. */
export function table({ caption, columns, rows, sorted, onSort, class: kind = '' }) {
  const head = columns.map((column) => {
    if (!column.sort) return h('th', { scope: 'col', class: column.class, role: 'columnheader' }, column.hidden ? h('span', { class: 'visually-hidden' }, column.label) : column.label);
    const state = sorted === column.sort ? 'ascending' : sorted === `-${column.sort}` ? 'descending' : 'none';
    const next = state === 'ascending' ? `-${column.sort}` : column.sort;
    return h('th', { scope: 'col', class: column.class, role: 'columnheader', 'aria-sort': state }, h('span', { class: 'instead' }, column.label),
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
