// SPDX-License-Identifier: Apache-2.0
// Numbers, sizes and times for people. Times are in the reader's zone; the same moment in UTC shows on hover.
import { h } from './dom.js';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const number = (n) => whole.format(n);
/** 12,345 → 12.3K */
export const compact = (n) => (n < 10000 ? whole.format(n) : short.format(n));
export const percent = (part, all) => (all === 0 ? '0 %' : `${((100 * part) / all).toFixed(part === 0 || part === all ? 0 : 1)} %`);
export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

function scaled(value, step, units, digits = 1) {
  let unit = 0;
  while (value >= step && unit < units.length - 1) {
    value /= step;
    unit++;
  }
  return `${value >= 100 ? Math.round(value) : Number(value.toFixed(digits))} ${units[unit]}`;
}

export const bytes = (n) => scaled(n, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);

export function duration(us) {
  if (us < 1000) return `${Math.round(us)} µs`;
  return us < 1e6 ? scaled(us / 1000, 1000, ['ms']) : `${Number((us / 1e6).toFixed(us < 1e7 ? 2 : 1))} s`;
}

const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const localDay = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
/** 27 Nov */
export const shortDay = (date, utc) => (utc ? day : localDay).format(date);

const pad = (n) => String(n).padStart(2, '0');
export const dayText = (d) => `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
export const clockText = (d, seconds = false) => `${pad(d.getHours())}:${pad(d.getMinutes())}${seconds ? `:${pad(d.getSeconds())}` : ''}`;
const localText = (d, seconds) => `${dayText(d)} ${clockText(d, seconds)}`;
export const utcText = (d) => `${d.toISOString().slice(0, 19).replace('T', ' ')} UTC`;

const steps = [[60, 'second'], [60, 'minute'], [24, 'hour'], [30.44, 'day'], [12, 'month'], [Infinity, 'year']];

/** "in 3 days", "2 minutes ago" */
export function relativeText(date, now = Date.now()) {
  let value = Math.abs(date - now) / 1000;
  if (value < 5) return 'now';
  let unit = 'second';
  for (const [size, name] of steps) {
    unit = name;
    if (value < size) break;
    value /= size;
  }
  const text = plural(unit === 'month' || unit === 'year' ? Math.round(value) : Math.floor(value), unit);
  return date > now ? `in ${text}` : `${text} ago`;
}

/** A moment as an element; null stands for `never`. */
export function time(text, { relative = false, seconds = false, never = 'never' } = {}) {
  if (!text) return h('span', { class: 'muted' }, never);
  const date = new Date(text);
  const title = relative ? `${localText(date)} here, ${utcText(date)}` : utcText(date);
  return h('time', { datetime: text, title }, relative ? relativeText(date) : localText(date, seconds));
}

/** How long something has been running. */
export function span(seconds) {
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const from = parts.findIndex(([size]) => seconds >= size);
  if (from < 0) return '0 s';
  return parts.slice(from, from + 2).map(([size, unit], i) => `${Math.floor((i === 0 ? seconds : seconds % parts[from][0]) / size)} ${unit}`).join(' ');
}

/** For <input type=datetime-local>, and back. */
export const toInput = (text) => (text ? localText(new Date(text)).replace(' ', 'T') : '');
export const fromInput = (value) => (value === '' ? null : new Date(value).toISOString().replace(/\.\d+Z$/, 'Z'));
