#!/usr/bin/env bash
# How many SSE streams the service holds open at once on this machine, and its memory then.
# The simulator sends a piece of text every few seconds; every stream has begun before it
# counts. Each number of streams meets a service that has just been started.
#
#   benches/open_streams.sh [numbers of streams]      default: 500 2000 5000 10000
#
# A stream costs the service two file descriptors, and the simulator and the client one each,
# so `ulimit -n` of the shell is the first limit. Aims at 127.0.0.1 only and stops by itself.
set -euo pipefail
cd "$(dirname "$0")/.."

numbers=("$@")
[[ ${#numbers[@]} -gt 0 ]] || numbers=(500 2000 5000 10000)
sim_port=19931 api_port=18082 ops_port=19466 hold_seconds=10
target=${CARGO_TARGET_DIR:-target}/release

cargo build --release --quiet --bin redraft --example load_client
cargo build --release --quiet -p bedrock-sim
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"

pids=()
work=$(mktemp -d)
stop() { kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"; }
trap stop EXIT

export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=bench AWS_SECRET_ACCESS_KEY=bench
export AWS_ENDPOINT_URL_BEDROCK_RUNTIME="http://127.0.0.1:$sim_port"
export NO_PROXY=127.0.0.1 AWS_EC2_METADATA_DISABLED=true
export REDRAFT__OPS__LISTEN="127.0.0.1:$ops_port" REDRAFT__LOG__LEVEL=warn
export REDRAFT__ADMISSION__MAX_RUNNING=100000 REDRAFT__HTTP__MAX_CONNECTIONS=100000
export REDRAFT__ADAPTIVE__MAX_IN_FLIGHT=100000

{
    printf '{"text": "'
    for at in $(seq 1 60); do printf 'The harbour office counted %d ships and closed the northern ferry line. ' "$at"; done
    printf '"}'
} >"$work/body.json"

resident() { awk '/^VmRSS/ {printf "%.1f", $2 / 1024}' "/proc/$1/status"; }

wait_for() {
    for _ in {1..100}; do
        (: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.1
    done
    echo "nothing listens on $1" >&2
    return 1
}

"$target/bedrock-sim" --listen "127.0.0.1:$sim_port" --whole-frames --between-deltas-ms 4000 --first-delta-ms 1000 >/dev/null &
pids+=($!)
wait_for "$sim_port"

echo "file descriptors per process: $(ulimit -n)"
for number in "${numbers[@]}"; do
    "$target/redraft" serve --listen "127.0.0.1:$api_port" 2>"$work/log" & service=$!
    pids+=("$service")
    wait_for "$api_port" || { cat "$work/log" >&2; exit 1; }
    before=$(resident "$service")
    "$target/examples/load_client" hold "http://127.0.0.1:$api_port/v1/rephrase?stream=sse" "$work/body.json" \
        "$number" "$hold_seconds" >"$work/held" 2>"$work/errors" & client=$!
    for _ in $(seq 1 1500); do
        grep -q '^open' "$work/held" && break
        sleep 0.1
    done
    during=$(resident "$service")
    descriptors=$(find "/proc/$service/fd" -mindepth 1 | wc -l)
    wait "$client"
    held=$(awk '/^held/ {print $2 - $4}' "$work/held")
    awk -v n="$number" -v held="$held" -v b="$before" -v d="$during" -v f="$descriptors" 'BEGIN {
        printf "asked %6d   held %6d   resident %6.1f MB before, %6.1f MB then, %5.1f KB per stream   %d descriptors\n",
            n, held, b, d, (held ? (d - b) * 1024 / held : 0), f }'
    sort "$work/errors" | uniq -c | sort -rn | head -3
    kill "$service"
    wait "$service" || true
done
