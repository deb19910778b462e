// SPDX-License-Identifier: Apache-2.0
// One recognition with the Speech SDK, as an application does it. Runs in this Node, in another one (as a
// program: its argument is the options as JSON, its output the outcome), and, by its source, in a browser.
import { pathToFileURL } from 'node:url';

/** {text} or {reason, errorCode, errorDetails}, and how long it took. `sdk` is the SDK's module. */
export function recognize(sdk, { host, key, token, bytes, seed }) {
  const config = sdk.SpeechConfig.fromHost(new URL(host), key);
  if (token) config.authorizationToken = token;
  config.speechRecognitionLanguage = 'en-US';
  const stream = sdk.AudioInputStream.createPushStream();
  const pcm = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) pcm[i] = (i * 31 + seed) & 0xff;
  stream.write(pcm.buffer);
  stream.close();
  const recognizer = new sdk.SpeechRecognizer(config, sdk.AudioConfig.fromStreamInput(stream));
  const from = Date.now();
  return new Promise((resolve) => {
    const done = (outcome) => {
      resolve({ ...outcome, ms: Date.now() - from });
      recognizer.close();
    };
    recognizer.recognizeOnceAsync(
      (result) => {
        if (result.reason === sdk.ResultReason.RecognizedSpeech) return done({ text: result.text });
        const details = sdk.CancellationDetails.fromResult(result);
        done({
          reason: sdk.CancellationReason[details.reason],
          errorCode: sdk.CancellationErrorCode[details.ErrorCode],
          errorDetails: details.errorDetails,
        });
      },
      (error) => done({ thrown: String(error) }),
    );
  });
}

/** The audio that recognize() sends. */
export const audio = ({ bytes, seed }) => Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + seed) & 0xff));

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { default: sdk } = await import('microsoft-cognitiveservices-speech-sdk');
  console.log(JSON.stringify(await recognize(sdk, JSON.parse(process.argv[2]))));
  process.exit(0);
}
