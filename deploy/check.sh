#!/usr/bin/env bash
# Checks what Prometheus and Grafana are given: the scrape configuration, the
# rules, each alert firing and keeping still, and every query of the dashboard.
# Needs promtool (in Debian: the package prometheus) and python3.
set -euo pipefail
cd "$(dirname "$0")"

# promtool explains its findings on standard output; it is shown when there are any.
quietly() {
    local output
    output=$("$@" 2>&1) || { printf '%s\n' "$output" >&2; return 1; }
}

quietly promtool check config prometheus/prometheus.yml
quietly promtool test rules prometheus/rules_test.yml prometheus/rules_week_test.yml

queries=$(mktemp --suffix .yml)
trap 'rm -f "$queries"' EXIT
python3 - grafana/dashboards/redraft.json > "$queries" <<'PY'
import json, re, sys

STAND_INS = {"__rate_interval": "5m", "__range": "1h"}

def queries(node):
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        for value in node.values():
            yield from queries(value)
    elif isinstance(node, list):
        for value in node:
            yield from queries(value)

found = list(queries(json.load(open(sys.argv[1]))))
assert len(found) > 40, "the dashboard's queries were not found"
rules = [
    {"record": f"query:{number}", "expr": re.sub(r"\$(\w+)", lambda name: STAND_INS.get(name[1], name[1]), query)}
    for number, query in enumerate(found)
]
print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
PY
quietly promtool check rules "$queries"
echo "prometheus and grafana: configuration, rules, alerts and queries are sound"
