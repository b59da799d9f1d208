#!/bin/sh
# run.sh -- run each fuzzer for FUZZ_SECONDS (60); what it learned stays in build/fuzz/corpus for the next time.
set -eu
cd "$(dirname "$0")/../.."

probe=$(mktemp)
echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && n > 9 ? 0 : 0; }' |
	clang -fsanitize=fuzzer,address -x c - -o "$probe" 2>/dev/null || {
	rm -f "$probe"
	echo "fuzz: clang with libFuzzer is not here (packages clang and libclang-rt-14-dev or the like); nothing was fuzzed" >&2
	exit 1
}
rm -f "$probe"
seconds=${FUZZ_SECONDS:-60}
make -s -j"$(nproc)" MODE=fuzz CC=clang fuzzers
failed=0
for program in $(make -s MODE=fuzz CC=clang list-fuzzers); do
	name=$(basename "$program")
	[ $# = 0 ] || [ "$1" = "$name" ] || continue
	corpus=build/fuzz/corpus/$name
	mkdir -p "$corpus" build/fuzz/crashes
	seeds=tests/fuzz/seeds/${name#fuzz_}
	[ -d "$seeds" ] || seeds=
	if "$program" -max_total_time="$seconds" -max_len=4096 -timeout=10 -artifact_prefix="build/fuzz/crashes/$name-" \
		"$corpus" $seeds >"build/fuzz/$name.log" 2>&1; then
		echo "ok    $name: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "build/fuzz/$name.log") in $seconds s"
	else
		echo "FAIL  $name: see build/fuzz/$name.log and build/fuzz/crashes/"
		tail -n 25 "build/fuzz/$name.log"
		failed=1
	fi
done
exit "$failed"
