// SPDX-License-Identifier: Apache-2.0
// A name server for tests (RFC 1035): answers are given by a function, and may be late, missing or wrong.
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';

const TYPES = { 1: 'A', 5: 'CNAME', 28: 'AAAA' };
const CODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3 };

function readQuestion(message) {
  const labels = [];
  let at = 12;
  while (message[at] > 0) {
    labels.push(message.subarray(at + 1, at + 1 + message[at]).toString('latin1'));
    at += 1 + message[at];
  }
  return { name: labels.join('.').toLowerCase(), type: TYPES[message.readUInt16BE(at + 1)], end: at + 5 };
}

const writeName = (name) => Buffer.concat([...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.from([0])]);

function writeAddress(text) {
  if (net.isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  const v4 = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (v4) return writeAddress(`${v4[1]}${writeAddress(v4[2]).toString('hex').replace(/^(....)/, '$1:')}`);
  const [head, tail = ''] = text.split('::');
  const words = (part) => part.split(':').filter(Boolean).map((word) => parseInt(word, 16));
  const [first, last] = [words(head), words(tail)];
  const all = [...first, ...Array(8 - first.length - last.length).fill(0), ...last];
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 255]));
}

function writeRecord({ name, type, data }) {
  const value = type === 'CNAME' ? writeName(data) : writeAddress(data);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(Number(Object.keys(TYPES).find((number) => TYPES[number] === type)), 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(0, 4); // nobody keeps it
  fixed.writeUInt16BE(value.length, 8);
  return Buffer.concat([writeName(name), fixed, value]);
}

/** answer({name, type}) gives {records: [{name, type, data}], code, after (ms), silent}. */
export async function startNameServer(answer, { address = '127.0.0.1', port = 53 } = {}) {
  const socket = dgram.createSocket('udp4');
  const asked = [];
  socket.on('message', (message, peer) => {
    const question = readQuestion(message);
    asked.push(`${question.type} ${question.name}`);
    const { records = [], code = 'NOERROR', after = 0, silent = false } = answer(question);
    const head = Buffer.alloc(12);
    message.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | CODES[code], 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    const reply = Buffer.concat([head, message.subarray(12, question.end), ...records.map(writeRecord)]);
    if (!silent) setTimeout(() => socket.send(reply, peer.port, peer.address, () => {}), after).unref();
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  return { asked, stop: () => socket.close() };
}
