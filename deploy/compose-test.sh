#!/bin/sh
# compose-test.sh -- builds and runs docker-compose.yml for real: three workers, the demonstration through the published ports,
# a worker container killed on the way. Needs a Docker engine (DOCKER_HOST), docker-compose, and for the images that cannot be
# pulled KAFKA_JARS, a folder of Apache Kafka's jars.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
compose="docker-compose -p barquetest -f docker-compose.yml -f deploy/test/compose.override.yml"
export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0

say() { printf 'compose-test: %s\n' "$*"; }
fail() { say "FAILED: $*"; $compose logs --tail=40 2>/dev/null || true; exit 1; }
clean() { $compose down -v -t 5 >/dev/null 2>&1 || true; rm -rf "$work"; }
trap clean EXIT

command -v docker-compose >/dev/null || { say "docker-compose is not installed (Debian: docker-compose)"; exit 2; }
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
until curl -fs http://127.0.0.1:8000/readyz >/dev/null 2>&1; do
	tries=$((tries - 1))
	[ $tries -gt 0 ] || fail "the API was not ready within 2 minutes"
	sleep 1
done
workers=$($compose ps -q worker | wc -l)
[ "$workers" -eq 3 ] || fail "$workers workers run, not 3"

say "killing a worker container while the demonstration runs"
(sleep 4; docker kill -s KILL "$($compose ps -q worker | head -n 1)" >/dev/null) &
killer=$!
docker run --rm --network=host barque barque demo --url http://127.0.0.1:8000 || fail "the demonstration"
wait $killer || fail "no worker could be killed"

left=$(for id in $($compose ps -q worker); do docker inspect -f '{{.State.Running}}' "$id"; done | grep -c true)
say "workers running after the kill: $left of 3 (a killed one is started again by restart: unless-stopped, or stays away)"
[ "$left" -ge 2 ] || fail "only $left workers are left"
for port in 8001 8002 8003; do
	curl -fs "http://127.0.0.1:$port/api/health" >/dev/null || fail "port $port does not answer /api/health"
done
lost=$(curl -fs 'http://127.0.0.1:8000/api/jobs?state=dead&limit=10' | grep -c '"state":"dead"' || true)
[ "$lost" -eq 0 ] || fail "$lost jobs are dead"
say "all jobs of the demonstration succeeded, with a worker killed on the way"
say "1 passed, 0 failed"
