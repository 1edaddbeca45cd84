'use strict';
// Is loaded (node -r) into a Node that was started ahead, and into each of its workers. It makes the streams, which cost the most of
// what a small program has to wait for, stops itself, and Node goes on with the program when it is continued: at that moment its
// clocks begin (clock.c).
process.execArgv.length = 0; // child_process.fork hands them on
delete require.cache[__filename];
if (!process.abort.disabled) { // not in a worker
  const native = { exports: {} };
  process.dlopen(native, '/usr/lib/ccee/clock.node');
  const { begin, internalBinding } = native.exports;
  const { milestones } = internalBinding('performance');
  process.stdout;
  process.stderr;
  process.kill(process.pid, 'SIGSTOP');
  const now = begin(); // ns
  for (let i = 1; i < milestones.length; i++) if (milestones[i] >= 0) milestones[i] = now;
  milestones[0] = Date.now() * 1e3; // the first is microseconds of the other clock
}
