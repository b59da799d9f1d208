#!/bin/sh
# no_failpoints.sh -- the programs of a release hold no failpoint, no history and no job that misbehaves; a debug build does.
set -u
cd "$(dirname "$0")/../.."

words='BARQUE_FAIL|BARQUE_HISTORY|BARQUE_LIMITS|step_before_send|slot_after_run|api_after_submit|relay_after_publish|eat_mb'
failed=0
make -s -j"$(nproc)" programs >build/no_failpoints.log 2>&1 || { cat build/no_failpoints.log; exit 1; }
for program in barque barque-api barque-worker barque-devbroker; do
	found=$(strings -a "build/release/$program" | grep -E "$words" | sort -u | tr '\n' ' ')
	[ -z "$found" ] || { echo "build/release/$program holds: $found"; failed=$((failed + 1)); }
	found=$(nm -a "build/release/$program" | grep -w 'failpoint\|failpoint_note')
	[ -z "$found" ] || { echo "build/release/$program defines: $found"; failed=$((failed + 1)); }
done
# The same look at a build that has them: a search that finds nothing anywhere proves nothing.
for word in BARQUE_FAIL BARQUE_HISTORY step_before_send eat_mb; do
	strings -a build/asan/barque-worker | grep -q "$word" || { echo "build/asan/barque-worker lacks $word"; failed=$((failed + 1)); }
done
strings -a build/asan/barque-api | grep -q api_after_submit || { echo "build/asan/barque-api lacks api_after_submit"; failed=$((failed + 1)); }
echo "$((13 - failed)) passed, $failed failed"
[ "$failed" = 0 ]
