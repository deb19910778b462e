// SPDX-License-Identifier: Apache-2.0
// What a kubelet does to a pod's volumes and processes. Needs root: the volumes are root's, the processes are not.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { BIN } from './postern.mjs';
import { temporaryDirectory } from './util.mjs';

export const root = process.getuid() === 0;
/** Whether processes can have mount namespaces of their own here. */
export const namespaces = root && spawnSync('unshare', ['-m', '--propagation', 'private', 'true']).status === 0;
export const skipped = namespaces ? false : 'no mount namespaces: that needs root, and a machine that lets it';

/** A directory that other users may look into; nobody else's. */
export function commonDirectory(name) {
  const directory = temporaryDirectory(name);
  chmodSync(directory, 0o755);
  return directory;
}

let copy;
/** The program where any user can run it: the checkout may lie in root's home. */
export function commonBinary() {
  if (copy) return copy;
  copy = path.join(commonDirectory('bin'), 'postern');
  copyFileSync(BIN, copy);
  chmodSync(copy, 0o755);
  return copy;
}

/** Words in front of a command that make it another user's, with no capabilities and no way to more of them. */
export const asUser = ({ uid, gid, groups }) => [
  'setpriv', '--reuid', String(uid), '--regid', String(gid), groups?.length ? `--groups=${groups.join(',')}` : '--clear-groups',
  '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs',
];

/** A volume of `mode` as it is before its first mount: root's, of the group fsGroup. */
export function volume(fsGroup, mode = 0o2775) {
  const directory = commonDirectory('volume');
  chownSync(directory, 0, fsGroup);
  chmodSync(directory, mode);
  return directory;
}

/** What is done to a volume with fsGroup at each mount: everything gets the group, and the group every right. */
export function mountPass(directory, fsGroup) {
  const st = lstatSync(directory);
  if (st.isSymbolicLink()) return;
  chownSync(directory, -1 >>> 0, fsGroup);
  chmodSync(directory, (st.mode & 0o7777) | (st.isDirectory() ? 0o2770 : 0o660));
  if (st.isDirectory()) for (const name of readdirSync(directory)) mountPass(path.join(directory, name), fsGroup);
}

/** Writes a secret's or config map's files as its volume shows them: `..data` leads to a directory of the moment, and
 * each file is a link through it. Called again, they change at once. */
export function project(directory, files, { mode = 0o440, fsGroup = 0 } = {}) {
  const now = `..${process.hrtime.bigint()}`;
  mkdirSync(path.join(directory, now));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(directory, now, name);
    writeFileSync(file, text);
    chownSync(file, 0, fsGroup);
    chmodSync(file, mode);
  }
  chmodSync(path.join(directory, now), 0o755);
  const old = readdirSync(directory).filter((name) => /^\.\.\d/.test(name) && name !== now);
  symlinkSync(now, path.join(directory, '..data_tmp'));
  renameSync(path.join(directory, '..data_tmp'), path.join(directory, '..data'));
  for (const name of old) rmSync(path.join(directory, name), { recursive: true });
  for (const name of Object.keys(files)) {
    rmSync(path.join(directory, name), { force: true });
    symlinkSync(`..data/${name}`, path.join(directory, name));
  }
}
