#!/bin/sh
# events -- docs/events.md names every type of event and every topic.
set -eu

[ -f docs/events.md ] || {
	echo "docs/events.md is missing"
	exit 1
}
status=0
{
	sed -n 's/^EVENT("\([^"]*\)", "\([^"]*\)", "\([^"]*\)".*/\1 \2 \3/p' shared/bus/events.def
	[ ! -f broker-config/topics.def ] || sed -n 's/^TOPIC("\([^"]*\)".*/\1/p' broker-config/topics.def
} | tr ' ' '\n' | grep . | sort -u >build/lint/events.names
while read -r name; do
	grep -qF "$name" docs/events.md || { echo "docs/events.md does not name $name"; status=1; }
done <build/lint/events.names
exit $status
