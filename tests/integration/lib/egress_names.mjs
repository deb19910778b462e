// SPDX-License-Identifier: Apache-2.0
// The way out in a network of its own, with its own name server: run inside a namespace, prints what came of each name
// as JSON. Public addresses are this machine's here, so nothing leaves it.
import { once } from 'node:events';
import net from 'node:net';

import { startNameServer } from './dns.mjs';
import { Postern } from './postern.mjs';

const DOMAIN = 'cognitive.microsoft.com';
const PUBLIC = '20.50.1.1';
const PUBLIC6 = '2603:1020::1';
const SILENT6 = '2603:2::dead';
const PRIVATE = '10.9.9.1';
let rebound = 0;

const zone = {
  plain: { A: [PUBLIC] },
  both: { A: [PUBLIC], AAAA: [PUBLIC6] },
  six: { AAAA: [PUBLIC6] },
  mixed: { A: [PRIVATE, PUBLIC] },
  half: { A: [PUBLIC], AAAA: [SILENT6] },
  private: { A: [PRIVATE] },
  loopback: { A: ['127.0.0.1'], AAAA: ['::1'] },
  metadata: { A: ['169.254.169.254'] },
  multicast: { A: ['224.0.0.1'] },
  mapped: { AAAA: [`::ffff:${PRIVATE}`] },
  nat64: { AAAA: [`64:ff9b::${PRIVATE}`] },
  sixtofour: { AAAA: ['2002:a09:901::1'] },
  shared: { A: ['100.64.0.1'] },
};

function answer({ name, type }) {
  const host = name.replace(`.${DOMAIN}`, '');
  const records = (of, data) => data.map((one) => ({ name: of, type, data: one }));
  if (name === 'edge.example.net') return { records: type === 'A' ? records(name, [PUBLIC]) : [] };
  if (host === 'alias') return { records: [{ name, type: 'CNAME', data: 'edge.example.net' }, ...(type === 'A' ? records('edge.example.net', [PUBLIC]) : [])] };
  if (host === 'rebinds') return { records: type === 'A' ? records(name, [rebound++ === 0 ? PUBLIC : PRIVATE]) : [] };
  if (host === 'slow') return { silent: true };
  if (host === 'broken') return { code: 'SERVFAIL' };
  if (!zone[host]) return { code: 'NXDOMAIN' };
  return { records: records(name, zone[host][type] ?? []) };
}

// Says which of its addresses it was reached at.
const server = net.createServer((socket) => {
  socket.on('error', () => {});
  socket.end(socket.localAddress);
});
server.listen(443, '::');
await once(server, 'listening');
const names = await startNameServer(answer);
const gateway = await Postern.start({ egress_listen: '127.0.0.1:3128', egress_connect_timeout: '6s', egress_sni: 'off' });

async function ask(host) {
  const socket = net.connect(3128, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`CONNECT ${host}.${DOMAIN}:443 HTTP/1.1\r\n\r\n`);
  let text = '';
  socket.on('data', (data) => (text += data));
  await once(socket, 'close');
  const [head, body] = text.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), body };
}

const hosts = [...Object.keys(zone), 'alias', 'rebinds', 'broken', 'nowhere', 'slow'];
const results = Object.fromEntries(await Promise.all(hosts.map(async (host) => [host, await ask(host)])));
results.again = await ask('rebinds');
results.asked = names.asked.filter((question) => question === `A rebinds.${DOMAIN}`).length;
await gateway.stop();
names.stop();
server.close();
console.log(JSON.stringify(results));
