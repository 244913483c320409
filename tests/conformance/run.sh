#!/usr/bin/env bash
# Validates every request that the service sends to Bedrock against AWS's published model.
# The service runs against a fresh simulator, is driven through everything it can do, and the simulator's log is judged:
# once with the catalogue that is shipped, and once with one that uses what that leaves out (`models.toml`).
#
#   tests/conformance/run.sh [OPERATIONS]    operations that must be seen, separated by commas
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target="${CARGO_TARGET_DIR:-$root/target}"
work="$target/conformance/requests"
# The same as of the simulator's own run: its boto3 brings botocore along.
venv="$target/conformance/venv"
expected="${1:-ApplyGuardrail,Converse,ConverseStream,CountTokens,InvokeModel,InvokeModelWithResponseStream}"
mkdir -p "$work"

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
python="$venv/bin/python"
"$python" -c 'import botocore' 2>/dev/null || "$venv/bin/pip" install --quiet --disable-pip-version-check botocore
# Leaves no compiled files among the sources.
export PYTHONDONTWRITEBYTECODE=1
(cd "$here" && "$python" -m unittest --quiet test_requests)

source "$root/tests/processes.sh"
build_programs "$root"

# Old addresses must not be taken for new ones.
: >"$work/sim.out"
"$target/debug/bedrock-sim" --listen 127.0.0.1:0 --log-capacity 100000 >"$work/sim.out" &
sim=$!
processes+=("$sim")
endpoint=$(address_in "$work/sim.out" '^.* \(http:.*\)$' "$sim")

# Besides the chains that a catalogue has, one for each model alone: chain_per_model FILE NAME [MORE]
chain_per_model() {
  awk -v name="$2" -v more="${3:-}" '
    /^\[/ { in_model = $0 == "[[model]]" }
    in_model && /^id = / {
      number += 1
      printf "\n[chains.%s-%d]\nstages = [%s]\n", name, number, substr($0, 6)
      if (more != "") printf more "\n", number % 3
    }' "$1"
}

{
  cat "$root/config/models.toml"
  chain_per_model "$root/config/models.toml" only
} >"$work/shipped.toml"
{
  cat "$here/models.toml"
  chain_per_model "$here/models.toml" only
  chain_per_model "$here/models.toml" guarded 'guardrail = "g%d"'
} | awk '
  # An id has 2048 characters at most.
  match($0, /"[^"]*LONG"/) {
    filled = "x"
    while (length(filled) < 2048 - (RLENGTH - 2 - length("LONG"))) filled = filled "x"
    sub(/LONG/, filled)
  }
  { print }' >"$work/terms.toml"

# The service finds nothing else than the simulator: no profile, no proxy, no metadata service. Parts are small, so that
# documents of a few pages have many; the limit is low, so that one comes close to it and is counted; and failures that
# are meant close no model. Few parts run at once, so that it pays to have their beginning remembered.
# drive NAME [OPTIONS OF drive.py]: a service with the catalogue of that name, driven and stopped.
drive() {
  local name="$1" api service
  shift
  : >"$work/$name.out"
  env -i PATH="$PATH" HOME="$work" \
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME="$endpoint" AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=AKIDSIMULATED \
    AWS_SECRET_ACCESS_KEY=simulated AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null \
    AWS_SHARED_CREDENTIALS_FILE=/dev/null NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 \
    REDRAFT__OPS__LISTEN=127.0.0.1:0 REDRAFT__MODELS__FILE="$work/$name.toml" REDRAFT__HTTP__TENANT_HEADER=x-tenant \
    REDRAFT__DOCUMENTS__TARGET_CHUNK_TOKENS=2000 REDRAFT__DOCUMENTS__TARGET_ANSWER_TOKENS=1000 \
    REDRAFT__LIMITS__MAX_INPUT_TOKENS=20000 REDRAFT__BREAKER__CONSECUTIVE_FAILURES=1000 \
    REDRAFT__BREAKER__MIN_CALLS=100000 REDRAFT__FANOUT__MAX_PARALLEL=2 \
    "$target/debug/redraft" serve --listen 127.0.0.1:0 >"$work/$name.out" 2>&1 &
  service=$!
  processes+=("$service")
  api="http://$(address_in "$work/$name.out" '^.*"message":"redraft is listening","api":"\([^"]*\)".*$' "$service")"
  "$python" "$here/drive.py" "$api" "$endpoint" "$@"
  kill "$service"
  wait "$service" || true
  processes=("$sim")
}

export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
drive shipped
drive terms --terms
# Shapes and names of data that no task asks for are sent by a test.
REDRAFT_CONFORMANCE_ENDPOINT="$endpoint" cargo test --quiet --manifest-path "$root/Cargo.toml" --workspace --lib -- \
  inference::bedrock::tests::structured >"$work/structured.out" 2>&1 || { cat "$work/structured.out" >&2; exit 1; }
"$python" - "$endpoint/_sim/calls" "$work/calls.json" <<'FETCH'
import sys, urllib.request
urllib.request.urlretrieve(sys.argv[1], sys.argv[2])
FETCH
"$python" "$here/requests.py" "$work/calls.json" --expect "$expected" --members "$here/members.txt"
