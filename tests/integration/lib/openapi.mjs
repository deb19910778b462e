// SPDX-License-Identifier: Apache-2.0
// The operations of an OpenAPI 3.1 document, and validators of their answers.
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];

/** All operations, each with its `path` and `method`. */
export function operations(document) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ ...item[method], path, method: method.toUpperCase() })),
  );
}

/** (operation, status) → a function that throws when a JSON body does not fit; null for an answer without one. */
export function compileSchemas(document) {
  const ajv = new Ajv2020.default({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ ...document, $id: 'api' });
  const resolve = (node) => (node.$ref ? node.$ref.slice(2).split('/').reduce((at, name) => at[name], document) : node);
  return (operation, status) => {
    const answer = operation.responses[status];
    if (!answer) throw new Error(`${operation.operationId}: ${status} is not in the document`);
    const schema = resolve(answer).content?.['application/json']?.schema;
    if (!schema) return null;
    const validate = ajv.compile(schema.$ref ? { $ref: `api${schema.$ref}` } : schema);
    return (body) => {
      if (validate(body)) return;
      throw new Error(`${operation.operationId} ${status}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(body)}`);
    };
  };
}
