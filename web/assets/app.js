// SPDX-License-Identifier: Apache-2.0
// The frame: who is signed in, which view is shown, and the way from one to the other. A view is a function
// (main, {path, query, state, signal, remember, again}); `signal` is aborted when the person moves on, `state` is what
// the view remembered beside the address when the person was at this place of the history before.
import { accessView } from './access.js';
import { auditView } from './audit.js';
import { failure, fill, h, named } from './dom.js';
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

const SCROLL_SETTLE_MS = 150;

const main = document.getElementById('main');
const bar = document.getElementById('bar');
let leaving = new AbortController();
let shown;

/** An address that somebody has typed may have a % that stands for nothing. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function place() {
  const [where, ...search] = location.hash.replace(/^#\/?/, '').split('?');
  const path = where.split('/').map(decoded).filter(Boolean);
  return { path: path.length > 0 ? path : ['keys'], query: Object.fromEntries(new URLSearchParams(search.join('?'))), state: history.state ?? {} };
}

/** Keeps what a view shows in the address, and `state` beside it, without a new entry in the history. */
function remember(query, state = {}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== ''));
  const path = place().path.map(encodeURIComponent).join('/');
  history.replaceState({ ...state, scroll: scrollY }, '', `#/${path}${search.size > 0 ? `?${search}` : ''}`);
}

/** Keeps how far down the person is, for when they come back. */
function rememberScroll() {
  clearTimeout(rememberScroll.timer);
  rememberScroll.timer = setTimeout(() => history.replaceState({ ...history.state, scroll: scrollY }, ''), SCROLL_SETTLE_MS);
}

/** What the person has in their hands, by its words: a view drawn anew has another element for it. */
const wordsOf = (element) => element?.getAttribute('aria-label') ?? element?.textContent;
const buttonNamed = (words) => [...main.querySelectorAll('button, summary')].find((button) => wordsOf(button) === words);

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
    h('div', { class: 'who small' }, h('span', { title: `${who.name}, ${who.role}` }, named(who.name), who.role === 'viewer' ? ' (viewer)' : null), h('button', { type: 'button', class: 'small', onclick: leave }, 'Sign out')));
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
  clearTimeout(rememberScroll.timer);
  const held = main.contains(document.activeElement) ? wordsOf(document.activeElement) : undefined;
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
  const begin = main.querySelector('h1') ?? main;
  if (shown === here && lost) (buttonNamed(held) ?? begin).focus();
  else if (shown !== undefined && shown !== here && !main.contains(document.activeElement)) begin.focus({ preventScroll: true });
  if (shown !== here) scrollTo(0, at.state.scroll ?? 0);
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
window.addEventListener('scroll', rememberScroll, { passive: true });
history.scrollRestoration = 'manual';
start();
