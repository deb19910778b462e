// SPDX-License-Identifier: Apache-2.0
// Who is signed in. The session itself is a cookie that scripts cannot read; here is what the gateway says about it.
import { call, isSignedOut, onConfirmationNeeded, onSessionChanged, onSessionLost, setCsrfToken } from './api.js';
import { ask, field } from './dialog.js';
import { fill, h, quoted } from './dom.js';

/** Whether a session may be there; without it, a first visit asks nothing that can only be refused. It is no secret. */
const MARK = 'postern-signed-in';

let current = null;
let asking = null;

export const session = () => current;
export const isAdmin = () => current?.role === 'admin';

function take(answer) {
  current = answer;
  setCsrfToken(answer?.csrf_token);
  mark(answer !== null);
}

function mark(signedIn) {
  try {
    if (signedIn) localStorage.setItem(MARK, '1');
    else localStorage.removeItem(MARK);
  } catch {
    // A browser that stores nothing: each visit begins with signing in.
  }
}

function marked() {
  try {
    return localStorage.getItem(MARK) !== null;
  } catch {
    return false;
  }
}

/** Finds out whether somebody is signed in. */
export async function load() {
  if (!marked()) return null;
  try {
    take((await call('GET', '/session', { signingIn: true })).json);
  } catch (error) {
    if (!isSignedOut(error) && error.status !== 404) throw error; // 404: known by a certificate, without a session
    take(null);
  }
  return current;
}

async function open(token) {
  take((await call('POST', '/session', { body: { token: token.trim() }, signingIn: true })).json);
}

export async function signOut() {
  try {
    await call('DELETE', '/session', { signingIn: true });
  } catch (error) {
    if (!isSignedOut(error)) throw error; // else it was over already
  }
  take(null);
}

const tokenInput = () => h('input', { type: 'password', autocomplete: 'current-password', required: true, spellcheck: 'false', autocapitalize: 'none', maxlength: '128' });

/** The session ended while somebody was at work: a new one, in front of what they are doing. */
onSessionLost(() => {
  asking ??= (async () => {
    const before = current?.name;
    const token = tokenInput();
    const done = await ask('Sign in again', [h('p', {}, before ? ['The session of ', quoted(before), ' has ended. Sign in to continue where you were.'] : 'Your session has ended.'), field('token', 'Admin token', token)],
      { action: 'Sign in', send: async () => { await open(token.value); return true; } });
    if (!done) {
      location.reload();
      throw new Error('Signed out.');
    }
    document.dispatchEvent(new CustomEvent('session'));
  })().finally(() => (asking = null));
  return asking;
});

onSessionChanged(async () => {
  take((await call('GET', '/session')).json);
  document.dispatchEvent(new CustomEvent('session'));
});

/** What decides who may come in is changed only by who shows the token again. */
onConfirmationNeeded(async () => {
  const token = tokenInput();
  const send = async () => {
    try {
      take((await call('POST', '/session/confirm', { body: { token: token.value.trim() }, signingIn: true })).json);
    } catch (error) {
      throw error.status === 401 ? new Error('This token is wrong, expired or revoked.') : error;
    }
    return true;
  };
  const done = await ask('Confirm it’s you', [h('p', {}, 'Enter your admin token again to manage access. You will not be asked again for five minutes.'), field('token', 'Admin token', token)], { action: 'Confirm', send });
  if (!done) throw new Error('Nothing was changed: your token was not confirmed.');
});

export function signInView(main, onDone) {
  const token = tokenInput();
  const errors = h('div', { role: 'alert' });
  const button = h('button', { type: 'submit', class: 'primary' }, 'Sign in');
  const form = h('form', { class: 'form', method: 'post', novalidate: true },
    field('token', 'Admin token', token, ['The first token is in the file ', h('code', {}, 'admin.token'), ' in the gateway’s data directory. ', h('code', {}, 'postern admin-token create'), ' creates more.']), errors, button);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      if (token.value.trim() === '') throw new Error('Enter an admin token.');
      await open(token.value);
      onDone();
    } catch (error) {
      fill(errors, h('div', { class: 'message danger' }, h('div', {}, error.status === 401 ? 'This token is wrong, expired or revoked.' : error.message)));
      token.setAttribute('aria-invalid', 'true');
      token.focus();
    }
    button.disabled = false;
  });
  fill(main, h('div', { class: 'sign-in' }, h('h1', { class: 'brand', tabindex: '-1' }, h('img', { src: '/assets/postern.svg', alt: '' }), 'Postern'), h('div', { class: 'card' }, form)));
  document.title = 'Sign in · Postern';
  token.focus();
}
