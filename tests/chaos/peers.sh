#!/bin/sh
# peers.sh -- the same faults for other job systems, and for ours, one table: build/chaos/peers.md. Some 20 minutes.
#
#   tests/chaos/peers.sh [celery] [celery-late] [dramatiq] [bullmq]
# Installs them as bench/peers/run.sh does (INSTALL=no: only what is there). FAULTS (20) each row, WAIT_S (150): what has not run so long
# after the last fault counts as lost. Ours are the rows R1, R2, R5 and R6 of tests/chaos/run.sh.
set -eu
cd "$(dirname "$0")/../.."

mode=${MODE:-debug}
bench/peers/run.sh --install
ROWS="R1 R2 R5 R6" CHAOS_SCALE="${CHAOS_SCALE:-50}" MODE="$mode" tests/chaos/run.sh >build/chaos-ours.log 2>&1 || {
	cat build/chaos-ours.log
	exit 1
}
make -s -j"$(nproc)" MODE="$mode" "build/$mode/tests/chaos/judge" "build/$mode/tests/chaos/test_server"
BUILD=build/$mode build/peers/py/bin/python tests/chaos/peers.py "$@"
{
	head -n 2 build/chaos/table.md
	cat build/chaos/rows/* | sort -V -k2
} >build/chaos/peers.md
echo
cat build/chaos/peers.md
