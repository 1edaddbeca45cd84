#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a program over the REST API and prints what it printed. Needs curl; a real client reads JSON with jq -r .result.stdout.
set -eu
url=${CCEE_URL:-http://127.0.0.1:8080}
answer=$(curl -sS --fail-with-body "$url/v1/jobs?waitMs=10000" -H "x-api-key: ${CCEE_API_KEY:?the key of your tenant}" \
  -H 'content-type: application/json' -d '{"language":"python","sourceCode":"print(6*7)"}')
printf '%s\n' "$answer" | sed -n 's/.*"stdout":"\([0-9]*\)\\n".*/\1/p'
