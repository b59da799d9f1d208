#!/bin/sh
# start-redis.sh -- redis-server with users.acl, the passwords from the environment: start-redis.sh redis.conf [more arguments].
#
#   REDIS_PASSWORD_BARQUE=...   of the user barque; so for each user of users.acl. A user without a password is off.
#   REDIS_CONF=/data/redis.conf  at the first start a copy of redis.conf with the arguments is made there, and used from then on: where
#                               sentinels watch, they write into it who is the master. Arguments of later starts change nothing.
set -eu
umask 077
here=$(dirname "$0")
acl=${REDIS_ACL:-/tmp/users.acl}
conf=$1
shift

on=0
: >"$acl"
while read -r line; do
	name=$(echo "$line" | sed -n 's/^user \([a-z]*\) on >CHANGE-ME-.*/\1/p')
	password=
	[ -z "$name" ] || eval "password=\${REDIS_PASSWORD_$(echo "$name" | tr a-z A-Z):-}"
	hash=$(printf %s "$password" | sha256sum | cut -c 1-64)
	if [ -z "$password" ]; then
		line=$(echo "$line" | sed 's/^\(user [a-z]*\) on >CHANGE-ME-[a-z]*/\1 off/')
	else
		line=$(echo "$line" | sed "s/>CHANGE-ME-$name/#$hash/")
		on=$((on + 1))
	fi
	echo "$line" >>"$acl"
done <"$here/users.acl"
[ "$on" -gt 0 ] || {
	echo "start-redis.sh: no user has a password: set REDIS_PASSWORD_BARQUE" >&2
	exit 64
}
[ -z "${REDIS_PASSWORD_REPLICA:-}" ] || set -- "$@" --masteruser replica --masterauth "$REDIS_PASSWORD_REPLICA"
set -- "$@" --aclfile "$acl"

dir=. before=
for word in "$@"; do
	[ "$before" != --dir ] || dir=$word
	before=$word
done
sh "$here/mend-aof.sh" "$dir"

if [ -n "${REDIS_CONF:-}" ]; then
	[ -s "$REDIS_CONF" ] || {
		cat "$conf"
		for word in "$@"; do
			case $word in
			--*) printf '\n%s' "${word#--}" ;;
			*) printf ' "%s"' "$word" ;;
			esac
		done
		echo
	} >"$REDIS_CONF"
	conf=$REDIS_CONF
	set --
fi
# The official image starts as root and goes on as redis.
if [ "$(id -u)" -eq 0 ] && command -v docker-entrypoint.sh >/dev/null; then
	chown redis "$acl" ${REDIS_CONF:+"$REDIS_CONF"}
	exec docker-entrypoint.sh redis-server "$conf" "$@"
fi
exec redis-server "$conf" "$@"
