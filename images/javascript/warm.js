'use strict';
// Is loaded (node -r) into a Node that was started ahead, and into each of its workers. It makes the streams, which cost the most of
// what a small program has to wait for, stops itself, and Node goes on with the program when it is continued.
process.execArgv.length = 0; // child_process.fork hands them on
delete require.cache[__filename];
if (require('node:worker_threads').isMainThread) {
  process.stdout;
  process.stderr;
  process.kill(process.pid, 'SIGSTOP');
}
