// SPDX-License-Identifier: Apache-2.0
// The names of keys that are known by their ids only: in sums of usage, in the trail.
import { get } from './api.js';

const names = new Map();

/** Looks up those that are not known yet. A list is asked rather than each key: one that is gone is no error. */
export async function learnNames(ids, signal) {
  const unknown = [...new Set(ids)].filter((id) => id && !names.has(id));
  if (unknown.length === 0) return;
  const { items } = await get('/keys', { id: unknown.join(','), limit: 500 }, signal);
  for (const id of unknown) names.set(id, items.find((key) => key.id === id)?.name ?? null);
}

/** A key's name; null: there is no such key any more. */
export const nameOf = (id) => names.get(id) ?? null;
/** A name has been changed here. */
export const forgetName = (id) => names.delete(id);
