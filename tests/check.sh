#!/bin/sh
# check.sh -- build everything, run every test program (two at a time), lint and the end-to-end runs; say what passed.
#
#   tests/check.sh                    everything
#   tests/check.sh unit/test_json e2e only the test programs and scripts whose names begin so
# The last line is "N passed, N failed". Output of each part stays in build/check/.
set -u
cd "$(dirname "$0")/.."

out=build/check
limit=${CHECK_TIMEOUT:-900}
jobs=$(nproc)
export CHAOS="${CHAOS:-short}" # what of tests/chaos belongs here; make chaos does the rest

export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
# A slow machine is no fault: 60 s for a test are meant for a quick one.
export CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-3}"

# One part: its output to a file, and one line "seconds status passed failed name" for the table.
run_part() {
	name=$1
	shift
	file=$out/$(printf '%s' "$name" | tr '/ ' '__')
	from=$(date +%s)
	status=0
	timeout -k 10 "$limit" "$@" >"$file.log" 2>&1 </dev/null 9>&- || status=$?
	counts=$(awk '
		/^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$/ { gsub(",", ""); n = $3; bad = $5 + $7; seen = 1; passed += n - bad; failed += bad }
		/^[0-9]+ passed, [0-9]+ failed$/ { seen = 1; passed += $1; failed += $3 }
		END { if (seen) print passed, failed }' "$file.log")
	# A part that says no numbers counts as one; one that ended badly has at least one failure.
	set -- ${counts:-$([ "$status" = 0 ] && echo 1 0 || echo 0 1)}
	[ "$status" = 0 ] || [ "$2" != 0 ] || set -- "$1" 1
	echo "$(($(date +%s) - from)) $status $1 $2 $name" >"$file.result"
	if [ "$status" = 0 ]; then
		printf '  ok    %4d s  %s\n' "$(($(date +%s) - from))" "$name"
	else
		printf '  FAIL  %4d s  %s (status %d)\n' "$(($(date +%s) - from))" "$name" "$status"
	fi
}

if [ "${1:-}" = --one ]; then
	name=${2#build/asan/tests/}
	run_part "$name" "$2"
	exit 0
fi

build() {
	echo "building ($1)"
	shift
	make -s -k -j"$jobs" "$@" >"$out/build.log" 2>&1 && return 0
	grep -v '^  \(cc\|ld\) ' "$out/build.log" | tail -n 60
	return 1
}

# Does NAME begin with one of the words? Everything does when there are none.
chosen() {
	name=$1
	shift
	[ $# -gt 0 ] || return 0
	for word; do
		case $name in "${word#tests/}"*) return 0 ;; esac
	done
	return 1
}

# Two checks in one folder would write over each other's results.
mkdir -p build
exec 9>build/check.lock
flock -n 9 || {
	echo "another check runs in this folder; waiting for its end"
	flock 9
}
rm -rf "$out"
mkdir -p "$out"
started=$(date +%s)
built=0
programs=
for program in $(make -s MODE=asan list-tests); do
	chosen "${program#build/asan/tests/}" "$@" && programs="$programs $program"
done
build "address and undefined sanitizers" MODE=asan programs $programs || built=1
[ $# -gt 0 ] || build release programs benches || built=1

echo "running"
for program in $programs; do
	if [ -x "$program" ]; then
		echo "$program"
	else
		echo "0 1 0 1 ${program#build/asan/tests/} (not built)" >"$out/$(basename "$program").missing.result"
	fi
done | xargs -r -n 1 -P 2 tests/check.sh --one 9>&-
[ "$built" = 0 ] || echo "0 1 0 1 build" >"$out/build.result"

# Two programs at a time on a busy machine: what failed there is run once more, alone. It counts as it ends then, and that it did not pass at
# once is said at the end, with its first log kept: a test that needs this has a fault of its own.
for program in $programs; do
	name=${program#build/asan/tests/}
	file=$out/$(printf '%s' "$name" | tr '/ ' '__')
	[ -x "$program" ] && [ -f "$file.result" ] || continue
	read -r _ status _ <"$file.result"
	[ "$status" != 0 ] || continue
	mv "$file.log" "$file.first"
	run_part "$name" "$program"
	read -r _ status _ <"$file.result"
	[ "$status" != 0 ] || echo "note: $name failed beside others and passed alone; $file.first has what it said first" >>"$file.log"
done
for script in tests/e2e/*.sh; do
	case $script in *'*'* | tests/e2e/run.sh) continue ;; esac
	chosen "${script#tests/}" "$@" && run_part "${script#tests/}" "$script"
done
if [ $# = 0 ]; then
	run_part lint tests/lint/lint.sh
	run_part lint-selftest tests/lint/selftest.sh
fi

for result in "$out"/*.result; do
	read -r seconds status rest <"$result"
	[ "$status" != 0 ] || continue
	log=${result%.result}.log
	[ -f "$log" ] || continue
	echo
	echo "---- ${rest#* * } ($log)"
	tail -n 80 "$log"
done

notes=$(cat "$out"/*.log 2>/dev/null | grep '^note: \|^skip \|: not run: ' | sort -u)
[ -z "$notes" ] || printf '\n%s\n' "$notes"

echo
cat "$out"/*.result | sort -k5 | awk -v seconds="$(($(date +%s) - started))" '
	BEGIN { printf "%7s %7s %7s  %s\n", "passed", "failed", "time", "part" }
	{ name = $5; for (i = 6; i <= NF; i++) name = name " " $i; printf "%7d %7d %5d s  %s\n", $3, $4, $1, name; passed += $3; failed += $4 }
	END {
		printf "in %d min %d s\n%d passed, %d failed\n", seconds / 60, seconds % 60, passed, failed
		exit (failed > 0 || NR == 0)
	}'
