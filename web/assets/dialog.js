// SPDX-License-Identifier: Apache-2.0
// Dialogs. Focus goes in, stays in, and comes back to what opened it; a form stays as it was filled until its request
// has succeeded.
import { fill, h, newId } from './dom.js';

function place(dialog, title) {
  const back = document.activeElement;
  dialog.setAttribute('aria-labelledby', title.id);
  dialog.addEventListener('close', () => {
    dialog.remove();
    if (back?.isConnected) back.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}

const heading = (...content) => h('h2', { id: newId('title'), tabindex: '-1' }, content);
const notices = () => h('div', { class: 'notices', role: 'status', 'aria-live': 'polite' });

/** Has Escape do nothing while `held()`. */
function holdOpen(dialog, held) {
  dialog.addEventListener('cancel', (event) => held() && event.preventDefault());
  // A browser lets the second Escape through whatever `cancel` was told.
  dialog.addEventListener('keydown', (event) => event.key === 'Escape' && held() && event.preventDefault());
}

const stay = (event) => event.preventDefault();

/** Shows something with one way out. Escape does not close it, and the browser asks before it leaves the page: what is
 * in there is not shown again. */
export function show(title, content, done = 'Done') {
  return new Promise((resolve) => {
    const head = heading(title);
    const dialog = h('dialog', {}, h('div', { class: 'inner' }, head, content,
      h('div', { class: 'buttons' }, h('button', { type: 'button', class: 'primary', onclick: () => dialog.close() }, done))), notices());
    holdOpen(dialog, () => true);
    window.addEventListener('beforeunload', stay);
    dialog.addEventListener('close', () => {
      window.removeEventListener('beforeunload', stay);
      resolve();
    });
    place(dialog, head);
    head.focus();
  });
}

/** Under the form's fields, what the server says about them; true when every word of it found its field. */
function showBroken(form, error) {
  const strays = [];
  for (const { field, rule } of error.details ?? []) {
    const top = field.split(/[.[]/)[0];
    const place = form.querySelector(`[data-field="${CSS.escape(field)}"]`) ?? form.querySelector(`[data-field="${CSS.escape(top)}"]`);
    const control = place?.querySelector('input, select, textarea');
    if (!control) {
      strays.push(`${field}: ${rule}`);
      continue;
    }
    place.closest('details')?.setAttribute('open', '');
    const id = newId('broken');
    place.append(h('p', { class: 'broken', id }, rule));
    control.setAttribute('aria-invalid', 'true');
    control.setAttribute('aria-describedby', [control.getAttribute('aria-describedby'), id].filter(Boolean).join(' '));
  }
  return strays;
}

function clearBroken(form) {
  for (const text of form.querySelectorAll('.broken')) text.remove();
  for (const control of form.querySelectorAll('[aria-invalid]')) {
    control.removeAttribute('aria-invalid');
    const hint = control.closest('[data-field]')?.querySelector('.hint');
    if (hint?.id) control.setAttribute('aria-describedby', hint.id);
    else control.removeAttribute('aria-describedby');
  }
}

/** Tells what went wrong, in the form, and leads to it. `remedy(error)` may give elements that help. */
function showFailure(form, place, error, remedy) {
  const strays = showBroken(form, error);
  const first = form.querySelector('[aria-invalid]');
  const marked = first && strays.length === 0 && error.status === 422;
  fill(place, h('div', { class: 'message danger' }, h('div', {},
    h('strong', {}, marked ? 'Please correct the highlighted fields.' : error.message), strays.map((text) => h('p', {}, text)),
    error.requestId ? h('p', { class: 'small muted' }, `Request ${error.requestId}`) : null), remedy?.(error)));
  if (first) first.focus();
  else place.scrollIntoView({ block: 'nearest' });
}

/**
 * A form that sends something. `send()` does it and may throw; the dialog closes when it has succeeded and `ask`
 * resolves with its result, or with undefined when the person gave up. `remedy(error, run, close)` may give elements
 * that help: `run(f)` sends in another way, `close()` gives up.
 */
export function ask(title, content, { action, danger = false, narrow = true, send, remedy, cancel = 'Cancel', focus }) {
  return new Promise((resolve) => {
    const head = heading(title);
    const errors = h('div', { role: 'alert' });
    const submit = h('button', { type: 'submit', class: danger ? 'danger primary' : 'primary' }, action);
    const giveUp = h('button', { type: 'button', onclick: () => !sending && dialog.close() }, cancel);
    const form = h('form', { novalidate: true }, head, content, errors, h('div', { class: 'buttons' }, giveUp, submit));
    const dialog = h('dialog', { class: narrow ? 'narrow' : undefined }, form, notices());
    let result;
    // While it is on its way nobody can give up: it may be done already. The buttons keep the focus, which disabled
    // ones would lose.
    let sending = false;
    const run = async (how) => {
      if (sending) return;
      sending = true;
      submit.setAttribute('aria-busy', 'true');
      for (const button of [submit, giveUp]) button.setAttribute('aria-disabled', 'true');
      fill(errors);
      clearBroken(form);
      try {
        result = await how();
        dialog.close();
      } catch (error) {
        showFailure(form, errors, error, (e) => remedy?.(e, run, () => dialog.close()));
      }
      sending = false;
      submit.removeAttribute('aria-busy');
      for (const button of [submit, giveUp]) button.removeAttribute('aria-disabled');
    };
    holdOpen(dialog, () => sending);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      run(send);
    });
    dialog.addEventListener('close', () => resolve(result));
    place(dialog, head);
    (focus ?? form.querySelector('input, select, textarea') ?? submit).focus();
  });
}

/** A labelled field; `control` is an input, select or textarea. */
export function field(name, label, control, hint) {
  const id = newId(name);
  control.id = id;
  control.name = name;
  if (hint) control.setAttribute('aria-describedby', `${id}-hint`);
  return h('div', { class: 'field', 'data-field': name }, h('label', { for: id }, label), control,
    hint ? h('p', { class: 'hint', id: `${id}-hint` }, hint) : null);
}

/** The field that takes what room there is in a row of filters. */
export function wide(element) {
  element.classList.add('wide');
  return element;
}

/** <select> of [[value, text]…]. */
export function select(options, chosen, properties = {}) {
  return h('select', properties, options.map(([value, text]) => h('option', { value, selected: value === chosen }, text)));
}

/** One of several, as radio buttons: {element, value()}. */
export function choice(name, label, options, chosen) {
  const element = h('fieldset', { 'data-field': name, class: 'field' }, h('legend', {}, label),
    h('div', { class: 'choices' }, options.map(([value, text]) => h('label', {}, h('input', { type: 'radio', name, value, checked: value === chosen }), text))));
  return { element, value: () => element.querySelector(':checked').value };
}
