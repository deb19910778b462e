// SPDX-License-Identifier: Apache-2.0
// The names of keys that are known by their ids only: in sums of usage, in the trail.
import { each, get } from './api.js';

const names = new Map();

/** Looks up those that are not known yet. A list is asked rather than each key: one that is gone is no error. */
export async function learnNames(ids, signal) {
  await each([...new Set(ids)].filter((id) => id && !names.has(id)), 4, async (id) => {
    const { items } = await get('/keys', { text: id, limit: 5 }, signal);
    names.set(id, items.find((key) => key.id === id)?.name ?? null);
  });
}

/** A key's name; null: there is no such key any more. */
export const nameOf = (id) => names.get(id) ?? null;
/** A name has been changed here. */
export const forgetName = (id) => names.delete(id);
