#!/usr/bin/env bash
# What the service adds to the time of an answer, against a bare axum handler with one SDK
# call, at a steady rate, against the same simulator, on this machine, in one run: whole JSON
# answers, and the time to the first piece of text of a stream. Both take turns.
#
#   benches/added_latency.sh [requests per second] [seconds per round] [rounds]
#
# Aims at 127.0.0.1 only and stops by itself.
set -euo pipefail
cd "$(dirname "$0")/.."

rate=${1:-200} seconds=${2:-10} rounds=${3:-3}
sim_port=19921 api_port=18081 ops_port=19465 bare_port=18091
target=${CARGO_TARGET_DIR:-target}/release

cargo build --release --quiet --bin redraft --example bare_handler --example load_client
cargo build --release --quiet -p bedrock-sim

pids=()
work=$(mktemp -d)
stop() { kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"; }
trap stop EXIT

export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=bench AWS_SECRET_ACCESS_KEY=bench
export AWS_ENDPOINT_URL_BEDROCK_RUNTIME="http://127.0.0.1:$sim_port"
export NO_PROXY=127.0.0.1 AWS_EC2_METADATA_DISABLED=true

"$target/bedrock-sim" --listen "127.0.0.1:$sim_port" >/dev/null & pids+=($!)
REDRAFT__OPS__LISTEN="127.0.0.1:$ops_port" "$target/redraft" serve --listen "127.0.0.1:$api_port" 2>/dev/null & pids+=($!)
"$target/examples/bare_handler" "127.0.0.1:$bare_port" >/dev/null & pids+=($!)

for port in "$sim_port" "$api_port" "$bare_port"; do
    for _ in {1..100}; do
        (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
        sleep 0.1
    done
done

cat >"$work/body.json" <<'JSON'
{"text": "The new library opened on Monday. It holds 40,000 books and a reading room for 120 people. Visitors may borrow up to ten books at a time. The building cost 12 million euros, and the city paid half of it."}
JSON

ask() { "$target/examples/load_client" rate "$1" "$work/body.json" "$rate" "$2" "$3"; }

row() { # name, microseconds of the bare handler (p50 p99 n failed), of the service
    awk -v name="$1" -v bare="$2" -v ours="$3" 'BEGIN {
        split(bare, b, " "); split(ours, o, " ")
        printf "%-22s bare p50 %6.2f p99 %6.2f   redraft p50 %6.2f p99 %6.2f   added p50 %+6.2f p99 %+6.2f ms   failed %d\n",
            name, b[1]/1e3, b[2]/1e3, o[1]/1e3, o[2]/1e3, (o[1]-b[1])/1e3, (o[2]-b[2])/1e3, b[4]+o[4]
    }'
}

api="http://127.0.0.1:$api_port/v1/summarize" bare="http://127.0.0.1:$bare_port"
for url in "$bare/whole" "$api"; do ask "$url" 2 whole >/dev/null; done
for url in "$bare/pieces" "$api?stream=sse"; do ask "$url" 2 first >/dev/null; done
echo "$rate requests/s, $seconds s each"
for _ in $(seq "$rounds"); do
    row "JSON, whole answer" "$(ask "$bare/whole" "$seconds" whole)" "$(ask "$api" "$seconds" whole)"
    row "SSE, to the first text" "$(ask "$bare/pieces" "$seconds" first)" "$(ask "$api?stream=sse" "$seconds" first)"
done
