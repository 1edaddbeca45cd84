// What a program in JavaScript tries with Node's modules. Arguments: a secret that the daemon has, the daemon's socket.
'use strict';
const child = require('node:child_process'), dgram = require('node:dgram'), dns = require('node:dns'), fs = require('node:fs');
const net = require('node:net'), os = require('node:os'), path = require('node:path'), { Worker } = require('node:worker_threads');

const [secret, socket] = process.argv.slice(2);
const usual = ['EPERM', 'EACCES', 'ENOENT', 'EROFS', 'ENOSYS'];
let count = 0;
const report = (name, word, evidence) => {
  count++;
  console.log(`javascript/${name}: ${word}: ${String(evidence).replace(/\s+/g, ' ').slice(0, 80)}`);
};
const refusal = (name, error, also) => {
  const code = String(error.info?.code || error.code || error.message);
  report(name, usual.concat(also).includes(code) ? 'refused' : 'ESCAPED', code);
};
const refuse = (name, attempt, ...also) => {
  let got;
  try {
    got = attempt();
  } catch (error) {
    return refusal(name, error, also);
  }
  report(name, 'ESCAPED', `it worked: ${got}`);
};
const hold = (name, wrong) => report(name, wrong.length ? 'ESCAPED' : 'held', wrong.length ? wrong : 'nothing there');
// Of something that says later how it went: by an event, or by done(error).
const later = (name, begin, ...also) => new Promise((resolve) => {
  const done = (error) => {
    if (error) refusal(name, error, also);
    else report(name, 'ESCAPED', 'it worked');
    resolve();
  };
  try {
    begin(done);
  } catch (error) {
    done(error);
  }
});
const shell = (script) => child.spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8' });
const pids = () => fs.readdirSync('/proc').filter((d) => /^\d+$/.test(d));

async function main() {
  refuse('setuid', () => process.setuid(0));
  refuse('setgroups', () => process.setgroups([0]));
  refuse('initgroups', () => process.initgroups('root', 0));
  refuse('a child as root', () => { const r = child.spawnSync('/bin/true', { uid: 0 }); if (r.error) throw r.error; });
  refuse('signal init', () => process.kill(1, 0));
  refuse('priority', () => os.setPriority(-5));
  refuse('priority of init', () => os.setPriority(1, 5));
  refuse('chdir to init\'s root', () => process.chdir('/proc/1/root'));

  refuse('write the runtime', () => fs.openSync('/usr/bin/node', 'r+'));
  refuse('replace the runtime', () => fs.renameSync('/usr/bin/node', '/usr/bin/node2'));
  refuse('make the runtime setuid', () => fs.chmodSync('/usr/bin/node', 0o4755));
  refuse('append to /etc/passwd', () => fs.appendFileSync('/etc/passwd', 'x'));
  refuse('a file in the root', () => fs.writeFileSync('/probe', 'x'));
  refuse('a file in /dev', () => fs.writeFileSync('/dev/probe', 'x'));
  refuse('chown to root', () => { fs.writeFileSync('f', 'x'); fs.chownSync('f', 0, 0); });
  refuse('climb out', () => fs.readFileSync('/proc/self/root/../../../../etc/shadow'));
  fs.symlinkSync('/proc/1/root', 'way-out');
  refuse('climb out by a link', () => fs.readdirSync('way-out'));
  refuse('init\'s memory', () => fs.openSync('/proc/1/mem', 'r+'));
  refuse('init\'s environment', () => fs.readFileSync('/proc/1/environ'));
  refuse('init\'s socket', () => fs.openSync('/proc/1/fd/3', 'r+'));
  refuse('core_pattern', () => fs.openSync('/proc/sys/kernel/core_pattern', 'w'));
  refuse('oom_score_adj', () => fs.writeFileSync('/proc/self/oom_score_adj', '-1000'));
  refuse('a disk', () => fs.openSync('/dev/vda', 'r'));
  refuse('the memory', () => fs.openSync('/dev/mem', 'r'));
  refuse('watch a file', () => fs.watch('/usr/bin/node').close());
  refuse('a library of its own from /tmp', () => {
    fs.copyFileSync('/usr/bin/true', '/tmp/x.node');
    process.dlopen({ exports: {} }, '/tmp/x.node');
  }, 'ERR_DLOPEN_FAILED');
  hold('images of other languages', ['/var/lib/ccee', '/usr/bin/python3', '/usr/lib/jvm', '/run/ccee', '/home', '/root'].filter((p) => fs.existsSync(p)));

  hold('environment', Object.keys(process.env).filter((k) => process.env[k].includes(secret) || /^(CCEE|REDIS|AWS|TENANT)/.test(k)));
  hold('processes', pids().filter((p) => p !== '1' && p !== String(process.pid)));
  hold('secrets of other processes', pids().filter((p) => {
    if (p === String(process.pid)) return false;
    try {
      return fs.readFileSync(`/proc/${p}/cmdline`).includes(secret) || fs.readFileSync(`/proc/${p}/environ`).includes(secret);
    } catch {
      return false;
    }
  }));
  hold('interfaces', Object.keys(os.networkInterfaces()).filter((name) => name !== 'lo'));
  hold('inherited descriptors', fs.readdirSync('/proc/self/fd').map(Number).filter((fd) => {
    if (fd < 3) return false;
    const target = (() => { try { return fs.readlinkSync(`/proc/self/fd/${fd}`); } catch { return ''; } })();
    // What Node opens for itself: epoll, eventfd, pipes and sockets between its threads, /dev/null, the directory that is read.
    return target !== '' && !/^(anon_inode|pipe|socket|\/dev\/null|\/proc\/)/.test(target);
  }));

  // By the shell, as an exploit would.
  const held = (name, script) => { const r = shell(script); report(name, r.status ? 'refused' : 'ESCAPED', `exit ${r.status} ${r.stderr || r.stdout}`); };
  held('shell, write the shell', 'exec 3>>/bin/sh');
  held('shell, leave by /proc/1/cwd', 'cd /proc/1/cwd/');
  held('shell, raise the limits', 'ulimit -n 1000000');
  held('shell, a network', 'exec 3<>/dev/tcp/169.254.169.254/80');
  held('shell, kill init', 'kill -0 1');
  held('shell, a name in the root', 'ln -s /proc/1/root /x');

  await later('a TCP connection', (done) => net.connect(80, '169.254.169.254').on('connect', done).on('error', done), 'ENETUNREACH');
  await later('a TCP connection by IPv6', (done) => net.connect(80, 'fd00:ec2::254').on('connect', done).on('error', done), 'ENETUNREACH');
  await later('a UDP datagram', (done) => dgram.createSocket('udp4').send('x', 53, '192.0.2.1', done), 'ENETUNREACH');
  await later('a multicast group', (done) => {
    const s = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => { try { s.addMembership('224.0.0.251', '127.0.0.1'); done(); } catch (e) { done(e); } });
  }, 'ENODEV');
  await later('a name', (done) => dns.lookup('host.example', done), 'EAI_AGAIN', 'ENOTFOUND', 'EAI_FAIL');
  await later('a name server', (done) => dns.resolve4('host.example', done), 'ECONNREFUSED', 'ETIMEOUT');
  await later('the daemon\'s socket', (done) => net.connect(socket).on('connect', done).on('error', done));
  await later('docker\'s socket', (done) => net.connect('/var/run/docker.sock').on('connect', done).on('error', done));
  await later('an abstract name of the host', (done) => net.connect('\0/tmp/.X11-unix/X0').on('connect', done).on('error', done), 'ECONNREFUSED');
  await later('from a thread', (done) => new Worker(
    'require("fs").openSync("/proc/1/mem", "r+")', { eval: true },
  ).on('error', done).on('exit', (code) => code || done()));

  console.log(`end: ${count}`);
  process.exit(0);
}
main();
