// SPDX-License-Identifier: Apache-2.0
// Usage over time, in hours or in days (of UTC, as the gateway sums them).
import { get } from './api.js';
import { timeChart } from './chart.js';
import { compact } from './format.js';

const HOUR_MS = 3600e3;
const DAY_MS = 86400e3;
/** Up to here, hours are drawn. */
const HOURS_MAX_MS = 8 * DAY_MS;

export const ranges = [['24h', '24 hours', DAY_MS], ['7d', '7 days', 7 * DAY_MS], ['30d', '30 days', 30 * DAY_MS], ['90d', '90 days', 90 * DAY_MS]];

/** A range's name, or 'YYYY-MM-DD..YYYY-MM-DD' (both days included), as {from, to, bucket, step}, in ms. */
export function moments(range, now = Date.now()) {
  const named = ranges.find(([name]) => name === range);
  const given = /^(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)$/.exec(range);
  const [start, end] = given ? [Date.parse(given[1]), Math.min(Date.parse(given[2]) + DAY_MS, now)] : [now - (named ?? ranges[1])[2], now];
  if (!(start < end)) throw new Error('The first day must not be after the last day or in the future.');
  const bucket = end - start <= HOURS_MAX_MS ? 'hour' : 'day';
  const step = bucket === 'hour' ? HOUR_MS : DAY_MS;
  const from = given ? start : Math.floor(start / step) * step + step;
  return { from, to: end, bucket, step };
}

export const period = ({ from, to }) => ({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });

const nothing = () => ({ requests: 0, errors: 0, bytes_in: 0, bytes_out: 0, duration_us: 0, duration_max_us: 0, ttfb_us: 0 });

/** {times, bucket, points}: a point for each hour or day, also for those without a request. */
export async function usageOver(range, filter, signal) {
  const span = moments(range);
  const { items } = await get('/usage', { by: span.bucket, ...filter, ...period(span) }, signal);
  const points = Array.from({ length: Math.ceil((span.to - span.from) / span.step) }, nothing);
  for (const item of items) {
    const at = Math.floor((new Date(item[span.bucket]) - span.from) / span.step);
    if (points[at]) points[at] = item;
  }
  return { ...span, points, times: points.map((_, i) => new Date(span.from + i * span.step)) };
}

export const sum = (points, name) => points.reduce((total, point) => total + point[name], 0);

export function requestsChart(title, { times, bucket, points }) {
  return timeChart({
    title, times, bucket, kind: 'bars', format: compact, whole: true, least: 4,
    series: [{ name: 'errors', colour: 2, values: points.map((p) => p.errors) }, { name: 'successful', colour: 1, values: points.map((p) => p.requests - p.errors) }],
  });
}
