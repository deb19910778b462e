// SPDX-License-Identifier: Apache-2.0
// The fields of a key, for creating and for editing one.
import { field, select } from './dialog.js';
import { h } from './dom.js';
import { fromInput, toInput } from './format.js';

const words = (text) => text.split(/[\s,]+/).filter(Boolean);
const wholeNumber = (input) => (input.value.trim() === '' ? null : Number(input.value));

function scopeRow(scope = { path: '' }) {
  const methods = h('input', { value: (scope.methods ?? []).join(', '), placeholder: 'every method', 'aria-label': 'Methods of this scope', spellcheck: 'false' });
  const path = h('input', { value: scope.path, placeholder: '/language', 'aria-label': 'Path prefix of this scope', spellcheck: 'false' });
  const element = h('div', { class: 'scope' }, methods, path, h('button', { type: 'button', class: 'small', onclick: () => element.remove() }, 'Remove'));
  const read = () => {
    const list = words(methods.value.toUpperCase());
    return { ...(list.length > 0 ? { methods: list } : {}), path: path.value.trim() };
  };
  return Object.assign(element, { read, isEmpty: () => methods.value.trim() === '' && path.value.trim() === '' });
}

function scopesField(scopes) {
  const list = h('div', {}, scopes.map(scopeRow));
  const add = () => {
    const line = scopeRow();
    list.append(line);
    line.querySelector('input').focus();
  };
  const element = h('fieldset', { class: 'field', 'data-field': 'scopes' }, h('legend', {}, 'Allowed paths and methods'),
    h('p', { class: 'hint' }, 'Methods and a path prefix. Without a scope, everything is allowed.'), list,
    h('div', {}, h('button', { type: 'button', class: 'small', onclick: add }, 'Add a scope')));
  return { element, value: () => [...list.children].filter((line) => !line.isEmpty()).map((line) => line.read()) };
}

function limitsField(limits) {
  const rate = h('input', { type: 'number', min: '1', value: limits.rate?.requests ?? '' });
  const seconds = h('input', { type: 'number', min: '1', value: limits.rate?.per_seconds ?? '' });
  const concurrency = h('input', { type: 'number', min: '1', value: limits.concurrency ?? '' });
  const quota = h('input', { type: 'number', min: '1', value: limits.quota?.requests ?? '' });
  const per = select([['day', 'day'], ['month', 'month']], limits.quota?.per ?? 'day');
  const element = h('fieldset', { class: 'form', 'data-field': 'limits' }, h('legend', {}, 'Rate limit and quota'), h('p', { class: 'hint' }, 'Stored and shown, but not enforced yet.'),
    h('div', { class: 'pair' }, field('limits.rate', 'Rate limit: requests', rate), field('limits.rate.per_seconds', 'per seconds', seconds)),
    h('div', { class: 'pair' }, field('limits.quota', 'Quota: requests', quota), field('limits.quota.per', 'per', per)),
    field('limits.concurrency', 'Concurrency: requests at once', concurrency));
  /** What would be refused in words that are for programs. */
  const check = () => {
    const whole = (input) => input.value === '' ? !input.validity.badInput : Number.isSafeInteger(Number(input.value)) && Number(input.value) >= 1;
    const broken = Object.entries({ 'limits.rate': rate, 'limits.rate.per_seconds': seconds, 'limits.quota': quota, 'limits.concurrency': concurrency })
      .filter(([, input]) => !whole(input)).map(([name]) => ({ field: name, rule: 'Enter a whole number from 1 up, or leave it empty.' }));
    if (broken.length > 0 || (rate.value === '') === (seconds.value === '')) return broken;
    return [rate.value === '' ? { field: 'limits.rate', rule: 'Enter the number of requests.' } : { field: 'limits.rate.per_seconds', rule: 'Enter the number of seconds.' }];
  };
  const value = () => ({
    rate: wholeNumber(rate) === null && wholeNumber(seconds) === null ? null : { requests: wholeNumber(rate), per_seconds: wholeNumber(seconds) },
    concurrency: wholeNumber(concurrency),
    quota: wholeNumber(quota) === null ? null : { requests: wholeNumber(quota), per: per.value },
  });
  return { element, value, check };
}

/** {element, value()}; value() throws what is wrong with the fields, as a request would. `key` is what is edited, or nothing. */
export function keyForm(key = { name: '', note: '', tags: [], scopes: [], networks: [], limits: {} }) {
  const name = h('input', { value: key.name, dir: 'auto', required: true, maxlength: '100', autocomplete: 'off' });
  const note = h('textarea', { maxlength: '1000', rows: '2', dir: 'auto' }, key.note);
  const tags = h('input', { value: key.tags.join(', '), autocomplete: 'off' });
  const expires = h('input', { type: 'datetime-local', value: toInput(key.expires) });
  const notBefore = h('input', { type: 'datetime-local', value: toInput(key.not_before) });
  const networks = h('textarea', { rows: '2', spellcheck: 'false', placeholder: '10.0.0.0/8' }, key.networks.join('\n'));
  const scopes = scopesField(key.scopes);
  const limits = limitsField(key.limits);
  const restricted = key.scopes.length > 0 || key.networks.length > 0 || Object.values(key.limits).some((limit) => limit !== null);
  const element = h('div', { class: 'form' },
    field('name', 'Name', name, 'A name people will recognise: the team or app this key is for.'),
    field('note', 'Note', note),
    field('tags', 'Tags', tags, 'Comma-separated.'),
    h('div', { class: 'pair' }, field('expires', 'Expires', expires, 'Local time; leave empty for no expiry.'), field('not_before', 'Valid from', notBefore, 'Local time; leave empty to start immediately.')),
    h('details', { open: restricted }, h('summary', {}, 'Restrictions'),
      h('div', { class: 'form' }, scopes.element, field('networks', 'Allowed client networks', networks, 'Addresses or networks, one per line; leave empty for anywhere.'), limits.element)));
  const moment = (input, before) => (input.value === toInput(before) ? before ?? null : fromInput(input.value));
  const check = () => {
    const details = limits.check();
    if (details.length > 0) throw Object.assign(new Error('Please correct the highlighted fields.'), { status: 422, details });
  };
  const value = () => check() ?? ({
    name: name.value.trim(), note: note.value.replace(/\s*\n\s*/g, ' ').trim(), tags: tags.value.split(',').map((tag) => tag.trim()).filter(Boolean),
    expires: moment(expires, key.expires), not_before: moment(notBefore, key.not_before),
    scopes: scopes.value(), networks: words(networks.value), limits: limits.value(),
  });
  return { element, value };
}

/** What of `value` is not as it was in `key`. */
export function changes(key, value) {
  const plain = (v) => JSON.stringify(v ?? null);
  const limits = (l) => plain([l.rate ?? null, l.concurrency ?? null, l.quota ?? null]);
  return Object.fromEntries(Object.entries(value).filter(([name, now]) => (name === 'limits' ? limits(now) !== limits(key.limits) : plain(now) !== plain(key[name]))));
}

/** Leaves out what says nothing, so that a new key is told only what was filled in. */
export function filledIn(value) {
  const empty = (v) => v === null || v === '' || (Array.isArray(v) && v.length === 0) || (typeof v === 'object' && !Array.isArray(v) && Object.values(v).every(empty));
  return Object.fromEntries(Object.entries(value).filter(([name, v]) => name === 'name' || !empty(v)));
}
