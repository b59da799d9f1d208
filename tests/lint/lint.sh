#!/bin/sh
# lint.sh -- run every rule of tests/lint/rules/, each a small script that prints what is wrong and fails.
#
#   tests/lint/lint.sh            all of them
#   tests/lint/lint.sh floors     one of them
# Output: "ok NAME: sentence", or "FAIL NAME: sentence" and below it what is wrong. A rule that cannot be checked here ends with
# status 77 and says why: "skip NAME: why". The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")/../.."
export LC_ALL=C

if [ "${1:-}" = --one ]; then
	name=$(basename "$2" .sh)
	sentence=$(sed -n "2s/^# $name -- //p" "$2")
	out=build/lint/$name.out
	status=0
	sh "$2" >"$out" 2>&1 </dev/null || status=$?
	{
		case $status in
		0) echo "ok   $name: $sentence" ;;
		77) echo "skip $name: $(cat "$out")" ;;
		*)
			echo "FAIL $name: $sentence"
			sed 's/^/     /' "$out"
			;;
		esac
	} >"build/lint/$name.result"
	cat "build/lint/$name.result"
	exit 0
fi

mkdir -p build/lint
rm -f build/lint/*.result
# What the rules look at: everything that is or will be in the repository, and still there.
{
	git ls-files -co --exclude-standard 2>/dev/null || find . -type f -not -path './build/*' -not -path './.git/*' | sed 's|^\./||'
} | sort -u | while read -r f; do [ ! -f "$f" ] || echo "$f"; done >build/lint/files
grep '\.[ch]$' build/lint/files >build/lint/c_files

if [ $# -gt 0 ]; then
	for name in "$@"; do sh tests/lint/lint.sh --one "tests/lint/rules/$name.sh"; done
else
	# The slow ones first, so that they end together with the quick ones.
	{
		ls -1 tests/lint/rules/cppcheck.sh tests/lint/rules/headers.sh tests/lint/rules/format.sh
		ls -1 tests/lint/rules/*.sh
	} | awk '!seen[$0]++' | xargs -n 1 -P 2 sh tests/lint/lint.sh --one
fi

awk '/^ok / { ok++ } /^FAIL / { failed++ } END { printf "%d passed, %d failed\n", ok, failed; exit failed > 0 }' build/lint/*.result
