#!/bin/sh
# run.sh -- the end-to-end runs alone: a whole Barque for each, and the bus against a real Kafka where there is one.
exec "$(dirname "$0")/../check.sh" e2e "$@"
