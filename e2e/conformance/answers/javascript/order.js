// SPDX-License-Identifier: Apache-2.0
// The order that the documentation promises: the script, process.nextTick, promises and queueMicrotask, then timers; 'exit' last.
process.on('exit', (code) => console.log('exit', code));
process.on('beforeExit', (() => { let n = 0; return () => { if (n++ === 0) { console.log('beforeExit'); setTimeout(() => console.log('more'), 1); } }; })());
setTimeout(() => console.log('timeout'), 0);
queueMicrotask(() => console.log('microtask'));
Promise.resolve().then(() => console.log('promise')).then(() => console.log('then'));
process.nextTick(() => console.log('tick'));
console.log('script');
//> script
//> tick
//> microtask
//> promise
//> then
//> timeout
//> beforeExit
//> more
//> exit 0
