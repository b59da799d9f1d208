#!/bin/sh
# start-sentinel.sh -- a sentinel that watches a master whose servers are known by name: start-sentinel.sh NAME HOST PORT QUORUM.
#
#   REDIS_PASSWORD_SENTINEL=...  of the user sentinel of users.acl, on the servers that are watched
#   SENTINEL_CONF=/data/sentinel.conf  what the sentinel has learned; it writes it itself, only the first start makes it
set -eu
umask 077
conf=${SENTINEL_CONF:-/data/sentinel.conf}
[ -s "$conf" ] || cat >"$conf" <<END
port 26379
protected-mode no
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel monitor $1 $2 $3 $4
sentinel auth-user $1 sentinel
sentinel auth-pass $1 $REDIS_PASSWORD_SENTINEL
sentinel down-after-milliseconds $1 3000
sentinel failover-timeout $1 10000
sentinel parallel-syncs $1 1
END
# The official image starts as root and goes on as redis.
if [ "$(id -u)" -eq 0 ] && command -v docker-entrypoint.sh >/dev/null; then
	chown redis "$conf"
	exec docker-entrypoint.sh redis-server "$conf" --sentinel
fi
exec redis-server "$conf" --sentinel
