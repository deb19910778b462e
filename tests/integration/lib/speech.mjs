// SPDX-License-Identifier: Apache-2.0
// A stand-in for the Speech container: the Speech protocol's framing over WebSocket. What it "understands" is
// computed from the audio, so that lost, doubled or mixed-up bytes show.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';

import { WebSocketServer } from 'ws';

const RIFF_HEADER = 44;

/** What the stand-in hears in this PCM. */
export const heard = (pcm) => `${pcm.length} bytes ${createHash('sha256').update(pcm).digest('hex').slice(0, 12)}`;

const fieldsOf = (text) =>
  Object.fromEntries(text.split('\r\n').filter(Boolean).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));

/** A message of the client: {fields, body}; binary ones begin with the length of their head. */
function parse(data, binary) {
  if (binary) {
    const length = data.readUInt16BE(0);
    return { fields: fieldsOf(data.toString('latin1', 2, 2 + length)), body: data.subarray(2 + length) };
  }
  const text = data.toString('utf8');
  const at = text.indexOf('\r\n\r\n');
  return { fields: fieldsOf(text.slice(0, at)), body: text.slice(at + 4) };
}

class Turn {
  constructor(ws) {
    this.ws = ws;
    this.audio = [];
  }

  say(path, body) {
    const head = `X-RequestId:${this.id}\r\nContent-Type:application/json; charset=utf-8\r\nPath:${path}\r\n\r\n`;
    this.ws.send(head + JSON.stringify(body));
  }

  take({ fields, body }) {
    if (fields.path.toLowerCase() !== 'audio') return;
    if (this.audio.length === 0) {
      this.id = fields['x-requestid'];
      this.say('turn.start', { context: { serviceTag: 'stand-in' } });
      this.say('speech.startDetected', { Offset: 0 });
    }
    if (body.length > 0) this.audio.push(body);
    else this.end();
  }

  end() {
    const pcm = Buffer.concat(this.audio).subarray(RIFF_HEADER);
    this.audio = [];
    const text = heard(pcm);
    this.say('speech.hypothesis', { Text: text.slice(0, 8), Offset: 0, Duration: 1 });
    this.say('speech.endDetected', { Offset: pcm.length });
    this.say('speech.phrase', { RecognitionStatus: 'Success', DisplayText: text, Offset: 0, Duration: 1 });
    this.say('turn.end', {});
  }
}

/** {port, handshakes: [{url, headers}], stop()} */
export async function startSpeech() {
  const server = http.createServer((request, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ server });
  const handshakes = [];
  sockets.on('connection', (ws, request) => {
    handshakes.push({ url: request.url, headers: request.headers });
    const turn = new Turn(ws);
    ws.on('error', () => {});
    ws.on('message', (data, binary) => turn.take(parse(data, binary)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    handshakes,
    async stop() {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
