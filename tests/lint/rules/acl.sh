#!/bin/sh
# acl -- users.acl grants the user barque each command that the functions and shared/queue/ send, and no others; no user has a category.
set -eu

acl=broker-config/users.acl
# Inside a function the rights of the caller count, so what the Lua text calls has to be granted, too.
cat broker-config/functions/*.lua | grep -o "call('[A-Z]*'" | sed "s/call('\(.*\)'/\1/" | tr 'A-Z' 'a-z' | sort -u >build/lint/acl.called
{
	cat build/lint/acl.called
	cat broker-config/functions/*.lua | grep -o "'[A-Z]\{3,\}'"
	cat shared/queue/*.c | grep -o '"[A-Z]\{3,\}"'
} | tr -d "'\"" | tr 'A-Z' 'a-z' | sort -u >build/lint/acl.sent
words() { sed -n "s/^user $1 on .* -@all //p" "$acl" | tr ' ' '\n' | sed 's/^+//' | sort -u; }
words barque >build/lint/acl.granted
bad=0
missing=$(comm -23 build/lint/acl.called build/lint/acl.granted)
[ -z "$missing" ] || {
	echo "$acl does not grant barque what the functions call:" $missing
	bad=1
}
for command in $(cat build/lint/acl.granted); do
	for word in $(echo "$command" | tr '|' ' '); do
		grep -qx "$word" build/lint/acl.sent || {
			echo "$acl grants barque +$command, which nothing sends"
			bad=1
		}
	done
done
sed 's/ -@all//' "$acl" | grep -n '[-+]@\|allcommands\|nocommands' && {
	echo "$acl grants a category: name the commands"
	bad=1
}
[ "$(wc -l <build/lint/acl.granted)" -ge 5 ] || {
	echo "$acl has no user barque: the rule looks at the wrong file"
	bad=1
}
exit $bad
