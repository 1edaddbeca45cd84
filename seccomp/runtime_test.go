// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRuntimes runs the toolchains that this machine has under the default policy, with what of each is most likely to make
// calls that others don't: threads, child processes, files, locks, timers, local sockets. Those of the images are tried
// from end to end elsewhere.
func TestRuntimes(t *testing.T) {
	try, program := newTryer(t), mustCompile(t, Default())
	for _, tt := range []struct {
		tool, name, source string
		argv               []string // {tool}, {file} and {dir} are replaced
	}{
		{"/bin/sh", "sh.sh", shellProgram, []string{"{tool}", "{file}"}},
		{"/usr/bin/python3", "py.py", pythonProgram, []string{"{tool}", "{file}"}},
		{"/usr/bin/node", "js.js", nodeProgram, []string{"{tool}", "{file}"}},
		{"/usr/bin/java", "Main.java", javaProgram, []string{"{tool}", "-Xshare:auto", "-Djava.io.tmpdir={dir}", "{file}"}}, // javac inside
		{"/usr/bin/gcc", "c.c", cProgram, []string{"/bin/sh", "-c", "{tool} -O1 -pthread -o {dir}/c {file} && {dir}/c"}},
	} {
		t.Run(filepath.Base(tt.tool), func(t *testing.T) {
			if _, err := os.Stat(tt.tool); err != nil {
				t.Skipf("not installed here: %v", err)
			}
			dir := openDir(t)
			file := filepath.Join(dir, tt.name)
			if err := os.WriteFile(file, []byte(tt.source), 0o644); err != nil {
				t.Fatal(err)
			}
			argv := []string{"exec"}
			for _, a := range tt.argv {
				argv = append(argv, strings.NewReplacer("{tool}", tt.tool, "{file}", file, "{dir}", dir).Replace(a))
			}
			cmd := exec.Command(try.path, argv...)
			cmd.Stdin, cmd.Dir, cmd.Env = bytes.NewReader(program), dir, []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir}
			out, err := cmd.CombinedOutput()
			if err != nil || string(out) != "fine\n" {
				t.Errorf("%v: %v, output:\n%s\nwant fine", argv[1:], err, out)
			}
		})
	}
}

// openDir is a directory that the unprivileged user of try.c can write to.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const shellProgram = `set -e
mkfifo p; (echo fine >p) & cat p | tr a-z A-Z | tr A-Z a-z >out; wait
mkdir d; ln -s out d/l; cp -a out d/o; mv d/o d/q; ls -la d >/dev/null; tail -n 1 out; rm -r d p out
`

const pythonProgram = `
import asyncio, concurrent.futures, fcntl, hashlib, mmap, multiprocessing, os, random, resource, select, signal, socket, sqlite3
import subprocess, sys, tempfile, threading, time, zlib
def square(x): return x * x
async def wait(): await asyncio.sleep(0.001)
def main():
    db = sqlite3.connect("x.db"); db.execute("create table t(a)"); db.commit(); db.close()
    assert subprocess.run([sys.executable, "-c", "print(6*7)"], capture_output=True, text=True).stdout == "42\n"
    with multiprocessing.get_context("spawn").Pool(2) as p: assert p.map(square, [3]) == [9]
    with multiprocessing.get_context("fork").Pool(2) as p: assert p.map(square, [3]) == [9]
    with concurrent.futures.ThreadPoolExecutor(4) as e: assert list(e.map(square, range(4)))[3] == 9
    asyncio.run(wait())
    a, b = socket.socketpair(); a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096); a.send(b"x"); assert b.recv(1) == b"x"
    socket.socket(socket.AF_INET).close()
    try: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); raise SystemExit("MPTCP was allowed")
    except OSError as e: assert e.errno == 93, e
    with socket.create_server(("127.0.0.1", 0)) as s, socket.create_connection(s.getsockname()) as c: c.sendall(b"x"); assert s.accept()[0].recv(1) == b"x"
    assert socket.if_nameindex()
    assert socket.getaddrinfo("127.0.0.1", 80)
    signal.signal(signal.SIGALRM, lambda *_: None); signal.setitimer(signal.ITIMER_REAL, 0.001); signal.pause()
    with tempfile.TemporaryFile() as f: f.write(b"12"); f.flush(); fcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(f, fcntl.LOCK_EX); mmap.mmap(f.fileno(), 2)
    os.close(os.memfd_create("m")); os.posix_fadvise(os.open("x.db", os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED)
    os.cpu_count(), os.getloadavg(), resource.getrusage(0), os.urandom(1), os.sched_getaffinity(0), sys.stdin.isatty()
    print("fine")
if __name__ == "__main__": main()
`

const nodeProgram = `
const fs = require('fs'), cp = require('child_process'), os = require('os'), net = require('net'), crypto = require('crypto');
const {Worker, isMainThread, parentPort} = require('worker_threads');
if (!isMainThread) parentPort.postMessage(42);
else (async () => {
  const n = await new Promise((ok, no) => new Worker(__filename).on('message', ok).on('error', no));
  if (n !== 42) throw n;
  await fs.promises.writeFile('f', 'x'); await fs.promises.cp('f', 'g'); fs.statSync('g'); fs.readdirSync('.');
  const out = cp.execFileSync(process.execPath, ['-e', 'process.stdout.write("6")']);
  if (String(out) !== '6') throw out;
  const code = await new Promise(ok => cp.fork(__filename + '.missing', {silent: true}).on('exit', ok));
  if (code !== 1) throw code;
  const s = net.createServer(c => c.end('y'));
  await new Promise(ok => s.listen('sock', ok));
  const y = await new Promise((ok, no) => net.connect('sock').on('data', ok).on('error', no));
  if (String(y) !== 'y') throw y;
  s.close();
  const inet = await new Promise(ok => net.connect(1, '127.0.0.1').on('error', ok));
  if (inet.code !== 'ECONNREFUSED') throw inet;
  os.networkInterfaces();
  os.cpus(); os.totalmem(); os.loadavg(); crypto.scryptSync('a', 'b', 8);
  await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  await new Promise(ok => setTimeout(ok, 1));
  console.log('fine');
})();
`

const javaProgram = `
import java.io.*; import java.net.*; import java.nio.channels.*; import java.nio.file.*; import java.util.*; import java.util.concurrent.*;
public class Main {
  public static void main(String[] args) throws Exception {
    ExecutorService e = Executors.newFixedThreadPool(4);
    if (e.submit(() -> 42).get() != 42) throw new Exception("pool");
    e.shutdown(); e.awaitTermination(5, TimeUnit.SECONDS);
    if (List.of(1, 2, 3).parallelStream().mapToInt(x -> x).sum() != 6) throw new Exception("stream");
    Process p = new ProcessBuilder("echo", "hi").start();
    if (!new BufferedReader(new InputStreamReader(p.getInputStream())).readLine().equals("hi") || p.waitFor() != 0) throw new Exception("process");
    Path f = Files.createTempFile("a", "b"); Files.writeString(f, "x"); Files.copy(f, Path.of("copy"));
    try (FileChannel c = FileChannel.open(f, StandardOpenOption.WRITE)) { c.lock().release(); c.map(FileChannel.MapMode.READ_ONLY, 0, 0); }
      catch (NonReadableChannelException expected) { }
    try (Selector s = Selector.open()) { s.selectNow(); }
    try { new Socket("127.0.0.1", 1); throw new Exception("something listens on port 1"); } catch (SocketException expected) { }
    new java.security.SecureRandom().nextInt(); UUID.randomUUID(); ProcessHandle.current().info(); InetAddress.getByName("127.0.0.1");
    System.gc(); Runtime.getRuntime().availableProcessors(); Thread.sleep(1);
    System.out.println("fine");
  }
}
`

const cProgram = `
#include <pthread.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
static void *run(void *p) { return p; }
int main(void) {
  pthread_t t; void *r; pid_t pid; int st;
  char *argv[] = {"true", 0};
  if (pthread_create(&t, 0, run, argv) || pthread_join(t, &r) || r != argv) return 1;
  if (posix_spawnp(&pid, "true", 0, 0, argv, 0) || waitpid(pid, &st, 0) != pid || st) return 2;
  free(malloc(1 << 26));
  return puts("fine") < 0;
}
`
