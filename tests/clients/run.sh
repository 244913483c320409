#!/usr/bin/env bash
# Runs published clients, our own, and the examples against the service with the simulator behind it.
#
#   tests/clients/run.sh [TEST FILES]    default: all of tests/clients/*.test.mjs
#
# It needs Node with npm. Python (for one example) and Chromium (for pages) are used where they are.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target="${CARGO_TARGET_DIR:-$root/target}"
work="$target/clients"
mkdir -p "$work"

# The stamp tells a whole installation of these very versions from any other.
if ! cmp -s "$here/package-lock.json" "$here/node_modules/.installed"; then
  (cd "$here" && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts) >&2
  cp "$here/package-lock.json" "$here/node_modules/.installed"
fi
if command -v python3 >/dev/null; then
  if ! [ -x "$work/venv/bin/pip" ]; then
    rm -rf "$work/venv"
    python3 -m venv "$work/venv"
  fi
  "$work/venv/bin/python" -c 'import httpx' 2>/dev/null ||
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check 'httpx==0.28.1'
  export REDRAFT_PYTHON="$work/venv/bin/python"
fi
if [ -z "${REDRAFT_CHROMIUM:-}" ]; then
  REDRAFT_CHROMIUM=$(command -v chromium || true)
  export REDRAFT_CHROMIUM
fi

source "$root/tests/processes.sh"
build_programs "$root"

# Old addresses must not be taken for new ones.
: >"$work/sim.out"
"$target/debug/bedrock-sim" --listen 127.0.0.1:0 --between-deltas-ms 2 >"$work/sim.out" &
processes+=("$!")
REDRAFT_SIM=$(address_in "$work/sim.out" '^.* \(http:.*\)$' "$!")

# The service finds nothing else than the simulator: no profile, no proxy, no metadata service. Pages of every origin
# may call it, heartbeats come often, the limit on texts is within reach, texts need not be long to be worked on in
# parts, and failures that are meant close no model.
: >"$work/redraft.out"
env -i PATH="$PATH" HOME="$work" \
  AWS_ENDPOINT_URL_BEDROCK_RUNTIME="$REDRAFT_SIM" AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=AKIDSIMULATED \
  AWS_SECRET_ACCESS_KEY=simulated AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null \
  AWS_SHARED_CREDENTIALS_FILE=/dev/null NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 REDRAFT__OPS__LISTEN=127.0.0.1:0 \
  REDRAFT__HTTP__HEARTBEAT_MS=20 REDRAFT__HTTP__ALLOWED_ORIGINS='*' \
  REDRAFT__LIMITS__MAX_INPUT_TOKENS=20000 REDRAFT__DOCUMENTS__TARGET_CHUNK_TOKENS=1000 \
  REDRAFT__ROUTING__MAX_RETRIES=0 REDRAFT__BREAKER__OUT_MS=1 \
  REDRAFT__BREAKER__CONSECUTIVE_FAILURES=1000 REDRAFT__BREAKER__MIN_CALLS=100000 \
  "$target/debug/redraft" serve --listen 127.0.0.1:0 >"$work/redraft.out" 2>&1 &
processes+=("$!")
REDRAFT_API="http://$(address_in "$work/redraft.out" '^.*"message":"redraft is listening","api":"\([^"]*\)".*$' "$!")"

export REDRAFT_SIM REDRAFT_API NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
cd "$here"
tests=("$@")
[ ${#tests[@]} -gt 0 ] || tests=(*.test.mjs)
# The simulator does the same for everybody, so one file at a time. What hangs is ended, a test or all of them.
timeout --kill-after=10 600 node --test --test-concurrency=1 --test-timeout=60000 "${tests[@]}"
