// SPDX-License-Identifier: Apache-2.0
// What is known of the container: what the forwarded requests showed, and no more. The gateway does not probe it.
import { badge, facts, h } from './dom.js';
import { clockText, dayText, plural, time } from './format.js';

/** A response older than this says little about now. */
const RECENT_MS = 60e3;

/** The gateway's clock, which the reader's may differ from. */
const gatewayNow = (status) => new Date(status.started).getTime() + status.uptime_seconds * 1000;

const isRecent = (status) => status.upstream.state === 'up' && gatewayNow(status) - new Date(status.upstream.last_request) < RECENT_MS;

/** "17:05", or with its day when that is another. */
function moment(text) {
  const date = new Date(text);
  return dayText(date) === dayText(new Date()) ? clockText(date) : `${dayText(date)} ${clockText(date)}`;
}

function stateBadge(status) {
  switch (status.upstream.state) {
    case 'down': return badge('danger', 'Not responding');
    case 'up': return isRecent(status) ? badge('ok', 'Responding') : badge('', `Not asked since ${moment(status.upstream.last_request)}`);
    default: return badge('', 'Not asked since the start');
  }
}

const gradeBadges = { serves: 'ok', unsure: 'warn', refuses: 'danger' };

function apiStatus({ api_status: api }) {
  if (!api) return ['API status', h('span', { class: 'muted' }, 'unknown: no GET /status was forwarded')];
  return ['API status', badge(gradeBadges[api.grade], api.value), ' seen ', time(api.seen, { relative: true })];
}

/** What needs somebody's attention; null or false: nothing. */
export function containerTroubles({ upstream }) {
  const { outage, failure, api_status: api } = upstream;
  return [
    outage && `The container does not respond: ${failure.reason}. ${plural(outage.failed_requests, 'request')} failed since ${moment(outage.since)}.`,
    api && api.grade !== 'serves' && `At ${moment(api.seen)} the container’s API status was ${api.value}: ${api.meaning}.`,
  ];
}

/** What can be said when nothing is wrong: [whether all is known to be well, sentence]. */
export function containerKnown(status) {
  const { upstream } = status;
  if (upstream.state === 'unknown') return [false, 'The container has not been asked since the start, so its state is not known.'];
  if (!isRecent(status)) return [false, `The container responded at ${moment(upstream.last_answer)} and has not been asked since ${moment(upstream.last_request)}.`];
  if (!upstream.api_status) return [false, 'The container responds. Its API status is unknown; run postern doctor to check it.'];
  return [true, 'The container responds, and its subscription is valid.'];
}

/** Rows of its card. */
export function containerFacts(status) {
  const { upstream } = status;
  const seen = (when) => time(when, { relative: true, never: 'none since the start' });
  return facts([['Address', h('code', {}, upstream.url)], ['State', stateBadge(status)], ['Last request', seen(upstream.last_request)], ['Last response', seen(upstream.last_answer)],
    upstream.failure ? ['Last failure', seen(upstream.last_failure), `: ${upstream.failure.reason}`] : null, apiStatus(upstream)]);
}
