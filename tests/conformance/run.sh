#!/usr/bin/env bash
# Validates every request that the service sends to Bedrock against AWS's published model.
# The service runs against a fresh simulator, is driven through everything it can do, and the simulator's log is judged.
#
#   tests/conformance/run.sh [OPERATIONS]    operations that must be seen, separated by commas
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target="${CARGO_TARGET_DIR:-$root/target}"
work="$target/conformance/requests"
# The same as of the simulator's own run: its boto3 brings botocore along.
venv="$target/conformance/venv"
expected="${1:-Converse,ConverseStream,CountTokens}"
mkdir -p "$work"

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
python="$venv/bin/python"
"$python" -c 'import botocore' 2>/dev/null || "$venv/bin/pip" install --quiet --disable-pip-version-check botocore
# Leaves no compiled files among the sources.
export PYTHONDONTWRITEBYTECODE=1
(cd "$here" && "$python" -m unittest --quiet test_requests)

cargo build --quiet --manifest-path "$root/Cargo.toml" -p redraft -p bedrock-sim

processes=()
stop() {
  for process in "${processes[@]}"; do
    kill "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
}
trap stop EXIT

# Waits until a file tells an address: address_in FILE PATTERN PROCESS
address_in() {
  local address
  for _ in $(seq 200); do
    address=$(sed -n "s#$2#\\1#p" "$1" | head -n 1)
    [ -n "$address" ] && { echo "$address"; return; }
    kill -0 "$3" 2>/dev/null || break
    sleep 0.05
  done
  echo "no address in $1:" >&2
  cat "$1" >&2
  return 1
}

# Old addresses must not be taken for new ones.
: >"$work/sim.out"
: >"$work/service.out"
"$target/debug/bedrock-sim" --listen 127.0.0.1:0 --log-capacity 100000 >"$work/sim.out" &
sim=$!
processes+=("$sim")
endpoint=$(address_in "$work/sim.out" '^.* \(http:.*\)$' "$sim")

# Besides the chains that are shipped, one for each model alone.
{
  cat "$root/config/models.toml"
  sed -n 's/^id = "\(.*\)"$/\1/p' "$root/config/models.toml" | awk '{ printf "\n[chains.only-%d]\nstages = [\"%s\"]\n", NR, $0 }'
} >"$work/models.toml"

# The service finds nothing else than the simulator: no profile, no proxy, no metadata service. Parts are small, so that
# documents of a few pages have many; the limit is low, so that one comes close to it and is counted; and failures that
# are meant close no model.
env -i PATH="$PATH" HOME="$work" \
  AWS_ENDPOINT_URL_BEDROCK_RUNTIME="$endpoint" AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=AKIDSIMULATED \
  AWS_SECRET_ACCESS_KEY=simulated AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null \
  AWS_SHARED_CREDENTIALS_FILE=/dev/null NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 \
  REDRAFT__OPS__LISTEN=127.0.0.1:0 REDRAFT__MODELS__FILE="$work/models.toml" \
  REDRAFT__DOCUMENTS__TARGET_CHUNK_TOKENS=2000 REDRAFT__DOCUMENTS__TARGET_ANSWER_TOKENS=1000 \
  REDRAFT__LIMITS__MAX_INPUT_TOKENS=20000 REDRAFT__BREAKER__CONSECUTIVE_FAILURES=1000 \
  REDRAFT__BREAKER__MIN_CALLS=100000 \
  "$target/debug/redraft" serve --listen 127.0.0.1:0 >"$work/service.out" 2>&1 &
service=$!
processes+=("$service")
api="http://$(address_in "$work/service.out" '^.*"message":"redraft is listening","api":"\([^"]*\)".*$' "$service")"
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
"$python" "$here/drive.py" "$api" "$endpoint"
"$python" - "$endpoint/_sim/calls" "$work/calls.json" <<'FETCH'
import sys, urllib.request
urllib.request.urlretrieve(sys.argv[1], sys.argv[2])
FETCH
"$python" "$here/requests.py" "$work/calls.json" --expect "$expected"
