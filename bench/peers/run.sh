#!/bin/sh
# run.sh -- measure other job systems and Barque, one after the other, on this machine: bench/peers/run.sh [NAME ...]
#
# Installs what it measures, with the usual clients of the registries and at the versions pinned in this folder, into build/peers:
# Celery and Dramatiq (pip), BullMQ (npm), asynq (go), beanstalkd (apt). INSTALL=no: only what is there already is measured.
# --install: installs and measures nothing (tests/chaos/peers.sh).
# RUNS (3): how often; medians count. JOBS_PERCENT (100): scale the number of jobs. The table also goes to build/peers/table.md.
set -eu
cd "$(dirname "$0")/../.."
here=bench/peers
to=build/peers
mkdir -p "$to/node"

say() { echo "peers: $*" >&2; }

install_python() {
	cmp -s "$here/requirements.txt" "$to/py/installed" && return
	say "pip install into $to/py"
	python3 -m venv "$to/py" && "$to/py/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
	cp "$here/requirements.txt" "$to/py/installed"
}

install_node() {
	cmp -s "$here/package.json" "$to/node/installed" && return
	say "npm install into $to/node"
	cp "$here/package.json" "$to/node/package.json"
	(cd "$to/node" && npm install --silent --no-package-lock --no-audit --no-fund) && cp "$here/package.json" "$to/node/installed"
}

install_asynq() {
	say "go build asynq into $to/go"
	mkdir -p "$to/go"
	cp "$here"/asynq/* "$to/go"
	(cd "$to/go" && go build -o asynq_peer .)
}

install_beanstalk() {
	command -v beanstalkd >/dev/null || {
		say "apt-get install beanstalkd"
		apt-get install -y -q beanstalkd >/dev/null
	}
	${CC:-cc} -O2 -Wall -Wextra -o "$to/beanstalk_peer" "$here/beanstalk_peer.c"
}

# A peer that cannot be had here is named in the table as not measured: the others still are.
if [ "${INSTALL:-yes}" != no ]; then
	install_python || { say "python and pip are needed: measure.py runs in that environment"; exit 1; }
	install_node || say "BullMQ is not there: node and npm are needed"
	install_asynq || say "asynq is not there: go is needed"
	install_beanstalk || say "beanstalkd is not there"
fi
[ "${1:-}" != --install ] || exit 0
exec "$to/py/bin/python" "$here/measure.py" "$@"
