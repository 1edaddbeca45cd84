# SPDX-License-Identifier: Apache-2.0
"""Runs a program over the REST API and prints what it printed, with the standard library alone."""
import json
import os
import sys
import urllib.error
import urllib.request

URL = os.environ.get("CCEE_URL", "http://127.0.0.1:8080")
KEY = os.environ["CCEE_API_KEY"]


def call(method, path, body=None):
    request = urllib.request.Request(URL + path, method=method, headers={"x-api-key": KEY})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=70) as answer:
        return json.load(answer)


try:
    job = call("POST", "/v1/jobs", {"language": "python", "sourceCode": "print(6*7)"})
    # wait holds the answer back until the job has ended, for that many seconds at most.
    while job["status"] not in ("succeeded", "failed", "timed_out", "cancelled"):
        job = call("GET", f"/v1/jobs/{job['jobId']}?wait=30")
except urllib.error.HTTPError as refused:
    sys.exit(f"{refused.code}: {refused.read().decode()}")
print(job["result"]["stdout"], end="")
