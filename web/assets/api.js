// SPDX-License-Identifier: Apache-2.0
// Calls /admin/v1. A call that finds the session gone asks for a new one and then goes on, so that nothing a person
// has typed is lost.
const TIMEOUT_MS = 30000;

export class ApiError extends Error {
  constructor(status, { code, message, request_id: requestId, details } = {}, location = null) {
    super(message ?? `The gateway responded with status ${status}.`);
    Object.assign(this, { status, code, requestId, details: details ?? [], location });
  }
}

/** Where the session is over, a browser with a client certificate is known by that, and told these instead of a 401. */
const OF_CERTIFICATES = new Set(['SessionRequired', 'ClientCertificateInvalid', 'ClientCertificateNotApproved']);

export const isSignedOut = (error) => error.status === 401 || OF_CERTIFICATES.has(error.code);

let csrfToken;
let askAgain;
let confirm;
let renew;

export const setCsrfToken = (token) => (csrfToken = token);
/** `ask` opens a sign-in and resolves when it is done, or rejects when it was given up. */
export const onSessionLost = (ask) => (askAgain = ask);
/** `ask` has the token shown again and resolves when it was, or rejects when it was given up. */
export const onConfirmationNeeded = (ask) => (confirm = ask);
/** `look` finds out who is signed in now: another tab of this browser has signed in anew. */
export const onSessionChanged = (look) => (renew = look);

export function target(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, value);
  }
  return `/admin/v1${path}${search.size > 0 ? `?${search}` : ''}`;
}

async function send(method, path, { query, body, headers = {}, signal }) {
  const fields = { ...headers };
  if (body !== undefined) fields['Content-Type'] = 'application/json';
  if (method !== 'GET' && csrfToken) fields['X-CSRF-Token'] = csrfToken;
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    return await fetch(target(path, query), { method, headers: fields, body: body && JSON.stringify(body), cache: 'no-store', credentials: 'same-origin', redirect: 'error', signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, { code: 'Network', message: 'The gateway does not respond. Check that it is running and reachable. Nothing you typed is lost.' });
  }
}

async function problem(answer) {
  const text = await answer.text().catch(() => '');
  let error;
  try {
    error = JSON.parse(text).error;
  } catch {
    error = undefined;
  }
  const wait = answer.headers.get('Retry-After');
  if (error && wait) error.message += ` Try again in ${wait} s.`;
  return new ApiError(answer.status, error, answer.headers.get('Location'));
}

/** What asks the person for what stands in the way of a call; undefined: nothing does. */
function remedyOf(error, { signingIn }) {
  if (isSignedOut(error)) return signingIn ? undefined : askAgain;
  return { ConfirmationNeeded: confirm, CsrfTokenMissing: renew }[error.code];
}

/** {status, headers, json}; `raw` leaves the body to the caller. Throws an ApiError. */
export async function call(method, path, options = {}) {
  let answer = await send(method, path, options);
  // A session that was renewed may have to show its token on top.
  for (let turn = 0; !answer.ok; turn++) {
    const error = await problem(answer);
    const remedy = remedyOf(error, options);
    if (!remedy || turn === 2) throw error;
    await remedy();
    answer = await send(method, path, options);
  }
  if (options.raw) return answer;
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, json: text ? JSON.parse(text) : undefined };
}

export const get = async (path, query, signal) => (await call('GET', path, { query, signal })).json;
