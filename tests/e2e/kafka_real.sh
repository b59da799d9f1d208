#!/bin/sh
# kafka_real.sh -- runs the contract of the bus against a real Apache Kafka, which is stopped and started again meanwhile.
#
# Needs ../shared/tools/real-kafka beside the repository (or KAFKA_TOOL=path); says so and ends well when it is not there.
# `kafka_real.sh stop` and `kafka_real.sh start` are for the test, which so stops the broker while it publishes.
set -eu
cd "$(dirname "$0")/../.."
tool=${KAFKA_TOOL:-../shared/tools/real-kafka}
build=${BARQUE_BUILD:-build/asan}

case "${1:-}" in
stop) exec "$tool" stop "$KAFKA_DIR" ;;
start) exec setsid -w "$tool" start "$KAFKA_DIR" "$KAFKA_PORT" ;; # in a session of its own: a test takes its whole group along
esac

# Without a real Kafka this says so and ends well; with KAFKA=real it was asked for, and ends badly.
not_run() {
	echo "kafka_real: not run: $1"
	[ "${KAFKA:-}" != real ] || exit 1
	exit 0
}
[ -x "$tool" ] || not_run "there is no $tool on this machine to start a real Kafka with"
for needed in java mvn kcat; do
	command -v "$needed" >/dev/null || not_run "$needed is not installed, and a real Kafka needs it"
done

# A port that nobody uses; the controller takes the one after it.
free_port() {
	port=$((20000 + $$ % 10000))
	while grep -qi -e "$(printf ':%04X ' "$port")" -e "$(printf ':%04X ' "$((port + 1))")" /proc/net/tcp /proc/net/tcp6; do
		port=$((port + 2))
	done
	echo "$port"
}

KAFKA_DIR=$(mktemp -d /tmp/barque-kafka-XXXXXX)
KAFKA_PORT=${KAFKA_PORT:-$(free_port)}
export KAFKA_DIR KAFKA_PORT
finish() {
	status=$?
	trap - EXIT
	"$tool" stop "$KAFKA_DIR" >/dev/null 2>&1 || true
	if [ "$status" = 0 ]; then
		rm -rf "$KAFKA_DIR"
	else
		echo "kafka_real: failed; the broker's log is in $KAFKA_DIR/kafka.log" >&2
	fi
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

[ -x "$build/tests/contract/test_bus_kafka" ] || make -s MODE=asan tests programs
address=$("$tool" start "$KAFKA_DIR" "$KAFKA_PORT")
echo "kafka_real: Apache Kafka at $address"

"$build/barque-devbroker" --topics "$address" # makes them
"$build/barque-devbroker" --topics "$address" # finds them

export BARQUE_TEST_KAFKA="$address"
export BARQUE_TEST_KAFKA_CONTROL="$PWD/tests/e2e/kafka_real.sh"
"$build/tests/contract/test_bus_kafka"
"$build/tests/unit/test_relay"
echo "kafka_real: the contract of the bus and the relay hold on a real Kafka"
