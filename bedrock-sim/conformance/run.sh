#!/usr/bin/env bash
# Runs AWS's own clients against a freshly started simulator.
# A client whose runtime is missing is skipped with a line; anything else that goes wrong is a failure.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work="${CARGO_TARGET_DIR:-$root/target}/conformance"
mkdir -p "$work"

# As `cargo test --workspace` builds it, so that what that has built is not built again.
cargo test --quiet --manifest-path "$root/Cargo.toml" --workspace --no-run --test wire
# An old address must not be taken for the new one.
rm -f "$work/sim.out"
touch "$work/sim.out"
"${CARGO_TARGET_DIR:-$root/target}/debug/bedrock-sim" --listen 127.0.0.1:0 >"$work/sim.out" &
sim=$!
trap 'kill "$sim" 2>/dev/null || true; wait "$sim" 2>/dev/null || true' EXIT

endpoint=
for _ in $(seq 100); do
  endpoint=$(sed -n '1s/.* \(http:.*\)$/\1/p' "$work/sim.out")
  [ -n "$endpoint" ] && break
  kill -0 "$sim" 2>/dev/null || { echo "the simulator did not start"; exit 1; }
  sleep 0.05
done
[ -n "$endpoint" ] || { echo "the simulator did not tell its address"; exit 1; }

# The clients find nothing else than the simulator: no profile, no proxy, no metadata service.
export AWS_ENDPOINT_URL_BEDROCK_RUNTIME="$endpoint" AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=AKIDSIMULATED AWS_SECRET_ACCESS_KEY=simulated AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_BEARER_TOKEN_BEDROCK

failures=0
if command -v python3 >/dev/null; then
  [ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
  "$work/venv/bin/python" -c 'import boto3' 2>/dev/null || "$work/venv/bin/pip" install --quiet --disable-pip-version-check boto3
  "$work/venv/bin/python" "$here/boto3_client.py" || failures=$((failures + 1))
else
  echo "boto3: skipped, there is no python3"
fi
if command -v npm >/dev/null && command -v node >/dev/null; then
  mkdir -p "$work/js"
  # The stamp tells a whole installation from one that was interrupted.
  if [ ! -e "$work/js/installed" ]; then
    rm -rf "$work/js/node_modules"
    npm install --loglevel=error --no-audit --no-fund --prefix "$work/js" @aws-sdk/client-bedrock-runtime >&2
    touch "$work/js/installed"
  fi
  cp "$here/js_client.mjs" "$work/js/js_client.mjs"
  node "$work/js/js_client.mjs" || failures=$((failures + 1))
else
  echo "js: skipped, there is no node with npm"
fi
exit "$((failures > 0))"
