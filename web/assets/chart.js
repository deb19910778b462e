// SPDX-License-Identifier: Apache-2.0
// Charts over time, drawn in SVG at the size they are shown at. They are read by pointer, by arrow keys, and by
// screen readers, which hear the point that the keys have reached.
import { fill, h, svg } from './dom.js';
import { clockText, dayText, number, plural, shortDay, utcText } from './format.js';

/** In pixels where a rem is 16 of them, as on all but very wide screens; a letter of the axes is LETTER wide. */
const HEIGHT = 208;
const EDGE = { top: 8, right: 8, bottom: 24 };
const LETTER = 7;
const scale = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;

/** The next 1, 2 or 5 times a power of ten. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= value);
}

function gridLines(most, { whole, steps = 4 }) {
  const step = Math.max(roundUp(most / steps), whole ? 1 : 0);
  const lines = [];
  for (let i = 0; i * step < most + step * 0.999; i++) lines.push(i * step);
  return lines;
}

/** What a bar or a point is called: a day is one of UTC. */
const name = (date, bucket) => (bucket === 'day' ? date.toISOString().slice(0, 10) : `${dayText(date)} ${clockText(date)}`);

/** Where the time is written below: at midnights when several days are shown, else at whole hours. `width` is in rems of
 * 16 pixels. */
function timeMarks(times, width, bucket) {
  const days = bucket === 'hour' && times.length > 48;
  const able = times.map((date, i) => ({ i, date })).filter(({ date }) => !days || date.getHours() === 0);
  const every = Math.max(1, Math.ceil(able.length / Math.max(2, Math.floor(width / 72))));
  const text = (date) => (bucket === 'day' || days ? shortDay(date, bucket === 'day') : clockText(date));
  return able.filter((_, n) => n % every === 0).map(({ i, date }) => ({ i, text: text(date) }));
}

function bars(series, x, y, width) {
  return series.map((one, s) => one.values.map((value, i) => {
    if (!value) return null;
    const below = series.slice(0, s).reduce((sum, other) => sum + other.values[i], 0);
    const top = y(below + value);
    return svg('rect', { class: `c${one.colour}`, x: x(i) + width * 0.1, width: Math.max(1, width * 0.8), y: top, height: Math.max(1, y(below) - top), rx: Math.min(2, width / 6) });
  }));
}

/** A line breaks where nothing was measured; a point between two breaks is a dot. */
function lines(series, x, y, width) {
  return series.map((one) => {
    let path = '';
    let open = false;
    const dots = [];
    one.values.forEach((value, i) => {
      if (value === null) {
        open = false;
        return;
      }
      const at = [(x(i) + width / 2).toFixed(1), y(value).toFixed(1)];
      if (!open && (one.values[i + 1] ?? null) === null) dots.push(svg('circle', { class: `c${one.colour}`, cx: at[0], cy: at[1], r: 2.5 }));
      path += `${open ? 'L' : 'M'}${at.join(' ')}`;
      open = true;
    });
    return [svg('path', { class: `l${one.colour}`, d: path || 'M0 0' }), dots];
  });
}

/** The highest of what is shown, for reading without pointing: Highest: 42 (2026-11-27 16:00). */
function highest({ times, bucket, kind, format, series }) {
  const heights = times.map((_, i) => (kind === 'bars' ? series.reduce((sum, s) => sum + s.values[i], 0) : series[0].values[i] ?? 0));
  const most = Math.max(...heights);
  const when = times[heights.indexOf(most)];
  return h('p', { class: 'summary muted' }, most > 0 ? ['Highest: ', format(most), ' (', h('time', { datetime: when.toISOString(), title: utcText(when) }, name(when, bucket)), ')'] : 'No data in this range.');
}

/**
 * {title, times: [Date], bucket: 'hour' | 'day', kind: 'bars' | 'lines', format, series: [{name, colour: 1..3, values}]}
 * Bars are stacked. A value of null is a gap. The axis goes up to `least` where there is nothing that high.
 */
export function timeChart({ title, times, bucket, kind, format, series, least, whole = false }) {
  const readout = h('p', { class: 'readout', 'aria-live': 'polite' });
  const summary = highest({ times, bucket, kind, format, series });
  const picture = svg('svg', { 'aria-hidden': 'true', focusable: 'false' });
  const cursor = svg('rect', { class: 'cursor', visibility: 'hidden' });
  const chart = h('div', { class: 'chart', tabindex: '0', role: 'group', 'aria-label': `${title}, by ${bucket}${bucket === 'day' ? ' of UTC' : ''}. Use the left and right arrow keys to read each ${bucket}.` }, picture);
  const most = Math.max(...times.map((_, i) => (kind === 'bars' ? series.reduce((sum, s) => sum + s.values[i], 0) : Math.max(...series.map((s) => s.values[i] ?? 0)))), least);
  const grid = gridLines(most, { whole });
  const top = grid.at(-1);
  const left = 12 + LETTER * Math.max(4, ...grid.map((value) => format(value).length));
  let step = 1;
  let unit = 1; // pixels of the screen for one of HEIGHT's
  let at = -1;

  const draw = () => {
    unit = scale();
    const width = Math.max(200, chart.clientWidth / unit);
    step = (width - left - EDGE.right) / times.length;
    const x = (i) => left + i * step;
    const y = (value) => EDGE.top + (1 - value / top) * (HEIGHT - EDGE.top - EDGE.bottom);
    picture.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    cursor.setAttribute('y', EDGE.top);
    cursor.setAttribute('height', HEIGHT - EDGE.top - EDGE.bottom);
    fill(picture,
      grid.map((value) => [svg('line', { class: 'grid', x1: left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
        svg('text', { x: left - 8, y: y(value) + 4, 'text-anchor': 'end' }, format(value))]),
      timeMarks(times, width - left, bucket).map(({ i, text }) => svg('text', { x: Math.max(left + 16, Math.min(width - 22, x(i) + step / 2)), y: HEIGHT - 6, 'text-anchor': 'middle' }, text)),
      (kind === 'bars' ? bars : lines)(series, x, y, step), cursor);
    if (at >= 0) read(at);
  };
  const read = (i) => {
    at = Math.max(0, Math.min(times.length - 1, i));
    cursor.setAttribute('x', left + at * step);
    cursor.setAttribute('width', step);
    cursor.setAttribute('visibility', 'visible');
    readout.title = utcText(times[at]);
    readout.textContent = `${name(times[at], bucket)}: ${series.map((s) => `${s.name} ${s.values[at] === null ? 'none' : format(s.values[at])}`).join(', ')}`;
  };
  const leave = () => {
    at = -1;
    cursor.setAttribute('visibility', 'hidden');
    readout.textContent = '';
  };
  const point = (event) => read(Math.floor(((event.clientX - chart.getBoundingClientRect().left) / unit - left) / step));
  chart.addEventListener('pointermove', point);
  chart.addEventListener('pointerdown', point);
  // A finger leaves with every tap; what it has pointed at stays to be read.
  chart.addEventListener('pointerleave', (event) => event.pointerType !== 'touch' && leave());
  chart.addEventListener('blur', leave);
  chart.addEventListener('keydown', (event) => {
    const move = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: times.length - 1 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    read(move);
  });
  new ResizeObserver(draw).observe(chart);
  return h('figure', { class: 'card' }, h('figcaption', { class: 'card-head' }, h('h2', {}, title),
    h('span', { class: 'legend' }, series.map((s) => h('span', {}, h('span', { class: `swatch s${s.colour}` }), s.name)))), chart, readout, summary);
}

/** 24 hours in a table's row: [{requests, errors}] with a value for each hour, oldest first. */
export function sparkline(hours) {
  const total = hours.reduce((sum, hour) => sum + hour.requests, 0);
  const errors = hours.reduce((sum, hour) => sum + hour.errors, 0);
  const most = Math.max(1, ...hours.map((hour) => hour.requests));
  const label = `${plural(total, 'request')} in the last 24 hours${errors > 0 ? `, ${plural(errors, 'error')}` : ''}`;
  const height = (value) => (value === 0 ? 0 : Math.max(1, (value / most) * 25));
  const column = (hour, i) => {
    const failed = height(hour.errors);
    const all = Math.max(failed, height(hour.requests));
    return [all > failed ? svg('rect', { class: 'c1', x: i * 5, width: 4, y: 27 - all, height: all - failed }) : null,
      failed > 0 ? svg('rect', { class: 'c2', x: i * 5, width: 4, y: 27 - failed, height: failed }) : null];
  };
  return h('span', { class: 'spark' }, svg('svg', { role: 'img', 'aria-label': label, viewBox: '0 0 120 28' },
    svg('line', { class: 'floor', x1: 0, x2: 120, y1: 27.5, y2: 27.5 }), hours.map(column)), h('span', { class: 'small', 'aria-hidden': 'true' }, number(total)));
}
