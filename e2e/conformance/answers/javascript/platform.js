// SPDX-License-Identifier: Apache-2.0
// Streams, files, processes, workers, compression, cryptography: what the documentation promises, and vectors of RFC 4231 and FIPS 197.
const assert = require('assert');
const fs = require('fs/promises');
const os = require('os');
const path = require('path');
const { pipeline } = require('stream/promises');
const { Readable, Transform } = require('stream');
const zlib = require('zlib');
const crypto = require('crypto');
const { Worker } = require('worker_threads');
const { execFileSync, spawnSync } = require('child_process');
const { AsyncLocalStorage } = require('async_hooks');
(async () => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 't-'));
  const file = path.join(dir, 'f');
  await fs.writeFile(file, 'one\ntwo\n');
  await fs.appendFile(file, 'three');
  console.log((await fs.readFile(file, 'utf8')).split('\n'), (await fs.stat(file)).size);
  //> [ 'one', 'two', 'three' ] 13
  await fs.access(path.join(dir, 'none')).catch((e) => console.log(e.code, e.syscall));
  //> ENOENT access
  const parts = [];
  await pipeline(Readable.from(['a', 'b', 'c']), new Transform({ transform(c, _, cb) { cb(null, c.toString().toUpperCase()); } }),
    async function (source) { for await (const c of source) parts.push(c.toString()); });
  console.log(parts.join(''));
  //> ABC
  const text = 'x'.repeat(100000);
  console.log(zlib.gunzipSync(zlib.gzipSync(text)).toString() === text, zlib.brotliDecompressSync(zlib.brotliCompressSync(text)).length);
  //> true 100000
  console.log(crypto.createHmac('sha256', 'Jefe').update('what do ya want for nothing?').digest('hex'));
  //> 5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843
  const aes = crypto.createCipheriv('aes-128-ecb', Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'), null).setAutoPadding(false);
  console.log(aes.update('00112233445566778899aabbccddeeff', 'hex', 'hex') + aes.final('hex'));
  //> 69c4e0d86a7b0430d8cdb78070b4c55a
  console.log(await new Promise((resolve) => new Worker("require('worker_threads').parentPort.postMessage(6 * 7)", { eval: true }).once('message', resolve)));
  //> 42
  console.log(execFileSync('cat', { input: 'to child' }).toString(), spawnSync('sh', ['-c', 'exit 3']).status, spawnSync('sh', ['-c', 'kill -TERM $$']).signal);
  //> to child 3 SIGTERM
  const als = new AsyncLocalStorage();
  await als.run('inside', async () => { await null; console.log(als.getStore()); });
  //> inside
  console.log(als.getStore(), new Intl.NumberFormat('de-DE').format(1234567.891), new Date(0).toLocaleDateString('en-GB', { timeZone: 'UTC' }));
  //> undefined 1.234.567,891 01/01/1970
  const { webcrypto: { subtle } } = crypto;
  console.log(Buffer.from(await subtle.digest('SHA-256', Buffer.from('abc'))).toString('hex'));
  //> ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
  const cjs = require('fs').readFileSync === (await import('fs')).readFileSync;
  console.log(cjs, typeof fetch, typeof WebSocket, performance.now() > 0, process.argv.length >= 2);
  //> true function function true true
  const signal = AbortSignal.timeout(5); // its timer keeps no process alive
  const alive = setTimeout(() => {}, 10000);
  await new Promise((r) => signal.addEventListener('abort', r));
  clearTimeout(alive);
  console.log(signal.reason.name);
  //> TimeoutError
  assert.rejects(Promise.reject(new Error('x')), /x/).then(() => console.log('done'));
  //> done
})();
