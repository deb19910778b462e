// SPDX-License-Identifier: Apache-2.0
// Certificates for tests, made with the openssl command.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { temporaryDirectory } from './util.mjs';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
const keyArguments = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  rsa: ['-newkey', 'rsa:2048'],
};

/** A self-signed certificate for `names`: {cert, key} (paths), {certPem, keyPem}. */
export function selfSigned(names, { kind = 'ec', directory = temporaryDirectory('certs'), base = names[0] } = {}) {
  const cert = path.join(directory, `${base}.crt`);
  const key = path.join(directory, `${base}.key`);
  const san = names.map((name) => (/^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(',');
  openssl('req', '-x509', '-nodes', '-days', '30', '-subj', `/CN=${names[0]}`, '-addext', `subjectAltName=${san}`,
    ...keyArguments[kind], '-keyout', key, '-out', cert);
  return { cert, key, directory, certPem: readFileSync(cert, 'utf8'), keyPem: readFileSync(key, 'utf8') };
}

/** A certificate signed by an intermediate that a root signed; `cert` is the chain without the root. */
export function chained(names, { kind = 'rsa', directory = temporaryDirectory('chain') } = {}) {
  const at = (name) => path.join(directory, name);
  const ca = (name, signer) => {
    openssl('req', '-new', '-nodes', '-subj', `/CN=Test ${name}`, ...keyArguments.ec, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`));
    writeFileSync(at('ca.ext'), 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n');
    const by = signer ? ['-CA', at(`${signer}.crt`), '-CAkey', at(`${signer}.key`), '-CAcreateserial'] : ['-signkey', at(`${name}.key`)];
    openssl('x509', '-req', '-days', '30', '-in', at(`${name}.csr`), ...by, '-extfile', at('ca.ext'), '-out', at(`${name}.crt`));
  };
  ca('root');
  ca('intermediate', 'root');
  openssl('req', '-new', '-nodes', '-subj', `/CN=${names[0]}`, ...keyArguments[kind], '-keyout', at('leaf.key'), '-out', at('leaf.csr'));
  writeFileSync(at('leaf.ext'), `subjectAltName=${names.map((n) => `DNS:${n}`).join(',')}\n`);
  openssl('x509', '-req', '-days', '30', '-in', at('leaf.csr'), '-CA', at('intermediate.crt'), '-CAkey', at('intermediate.key'), '-CAcreateserial', '-extfile', at('leaf.ext'), '-out', at('leaf.crt'));
  writeFileSync(at('chain.crt'), readFileSync(at('leaf.crt'), 'utf8') + readFileSync(at('intermediate.crt'), 'utf8'));
  return { cert: at('chain.crt'), key: at('leaf.key'), root: at('root.crt'), rootPem: readFileSync(at('root.crt'), 'utf8'), directory };
}
