#!/bin/sh
# mend-aof.sh -- takes the torn end off Redis' append-only file before Redis reads it: mend-aof.sh DIR [command, to be run then ...].
#
# DIR is Redis' --dir. A call of one of our functions is one transaction in the file, and a server that is killed while it writes leaves the
# last one torn. Redis does not carry it out. But where it is torn within a command, Redis cuts off that command alone: a MULTI without
# its EXEC stays in the file, at the next restart what was written after it is read as part of it, and accepted jobs are lost
# (valkey-io/valkey#4342; Redis 7.0 and 8.0, and Valkey before it). redis-check-aof cuts the whole transaction off.
# Only an end is cut in which no transaction is complete: nobody was told that it was done. Anything else is left for people.
set -u
dir=$1/appendonlydir
shift

say() {
	echo "mend-aof.sh: $*" >&2
}

checker() {
	for name in redis-check-aof valkey-check-aof; do
		command -v "$name" && return
	done
}

# What the checker says of the last file that it looked at: its name, how far it is whole, how much follows.
analyzed() {
	echo "$1" | sed -n "s/^AOF analyzed: filename=\(.*\), size=.*, $2=\([0-9]*\).*/\\$3/p" | tail -n 1
}

is_torn_end() {
	file=$dir/$(analyzed "$1" ok_up_to 1) whole=$(analyzed "$1" ok_up_to 2)
	# The x: a last line without its end is none.
	[ -n "$whole" ] && [ -f "$file" ] && ! { tail -c "+$((whole + 1))" "$file" && echo x; } | grep -aqi "^exec$(printf '\r')\$"
}

mend() {
	check=$(checker)
	if [ -z "$check" ]; then
		say "neither redis-check-aof nor valkey-check-aof is here, so $1 is not looked at (Debian: apt-get install redis-tools)"
		return
	fi
	found=$("$check" "$1" 2>&1 </dev/null) && return
	if is_torn_end "$found" && echo y | "$check" --fix "$1" >/dev/null 2>&1; then
		say "cut $(analyzed "$found" diff 2) bytes off $file: the server was stopped while it wrote them, and nobody was told that they were done"
		return
	fi
	say "$1 is damaged, and not at its end alone: $(echo "$found" | grep '^0x\|rror' | head -n 1)"
	say "it is left as it is: copy $dir, start Redis, let \`barque doctor --mend\` put right what it can, and BGREWRITEAOF write the file anew"
}

for manifest in "$dir"/*.manifest; do
	[ ! -s "$manifest" ] || mend "$manifest"
done
[ $# -eq 0 ] || exec "$@"
