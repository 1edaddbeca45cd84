// SPDX-License-Identifier: Apache-2.0
// Runs a program over the REST API and prints what it printed. Node 18 or later, or a browser.
const url = process.env.CCEE_URL ?? "http://127.0.0.1:8080";
const key = process.env.CCEE_API_KEY;

async function call(method, path, body) {
  const headers = { "x-api-key": key };
  if (body) headers["content-type"] = "application/json";
  const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  const read = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status}: ${JSON.stringify(read)}`);
  return read;
}

let job = await call("POST", "/v1/jobs", { language: "python", sourceCode: "print(6*7)" });
// wait holds the answer back until the job has ended, for that many seconds at most.
while (!["succeeded", "failed", "timed_out", "cancelled"].includes(job.status)) {
  job = await call("GET", `/v1/jobs/${job.jobId}?wait=30`);
}
process.stdout.write(job.result.stdout);
