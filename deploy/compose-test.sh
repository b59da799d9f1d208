#!/bin/sh
# compose-test.sh -- builds and runs docker-compose.yml for real: three workers, the demonstration through the published ports,
# a worker container killed on the way. Needs a Docker engine (DOCKER_HOST), docker-compose, and for the images that cannot be
# pulled KAFKA_JARS, a folder of Apache Kafka's jars.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
export API_PORT="${API_PORT:-8000}" DATA_SERVICE_PORT="${DATA_SERVICE_PORT:-8001}"
export BACKTEST_SERVICE_PORT="${BACKTEST_SERVICE_PORT:-8002}" ORDER_SERVICE_PORT="${ORDER_SERVICE_PORT:-8003}"
api=http://127.0.0.1:$API_PORT
compose="docker-compose -p barquetest -f docker-compose.yml -f deploy/test/compose.override.yml"
export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0

say() { printf 'compose-test: %s\n' "$*"; }
fail() { say "FAILED: $*"; $compose logs --tail=40 2>/dev/null || true; exit 1; }
clean() {
	$compose down -v -t 5 >/dev/null 2>&1 || true
	[ ! -f "$work/engine/pid" ] || "$tool" stop "$work/engine"
	rm -rf "$work"
}
trap clean EXIT

command -v docker-compose >/dev/null || { say "docker-compose is not installed (Debian: docker-compose)"; exit 2; }
# Where no engine runs, a tool that starts one may stand beside the project.
tool=${DOCKER_ENGINE:-../shared/tools/docker-engine}
if ! docker info >/dev/null 2>&1 && [ -x "$tool" ]; then
	DOCKER_HOST=$("$tool" start "$work/engine" | tail -n 1)
	export DOCKER_HOST
	"$tool" base "$work/engine" >/dev/null
fi
docker info >/dev/null 2>&1 || { say "no Docker engine answers; set DOCKER_HOST"; exit 2; }
jars=${KAFKA_JARS:-$HOME/.cache/real-kafka/4.1.0}
ls "$jars"/kafka_*.jar >/dev/null 2>&1 || { say "no jars of Apache Kafka in $jars; set KAFKA_JARS"; exit 2; }

say "building the images"
mkdir -p "$work/kafka/jars" "$work/redis"
cp "$jars"/*.jar "$work/kafka/jars/"
cp deploy/test/kafka-run.sh "$work/kafka/"
docker build -q --network=host -t barque-test-redis -f deploy/test/redis.Dockerfile "$work/redis" >/dev/null
docker build -q --network=host -t barque-test-kafka -f deploy/test/kafka.Dockerfile "$work/kafka" >/dev/null
docker build -q --network=host -t barque -f deploy/Dockerfile . >/dev/null

say "starting: docker-compose up --scale worker=3"
$compose up -d --no-build --scale worker=3 >"$work/up.log" 2>&1 || { cat "$work/up.log"; fail "docker-compose up"; }
tries=120
until curl -fs "$api/readyz" >/dev/null 2>&1; do
	tries=$((tries - 1))
	[ $tries -gt 0 ] || fail "the API was not ready within 2 minutes"
	sleep 1
done
workers=$($compose ps -q worker | wc -l)
[ "$workers" -eq 3 ] || fail "$workers workers run, not 3"

say "killing a worker container while twelve long jobs run and the demonstration begins"
barque() { docker run --rm --network=host barque barque "$@" --url "$api"; }
ids=
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	ids="$ids $(barque submit noop sleep_ms=3000 --tags "long-$n" 2>/dev/null)" || fail "job $n was not accepted"
done
docker kill -s KILL "$($compose ps -q worker | head -n 1)" >/dev/null || fail "no worker could be killed"
barque demo || fail "the demonstration"
for id in $ids; do
	barque show "$id" --watch >"$work/job" || { cat "$work/job"; fail "job $id"; }
done
again=$(curl -fs "$api/api/jobs?kind=noop&limit=50" | grep -o '"crashes":[1-9]' | wc -l)
say "jobs that the killed worker held and another one ran again: $again"

left=$(for id in $($compose ps -q worker); do docker inspect -f '{{.State.Running}}' "$id"; done | grep -c true)
say "workers running after the kill: $left of 3 (docker kill counts as a wish: it is not started again)"
[ "$left" -ge 2 ] || fail "only $left workers are left"
for port in $DATA_SERVICE_PORT $BACKTEST_SERVICE_PORT $ORDER_SERVICE_PORT; do
	curl -fs "http://127.0.0.1:$port/api/health" >/dev/null || fail "port $port does not answer /api/health"
done
lost=$(curl -fs "$api/api/jobs?state=dead&limit=10" | grep -c '"state":"dead"' || true)
[ "$lost" -eq 0 ] || fail "$lost jobs are dead"
say "all jobs of the demonstration succeeded, with a worker killed on the way"
say "1 passed, 0 failed"
