// SPDX-License-Identifier: Apache-2.0
// The admin side's contract, web/openapi.json: a valid OpenAPI 3.1 document whose schemas can be compiled.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Validator } from '@seriousme/openapi-schema-validator';

import { compileSchemas, operations } from './lib/openapi.mjs';

const document = JSON.parse(readFileSync(new URL('../../web/openapi.json', import.meta.url), 'utf8'));

test('the document is valid OpenAPI 3.1', async () => {
  const result = await new Validator().validate(structuredClone(document));
  assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
});

test('every schema can be compiled, and every answer has one', () => {
  const schemas = compileSchemas(document);
  const all = operations(document);
  assert.ok(all.length > 15, `${all.length} operations`);
  assert.equal(new Set(all.map((o) => o.operationId)).size, all.length, 'an operationId is there twice');
  for (const operation of all) {
    for (const status of Object.keys(operation.responses)) schemas(operation, status);
  }
});
