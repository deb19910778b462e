// SPDX-License-Identifier: Apache-2.0
// The cases of the golden wire tests: tables, and every combination that makes a difference on the wire.
const keyField = (key) => `Ocp-Apim-Subscription-Key: ${key}\r\n`;
const head = (line, fields = '') => (key) => `${line}\r\nHost: api.example\r\n${key ? keyField(key) : ''}${fields}\r\n`;

/** What containers respond: name, bytes, what else. */
const RESPONSES = [
  ['length', 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello'],
  ['length 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
  ['chunked, trailer', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5;e=1\r\nhello\r\n0\r\nX-T: 1\r\n\r\n'],
  ['until close', 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello', { ends: 'later' }],
  ['until close, empty', 'HTTP/1.1 200 OK\r\n\r\n', { ends: 'later' }],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello', { ends: true }],
  ['own reason', 'HTTP/1.1 200 Quite All Right\r\nContent-Length: 2\r\n\r\nok'],
  ['no reason', 'HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok'],
  ['unknown status', 'HTTP/1.1 799 Whatever\r\nContent-Length: 2\r\n\r\nok'],
  ['order, case, repeats', 'HTTP/1.1 200 OK\r\nzeta: 1\r\nX-A: 1\r\nALPHA: 2\r\nx-a: 2\r\ncontent-length: 2\r\nX-A: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nok'],
  ['empty values', 'HTTP/1.1 200 OK\r\nX-Empty:\r\nX-Blank:   \r\nX-Full: 1\r\nContent-Length: 2\r\n\r\nok'],
  ['odd bytes', 'HTTP/1.1 200 OK\r\nX-Odd: \xe4\xf6\xfc "q" \\ , ;\r\nX!#$%&\'*+.^_`|~-9: 1\r\nContent-Length: 2\r\n\r\nok'],
  ['date and server', 'HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: Kestrel\r\nContent-Length: 2\r\n\r\nok'],
  ['hop-by-hop', 'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nAlt-Svc: h3=":1"\r\nContent-Length: 2\r\n\r\nok'],
  ['own ids', 'HTTP/1.1 200 OK\r\nX-Request-Id: theirs\r\napim-request-id: theirs\r\nx-envoy-upstream-service-time: 7\r\nContent-Length: 2\r\n\r\nok'],
  ['closes', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok', { ends: true }],
  ['interim', 'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['202 with a job', 'HTTP/1.1 202 Accepted\r\nOperation-Location: http://localhost:5000/operations/1?a=b\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n'],
  ['204', 'HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n'],
  ['205', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n'],
  ['206', 'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nok'],
  ['301', 'HTTP/1.1 301 Moved Permanently\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n'],
  ['304', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n'],
  ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 12345\r\n\r\n'],
  ['401', 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 2\r\n\r\nno'],
  ['500', 'HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'],
  ['large', `HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n${'0123456789'.repeat(20000)}`],
  ['large, chunked', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'4e20\r\n' + '0123456789'.repeat(2000) + '\r\n'}${('2710\r\n' + 'abcdefghij'.repeat(1000) + '\r\n').repeat(9)}0\r\n\r\n`],
  ['cut', 'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello', { ends: true }],
  ['cut, chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', { ends: true }],
  ['malformed', 'HTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', { ends: true }],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok', { ends: true }],
  ['length and chunked', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', { ends: true }],
  ['gzip, chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', { ends: true }],
  ['nothing', '', { ends: true }],
  ['101, not asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n', { ends: true }],
  ['no body told, HEAD', 'HTTP/1.1 200 OK\r\nETag: "x"\r\n\r\n', { ends: 'later' }],
  ['big head', `HTTP/1.1 200 OK\r\n${Array.from({ length: 20 }, (_, i) => `X-${i}: ${String.fromCharCode(97 + i).repeat(500)}\r\n`).join('')}Content-Length: 2\r\n\r\nok`],
];

const HEADS_OF_HEAD = (bytes) => bytes.slice(0, bytes.lastIndexOf('\r\n\r\n') + 4);

/** How clients ask. */
const WAYS = [
  ['GET', head('GET /golden HTTP/1.1')],
  ['GET, close', head('GET /golden HTTP/1.1', 'Connection: close\r\n')],
  ['GET, 1.0', head('GET /golden HTTP/1.0')],
  ['GET, 1.0, keep-alive', head('GET /golden HTTP/1.0', 'Connection: Keep-Alive\r\n')],
  ['HEAD', head('HEAD /golden HTTP/1.1')],
  ['POST', (key) => head('POST /golden HTTP/1.1', 'Content-Type: text/plain\r\nContent-Length: 4\r\n')(key) + 'body'],
];

/** Of these, the odd ways show nothing more. */
const FEW_WAYS = new Set(['order, case, repeats', 'odd bytes', 'own ids', '205', '206', '301', '500', 'unknown status', 'big head', 'gzip, chunked', 'two lengths', 'length and chunked', '101, not asked for']);

function responses() {
  const cases = [];
  for (const [name, bytes, more = {}] of RESPONSES) {
    for (const [way, send] of WAYS) {
      if (FEW_WAYS.has(name) && !['GET', 'HEAD'].includes(way)) continue;
      const isHead = way === 'HEAD';
      const container = isHead && bytes !== '' ? HEADS_OF_HEAD(bytes.replace(/^([\s\S]*?\r\n\r\n)[\s\S]*$/, name === 'interim' ? bytes : '$1')) : bytes;
      cases.push({ name: `response: ${name}, to ${way}`, send, container, methods: [isHead ? 'HEAD' : 'GET'], ...more });
    }
  }
  return cases;
}

/** What clients send, and containers see. */
const chunks = (...parts) => parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('') + '0\r\n\r\n';
const REQUESTS = [
  ['DELETE', head('DELETE /golden/1 HTTP/1.1')],
  ['PUT without a body', head('PUT /golden HTTP/1.1', 'Content-Length: 0\r\n')],
  ['POST without a length', head('POST /golden HTTP/1.1')],
  ['PATCH', (key) => head('PATCH /golden HTTP/1.1', 'Content-Length: 2\r\n')(key) + '{}'],
  ['OPTIONS *', head('OPTIONS * HTTP/1.1')],
  ['method of its own', head('QUERY /golden HTTP/1.1')],
  ['chunked', (key) => head('POST /golden HTTP/1.1', 'Transfer-Encoding: chunked\r\n')(key) + chunks('hello', ' ', 'world')],
  ['chunked, trailer', (key) => head('POST /golden HTTP/1.1', 'Transfer-Encoding: chunked\r\nTrailer: X-T\r\n')(key) + '5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n'],
  ['chunked, empty', (key) => head('POST /golden HTTP/1.1', 'Transfer-Encoding: chunked\r\n')(key) + '0\r\n\r\n'],
  ['body of 100 KB', (key) => head('POST /golden HTTP/1.1', 'Content-Length: 100000\r\n')(key) + 'b'.repeat(100000)],
  ['GET with a body', (key) => head('GET /golden HTTP/1.1', 'Content-Length: 4\r\n')(key) + 'body'],
  ['query', head('GET /golden?a=1&b=%20x&a=2&&c HTTP/1.1')],
  ['escapes', head('GET /golden/%41%2f%2E./%zz?x HTTP/1.1')],
  ['escapes, well', head('GET /golden/%41%2f%2E/..;a=b HTTP/1.1')],
  ['double slashes', head('GET //golden//x/../y HTTP/1.1')],
  ['absolute form', head('GET https://other.example/golden HTTP/1.1')],
  ['fragment', head('GET /golden#x HTTP/1.1')],
  ['fields', head('GET /golden HTTP/1.1', 'zeta: 1\r\nX-A: 1\r\nx-a: 2\r\nX-Empty:\r\nAccept: a/b;q=1 , c/d\r\nCookie: a=b; c=d\r\nUser-Agent: x\r\n')],
  ['hop-by-hop', head('GET /golden HTTP/1.1', 'Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\n')],
  ['forwarded, not trusted', head('GET /golden HTTP/1.1', 'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: evil\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX-Original-URL: /x\r\n')],
  ['underscores', head('GET /golden HTTP/1.1', 'X_Forwarded_For: 1\r\nProxy: x\r\nX-Postern-Key-Id: forged\r\n')],
  ['request id', head('GET /golden HTTP/1.1', 'X-Request-Id: my-own-id-1\r\n')],
  ['api-key', (key) => head('GET /golden HTTP/1.1', `api-key: ${key}\r\n`)('')],
  ['bearer key', (key) => head('GET /golden HTTP/1.1', `Authorization: Bearer ${key}\r\n`)('')],
  ['key twice, the same', (key) => head('GET /golden HTTP/1.1', `api-key: ${key}\r\n`)(key)],
  ['key and authorization', (key) => head('GET /golden HTTP/1.1', 'Authorization: Basic eDp5\r\n')(key)],
  ['key in the query', (key) => head(`GET /golden?subscription-key=${key}&a=1 HTTP/1.1`)('')],
  ['expect', (key) => [head('POST /golden HTTP/1.1', 'Expect: 100-continue\r\nContent-Length: 4\r\n')(key), 'body'], { pause: true }],
  ['expect, chunked', (key) => [head('POST /golden HTTP/1.1', 'Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n')(key), chunks('body')], { pause: true }],
  ['two pipelined', (key) => head('GET /golden?1 HTTP/1.1')(key) + head('GET /golden?2 HTTP/1.1')(key), { methods: ['GET', 'GET'] }],
  ['three pipelined, one with a body', (key) => head('GET /golden?1 HTTP/1.1')(key) + head('POST /golden?2 HTTP/1.1', 'Content-Length: 4\r\n')(key) + 'body' + head('GET /golden?3 HTTP/1.1', 'Connection: close\r\n')(key), { methods: ['GET', 'POST', 'GET'] }],
  ['pipelined behind HEAD', (key) => head('HEAD /golden?1 HTTP/1.1')(key) + head('GET /golden?2 HTTP/1.1')(key), { methods: ['HEAD', 'GET'], container: undefined, headless: true }],
  ['pipelined behind a refusal', (key) => head('GET /golden?1 HTTP/1.1')('') + head('GET /golden?2 HTTP/1.1')(key), { methods: ['GET', 'GET'] }],
  ['empty lines in front', (key) => '\r\n' + head('GET /golden HTTP/1.1')(key)],
  ['head in pieces', (key) => { const whole = head('GET /golden HTTP/1.1')(key); return [whole.slice(0, 20), whole.slice(20, 40), whole.slice(40)]; }],
  ['early response', (key) => head('POST /golden HTTP/1.1', 'Content-Length: 4\r\n')(key) + 'bo', { early: true, container: 'HTTP/1.1 413 Too Large\r\nContent-Type: text/plain\r\nX-E:\r\nContent-Length: 2\r\n\r\nno' }],
  ['early response, chunked', (key) => head('POST /golden HTTP/1.1', 'Transfer-Encoding: chunked\r\n')(key) + '4\r\nbody\r\n', { early: true, container: 'HTTP/1.1 413 Too Large\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n' }],
  ['early response, until close', (key) => head('POST /golden HTTP/1.1', 'Content-Length: 4\r\n')(key) + 'bo', { early: true, container: 'HTTP/1.1 400 Bad\r\n\r\n', ends: 'later' }],
];

/** What is refused. */
const REFUSALS = [
  ['no key', head('GET /golden HTTP/1.1'), { noKey: true }],
  ['no key, HEAD', head('HEAD /golden HTTP/1.1'), { noKey: true, methods: ['HEAD'] }],
  ['no key, close', head('GET /golden HTTP/1.1', 'Connection: close\r\n'), { noKey: true }],
  ['no key, 1.0', head('GET /golden HTTP/1.0'), { noKey: true }],
  ['no key, 1.0, keep-alive', head('GET /golden HTTP/1.0', 'Connection: keep-alive\r\n'), { noKey: true }],
  ['no key, small body', () => head('POST /golden HTTP/1.1', 'Content-Length: 4\r\n')('') + 'body'],
  ['no key, small body, HEAD', () => head('HEAD /golden HTTP/1.1', 'Content-Length: 4\r\n')('') + 'body', { methods: ['HEAD'] }],
  ['no key, body of 100 KB', () => head('POST /golden HTTP/1.1', 'Content-Length: 100000\r\n')('') + 'b'.repeat(1000)],
  ['no key, chunked', () => head('POST /golden HTTP/1.1', 'Transfer-Encoding: chunked\r\n')('') + chunks('hello')],
  ['no key, expect', () => head('POST /golden HTTP/1.1', 'Expect: 100-continue\r\nContent-Length: 4\r\n')('')],
  ['no key, translator', () => head('GET /translator/text/v3.0/languages HTTP/1.1')('')],
  ['wrong key', head('GET /golden HTTP/1.1', 'api-key: 00000000000000000000000000000000\r\n'), { noKey: true }],
  ['two keys', (key) => head('GET /golden HTTP/1.1', 'api-key: 00000000000000000000000000000000\r\n')(key)],
  ['empty key', head('GET /golden HTTP/1.1', 'api-key:\r\n'), { noKey: true }],
  ['token', head('GET /golden HTTP/1.1', `Authorization: Bearer ${'a'.repeat(400)}\r\n`), { noKey: true }],
  ['TRACE', head('TRACE /golden HTTP/1.1')],
  ['CONNECT', head('CONNECT a:1 HTTP/1.1')],
  ['asterisk of GET', head('GET * HTTP/1.1')],
  ['%00', head('GET /golden/%00 HTTP/1.1')],
  ['target of 9000 bytes', head(`GET /${'a'.repeat(9000)} HTTP/1.1`)],
  ['head of 40 KB', head('GET /golden HTTP/1.1', `X-Long: ${'a'.repeat(40000)}\r\n`)],
  ['200 fields', head('GET /golden HTTP/1.1', 'X-A: 1\r\n'.repeat(200))],
  ['no host', (key) => `GET /golden HTTP/1.1\r\n${keyField(key)}\r\n`],
  ['no host, 1.0', (key) => `GET /golden HTTP/1.0\r\n${keyField(key)}\r\n`],
  ['two hosts', head('GET /golden HTTP/1.1', 'Host: b\r\n')],
  ['host with a path', (key) => `GET /golden HTTP/1.1\r\nHost: a/b\r\n${keyField(key)}\r\n`],
  ['HTTP/1.2', head('GET /golden HTTP/1.2')],
  ['HTTP/2.0', head('GET /golden HTTP/2.0')],
  ['HTTP/0.9', () => 'GET /golden\r\n\r\n'],
  ['no HTTP', () => 'hello there\r\n\r\n'],
  ['field without a colon', head('GET /golden HTTP/1.1', 'X-Field\r\n')],
  ['field without a name', head('GET /golden HTTP/1.1', ': x\r\n')],
  ['space in front of a colon', head('GET /golden HTTP/1.1', 'X-A : x\r\n')],
  ['folded field', head('GET /golden HTTP/1.1', 'X-A: x\r\n y\r\n')],
  ['control in a value', head('GET /golden HTTP/1.1', 'X-A: a\x01b\r\n')],
  ['NUL in a value', head('GET /golden HTTP/1.1', 'X-A: a\0b\r\n')],
  ['bare CR', head('GET /golden HTTP/1.1', 'X-A: a\rb\r\n')],
  ['bare LF', (key) => `GET /golden HTTP/1.1\nHost: a\n${key ? keyField(key) : ''}\r\n`],
  ['length and chunked', (key) => head('POST /golden HTTP/1.1', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n')(key) + '0\r\n\r\n'],
  ['two lengths', (key) => head('POST /golden HTTP/1.1', 'Content-Length: 4\r\nContent-Length: 4\r\n')(key) + 'body'],
  ['length of words', (key) => head('POST /golden HTTP/1.1', 'Content-Length: four\r\n')(key) + 'body'],
  ['length with a sign', (key) => head('POST /golden HTTP/1.1', 'Content-Length: +4\r\n')(key) + 'body'],
  ['length beyond numbers', head('POST /golden HTTP/1.1', 'Content-Length: 99999999999999999999999\r\n')],
  ['coding twice', (key) => head('POST /golden HTTP/1.1', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n')(key) + '0\r\n\r\n'],
  ['coding gzip', (key) => head('POST /golden HTTP/1.1', 'Transfer-Encoding: gzip\r\n')(key)],
  ['coding in 1.0', (key) => head('POST /golden HTTP/1.0', 'Transfer-Encoding: chunked\r\n')(key) + '0\r\n\r\n'],
  ['expectation of its own', (key) => head('POST /golden HTTP/1.1', 'Expect: wonders\r\nContent-Length: 4\r\n')(key) + 'body'],
  ['body too large', head('POST /golden HTTP/1.1', 'Content-Length: 3000000\r\n'), { gateway: 'pages' }],
  ['chunked body too large', (key) => head('POST /golden HTTP/1.1', 'Transfer-Encoding: chunked\r\n')(key) + '30000\r\n' + 'c'.repeat(0x30000), { gateway: 'pages', blind: true }],
  ['bad chunk size', (key) => head('POST /golden HTTP/1.1', 'Transfer-Encoding: chunked\r\n')(key) + 'zz\r\n', { blind: true }],
  ['no CRLF behind a chunk', (key) => head('POST /golden HTTP/1.1', 'Transfer-Encoding: chunked\r\n')(key) + '2\r\nokok\r\n', { blind: true }],
  ['no HTTP behind a response', (key) => head('GET /golden HTTP/1.1')(key) + 'hello there\r\n\r\n', { methods: ['GET', 'GET'] }],
  ['HTTP/2.0 behind a response', (key) => head('GET /golden HTTP/1.1')(key) + head('GET /golden HTTP/2.0')(key), { methods: ['GET', 'GET'] }],
  ['no target behind a response', (key) => head('GET /golden HTTP/1.1')(key) + 'GET\r\n\r\n', { methods: ['GET', 'GET'] }],
  ['long line behind a response', (key) => head('GET /golden HTTP/1.1')(key) + `GET /${'a'.repeat(60000)} HTTP/1.1\r\n\r\n`, { methods: ['GET', 'GET'] }],
  ...['hello there\r\n\r\n', 'GET\r\n\r\n', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', `GET /${'a'.repeat(60000)} HTTP/1.1\r\n\r\n`, 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'].map((second) =>
    [`after a response: ${JSON.stringify(second.slice(0, 24))}`, (key) => [head('GET /golden HTTP/1.1')(key), second], { methods: ['GET', 'GET'], inTurns: true }]),
  ['malformed field behind a response', (key) => head('GET /golden HTTP/1.1')(key) + head('GET /golden HTTP/1.1', 'X-Field\r\n')(key), { methods: ['GET', 'GET'] }],
  ['bad chunk behind a response', (key) => head('GET /golden HTTP/1.1')(key) + head('POST /golden HTTP/1.1', 'Transfer-Encoding: chunked\r\n')(key) + 'zz\r\n', { methods: ['GET', 'GET'], blind: true }],
  ['two lengths behind HEAD', (key) => head('HEAD /golden HTTP/1.0', 'Connection: keep-alive\r\n')(key) + head('POST /golden HTTP/1.1', 'Content-Length: 1\r\nContent-Length: 2\r\n')(key), { methods: ['HEAD', 'GET'], headless: true }],
  ['question for another host', head('GET /golden?GenerateRedirectResponse=true HTTP/1.1')],
];

const UPGRADE = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: a\r\nX-A: 1\r\n\r\n\x81\x02ok';
const ORIGIN = 'Origin: https://app.example\r\n';
const SPECIAL = [
  ['websocket', head('GET /golden HTTP/1.1', UPGRADE), { container: SWITCHED, ends: true }],
  ['websocket, refused by the container', head('GET /golden HTTP/1.1', UPGRADE), { container: 'HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno' }],
  ['websocket, wrong accept', head('GET /golden HTTP/1.1', UPGRADE), { container: SWITCHED.replace('s3pP', 'xxxx'), ends: true }],
  ['websocket, no key', () => head('GET /golden HTTP/1.1', UPGRADE)('')],
  ['websocket, no key, speech', () => head('GET /speech/x HTTP/1.1', UPGRADE)('')],
  ['websocket, wrong version', head('GET /golden HTTP/1.1', UPGRADE.replace('13', '8'))],
  ['websocket, bytes behind', (key) => head('GET /golden HTTP/1.1', UPGRADE)(key) + '\x81\x00'],
  ['preflight', () => head('OPTIONS /golden HTTP/1.1', `${ORIGIN}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: api-key\r\n`)(''), { gateway: 'pages' }],
  ['preflight, 1.0', () => head('OPTIONS /golden HTTP/1.0', `${ORIGIN}Access-Control-Request-Method: POST\r\n`)(''), { gateway: 'pages' }],
  ['preflight of another page', () => head('OPTIONS /golden HTTP/1.1', 'Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n')(''), { gateway: 'pages' }],
  ['page', head('GET /golden HTTP/1.1', ORIGIN), { gateway: 'pages' }],
  ['page, fields replaced', head('GET /golden HTTP/1.1', ORIGIN), { gateway: 'pages', container: 'HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nVary: Accept\r\nContent-Length: 2\r\n\r\nok' }],
  ['page of another origin', head('GET /golden HTTP/1.1', 'Origin: https://evil.example\r\n'), { gateway: 'pages', container: 'HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2\r\n\r\nok' }],
  ['page, no key', () => head('GET /golden HTTP/1.1', ORIGIN)(''), { gateway: 'pages' }],
  ['page, malformed length', () => head('POST /golden HTTP/1.1', `${ORIGIN}Content-Length: x\r\n`)(''), { gateway: 'pages' }],
  ['page, early response', (key) => head('POST /golden HTTP/1.1', `${ORIGIN}Content-Length: 4\r\n`)(key) + 'bo', { gateway: 'pages', early: true, container: 'HTTP/1.1 413 Too Large\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2\r\n\r\nno' }],
  ['location of the container', head('GET /golden HTTP/1.1'), { gateway: 'pages', container: 'HTTP/1.1 201 Created\r\nLocation: http://localhost:5000/jobs/1\r\nOperation-Location: https://elsewhere.example/x\r\nContent-Location: /y\r\nContent-Length: 0\r\n\r\n' }],
  ['next link', head('GET /text/analytics/v3.1/analyze/jobs/1 HTTP/1.1'), { gateway: 'pages', container: 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 53\r\n\r\n{"@nextLink":"http://localhost:5000/text/a?x=1","a":1}' }],
  ['next link, 1.0', head('GET /text/analytics/v3.1/analyze/jobs/1 HTTP/1.0'), { gateway: 'pages', container: 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 53\r\n\r\n{"@nextLink":"http://localhost:5000/text/a?x=1","a":1}' }],
  ['next link, HEAD', head('HEAD /text/analytics/v3.1/analyze/jobs/1 HTTP/1.1'), { gateway: 'pages', methods: ['HEAD'], container: 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 53\r\n\r\n' }],
  ['forwarded, trusted', head('GET /golden HTTP/1.1', 'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: public.example\r\nForwarded: for=1.2.3.4\r\n'), { gateway: 'pages' }],
  ['host kept', head('GET /golden HTTP/1.1'), { gateway: 'pages' }],
  ['open path', () => head('GET /status HTTP/1.1')('')],
  ['open path, wrong key', () => head('GET /status HTTP/1.1', 'api-key: x\r\n')('')],
  ['token without a key', () => head('POST /sts/v1.0/issueToken HTTP/1.1', 'Content-Length: 0\r\n')('')],
];

export function goldenCases() {
  const cases = responses();
  const names = { request: REQUESTS, refusal: REFUSALS, special: SPECIAL };
  for (const [kind, table] of Object.entries(names)) {
    for (const [name, send, { noKey = false, headless = false, ...more } = {}] of table) {
      const container = headless ? 'HTTP/1.1 204 No Content\r\n\r\n' : more.container;
      cases.push({ name: `${kind}: ${name}`, send: noKey ? () => send('') : send, ...more, container });
    }
  }
  return cases;
}
