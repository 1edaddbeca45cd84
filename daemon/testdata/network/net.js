// Servers with their clients, and what there is around them.
const http = require('http'), net = require('net'), dgram = require('dgram'), dns = require('dns'), os = require('os');
const cluster = require('cluster');
const { Worker, isMainThread, workerData } = require('worker_threads');
const once = (e, name) => new Promise((ok, no) => e.once(name, ok).once('error', no));

if (!isMainThread) {
  net.connect(workerData, '127.0.0.1').end('from a thread');
} else if (!cluster.isPrimary) {
  http.createServer((q, r) => r.end('from a process')).listen(8080, '127.0.0.1');
} else {
  main();
}

async function main() {
  for (const [listen, host] of [['127.0.0.1', '127.0.0.1'], ['::1', '[::1]'], [undefined, 'localhost']]) {
    const server = http.createServer((q, r) => r.end('you asked for ' + q.url)).listen(0, listen);
    await once(server, 'listening');
    console.log('http', await (await fetch(`http://${host}:${server.address().port}/x`)).text());
    server.closeAllConnections();
    server.close();
  }
  const server = net.createServer((c) => c.setNoDelay(true).setKeepAlive(true, 1000).pipe(c)).listen(0);
  await once(server, 'listening');
  const c = net.connect(server.address().port);
  c.end('hello');
  console.log('net', String(await once(c, 'data')), server.address().family);
  server.close();
  for (const [type, host] of [['udp4', '127.0.0.1'], ['udp6', '::1']]) {
    const a = dgram.createSocket({ type, reuseAddr: true }), b = dgram.createSocket(type);
    a.bind(0, host);
    await once(a, 'listening');
    a.setTTL(2);
    b.send('ping', a.address().port, host);
    console.log(type, String(await once(a, 'message')));
    a.close();
    b.close();
  }
  const heard = net.createServer((s) => s.on('data', (d) => { console.log('worker', String(d)); heard.close(); })).listen(0, '127.0.0.1');
  await once(heard, 'listening');
  new Worker(__filename, { workerData: heard.address().port });
  await once(heard, 'close');
  const child = cluster.fork();
  await once(child, 'listening');
  console.log('cluster', await (await fetch('http://127.0.0.1:8080')).text());
  child.process.kill();
  console.log('interfaces', Object.keys(os.networkInterfaces()), os.networkInterfaces().lo.map((a) => a.address));
  const why = async (f) => { try { await f(); return 'it worked'; } catch (e) { return e.cause?.code || e.code; } };
  console.log('a name', await why(() => dns.promises.lookup('host.example')));
  console.log('an address', await why(() => once(net.connect(53, '192.0.2.1'), 'connect')));
  console.log('a closed port', await why(() => once(net.connect(1, '127.0.0.1'), 'connect')));
}
