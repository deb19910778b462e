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

const CA_CONFIG = (at) => `[ca]
default_ca = main
[main]
dir = ${at('')}
database = ${at('index')}
serial = ${at('serial')}
crlnumber = ${at('crlnumber')}
new_certs_dir = ${at('')}
default_md = sha256
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
organizationName = optional
`;

/** A CA that issues and revokes: {cert, pem, issue(name, options), revoke(issued), crl(options)}. */
export class Authority {
  signed = 0;

  constructor(name, signer) {
    this.directory = temporaryDirectory(`ca-${name.replaceAll(' ', '-')}`);
    this.at = (file) => path.join(this.directory, file);
    writeFileSync(this.at('index'), '');
    writeFileSync(this.at('serial'), '1000');
    writeFileSync(this.at('crlnumber'), '01');
    writeFileSync(this.at('config'), CA_CONFIG(this.at));
    const extensions = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n';
    if (signer) Object.assign(this, signer.issue(name, { extensions }));
    else {
      openssl('req', '-x509', '-nodes', '-days', '300', '-subj', `/CN=${name}`, '-addext', 'basicConstraints=critical,CA:TRUE',
        '-addext', 'keyUsage=critical,keyCertSign,cRLSign', ...keyArguments.ec, '-keyout', this.at('ca.key'), '-out', this.at('ca.crt'));
      this.cert = this.at('ca.crt');
      this.key = this.at('ca.key');
      this.pem = readFileSync(this.cert, 'utf8');
    }
  }

  /** days: how long it is valid from `from` (in days from now); san: as openssl has it; chain: certificates above it. */
  issue(name, { san, eku = 'clientAuth', from = -1, days = 30, kind = 'ec', extensions, chain = '' } = {}) {
    const base = this.at(`issued-${(this.signed += 1)}`);
    const date = (offset) => new Date(Date.now() + offset * 86400000).toISOString().replace(/[-:T]/g, '').slice(2, 14) + 'Z';
    openssl('req', '-new', '-nodes', '-subj', `/O=Tests/CN=${name}`, ...keyArguments[kind], '-keyout', `${base}.key`, '-out', `${base}.csr`);
    writeFileSync(`${base}.ext`, extensions ?? `basicConstraints=CA:FALSE\n${eku ? `extendedKeyUsage=${eku}\n` : ''}${san ? `subjectAltName=${san}\n` : ''}`);
    openssl('ca', '-batch', '-notext', '-config', this.at('config'), '-cert', this.cert, '-keyfile', this.key, '-in', `${base}.csr`, '-out', `${base}.crt`,
      '-extfile', `${base}.ext`, '-startdate', date(from), '-enddate', date(from + days));
    const pem = readFileSync(`${base}.crt`, 'utf8');
    return { cert: `${base}.crt`, key: `${base}.key`, pem, tls: { cert: pem + chain, key: readFileSync(`${base}.key`, 'utf8') } };
  }

  revoke(issued) {
    openssl('ca', '-config', this.at('config'), '-cert', this.cert, '-keyfile', this.key, '-revoke', issued.cert);
  }

  /** The list of what was revoked, as PEM; seconds: until it is out of date. */
  crl({ seconds } = {}) {
    const out = this.at('crl.pem');
    openssl('ca', '-gencrl', '-config', this.at('config'), '-cert', this.cert, '-keyfile', this.key, '-out', out, ...(seconds ? ['-crlsec', String(seconds)] : []));
    return readFileSync(out, 'utf8');
  }
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
