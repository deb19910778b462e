// SPDX-License-Identifier: Apache-2.0
// The frame: who is signed in, which view is shown, and the way from one to the other. A view is a function
// (main, {path, query, signal, go}); `signal` is aborted when the person moves on.
import { accessView } from './access.js';
import { auditView } from './audit.js';
import { failure, fill, h } from './dom.js';
import { keyView } from './key.js';
import { keysView } from './keys.js';
import { load, session, signInView, signOut } from './session.js';
import { settingsView } from './settings.js';
import { statusView } from './status.js';
import { usageView } from './usage.js';

const views = [
  { path: 'keys', label: 'Keys', show: (main, at) => (at.path.length > 1 ? keyView : keysView)(main, at) },
  { path: 'usage', label: 'Usage', show: usageView },
  { path: 'status', label: 'Status', show: statusView },
  { path: 'audit', label: 'Audit', show: auditView },
  { path: 'settings', label: 'Settings', show: settingsView },
  { path: 'access', label: 'Access', show: accessView },
];

const main = document.getElementById('main');
const bar = document.getElementById('bar');
let leaving = new AbortController();
let shown;

function place() {
  const [where, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const path = where.split('/').map(decodeURIComponent).filter(Boolean);
  return { path: path.length > 0 ? path : ['keys'], query: Object.fromEntries(new URLSearchParams(search)) };
}

/** Keeps what a view shows in the address, without a new entry in the history. */
function remember(query) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== ''));
  const path = place().path.map(encodeURIComponent).join('/');
  history.replaceState(null, '', `#/${path}${search.size > 0 ? `?${search}` : ''}`);
}

function drawBar(current) {
  const who = session();
  const leave = async () => {
    try {
      await signOut();
    } catch (error) {
      return fill(main, failure(error, leave));
    }
    location.hash = '';
    return start();
  };
  fill(bar, h('a', { class: 'brand', href: '#/keys' }, h('img', { src: '/assets/postern.svg', alt: '' }), 'Postern'),
    h('nav', { 'aria-label': 'Views' }, h('ul', {}, views.map((view) => h('li', {}, h('a', { href: `#/${view.path}`, 'aria-current': view === current ? 'page' : null }, view.label))))),
    h('div', { class: 'who small' }, h('span', { title: `${who.name}, ${who.role}` }, who.name, who.role === 'viewer' ? ' (viewer)' : null), h('button', { type: 'button', class: 'small', onclick: leave }, 'Sign out')));
  bar.hidden = false;
}

async function show() {
  if (!session()) return;
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const at = { ...place(), signal, remember, again: show };
  const view = views.find((one) => one.path === at.path[0]) ?? views[0];
  const here = at.path.join('/');
  drawBar(view);
  document.title = `${view.label} · Postern`;
  try {
    await view.show(main, at);
  } catch (error) {
    if (!signal.aborted) fill(main, failure(error, show));
  }
  if (signal.aborted) return;
  // A new view begins at its heading; so does one drawn anew under the person's hands.
  const lost = document.activeElement === document.body && document.querySelector('dialog[open]') === null;
  if (shown !== undefined && (shown !== here || lost)) (main.querySelector('h1') ?? main).focus();
  shown = here;
  main.dataset.ready = here;
}

async function start() {
  bar.hidden = true;
  delete main.dataset.ready;
  leaving.abort();
  try {
    await load();
  } catch (error) {
    fill(main, failure(error, start));
    return;
  }
  if (session()) await show();
  else signInView(main, show);
}

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
document.addEventListener('session', () => drawBar(views.find((one) => one.path === place().path[0])));
window.addEventListener('hashchange', show);
start();
