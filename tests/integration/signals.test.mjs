// SPDX-License-Identifier: Apache-2.0
// SIGTERM and SIGINT: no new connections, what is under way is finished, exit 0.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { RawClient, keyLine, plainConnect, request } from './lib/client.mjs';
import { Postern, cli, sumRequests } from './lib/postern.mjs';
import { Upstream, routes } from './lib/upstream.mjs';
import { apart, atMost, deferred, eventually, within } from './lib/util.mjs';

const limit = { timeout: 60000 };
let upstream;
let stopping = deferred(); // for what is to end only when the gateway has begun to stop

before(async () => {
  upstream = await Upstream.start(
    routes({
      '/slow': async (x) => {
        await x.body();
        await stopping.promise;
        await x.answer(200, 'finished');
      },
      '/stream': async (x) => {
        await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        for (let i = 0; i < 10; i++) {
          if (i === 5) await stopping.promise;
          await x.write(`2\r\n${i}.\r\n`);
          await apart();
        }
        await x.write('0\r\n\r\n');
      },
      '/forever': async (x) => {
        await x.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        while (!x.socket.destroyed && !x.connection.ended && (await x.write('1\r\n.\r\n'))) {
          if (await atMost(100, x.gone.then(() => true))) break; // ten times a second, until the gateway leaves
        }
        x.end();
      },
      '/x': async (x) => {
        await x.body();
        await x.answer(200, 'x');
      },
    }),
  );
}, limit);
after(() => upstream?.stop(), limit);

const refused = async (port) => {
  try {
    const client = await RawClient.connect(port, { timeoutMs: 500 });
    client.destroy();
    return false;
  } catch {
    return true;
  }
};

for (const signal of ['SIGTERM', 'SIGINT']) {
  describe(signal, limit, () => {
    test('what is under way is finished, new connections are refused, exit 0, all counted', limit, async () => {
      const gateway = await Postern.start({ upstream: upstream.url, workers: 2, tls_handshake_timeout: '2s' }); // the end waits for a handshake
      const { key1 } = await gateway.createKey();
      stopping = deferred();
      const earlier = upstream.requests.length;
      const slow = request(gateway.port, '/slow', { key: key1 });
      const stream = request(gateway.port, '/stream', { key: key1 });
      const uploading = await RawClient.connect(gateway.port);
      await uploading.write(`POST /x HTTP/1.1\r\nHost: h\r\n${keyLine(key1)}Content-Length: 10\r\n\r\n12345`);
      const idle = await RawClient.connect(gateway.port);
      assert.equal((await idle.get('/x', { key: key1 })).status, 200);
      const shaking = await plainConnect(gateway.port);
      await eventually(5000, 'four requests at the container', () => upstream.requests.length === earlier + 4);
      gateway.child.kill(signal);
      await eventually(5000, 'new connections to be refused', () => refused(gateway.port), 50);
      assert.ok(await idle.closes(5000), 'an idle connection is closed');
      stopping.resolve();
      await uploading.write('67890');
      assert.equal((await uploading.response()).text, 'x');
      assert.equal((await slow).text, 'finished');
      const streamed = await stream;
      assert.equal(streamed.text, '0.1.2.3.4.5.6.7.8.9.');
      assert.equal(streamed.broken, false);
      assert.deepEqual(await within(10000, 'the end', gateway.child.exit), { code: 0, signal: null }, gateway.stderr);
      shaking.destroy();
      for (const client of [uploading, idle]) client.destroy();
      const rows = (await cli(['usage', '--json'], { settings: { data_dir: gateway.settings.data_dir } })).json();
      assert.equal(sumRequests(rows), 4);
    });
  });
}

describe('the limit', limit, () => {
  test('what does not end is cut at the time limit', limit, async () => {
    const gateway = await Postern.start({ upstream: upstream.url, shutdown_timeout: '1s' });
    const { key1 } = await gateway.createKey();
    const client = await RawClient.connect(gateway.port);
    await client.write(`GET /forever HTTP/1.1\r\nHost: h\r\n${keyLine(key1)}\r\n`);
    await client.reader.until('\r\n\r\n');
    const start = Date.now();
    await gateway.stop({ ms: 8000 });
    const took = Date.now() - start;
    assert.ok(took > 700 && took < 5000, `${took} ms`);
    client.destroy();
  });
  test('a second signal ends it at once', limit, async () => {
    const gateway = await Postern.start({ upstream: upstream.url });
    const { key1 } = await gateway.createKey();
    const client = await RawClient.connect(gateway.port);
    await client.write(`GET /forever HTTP/1.1\r\nHost: h\r\n${keyLine(key1)}\r\n`);
    await client.reader.until('\r\n\r\n');
    gateway.child.kill('SIGTERM');
    await eventually(5000, 'the stop to begin', () => gateway.stderr.includes('stopping'));
    gateway.child.kill('SIGTERM');
    await within(5000, 'the end', gateway.child.exit);
    client.destroy();
  });
  test('with nothing to do it ends quickly', limit, async () => {
    const gateway = await Postern.start({ upstream: upstream.url, workers: 2, tls_handshake_timeout: '2s' }); // the end waits for a handshake
    const start = Date.now();
    await gateway.stop();
    assert.ok(Date.now() - start < 3000);
  });
  test('SIGPIPE and SIGHUP do not end it', limit, async () => {
    const gateway = await Postern.start({ upstream: upstream.url });
    gateway.child.kill('SIGPIPE');
    gateway.child.kill('SIGHUP');
    for (let i = 0; i < 3; i++) assert.equal((await request(gateway.port, '/status')).status, 404);
    await gateway.stop();
  });
});
