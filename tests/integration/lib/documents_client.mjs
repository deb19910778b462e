// SPDX-License-Identifier: Apache-2.0
// Reads a document with @azure/ai-form-recognizer, as a program of its own: node documents_client.mjs
// '{"endpoint","key","text"}' prints {"pages","content"} or {"error","statusCode","code"}.
import { AzureKeyCredential, DocumentAnalysisClient } from '@azure/ai-form-recognizer';
import { Buffer } from 'node:buffer';

const { endpoint, key, text } = JSON.parse(process.argv[2]);
let outcome;
try {
  const client = new DocumentAnalysisClient(endpoint, new AzureKeyCredential(key));
  const poller = await client.beginAnalyzeDocument('prebuilt-read', Buffer.from(text), { updateIntervalInMs: 20 });
  const result = await poller.pollUntilDone();
  outcome = { pages: result.pages.length, content: result.content };
} catch (error) {
  outcome = { error: error.name, statusCode: error.statusCode, code: error.code };
}
process.stdout.write(`${JSON.stringify(outcome)}\n`);
