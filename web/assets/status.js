// SPDX-License-Identifier: Apache-2.0
// How the gateway is. It looks again every few seconds; what changed for the worse is said aloud once.
import { get } from './api.js';
import { containerFacts, containerKnown, containerTroubles } from './container.js';
import { badge, facts, failure, fill, h, loading, refresh } from './dom.js';
import { clockText, number, plural, span, time } from './format.js';

const AGAIN_MS = 5000;

const certificateBadges = { valid: ['ok', 'Valid'], expires_soon: ['warn', 'Expires soon'], not_yet_valid: ['danger', 'Not valid yet'], expired: ['danger', 'Expired'] };
const certificateTroubles = {
  expires_soon: (which) => `${which} expires soon.`,
  not_yet_valid: (which) => `${which} is not valid yet: clients reject it. Check the gateway’s clock.`,
  expired: (which) => `${which} has expired: clients reject it.`,
};
const certificateTrouble = (which, certificate) => certificateTroubles[certificate?.state]?.(which);

/** In all; since the start, where usage.db cannot be read. */
const lostOf = ({ journal }) => journal.lost ?? journal.lost_since_start;

/** What needs somebody's attention, worst first. */
function troubles(status) {
  return [
    status.stores.keys === 'failing' && 'The key database cannot be read. Requests are checked against the keys loaded before.',
    status.stores.usage === 'failing' && 'The usage database cannot be read or written. Requests are served, and their usage waits in the journal.',
    ...containerTroubles(status),
    status.egress?.metering.silent && 'The container has not reached its billing host for a while and stops serving if this continues: see “Outbound traffic (egress)” and run postern doctor.',
    lostOf(status) > 0 && `The usage of ${plural(lostOf(status), 'request')} was lost.`,
    status.journal.unreadable > 0 && `${plural(status.journal.unreadable, 'journal')} of an earlier run could not be read, and its requests are not counted; see the log.`,
    certificateTrouble('The certificate', status.certificate),
    certificateTrouble('The certificate of this page', status.admin_certificate),
  ].filter(Boolean);
}

/** “All is well” is said only when it is known. */
const allRight = (well, known) => h('div', { class: `message${well ? ' ok' : ''}` }, h('div', {}, h('strong', {}, well ? 'All is well.' : 'No problems found.'), ' ', known));

const storeBadges = { ok: ['ok', 'OK'], empty: ['warn', 'None'], failing: ['danger', 'Failing'] };
const store = (state) => badge(...storeBadges[state]);

const seen = (when, never) => (when ? time(when, { relative: true }) : never);

function wayOut({ egress }) {
  if (!egress) return null;
  const { metering } = egress;
  return card('Outbound traffic (egress)', facts([['Metering', metering.silent ? badge('danger', 'Not reporting') : metering.last ? badge('ok', 'Reporting') : badge('', 'No report yet')],
    ['Last report', seen(metering.last, 'none since the start')], metering.failures > 0 ? ['Failures since then', number(metering.failures)] : null,
    ['Tunnels', `${number(egress.tunnels)} open, ${number(egress.opened)} since the start`], ['Refused', number(egress.refused)], ['Connection failures', number(egress.failed)]]));
}

const card = (title, ...content) => h('section', { class: 'card' }, h('h2', {}, title), content);

function certificateCard(title, certificate) {
  const early = certificate.state === 'not_yet_valid';
  const until = early ? certificate.not_before : certificate.not_after;
  return card(title, facts([['State', badge(...certificateBadges[certificate.state])], [early ? 'Valid from' : 'Valid until', time(until), ' (', time(until, { relative: true }), ')'],
    ['Issued by', certificate.self_signed ? 'itself; clients must be configured to trust it' : 'a certificate authority'], ['File', h('code', {}, certificate.path)], ['SHA-256', h('code', { class: 'small' }, certificate.sha256)]]));
}

function cards(status) {
  const { certificate, journal } = status;
  return h('div', { class: 'cards' },
    card('Gateway', facts([['Version', status.version], ['Uptime', span(status.uptime_seconds), ', since ', time(status.started)], ['Workers', number(status.workers)], ['Cryptography', status.crypto], ['Connections', number(status.connections)]])),
    card('Container', containerFacts(status)),
    wayOut(status),
    certificateCard('Certificate', certificate),
    status.admin_certificate ? certificateCard('Certificate of this page', status.admin_certificate) : null,
    card('Stores', facts([['Keys', store(status.stores.keys)], ['Usage', store(status.stores.usage)], ['Waiting', h('span', { title: 'Requests served and not yet written to usage.db' }, plural(journal.waiting, 'request'))],
      ['Lost', lostOf(status) > 0 ? badge('danger', plural(lostOf(status), 'request')) : journal.lost === null ? 'unknown' : 'none'],
      ['Requests without a key', `the newest ${number(status.rows_without_key.max)} are kept individually`, status.rows_without_key.dropped > 0 ? `, ${number(status.rows_without_key.dropped)} are in totals only` : null]])));
}

export async function statusView(main, { signal }) {
  const summary = h('div', { role: 'status' });
  const body = h('div', {}, loading('status'));
  const checked = h('p', { class: 'small muted' });
  fill(main, h('div', { class: 'head' }, h('h1', { tabindex: '-1' }, 'Status'), checked), h('div', { class: 'stack' }, summary, body));
  let said;
  let timer;
  const look = async () => {
    clearTimeout(timer);
    try {
      const status = await get('/status', {}, signal);
      const bad = troubles(status);
      const [well, known] = containerKnown(status);
      const now = bad.length > 0 ? bad : [known];
      if (said !== now.join()) {
        said = now.join();
        fill(summary, bad.length > 0 ? h('div', { class: 'message danger' }, h('div', {}, bad.map((text) => h('p', {}, text)))) : allRight(well, known));
      }
      refresh(body.firstElementChild, cards(status));
      fill(checked, `Updated ${clockText(new Date(), true)}, refreshes every ${AGAIN_MS / 1000} s`);
    } catch (error) {
      if (signal.aborted) return;
      if (said !== error.message) fill(summary, failure(error, look)); // said once, however long it lasts
      said = error.message;
    }
    // One look after the other: where the gateway does not answer, no more of them gather.
    clearTimeout(timer);
    if (!signal.aborted && document.visibilityState === 'visible') timer = setTimeout(look, AGAIN_MS);
  };
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && look(), { signal });
  signal.addEventListener('abort', () => clearTimeout(timer));
  await look();
}
