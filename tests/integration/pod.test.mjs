// SPDX-License-Identifier: Apache-2.0
// The manifests that are shipped, started as a kubelet (or Docker) starts them: volumes handed to a group at each
// mount, secrets behind links, a read-only root, a user that nobody knows.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';

import { caller } from './lib/admin.mjs';
import { selfSigned } from './lib/certs.mjs';
import { request } from './lib/client.mjs';
import { asUser, commonDirectory, mountPass, project, skipped, volume } from './lib/pod.mjs';
import { BIN, Postern } from './lib/postern.mjs';
import { Upstream } from './lib/upstream.mjs';
import { eventually, freePort } from './lib/util.mjs';

const limit = { timeout: 120000 };
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const read = (name) => readFileSync(path.join(root, name), 'utf8');
const manifest = read('deploy/kubernetes/sidecar.yaml');
const documents = parseAllDocuments(manifest).map((document) => document.toJS());
const pod = documents.find((document) => document.kind === 'Deployment').spec.template.spec;
const [container, gateway] = ['ai', 'postern'].map((name) => pod.containers.find((c) => c.name === name));
const image = read('Dockerfile');

let upstream;

before(async () => {
  upstream = await Upstream.start((x) => x.answer(200, 'fine'));
}, limit);

after(() => upstream?.stop(), limit);

describe('the manifest', limit, () => {
  test('says how each secret that it refers to is made, with the keys that are used', () => {
    const made = {};
    for (const [, kind, name, rest] of manifest.replaceAll(/\\\n#/g, '').matchAll(/^#\s+kubectl create secret (\w+) (\S+)(.*)$/gm))
      made[name] = kind === 'tls' ? ['tls.crt', 'tls.key'] : [...rest.matchAll(/--from-literal=(\w+)=/g)].map(([, key]) => key);
    const used = pod.containers.flatMap((c) => c.env).filter((variable) => variable.valueFrom).map((variable) => variable.valueFrom.secretKeyRef);
    assert.ok(used.length >= 3);
    for (const { name, key } of used) assert.ok(made[name]?.includes(key), `${name}/${key}`);
    for (const { secret } of pod.volumes.filter((v) => v.secret)) assert.ok(made[secret.secretName], secret.secretName);
    for (const { persistentVolumeClaim: claim } of pod.volumes.filter((v) => v.persistentVolumeClaim))
      assert.ok(documents.some((document) => document.kind === 'PersistentVolumeClaim' && document.metadata.name === claim.claimName));
  });

  // The profile "restricted" of the Pod Security Standards, as far as it is about what a pod can say.
  test('satisfies Pod Security "restricted"', () => {
    for (const name of ['hostNetwork', 'hostPID', 'hostIPC']) assert.ok(!pod[name], name);
    for (const v of pod.volumes) {
      const [kind] = Object.keys(v).filter((key) => key !== 'name');
      assert.ok(['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'].includes(kind), kind);
    }
    for (const c of [...pod.containers, ...(pod.initContainers ?? [])]) {
      const context = { ...pod.securityContext, ...c.securityContext };
      assert.equal(context.allowPrivilegeEscalation, false, c.name);
      assert.equal(context.runAsNonRoot, true, c.name);
      assert.notEqual(context.runAsUser, 0, c.name);
      assert.ok(!context.privileged, c.name);
      assert.deepEqual(context.capabilities, { drop: ['ALL'] }, c.name);
      assert.ok(['RuntimeDefault', 'Localhost'].includes(context.seccompProfile.type), c.name);
      assert.ok((c.ports ?? []).every((port) => !port.hostPort), c.name);
    }
    assert.equal(container.securityContext.readOnlyRootFilesystem, undefined, 'an inference container writes where it likes');
  });
});

const secrets = {
  'language-billing': { endpoint: 'https://name.cognitiveservices.azure.com/', apikey: 'not-a-key' },
};

/** The user that the manifest asks for, and one as OpenShift gives it to a pod that asks for none. */
const users = {
  'as it is written': { uid: gateway.securityContext.runAsUser, gid: gateway.securityContext.runAsGroup, fsGroup: pod.securityContext.fsGroup },
  'with an arbitrary user (OpenShift)': { uid: 1000700000, gid: 0, fsGroup: 1000700000 },
};

/** A node with the pod's volumes on it; run(…) is what a kubelet does with a container. */
class Node {
  constructor(user) {
    this.user = { ...user, groups: [user.fsGroup] };
    this.volumes = {};
    for (const v of pod.volumes) {
      if (v.persistentVolumeClaim) this.volumes[v.name] = volume(user.fsGroup, 0o755);
      else if (v.emptyDir) this.volumes[v.name] = volume(user.fsGroup, 0o777);
      else this.volumes[v.name] = commonDirectory('secret');
    }
    this.setCertificate();
  }

  /** The secret's files: root's; fsGroup adds what the group may read. */
  setCertificate() {
    const issued = selfSigned(['localhost', 'language.example']);
    const { secret, name } = pod.volumes.find((v) => v.secret?.secretName === 'postern-tls');
    const files = { 'tls.crt': issued.certPem, 'tls.key': issued.keyPem };
    project(this.volumes[name], files, { mode: secret.defaultMode | 0o440, fsGroup: this.user.fsGroup });
  }

  mount() {
    for (const v of pod.volumes) if (v.persistentVolumeClaim || v.emptyDir) mountPass(this.volumes[v.name], this.user.fsGroup);
  }

  /** Words that run a program in a container: its own root, read-only, with nothing of this machine but programs. */
  get words() {
    const mounts = gateway.volumeMounts.map((m) => `mkdir -p "$root${m.mountPath}" && mount --bind ${this.volumes[m.name]} "$root${m.mountPath}" ${
      m.readOnly ? `&& mount -o remount,bind,ro "$root${m.mountPath}"` : ''}`);
    const script = `set -e
      root=$0; program=$1; shift
      mount -t tmpfs -o mode=755 tmpfs "$root"
      for d in usr bin sbin lib lib64 proc dev; do
        if [ -L /$d ]; then cp -P /$d "$root/"; elif [ -d /$d ]; then mkdir "$root/$d"; mount --rbind /$d "$root/$d"; fi
      done
      mkdir "$root/etc"; cp /etc/hosts /etc/ld.so.cache "$root/etc/"; cp "$program" "$root/postern"
      ${mounts.join('\n')}
      ${gateway.securityContext.readOnlyRootFilesystem ? 'mount -o remount,ro "$root"' : ''}
      exec chroot "$root" ${asUser(this.user).join(' ')} /postern "$@"`;
    const variables = gateway.env.filter((v) => !v.name.startsWith('POSTERN_')).map((v) => {
      const from = v.valueFrom?.secretKeyRef;
      return `${v.name}=${from ? secrets[from.name][from.key] : v.value}`;
    });
    return ['env', ...variables, 'unshare', '-m', '--propagation', 'private', 'sh', '-c', script, (this.rootDirectory ??= commonDirectory('root'))];
  }

  /** Of the manifest and the image; only ports are others, since other tests use them. */
  async settings() {
    const settings = {};
    const [, dataDir] = /^ENV POSTERN_DATA_DIR=(\S+)$/m.exec(image);
    for (const v of gateway.env.filter((v) => v.name.startsWith('POSTERN_'))) settings[v.name.slice('POSTERN_'.length).toLowerCase()] = v.value;
    assert.deepEqual(Object.keys(settings).sort(), ['egress_listen', 'tls_certificate', 'tls_key', 'upstream']);
    return { ...settings, data_dir: dataDir, upstream: upstream.url, egress_listen: `127.0.0.1:${await freePort()}` };
  }

  async start() {
    this.mount();
    assert.deepEqual(JSON.parse(/^ENTRYPOINT (.*)$/m.exec(image)[1]), ['postern']);
    const command = gateway.args ?? JSON.parse(/^CMD (.*)$/m.exec(image)[1]);
    this.running = await Postern.start(await this.settings(), { wrap: this.words, command });
    return this.running;
  }

  /** kubectl exec. */
  exec(...args) {
    const [program, ...words] = this.words;
    const { listen, port, ...settings } = this.running.settings;
    const env = { PATH: process.env.PATH };
    for (const [name, value] of Object.entries(settings)) env[`POSTERN_${name.toUpperCase()}`] = String(value);
    const result = spawnSync(program, [...words, BIN, ...args], { encoding: 'utf8', env, timeout: 60000 });
    return { ...result, json: () => JSON.parse(result.stdout) };
  }
}

describe('the manifest\'s gateway', { ...limit, skip: skipped }, () => {
  for (const [what, user] of Object.entries(users)) {
    test(`${what}: starts, and starts again after the volume's next mount`, limit, async () => {
      const node = new Node(user);
      const data = path.join(node.volumes.data, 'private');
      const first = await node.start();
      const made = node.exec('key', 'create', '--name', 'first', '--json');
      assert.equal(made.status, 0, made.stderr);
      const { key1 } = made.json();
      await eventually(5000, 'the key to be known', async () => (await request(first.port, '/x', { key: key1 })).status === 200);
      assert.equal(statSync(node.volumes.data).mode & 0o7777, 0o2775, 'the volume is as it was mounted');
      assert.equal(statSync(data).mode & 0o777, 0o700);
      const [directory] = node.exec('doctor', '--json').json().checks.filter((c) => c.check === 'data directory');
      assert.equal(directory.status, 'ok', directory.seen);
      assert.match(directory.seen, /^\/var\/lib\/postern\/private, /);
      await eventually(5000, 'the request to be counted', () => node.exec('usage', '--json').json().some((row) => row.requests > 0));
      await first.stop();

      node.setCertificate();
      const second = await node.start();
      assert.equal((await request(second.port, '/x', { key: key1 })).status, 200);
      assert.equal(node.exec('key', 'list', '--json').json().length, 1);
      for (const name of readdirSync(data)) {
        const st = statSync(path.join(data, name));
        assert.equal(st.uid, user.uid, name);
        assert.equal(st.mode & 0o077, 0, `${name}: ${st.mode.toString(8)}`);
      }
      assert.equal(node.exec('check').status, 0);
      assert.doesNotMatch(second.stderr, / (warning|error) +(server|auth|files|db|usage|tls):/);
      await second.stop();
    });
  }

  test('a command before the gateway starts, right after a mount, works too', limit, async () => {
    const node = new Node(users['as it is written']);
    node.running = { settings: await node.settings() };
    node.mount();
    assert.equal(node.exec('key', 'create', '--name', 'early', '--json').status, 0);
    node.mount();
    const listed = node.exec('key', 'list', '--json');
    assert.deepEqual(listed.json().map((key) => key.name), ['early'], listed.stderr);
    node.mount();
    assert.equal(node.exec('key', 'create', '--name', 'another').status, 0);
  });

  test('without fsGroup, or as another user than before, it says what to set', limit, async () => {
    const node = new Node(users['as it is written']);
    node.running = { settings: await node.settings() };
    chownSync(node.volumes.data, 0, 0);
    chmodSync(node.volumes.data, 0o755);
    const closed = node.exec('key', 'create', '--name', 'x');
    assert.equal(closed.status, 1);
    assert.match(closed.stderr, /user 65532 may not write in \/var\/lib\/postern .*in Kubernetes set fsGroup/);
    node.mount();
    assert.equal(node.exec('key', 'create', '--name', 'x').status, 0);
    node.user = { ...node.user, uid: 1234 };
    for (const args of [['key', 'list'], ['serve'], ['check']]) {
      const other = node.exec(...args);
      assert.equal(other.status, 1, args.join(' '));
      assert.match(other.stderr, /private belongs to user 65532, and this is user 1234: run as user 65532 \(runAsUser in Kubernetes\)/);
      assert.doesNotMatch(other.stderr, /chown/);
    }
  });

  test('a pepper from a secret store, mounted into the volume, is used; one that everybody can read is refused', limit, async () => {
    const node = new Node(users['as it is written']);
    node.running = { settings: await node.settings() };
    node.mount();
    const store = commonDirectory('store');
    const set = (mode) => {
      project(store, { pepper: `${'5a'.repeat(32)}\n` }, { mode, fsGroup: node.user.fsGroup });
      const file = path.join(node.volumes.data, 'pepper');
      writeFileSync(`${file}.new`, readFileSync(path.join(store, 'pepper'))); // subPath: the file itself
      chownSync(`${file}.new`, 0, node.user.fsGroup);
      chmodSync(`${file}.new`, mode);
      renameSync(`${file}.new`, file);
    };
    set(0o444);
    const refused = node.exec('key', 'create', '--name', 'x');
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /pepper can be read by every user \(mode 0444\): in Kubernetes set defaultMode: 0440 on its volume and fsGroup/);
    set(0o440);
    assert.equal(node.exec('key', 'create', '--name', 'x').status, 0);
    assert.ok(!readdirSync(path.join(node.volumes.data, 'private')).includes('pepper'), 'no other one is made');
  });
});

describe('compose', limit, () => {
  test('publishes the admin side to this machine only, and it answers there', limit, async () => {
    const { postern } = parse(read('deploy/compose/compose.yaml')).services;
    assert.ok(postern.ports.includes('127.0.0.1:8444:8444'));
    assert.ok(postern.ports.every((port) => port.startsWith('127.0.0.1:') || port === '8443:8443'));
    assert.equal(postern.environment.POSTERN_ADMIN_LISTEN, '0.0.0.0:8444');
    const admin = await freePort();
    const started = await Postern.start({ upstream: upstream.url, admin_listen: postern.environment.POSTERN_ADMIN_LISTEN.replace('8444', String(admin)) });
    const token = await eventually(10000, 'the first token', () => readFileSync(path.join(started.settings.data_dir, 'admin.token'), 'utf8').trim());
    const call = caller({ port: admin }, { host: 'localhost:8444', authorization: `Bearer ${token}` });
    assert.equal((await call('GET', '/admin/v1/status')).status, 200);
    await started.stop();
  });
});
