#!/usr/bin/env bash
# The four ways to ask with curl: JSON, a stream of events, plain text, and a file.
#
#   examples/clients/curl.sh [FILE]
#
# The service's address is taken from REDRAFT_API. curl fails (exit code 22) when a request is refused, and (18) when
# plain text is cut; `--retry` is left out, because it would send again what may have been paid for.
set -euo pipefail
api="${REDRAFT_API:-http://127.0.0.1:8080}"
file="${1:-$(dirname "$0")/article.md}"
post=(curl --silent --show-error --fail-with-body --max-time 300)
body='{"text": "The new library opened on Monday. It holds 40,000 books.", "type": "headline"}'

echo "# JSON"
"${post[@]}" "$api/v1/summarize" --json "$body"

echo
echo "# Events"
"${post[@]}" --no-buffer "$api/v1/summarize?stream=sse" --json "$body"

echo "# Plain text"
"${post[@]}" --no-buffer "$api/v1/summarize?stream=text" --json "$body"

echo
echo "# A file"
"${post[@]}" "$api/v1/summarize?type=tldr&stream=text" -H 'content-type: text/markdown' --data-binary "@$file"
echo
