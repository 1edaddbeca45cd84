'use strict';
// Is loaded (NODE_OPTIONS) into each Node, its workers and children. os.availableParallelism follows the job's CPU rate, which libuv reads
// from the cgroup where that is v2, or v1 with cpu and cpuacct in one hierarchy. Here the others are read.
const fs = require('node:fs');
const os = require('node:os');
delete require.cache[__filename];

const number = (file) => Number(fs.readFileSync('/sys/fs/cgroup/cpu/' + file, 'utf8'));
const all = os.availableParallelism;

function availableParallelism() {
  try {
    const quota = number('cpu.cfs_quota_us');
    return quota > 0 ? Math.max(1, Math.min(all(), Math.floor(quota / number('cpu.cfs_period_us')))) : all();
  } catch {
    return all();
  }
}

if (fs.existsSync('/sys/fs/cgroup/cpu/cpu.cfs_quota_us')) {
  availableParallelism[Symbol.toPrimitive] = () => availableParallelism();
  os.availableParallelism = availableParallelism;
  require('node:module').syncBuiltinESMExports();
}
