#!/bin/sh
# verify.sh -- prints the proof table: what others computed (the origin, backtesting.py, TradingView, empyrical, quantstats) against ours.
#
# Each golden test prints a line "proof: what | how much | outcome" for what it compared, and fails when anything differs. A "note:"
# says that data is not there: then that comparison was not made, and the table says so.
set -eu
cd "$(dirname "$0")/../.."
sources=$(ls tests/golden/test_*.c)
build=${VERIFY_BUILD:-build/release}
${MAKE:-make} --no-print-directory -s MODE=release "B=$build" "TEST_SRC=$(echo $sources)" tests >/dev/null

out=$(mktemp)
trap 'rm -f "$out"' EXIT INT TERM
failed=0
for source in $sources; do
	"$build/${source%.c}" >>"$out" 2>&1 || failed=1
done

awk -F ' *[|] *' '
	/^proof: / { n++; sub(/^proof: */, "", $1); what[n] = $1; amount[n] = $2; outcome[n] = $3; next }
	/^note: /  { n++; sub(/^note: */, "", $0); what[n] = $0; amount[n] = "-"; outcome[n] = "NOT COMPARED"; next }
	END {
		for (i = 1; i <= n; i++) {
			if (length(what[i]) > w) w = length(what[i])
			if (length(amount[i]) > a) a = length(amount[i])
		}
		for (i = 1; i <= n; i++)
			printf "%-" w "s   %-" a "s   %s\n", what[i], amount[i], outcome[i]
	}' "$out"

if [ "$failed" != 0 ]; then
	echo
	grep -E ':[FE]:' "$out" || cat "$out"
	echo "verify: something differs"
	exit 1
fi
grep -q '^proof: ' "$out" || { echo "verify: nothing was compared"; exit 1; }
echo "verify: everything that was compared is equal"
