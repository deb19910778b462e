// SPDX-License-Identifier: Apache-2.0
// Who may come in here: the sessions that are open, and the admin tokens.
import { call, get } from './api.js';
import { ask, choice, field, show } from './dialog.js';
import { actionButton, badge, cell, copyButton, failure, fill, h, heading, loading, message, named, notify, quoted, row, table } from './dom.js';
import { fromInput, time } from './format.js';
import { isAdmin, session } from './session.js';

function sessionRow(one, again) {
  const end = one.current ? badge('ok', 'This session') : isAdmin() ? actionButton('End', { class: 'small danger', 'aria-label': `End the session of ${one.name} from ${one.address}` }, async () => {
    await call('DELETE', `/sessions/${encodeURIComponent(one.id)}`);
    notify(`The session of ${one.name} has ended.`);
    again();
  }) : null;
  return row(heading(named(one.name)), cell('Role', one.role), cell('From', h('code', {}, one.address)), cell('Started', time(one.created)),
    cell('Last used', time(one.last_used, { relative: true })), cell('Ends by', time(one.expires)), cell('', end));
}

function sessionsTable(items, again) {
  const columns = [{ label: 'Token' }, { label: 'Role' }, { label: 'From' }, { label: 'Started' }, { label: 'Last used' }, { label: 'Ends by' }, { label: 'Action', hidden: true }];
  return h('div', { class: 'table-wrap' }, table({ caption: 'Open sessions', columns, rows: items.map((one) => sessionRow(one, again)) }));
}

function tokenState(token) {
  if (token.revoked) return badge('', 'Revoked');
  return token.expires && new Date(token.expires) <= new Date() ? badge('danger', 'Expired') : badge('ok', 'Valid');
}

function revoke(token) {
  return ask(['Revoke ', quoted(token.name), '?'], h('p', {}, 'Requests with this token get 401 from now on, and the sessions opened with it end.'), {
    action: 'Revoke', danger: true,
    send: async () => {
      await call('DELETE', `/tokens/${encodeURIComponent(token.id)}`);
      return true;
    },
  });
}

function tokenRow(token, again) {
  const end = token.revoked ? null : actionButton('Revoke', { class: 'small danger', 'aria-label': `Revoke ${token.name}` }, async () => (await revoke(token)) && again());
  return row(heading(named(token.name)), cell('Role', token.role), cell('State', tokenState(token)), cell('Created', time(token.created)),
    cell('Last used', time(token.last_used, { relative: true })), cell('Expires', time(token.expires)), cell('', end));
}

function tokensTable(items, again) {
  const columns = [{ label: 'Name' }, { label: 'Role' }, { label: 'State' }, { label: 'Created' }, { label: 'Last used' }, { label: 'Expires' }, { label: 'Action', hidden: true }];
  return h('div', { class: 'table-wrap' }, table({ caption: 'Admin tokens', columns, rows: items.map((one) => tokenRow(one, again)) }));
}

async function createToken() {
  const name = h('input', { maxlength: '100', autocomplete: 'off' });
  const role = choice('role', 'Role', [['viewer', 'Viewer: read only'], ['admin', 'Admin: read and change']], 'viewer');
  const expires = h('input', { type: 'datetime-local' });
  const made = await ask('Create an admin token', h('div', { class: 'form' }, field('name', 'Name', name, 'The person or program it is for; shown in the audit trail.'), role.element, field('expires', 'Expires', expires, 'Local time; leave empty for no expiry.')), {
    action: 'Create',
    send: async () => (await call('POST', '/tokens', { body: { name: name.value.trim(), role: role.value(), expires: fromInput(expires.value) } })).json,
  });
  if (!made) return false;
  await show(['The token ', quoted(made.name)], [message('warn', [h('strong', {}, 'Copy it now. '), 'It will not be shown again.']),
    h('div', { class: 'secret' }, h('code', {}, made.token), copyButton(() => made.token, 'Copy', 'Copy the token'))], 'I have stored it');
  return true;
}

async function list(place, path, draw, signal) {
  try {
    fill(place, draw((await get(path, {}, signal)).items));
  } catch (error) {
    if (!signal.aborted) fill(place, failure(error, () => list(place, path, draw, signal)));
  }
}

export async function accessView(main, { signal, again }) {
  const sessions = h('div', {}, loading('sessions'));
  const tokens = h('div', {}, loading('tokens'));
  fill(main, h('div', { class: 'head' }, h('h1', { tabindex: '-1' }, 'Access')), h('div', { class: 'stack' },
    h('section', {}, h('div', { class: 'card-head' }, h('h2', {}, 'Sessions')), sessions),
    isAdmin() ? h('section', {}, h('div', { class: 'card-head' }, h('h2', {}, 'Admin tokens'), actionButton('Create token', {}, async () => (await createToken()) && again())), tokens) : null));
  if (!isAdmin()) {
    fill(sessions, sessionsTable([session()], again), h('p', { class: 'muted below' }, 'Viewers see only their own session.'));
    return;
  }
  await Promise.all([list(sessions, '/sessions', (items) => sessionsTable(items, again), signal), list(tokens, '/tokens', (items) => tokensTable(items, again), signal)]);
}
