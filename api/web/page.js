// SPDX-License-Identifier: Apache-2.0
// The page of the API: runs a program and shows what it writes as it writes it. Everything is put in as text, never as HTML. Keys stay in
// this tab.
'use strict';

const $ = (id) => document.getElementById(id);
const samples = {
  python: 'name = input() or "world"\nprint(f"hello, {name}")\n',
  javascript: 'process.stdin.on("data", (d) => console.log("hello, " + d));\n',
  java: 'class Main {\n  public static void main(String[] args) {\n    System.out.println("hello");\n  }\n}\n',
};
let job = '';

function remember(input, name) {
  input.value = sessionStorage.getItem(name) || '';
  input.addEventListener('change', () => sessionStorage.setItem(name, input.value));
}

// call asks the API and returns its answer; one that refuses is an error with what it says.
async function call(key, method, path, body) {
  const headers = { 'x-api-key': key.value.trim() };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const resp = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await resp.json();
  if (!resp.ok) throw new Error(`${resp.status} ${JSON.stringify(answer, null, 2)}`);
  return answer;
}

// shown runs what a button does and shows its answer, or what went wrong.
async function shown(where, work) {
  where.classList.remove('err');
  try {
    const answer = await work();
    if (answer !== undefined) where.textContent = JSON.stringify(answer, null, 2);
  } catch (e) {
    where.classList.add('err');
    where.textContent = e.message;
  }
}

function badge(state) {
  $('badge').textContent = state;
  $('badge').dataset.state = state;
}

// follow shows what the job writes until it is over, and goes on where it was when the connection is lost.
async function follow(id, key) {
  let last = '';
  for (let attempt = 0; attempt < 5; attempt++) {
    const resp = await fetch(`/v1/jobs/${id}/events?lastEventId=${encodeURIComponent(last)}`, { headers: { 'x-api-key': key.value.trim() } });
    if (!resp.ok) throw new Error(`${resp.status} ${await resp.text()}`);
    const reader = resp.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ''; ;) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
      for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
        const event = Object.fromEntries(text.slice(0, end).split('\n').map((l) => [l.slice(0, l.indexOf(':')), l.slice(l.indexOf(':') + 2)]));
        if (event.id) last = event.id;
        if (!event.event) continue;
        const data = JSON.parse(event.data);
        if (event.event === 'stdout' || event.event === 'stderr') $('output').append(data.text);
        if (event.event === 'job') badge(data.status);
        if (event.event === 'done') return data.status;
        if (event.event === 'error') throw new Error(data.error);
      }
    }
  }
  throw new Error('the connection was lost too often');
}

async function run() {
  $('output').textContent = '';
  $('answer').textContent = '';
  badge('queued');
  try {
    const accepted = await call($('key'), 'POST', '/v1/jobs', {
      language: $('language').value, sourceCode: $('source').value, stdin: $('stdin').value,
      timeoutMs: Number($('timeout').value), memoryMb: Number($('memory').value), cpuMillicores: 1000,
    });
    job = accepted.jobId;
    $('cancel').disabled = false;
    badge(await follow(job, $('key')));
    $('analyze').disabled = false;
    return await call($('key'), 'GET', `/v1/jobs/${job}`);
  } catch (e) {
    badge('idle');
    throw e;
  } finally {
    $('cancel').disabled = true;
  }
}

// languages fills the menu, and says of each language whether it can run now. What was chosen stays chosen.
async function languages() {
  const { runtimes } = await (await fetch('/v1/runtimes')).json();
  const chosen = $('language').value;
  const options = (runtimes || []).map((r) => new Option(r.available ? r.displayName : `${r.displayName} (waits: can't run now)`, r.language));
  if (options.length === 0) return;
  $('language').replaceChildren(...options);
  if (options.some((o) => o.value === chosen)) $('language').value = chosen;
  fill();
}

function fill() {
  if (!$('source').value || Object.values(samples).includes($('source').value)) $('source').value = samples[$('language').value] || '';
}

function startRun() {
  remember($('key'), 'ccee_api_key');
  $('language').addEventListener('change', fill);
  $('job').addEventListener('submit', (e) => { e.preventDefault(); shown($('answer'), run); });
  $('cancel').addEventListener('click', () => shown($('answer'), async () => { await call($('key'), 'DELETE', `/v1/jobs/${job}`); }));
  $('analyze').addEventListener('click', () => shown($('answer'), () => call($('key'), 'POST', `/v1/jobs/${job}/analyze`, {})));
  for (const b of document.querySelectorAll('[data-show]')) b.addEventListener('click', () => shown($('answer'), () => call($('key'), 'GET', b.dataset.show)));
}

async function refresh() {
  const m = await call($('adminkey'), 'GET', '/v1/admin/metrics');
  const rows = [['waiting and running', m.queue.pending], ['dead letters', m.dlq.pending], ['waiting jobs that scaling aims at', m.autoscaling.queueDepthTarget]];
  $('cards').replaceChildren(...rows.map((cells) => {
    const tr = document.createElement('tr');
    tr.append(...cells.map((c) => Object.assign(document.createElement('td'), { textContent: String(c) })));
    return tr;
  }));
  return m;
}

function startAdmin() {
  remember($('adminkey'), 'ccee_admin_key');
  $('operator').addEventListener('submit', (e) => { e.preventDefault(); shown($('adminanswer'), refresh); });
  $('burst').addEventListener('click', () => shown($('adminanswer'), () => call($('adminkey'), 'POST', '/v1/admin/simulate/burst', { count: 1000 })));
  $('replay').addEventListener('click', () => shown($('adminanswer'), () => call($('adminkey'), 'POST', '/v1/admin/runbook/dlq', {})));
}

// check shows, again and again, whether jobs are accepted and whether they would run; the menu of languages follows.
let shows = '';
async function check() {
  let state;
  try {
    const said = await (await fetch('/ready')).json();
    const why = [...(said.reasons || []), ...(said.warnings || [])].join('; ');
    if (said.status !== 'ready') state = `No job is accepted: ${why}`;
    else if (!said.canRun) state = `Accepts jobs; nothing can run them now: ${why}`;
    else state = why ? `Healthy: a job would run. But: ${why}` : 'Healthy: a job would run.';
    state += ` [${(said.languages || []).join(', ')}]`;
  } catch (e) {
    state = `The API does not answer: ${e.message}`;
  }
  if (state !== shows) {
    shows = state;
    $('state').textContent = state;
    if (!admin) languages().catch(() => { shows = ''; });
  }
  setTimeout(check, document.hidden ? 30000 : 5000);
}

const admin = location.pathname.startsWith('/admin');
$(admin ? 'admin' : 'run').hidden = false;
(admin ? startAdmin : startRun)();
check();
