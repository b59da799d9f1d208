#!/bin/sh
# run.sh -- build and run every program of bench/, or those named: bench/run.sh queue
set -eu
cd "$(dirname "$0")/.."
MODE=${MODE:-release}
B=${B:-build/$MODE}
make -s MODE="$MODE" B="$B" benches

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(uname -sr)"
echo "         $(redis-server --version 2>/dev/null | cut -d' ' -f1-3 || true)"
for program in "$B"/bench/bench_*; do
	[ -x "$program" ] && [ ! -d "$program" ] || continue
	case "$program" in *.o | *.d) continue ;; esac
	name=${program##*/bench_}
	[ $# -eq 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
	echo
	echo "== $name"
	"$program"
done
