#!/bin/sh
# compose-test.sh -- builds and runs docker-compose.yml for real: three workers, the demonstration through the published ports,
# a worker container killed on the way; then the same with sentinels, whose master is killed, and with a cluster.
#
#   deploy/compose-test.sh [single] [sentinel] [cluster]    only these; without any, all three
#
# Needs a Docker engine (DOCKER_HOST), docker-compose, and for the images that cannot be
# pulled KAFKA_JARS, a folder of Apache Kafka's jars.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
export API_PORT="${API_PORT:-8000}" DATA_SERVICE_PORT="${DATA_SERVICE_PORT:-8001}"
export BACKTEST_SERVICE_PORT="${BACKTEST_SERVICE_PORT:-8002}" ORDER_SERVICE_PORT="${ORDER_SERVICE_PORT:-8003}"
api=http://127.0.0.1:$API_PORT
compose=
passed=0
# The three ways take turns on the same ports.
files() { compose="docker-compose -p barquetest -f docker-compose.yml $* -f deploy/test/compose.override.yml"; }
files
export REDIS_IMAGE=barque-test-redis REDIS_PASSWORD_BARQUE=not-the-one-of-development
export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0

say() { printf 'compose-test: %s\n' "$*"; }
fail() { say "FAILED: $*"; $compose logs --tail=40 2>/dev/null || true; exit 1; }
clean() {
	$compose down -v -t 5 >/dev/null 2>&1 || true
	[ ! -f "$work/engine/pid" ] || "$tool" stop "$work/engine"
	rm -rf "$work" 2>/dev/null || say "what the engine still holds is left in $work"
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

up() {
	say "$1: docker-compose up --scale worker=3"
	$compose up -d --no-build --scale worker=3 >"$work/up.log" 2>&1 || { cat "$work/up.log"; fail "docker-compose up"; }
	tries=180
	until curl -fs "$api/readyz" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "the API was not ready within 3 minutes"
		sleep 1
	done
	workers=$($compose ps -q worker | wc -l)
	[ "$workers" -eq 3 ] || fail "$workers workers run, not 3"
}

down() {
	lost=$(curl -fs "$api/api/jobs?state=dead&limit=10" | grep -c '"state":"dead"' || true)
	[ "$lost" -eq 0 ] || fail "$lost jobs are dead"
	$compose down -v -t 5 >/dev/null 2>&1 || fail "docker-compose down"
	passed=$((passed + 1))
}

barque() { docker run --rm --network=host barque barque "$@" --url "$api"; }
# Twelve jobs of three seconds each; their ids are in $ids.
submit_long() {
	ids=
	for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
		ids="$ids $(barque submit noop sleep_ms=3000 --tags "long-$n" 2>/dev/null)" || fail "job $n was not accepted"
	done
}
await_long() {
	for id in $ids; do
		barque show "$id" --watch >"$work/job" || { cat "$work/job"; fail "job $id"; }
	done
}

# Who gives no password, or the one that stands in the file, may do nothing.
users() {
	redis="$compose exec -T redis redis-cli --no-auth-warning"
	$redis ping </dev/null 2>&1 | grep -q NOAUTH || fail "Redis lets in somebody without a password"
	$redis --user barque --pass development-only ping </dev/null 2>&1 | grep -q WRONGPASS || fail "Redis takes another password than ours"
	$redis --user barque --pass "$REDIS_PASSWORD_BARQUE" keys '*' </dev/null 2>&1 | grep -q NOPERM || fail "barque may do more than it must"
}

single() {
	files
	up single
	users
	say "killing a worker container while twelve long jobs run and the demonstration begins"
	submit_long
	docker kill -s KILL "$($compose ps -q worker | head -n 1)" >/dev/null || fail "no worker could be killed"
	barque demo || fail "the demonstration"
	await_long
	again=$(curl -fs "$api/api/jobs?kind=noop&limit=50" | grep -o '"crashes":[1-9]' | wc -l)
	say "jobs that the killed worker held and another one ran again: $again"
	left=$(for id in $($compose ps -q worker); do docker inspect -f '{{.State.Running}}' "$id"; done | grep -c true)
	say "workers running after the kill: $left of 3 (docker kill counts as a wish: it is not started again)"
	[ "$left" -ge 2 ] || fail "only $left workers are left"
	for port in $DATA_SERVICE_PORT $BACKTEST_SERVICE_PORT $ORDER_SERVICE_PORT; do
		curl -fs "http://127.0.0.1:$port/api/health" >/dev/null || fail "port $port does not answer /api/health"
	done
	say "all jobs of the demonstration succeeded, with a worker killed on the way"
	down
}

# Which of the two servers is a master, as they see it themselves.
masters() {
	for server in redis redis-replica; do
		id=$($compose ps -q $server)
		[ "$(docker inspect -f '{{.State.Running}}' "$id")" = true ] || continue
		$compose exec -T $server redis-cli --no-auth-warning --user barque --pass "$REDIS_PASSWORD_BARQUE" role </dev/null 2>/dev/null |
			head -n 1 | grep -q master && echo $server
	done
	return 0
}
# WHAT LIMIT: the one master is WHAT
await_master() {
	tries=60
	until [ "$(masters)" = "$1" ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "the master is not $1 within a minute, but: $(masters)"
		sleep 1
	done
}

sentinel() {
	files -f deploy/compose.sentinel.yml
	up sentinel
	await_master redis
	barque demo || fail "the demonstration"
	submit_long
	say "killing the container of the master while twelve long jobs run"
	docker kill -s KILL "$($compose ps -q redis)" >/dev/null || fail "the master could not be killed"
	await_master redis-replica
	next=$(barque submit noop 2>"$work/err") || { cat "$work/err"; fail "the next job was not accepted"; }
	ids="$ids $next"
	await_long
	say "the replica is the master; the next job ran, and all that ran meanwhile"
	docker start "$($compose ps -aq redis | head -n 1)" >/dev/null || fail "the old master could not be started"
	tries=60
	until $compose exec -T redis redis-cli --no-auth-warning --user barque --pass "$REDIS_PASSWORD_BARQUE" role </dev/null 2>/dev/null |
		grep -q connected; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "the old master did not come back as a replica within a minute"
		sleep 1
	done
	[ "$(masters)" = redis-replica ] || fail "there are two masters: $(masters)"
	say "the old master came back as a replica"
	docker kill -s KILL "$($compose ps -q redis-replica)" >/dev/null || fail "the second master could not be killed"
	await_master redis
	ids=$(barque submit noop 2>"$work/err") || { cat "$work/err"; fail "the next job was not accepted"; }
	await_long
	say "and took over again when the second one was killed"
	down
}

cluster() {
	files -f deploy/compose.cluster.yml
	up cluster
	tries=30
	until barque shards default 6 >/dev/null 2>"$work/err"; do # the nodes need some seconds to agree that they are whole
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { cat "$work/err"; fail "no shards could be made"; }
		sleep 1
	done
	barque demo || fail "the demonstration"
	submit_long
	await_long
	for server in redis redis-2 redis-3; do
		keys=$($compose exec -T $server redis-cli --no-auth-warning --user barque --pass "$REDIS_PASSWORD_BARQUE" info keyspace </dev/null |
			sed -n 's/^db0:keys=\([0-9]*\),.*/\1/p')
		say "keys of $server: ${keys:-0}"
		[ "${keys:-0}" -gt 0 ] || fail "$server holds nothing"
	done
	down
}

for way in ${*:-single sentinel cluster}; do
	case $way in
	single | sentinel | cluster) "$way" ;;
	*) fail "$way is not single, sentinel or cluster" ;;
	esac
done
say "$passed passed, 0 failed"
