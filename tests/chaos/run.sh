#!/bin/sh
# run.sh -- the matrix of faults at length: builds, runs every row of tests/chaos, prints the table and writes build/chaos/table.md.
#
#   tests/chaos/run.sh                 all rows, some 25 minutes on two cores
#   ROWS="R4 R10" tests/chaos/run.sh   those whose names begin so
# CHAOS_SCALE=170: twice as many faults (85 percent are usual, which fit into half an hour) in twice the time. CHAOS_KEEP=1: keep every row's history in build/chaos/histories/.
set -u
cd "$(dirname "$0")/../.."

mode=${MODE:-debug}
programs="test_process test_server test_edges"
export CK_TIMEOUT_MULTIPLIER=1000
export CHAOS=long CHAOS_SCALE="${CHAOS_SCALE:-85}"

mkdir -p build
targets=
for name in $programs; do
	[ ! -f "tests/chaos/$name.c" ] || targets="$targets build/$mode/tests/chaos/$name"
done
make -s -j"$(nproc)" MODE="$mode" programs $targets >build/chaos-build.log 2>&1 || {
	grep -v '^  \(cc\|ld\) ' build/chaos-build.log
	exit 1
}
rm -rf build/chaos/rows build/chaos/histories
mkdir -p build/chaos/rows

wanted() {
	[ -n "${ROWS:-}" ] || return 0
	for row in $ROWS; do
		case $1 in "$row"[!0-9]*) return 0 ;; esac
	done
	return 1
}

failed=0
began=$(date +%s)
for program in $targets; do
	for test in $("$program" -l); do
		wanted "$test" || continue
		"$program" "$test" >build/chaos/last.log 2>&1 || {
			failed=$((failed + 1))
			echo "$test FAILED"
			cat build/chaos/last.log
		}
		grep '^| R' build/chaos/last.log
	done
done

# The library itself, on a model of Redis: each move is a chance to break a rule.
if wanted R16_random_moves; then
	moves=${SIM_MOVES:-$((20 * CHAOS_SCALE))} seeds=${SIM_SEEDS:-20}
	make -s -j"$(nproc)" MODE="$mode" "build/$mode/tests/sim/test_sim" >>build/chaos-build.log 2>&1
	verdict=passed
	SIM_MOVES=$moves SIM_SEEDS=$seeds "build/$mode/tests/sim/test_sim" >build/chaos/last.log 2>&1 || {
		failed=$((failed + 1))
		verdict=FAILED
		cat build/chaos/last.log
	}
	echo "| R16 | random moves, cut connections and leaps of time, on a model of Redis | $((moves * seeds)) | | | | | | | | | | | | | | $verdict |" |
		tee build/chaos/rows/R16
fi

{
	echo "| | fault | N | 3/N | jobs | lost | executions | effects twice | overlaps | from nowhere | recovered | ends taken wrongly | runs again, ms | works again, ms | keys | | |"
	echo "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|---|"
	cat build/chaos/rows/* | sort -V -k2
} >build/chaos/table.md
echo
cat build/chaos/table.md
echo
echo "chaos: $(($(date +%s) - began)) s, $failed rows failed; build/chaos/table.md"
[ "$failed" = 0 ]
