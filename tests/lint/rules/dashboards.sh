#!/bin/sh
# dashboards -- the alerts and dashboards of deploy/ name only metrics that exist (shared/base/metrics.def), and the dashboard is JSON.
set -eu

sed -n 's/^METRIC(\([a-z0-9_]*\), histogram.*/barque_\1_bucket\nbarque_\1_sum\nbarque_\1_count/p; s/^METRIC(\([a-z0-9_]*\), [cg].*/barque_\1/p' \
	shared/base/metrics.def | sort >build/lint/dashboards.code
bad=0
for file in deploy/prometheus/*.yml deploy/grafana/*.json; do
	grep -o 'barque_[a-z0-9_]*' "$file" | sort -u >build/lint/dashboards.used
	unknown=$(comm -13 build/lint/dashboards.code build/lint/dashboards.used)
	[ -z "$unknown" ] && continue
	echo "$file names metrics that there are not:" $unknown
	bad=1
done
used=$(cat deploy/prometheus/alerts.yml deploy/grafana/barque.json | grep -c 'barque_')
[ "$used" -ge 20 ] || {
	echo "deploy/ names $used metrics: the rule looks at the wrong files"
	bad=1
}
exit $bad
