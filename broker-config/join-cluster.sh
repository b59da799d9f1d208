#!/bin/sh
# join-cluster.sh -- make one cluster of empty Redis servers: join-cluster.sh HOST HOST HOST. Does nothing where there is one.
#
#   REDISCLI_AUTH=...  the password of the user cluster of users.acl
set -eu
say() { redis-cli --no-auth-warning --user cluster "$@"; }
nodes=
for host in "$@"; do
	tries=60
	until say -h "$host" ping 2>/dev/null | grep -q PONG; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || {
			echo "join-cluster.sh: $host does not answer, or does not know this password" >&2
			exit 1
		}
		sleep 1
	done
	nodes="$nodes $(getent hosts "$host" | cut -d ' ' -f 1):6379" # nodes meet by address only
done
if say -h "$1" cluster info | grep -q '^cluster_slots_assigned:16384'; then
	echo "the cluster is there"
	exit 0
fi
# shellcheck disable=SC2086
say --cluster create $nodes --cluster-yes
