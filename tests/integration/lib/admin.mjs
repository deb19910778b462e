// SPDX-License-Identifier: Apache-2.0
// Calls of the admin side, over its Unix socket or HTTPS, each answer checked against web/openapi.json.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

import { compileSchemas, operations } from './openapi.mjs';

export const document = JSON.parse(readFileSync(new URL('../../../web/openapi.json', import.meta.url), 'utf8'));
export const all = operations(document);
const schemas = compileSchemas(document);

/** operationIds that were answered with success. */
export const driven = new Set();

function check(asked, target, got) {
  const method = asked === 'HEAD' ? 'GET' : asked;
  assert.equal(got.headers['cache-control'], 'no-store');
  assert.equal(got.headers['x-content-type-options'], 'nosniff');
  assert.equal(got.headers['content-security-policy'], "default-src 'none'; frame-ancestors 'none'");
  assert.equal(got.headers['referrer-policy'], 'no-referrer');
  assert.ok(got.headers['x-request-id']);
  const [where] = target.split('?');
  const fits = (o) => new RegExp(`^${o.path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(where);
  const operation = all.find((o) => o.method === method && o.path === where) ?? all.find((o) => o.method === method && fits(o));
  if (!operation) {
    assert.ok(got.status >= 400, `${method} ${target} is not served: ${got.status}`);
    return;
  }
  if (asked === 'HEAD') {
    assert.equal(got.text, '');
    return;
  }
  if (got.status < 400) driven.add(operation.operationId);
  const validate = schemas(operation, String(got.status));
  if (/^text\/(csv|plain)/.test(got.headers['content-type'])) assert.equal(got.status, 200);
  else if (validate) validate(got.json);
  else assert.equal(got.text, '');
}

/** `to`: {socketPath} or {port}; `fields`: headers of every call. Returns call(method, target, {body, headers, raw}),
 * whose answer is {status, headers, text, json}. */
export function caller(to, fields = {}) {
  return (method, target, { body, headers = {}, raw } = {}) => {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const options = { ...to, method, path: target, timeout: 60000, agent: false, headers: {
      ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }), ...fields, ...headers } };
    if (to.port) Object.assign(options, { host: '127.0.0.1', rejectUnauthorized: false });
    return new Promise((resolve, reject) => {
      const sent = (to.port ? https : http).request(options, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part) => (text += part));
        answer.on('end', () => {
          try {
            const got = { status: answer.statusCode, headers: answer.headers, text, json: text && answer.headers['content-type'].startsWith('application/json') ? JSON.parse(text) : undefined };
            check(method, target, got);
            resolve(got);
          } catch (error) {
            reject(error);
          }
        });
      });
      sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${target}`)));
      sent.on('error', reject);
      sent.end(payload);
    });
  };
}

/** The cookie that an answer sets, as a browser sends it. */
export const cookieOf = (answer) => answer.headers['set-cookie'][0].split(';')[0];

/** Signs in: {cookie, csrf, session}. */
export async function signIn(call, token) {
  const answer = await call('POST', '/admin/v1/session', { body: { token } });
  assert.equal(answer.status, 201, answer.text);
  const [cookie] = answer.headers['set-cookie'];
  return { cookie: cookieOf(answer), attributes: cookie, csrf: answer.json.csrf_token, session: answer.json };
}
