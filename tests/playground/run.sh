#!/usr/bin/env bash
# Drives the playground in a real browser: Debian's Chromium, without a window.
# It needs node, npm and /usr/bin/chromium; it ends everything that it starts.
#
#   tests/playground/run.sh [PATTERN]    only tests whose name has the pattern
#
# REDRAFT_PLAYGROUND_SHOTS=DIRECTORY keeps pictures of the page there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target="${CARGO_TARGET_DIR:-$root/target}"
work="$target/playground"
mkdir -p "$work"

# The stamp tells a whole installation from one that was interrupted, and an old one from a new one.
if ! cmp -s "$here/package.json" "$work/installed.json"; then
  rm -rf "$work/node_modules"
  cp "$here/package.json" "$work/package.json"
  npm install --loglevel=error --no-audit --no-fund --ignore-scripts --prefix "$work" >&2
  cp "$here/package.json" "$work/installed.json"
fi
cp "$here"/*.mjs "$work/"

source "$root/tests/processes.sh"
build_programs "$root"

# An old address must not be taken for a new one.
: >"$work/service.out"
REDRAFT__OPS__LISTEN=127.0.0.1:0 "$target/debug/redraft" demo --listen 127.0.0.1:0 >"$work/service.out" 2>"$work/service.log" &
processes+=("$!")
address=$(address_in "$work/service.out" '^ *API *\(http://[^ ]*\).*' "$!") || { cat "$work/service.log" >&2; exit 1; }

export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
cd "$work"
REDRAFT_PLAYGROUND="$address" node --test --test-timeout=600000 ${1:+--test-name-pattern="$1"} playground.test.mjs
