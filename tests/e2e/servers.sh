#!/bin/sh
# servers.sh -- runs the contract of the queue on every kind of server that this machine has besides redis-server, which the test
# programs themselves start: valkey-server, and those named in SERVERS="path path" (all of them then, and nothing else).
set -eu
cd "$(dirname "$0")/../.."
build=${BARQUE_BUILD:-build/asan}
passed=0 failed=0 ran=0

for server in ${SERVERS:-valkey-server}; do
	if ! command -v "$server" >/dev/null 2>&1; then
		echo "servers: not run: there is no $server on this machine"
		continue
	fi
	echo "servers: $("$server" --version)"
	ran=1
	for program in ${SUITES:-test_queue_redis}; do
		log=$(mktemp)
		REDIS_SERVER=$server timeout -k 10 280 "$build/tests/contract/$program" >"$log" 2>&1 || true
		cat "$log"
		counts=$(awk '/^[0-9]+%: Checks: / { gsub(",", ""); print $3, $5 + $7 }' "$log")
		rm -f "$log"
		set -- ${counts:-1 1}
		passed=$((passed + $1 - $2)) failed=$((failed + $2))
	done
done
[ "$ran" = 0 ] || echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
