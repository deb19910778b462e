// SPDX-License-Identifier: Apache-2.0
// What has been used: over time, by key, by route, and what went wrong.
import { call, get } from './api.js';
import { timeChart } from './chart.js';
import { field } from './dialog.js';
import { actionButton, failure, fill, h, heading, loading, named, numberCell, row, table } from './dom.js';
import { bytes, compact, dayText, duration, number, percent, plural } from './format.js';
import { keyField } from './key-field.js';
import { learnNames, nameOf } from './key-names.js';
import { moments, period, ranges, requestsChart, sum, usageOver } from './usage-data.js';

const TOP = 25;

const mean = (line) => (line.requests > 0 ? line.duration_us / line.requests : null);

const figure = (label, value, note) => h('div', { class: 'card figure' }, h('div', { class: 'muted' }, label), h('div', { class: 'value' }, value), note ? h('div', { class: 'small muted' }, note) : null);

function figures(points) {
  const requests = sum(points, 'requests');
  const errors = sum(points, 'errors');
  return h('div', { class: 'figures' },
    figure('Requests', compact(requests)),
    figure('Errors', compact(errors), `${percent(errors, requests)} of all`),
    figure('Received', bytes(sum(points, 'bytes_in'))),
    figure('Sent', bytes(sum(points, 'bytes_out'))),
    figure('Mean latency', requests > 0 ? duration(sum(points, 'duration_us') / requests) : '–', requests > 0 ? `maximum ${duration(Math.max(...points.map((p) => p.duration_max_us)))}` : null));
}

function charts(usage) {
  const { times, bucket, points } = usage;
  const over = (title, kind, format, series, least = 4) => timeChart({ title, times, bucket, kind, format, series, least });
  return h('div', { class: 'charts' },
    requestsChart('Requests', usage),
    over('Errors', 'lines', (v) => `${Number(v.toFixed(1))} %`, [{ name: 'error rate', colour: 2, values: points.map((p) => (p.requests > 0 ? (100 * p.errors) / p.requests : null)) }], 1),
    over('Bytes', 'bars', bytes, [{ name: 'received', colour: 3, values: points.map((p) => p.bytes_in) }, { name: 'sent', colour: 1, values: points.map((p) => p.bytes_out) }]),
    over('Latency', 'lines', duration, [{ name: 'mean', colour: 1, values: points.map(mean) }, { name: 'mean time to first byte', colour: 3, values: points.map((p) => (p.requests > 0 ? p.ttfb_us / p.requests : null)) }]));
}

function breakdown(title, lines, what) {
  const most = Math.max(1, ...lines.map((line) => line.requests));
  const bar = (line) => {
    const meter = h('span', {});
    meter.style.width = `${(100 * line.requests) / most}%`;
    return h('span', { class: 'meter', 'aria-hidden': 'true' }, meter);
  };
  const rows = lines.map((line) => row(heading(what(line), bar(line)), numberCell('Requests', number(line.requests)),
    numberCell('Errors', line.errors > 0 ? `${number(line.errors)} (${percent(line.errors, line.requests)})` : '0'),
    numberCell('Received', bytes(line.bytes_in)), numberCell('Sent', bytes(line.bytes_out)), numberCell('Mean latency', line.requests > 0 ? duration(mean(line)) : '–')));
  const columns = [{ label: title }, ...['Requests', 'Errors', 'Received', 'Sent', 'Mean latency'].map((label) => ({ label, class: 'number' }))];
  return h('section', { class: 'table-wrap sums' }, table({ caption: `Usage by ${title.toLowerCase()}`, columns, rows }));
}

function keyName({ key }) {
  if (!key) return h('span', { class: 'muted' }, 'without a key');
  const name = nameOf(key);
  return name === null ? h('span', {}, h('code', {}, key), h('span', { class: 'muted' }, ' (deleted)')) : h('a', { href: `#/keys/${encodeURIComponent(key)}` }, named(name));
}

const breakdowns = [
  { by: 'key', title: 'Key', loads: 'keys', what: keyName },
  { by: 'route', title: 'Route', loads: 'routes', what: ({ route }) => h('code', {}, route || 'unknown') },
  // Requests that ended without an error are no line of this one.
  { by: 'error', title: 'Error', loads: 'errors', what: ({ error }) => h('code', {}, error), has: ({ error }) => error !== '', none: 'No request ended with an error of the gateway.' },
];

/** The sums by key, route or error, of those with the most requests: there may be ten thousand. */
async function fillBreakdown(place, which, { span, filter, signal }) {
  const { by, title, what, has, none } = which;
  try {
    // One more than is shown tells whether there are more; and one may be left out.
    const { items: all } = await get('/usage', { by, ...filter, ...period(span), limit: TOP + (has ? 2 : 1) }, signal);
    const items = has ? all.filter(has) : all;
    const lines = items.slice(0, TOP);
    if (by === 'key') await learnNames(lines.map((line) => line.key), signal);
    place.className = '';
    fill(place, lines.length === 0 && none ? h('p', { class: 'muted' }, none) : breakdown(title, lines, what),
      items.length > TOP ? h('p', { class: 'muted small below' }, `Top ${TOP} by requests; the CSV has all of them.`) : null);
  } catch (error) {
    if (!signal.aborted) fill(place, failure(error, () => fillBreakdown(place, which, { span, filter, signal })));
  }
}

/** Fetched and saved here, so that a session that has ended asks to sign in and no error page is saved. */
async function download(span, filter) {
  const by = `key,route,${span.bucket}`;
  const answer = await call('GET', '/usage', { query: { by, ...filter, ...period(span), format: 'csv' }, raw: true });
  const url = URL.createObjectURL(await answer.blob());
  h('a', { href: url, download: `usage-${dayText(new Date(span.from))}-to-${dayText(new Date(span.to))}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

class UsageView {
  constructor(main, at) {
    Object.assign(this, { at, signal: at.signal });
    this.query = { range: '7d', key: '', route: '', ...at.query };
    this.body = h('div', { class: 'stack' });
    this.status = h('span', { class: 'muted', role: 'status' });
    this.buttons = h('div', { class: 'segments', role: 'group', 'aria-label': 'Range' });
    fill(main,
      h('div', { class: 'head' }, h('div', {}, h('h1', { tabindex: '-1' }, 'Usage'), this.status),
        actionButton('Download CSV', {}, () => download(moments(this.query.range), this.filter()))),
      h('form', { class: 'filters', onsubmit: (event) => event.preventDefault() },
        h('div', { class: 'field' }, h('span', { class: 'label', 'aria-hidden': 'true' }, 'Range'), this.buttons), ...this.days(), keyField(this.query.key, (key) => this.change({ key }), this.signal), this.routeField()),
      this.body);
  }

  days() {
    const [first = '', last = ''] = this.query.range.includes('..') ? this.query.range.split('..') : [];
    const [from, to] = [first, last].map((value) => h('input', { type: 'date', value, max: dayText(new Date()) }));
    const changed = () => from.value && to.value && this.change({ range: `${from.value}..${to.value}` });
    for (const input of [from, to]) input.addEventListener('change', changed);
    this.clearDays = () => (from.value = to.value = '');
    return [field('from', 'From day (UTC)', from), field('to', 'To day (UTC)', to)];
  }

  routeField() {
    const input = h('input', { value: this.query.route, placeholder: 'All routes', autocomplete: 'off', spellcheck: 'false' });
    input.addEventListener('change', () => this.change({ route: input.value.trim() }));
    return field('route', 'Route', input);
  }

  filter() {
    return { key: this.query.key, route: this.query.route };
  }

  change(part) {
    if (part.range && !part.range.includes('..')) this.clearDays();
    Object.assign(this.query, part);
    this.at.remember(this.query);
    this.load();
  }

  drawButtons() {
    const focused = this.buttons.contains(document.activeElement) ? document.activeElement.dataset.range : undefined;
    fill(this.buttons, ranges.map(([name, label]) => h('button', { type: 'button', 'data-range': name, 'aria-pressed': String(this.query.range === name), onclick: () => this.change({ range: name }) }, label)));
    if (focused) this.buttons.querySelector(`[data-range="${focused}"]`)?.focus();
  }

  async load() {
    this.drawButtons();
    this.loading?.abort();
    this.loading = new AbortController();
    const signal = AbortSignal.any([this.signal, this.loading.signal]);
    if (!this.body.hasChildNodes()) fill(this.body, loading('usage'));
    this.body.setAttribute('aria-busy', 'true');
    try {
      const span = moments(this.query.range);
      const usage = await usageOver(this.query.range, this.filter(), signal);
      this.draw(usage, { span, filter: this.filter(), signal });
    } catch (error) {
      // Of a range that is none there is nothing to try again.
      if (!signal.aborted) fill(this.body, failure(error, error.status === undefined ? undefined : () => this.load()));
    }
    if (!signal.aborted) this.body.removeAttribute('aria-busy');
  }

  draw(usage, of) {
    const requests = sum(usage.points, 'requests');
    this.status.textContent = plural(requests, 'request');
    if (requests === 0) {
      fill(this.body, figures(usage.points), h('div', { class: 'card empty' }, h('h2', {}, 'No requests in this range'), h('p', {}, 'Choose a longer range, or send a request through the gateway; it appears here within a few seconds.')));
      return;
    }
    const places = breakdowns.map(({ loads }) => h('div', { class: 'card' }, loading(loads)));
    const tables = h('div', { class: 'breakdowns', 'aria-busy': 'true' }, places);
    fill(this.body, figures(usage.points), charts(usage), tables);
    // After what is over time, which is soon had: these are sums over every key, route and error of the range.
    Promise.all(places.map((place, i) => fillBreakdown(place, breakdowns[i], of))).then(() => tables.removeAttribute('aria-busy'));
  }
}

export async function usageView(main, at) {
  await new UsageView(main, at).load();
}
