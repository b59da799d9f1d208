#!/bin/sh
# alerts -- promtool takes deploy/prometheus, and each alert fires on the story that must fire it and on no other (tests/deploy/alerts_test.yml).
set -eu

command -v promtool >/dev/null || {
	echo "promtool is not installed (Debian: prometheus)"
	exit 77
}
bad=0
for alert in $(sed -n 's/^ *- alert: //p' deploy/prometheus/alerts.yml); do
	grep -q "alertname: $alert" tests/deploy/alerts_test.yml && continue
	echo "tests/deploy/alerts_test.yml says nothing of the alert $alert"
	bad=1
done
{ promtool check rules deploy/prometheus/alerts.yml && promtool check config deploy/prometheus/prometheus.yml &&
	promtool test rules tests/deploy/alerts_test.yml; } >build/lint/alerts.log 2>&1 || {
	cat build/lint/alerts.log
	bad=1
}
exit $bad
