#!/usr/bin/env bash
# The service and a bare axum handler with one SDK call, side by side against the same
# simulator, on this machine, in one run. Prints requests/s and CPU per request of both.
# Needs wrk. Aims at 127.0.0.1 only and stops by itself.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
connections=${2:-16}
sim_port=19911 api_port=18080 ops_port=19464 bare_port=18090

cargo build --release --quiet --bin redraft --example bare_handler
cargo build --release --quiet -p bedrock-sim

pids=()
stop() { kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; }
trap stop EXIT

export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=bench AWS_SECRET_ACCESS_KEY=bench
export AWS_ENDPOINT_URL_BEDROCK_RUNTIME="http://127.0.0.1:$sim_port"
export NO_PROXY=127.0.0.1 AWS_EC2_METADATA_DISABLED=true

./target/release/bedrock-sim --listen "127.0.0.1:$sim_port" >/dev/null & pids+=($!)
REDRAFT__OPS__LISTEN="127.0.0.1:$ops_port" ./target/release/redraft serve --listen "127.0.0.1:$api_port" 2>/dev/null &
redraft=$!; pids+=("$redraft")
./target/release/examples/bare_handler "127.0.0.1:$bare_port" >/dev/null & bare=$!; pids+=("$bare")
sleep 2

body='{"text": "The new library opened on Monday. It holds 40,000 books and a reading room for 120 people. Visitors may borrow up to ten books at a time. The building cost 12 million euros, and the city paid half of it."}'
script=$(mktemp)
cat > "$script" <<LUA
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = [[$body]]
LUA

ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
hertz=$(getconf CLK_TCK)

measure() { # name pid url
    wrk -t1 -c"$connections" -d2s -s "$script" "$3" >/dev/null
    local before after out requests
    before=$(ticks "$2")
    out=$(wrk -t1 -c"$connections" -d"${seconds}s" --latency -s "$script" "$3")
    after=$(ticks "$2")
    requests=$(awk '/requests in/ {print $1}' <<<"$out")
    awk -v name="$1" -v n="$requests" -v t="$((after - before))" -v hz="$hertz" -v s="$seconds" \
        -v p50="$(awk '/ 50%/ {print $2}' <<<"$out")" -v p99="$(awk '/ 99%/ {print $2}' <<<"$out")" \
        -v bad="$(awk '/Non-2xx/ {print $NF}' <<<"$out")" \
        'BEGIN {printf "%-18s %8.0f requests/s  %7.1f us CPU per request  p50 %s  p99 %s  not 2xx: %d\n", name, n/s, t*1e6/hz/n, p50, p99, bad}'
}

for round in 1 2; do
    measure "bare JSON" "$bare" "http://127.0.0.1:$bare_port/whole"
    measure "redraft JSON" "$redraft" "http://127.0.0.1:$api_port/v1/summarize"
    measure "bare stream" "$bare" "http://127.0.0.1:$bare_port/pieces"
    measure "redraft stream" "$redraft" "http://127.0.0.1:$api_port/v1/summarize?stream=sse"
done
rm -f "$script"
