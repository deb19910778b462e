// SPDX-License-Identifier: Apache-2.0
// An issuer of tokens: keys of its own, tokens with any header and claims, and an HTTPS server that publishes its
// keys and its OpenID configuration, with a certificate of its own authority.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';

import { chained } from './certs.mjs';

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const kinds = {
  RS256: { make: ['rsa', { modulusLength: 2048 }], hash: 'sha256' },
  RS512: { make: ['rsa', { modulusLength: 2048 }], hash: 'sha512' },
  PS256: { make: ['rsa', { modulusLength: 2048 }], hash: 'sha256', options: { padding: 6, saltLength: 32 } },
  ES256: { make: ['ec', { namedCurve: 'P-256' }], hash: 'sha256', options: { dsaEncoding: 'ieee-p1363' } },
  ES384: { make: ['ec', { namedCurve: 'P-384' }], hash: 'sha384', options: { dsaEncoding: 'ieee-p1363' } },
  EdDSA: { make: ['ed25519'], hash: null },
};

/** A key to sign with: {kid, alg, jwk, sign(bytes)}. */
export function makeKey(alg, kid, { bits, publish = {} } = {}) {
  const { make, hash, options } = kinds[alg];
  const { publicKey, privateKey } = generateKeyPairSync(make[0], bits ? { modulusLength: bits } : make[1]);
  return {
    kid,
    alg,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg, ...publish },
    publicPem: publicKey.export({ format: 'pem', type: 'spki' }),
    sign: (bytes) => sign(hash, bytes, { key: privateKey, ...options }),
  };
}

/** A token of that key. `header` and `claims` may be texts, for what JSON.stringify would not write. */
export function makeToken(key, claims, header = { alg: key.alg, typ: 'JWT', kid: key.kid }) {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${key.sign(Buffer.from(input)).toString('base64url')}`;
}

/** The classic forgery: the public key taken for a secret. */
export function forgedWithHmac(key, claims) {
  const input = `${encode({ alg: 'HS256', kid: key.kid })}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', key.publicPem).update(input).digest('base64url')}`;
}

export class Issuer {
  /** `certificates` and `port` of an earlier one, to come back where that was. */
  static async start({ certificates = chained(['localhost'], { kind: 'ec' }), port = 0 } = {}) {
    const issuer = new Issuer();
    Object.assign(issuer, { certificates, ca: certificates.root, keys: [], requests: [], headers: {}, respond: null });
    issuer.server = https.createServer(
      { cert: readFileSync(certificates.cert), key: readFileSync(certificates.key) },
      (request, response) => issuer.#serve(request, response),
    );
    issuer.server.listen(port, '127.0.0.1');
    await once(issuer.server, 'listening');
    issuer.server.unref();
    issuer.port = issuer.server.address().port;
    issuer.name = `https://localhost:${issuer.port}`;
    return issuer;
  }

  get set() {
    return { keys: this.keys.map((key) => key.jwk ?? key) };
  }

  #serve(request, response) {
    this.requests.push(request.url);
    if (this.respond) return this.respond(request, response);
    const documents = {
      '/.well-known/openid-configuration': () => ({ issuer: this.name, jwks_uri: `${this.name}/keys` }),
      '/keys': () => this.set,
    };
    const make = documents[request.url];
    response.writeHead(make ? 200 : 404, { 'Content-Type': 'application/json', ...this.headers });
    response.end(make ? JSON.stringify(make()) : '{}');
  }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
