// SPDX-License-Identifier: Apache-2.0
// Runs tests of test262 and writes what became of each to a file, a line a test, as it happens. Each test has a realm of its own, an
// ordinary global object as a script has; they share a process, so a test that leaves timers or uses up memory can disturb a later one.
'use strict';
const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path').posix;
const vm = require('vm');

if (process.argv[2] !== 'child') {
  const child = spawnSync(process.execPath, ['--experimental-vm-modules', '--expose-gc', '--no-warnings', __filename, 'child'], { stdio: 'inherit' });
  if (child.signal) process.kill(process.pid, child.signal);
  process.exit(child.status);
}

const { tests, files } = JSON.parse(fs.readFileSync('plan.json', 'utf8'));
const report = fs.openSync('report', 'a');
const put = (line) => fs.writeSync(report, JSON.stringify(line) + '\n');

class Negative extends Error {}

function realm(test) {
  const context = vm.createContext(vm.constants.DONT_CONTEXTIFY);
  const global = vm.runInContext('globalThis', context);
  const load = (text, filename) => vm.runInContext(text, context, { filename, timeout: 10000, importModuleDynamically: importer(test, context) });
  global.print = () => {};
  global.reportCompare = () => {};
  global.$262 = {
    global,
    createRealm: () => realm(test).global.$262,
    detachArrayBuffer: (buffer) => { structuredClone(buffer, { transfer: [buffer] }); return null; },
    evalScript: (text) => load(text, 'evalScript'),
    gc: globalThis.gc,
    getGlobal: (name) => global[name],
  };
  for (const shell of test.shells) load(files[shell], shell); // after $262, which some ask for things
  return { context, global };
}

// importer gives the fixtures of a test to import() and import.
function importer(test, context) {
  const modules = new Map();
  const get = async (specifier, referrer) => {
    const name = path.join(path.dirname(referrer), specifier);
    if (!modules.has(name)) modules.set(name, compile(name));
    return modules.get(name);
  };
  const compile = async (name) => {
    if (!(name in files)) throw new Error('no module ' + name);
    return new vm.SourceTextModule(files[name], options(name));
  };
  const options = (name) => ({
    identifier: name, context,
    initializeImportMeta: (meta) => { meta.url = name; },
    importModuleDynamically: (specifier) => evaluate(specifier, name),
  });
  const evaluate = async (specifier, referrer) => {
    const module = await get(specifier, referrer);
    if (module.status === 'unlinked') await module.link((s, from) => get(s, from.identifier));
    await module.evaluate();
    return module;
  };
  const dynamic = (specifier) => evaluate(specifier, test.id);
  dynamic.main = async () => {
    const module = new vm.SourceTextModule(files[test.id], options(test.id));
    modules.set(test.id, module);
    return { module, link: () => module.link((s, from) => get(s, from.identifier)) };
  };
  return dynamic;
}

const nameOf = (e) => (e !== null && e !== undefined && (e.name || (e.constructor && e.constructor.name))) || String(e);
const textOf = (e) => { try { return String((e && e.message) || e); } catch { return 'an error that has no text'; } };

// phases runs the steps of a test, of which the one that negative names must throw, and no other may.
async function phases(test, steps) {
  for (const [phase, step] of steps) {
    try {
      await step();
    } catch (e) {
      if (test.negative && test.negative.phase === phase && nameOf(e) === test.negative.type) return;
      throw new Error(phase + ': ' + nameOf(e) + ': ' + textOf(e));
    }
  }
  if (test.negative) throw new Error('no ' + test.negative.type + ' in the phase ' + test.negative.phase);
}

async function run(test) {
  const { context, global } = realm(test);
  let finish;
  const done = new Promise((resolve, reject) => {
    finish = (error) => (error === undefined || error === null ? resolve() : reject(error));
  });
  done.catch(() => {});
  global.$DONE = (error) => finish(error || undefined);
  const text = files[test.id];
  if (test.module) {
    let main;
    await phases(test, [
      ['parse', async () => { main = await importer(test, context).main(); }],
      ['resolution', () => main.link()],
      ['runtime', () => main.module.evaluate({ timeout: 10000 })],
    ]);
  } else {
    let script;
    await phases(test, [
      ['parse', () => { script = new vm.Script(text, { filename: test.id, importModuleDynamically: importer(test, context) }); }],
      ['runtime', () => { script.runInContext(context, { timeout: 10000 }); }],
    ]);
  }
  if (test.async) await done;
}

function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('not done within ' + ms + ' ms')), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

process.on('unhandledRejection', () => {});
process.on('uncaughtException', () => {});
(async () => {
  for (const test of tests) {
    put({ begin: test.id });
    try {
      await within(10000, run(test));
      put({ id: test.id, state: 'pass' });
    } catch (e) {
      put({ id: test.id, state: 'fail', detail: textOf(e) });
    }
  }
  put({ done: 'all' });
  process.exit(0);
})();
