#!/bin/sh
# settings -- docs/settings.md says what the programs' settings.def say (`make docs` writes it).
set -eu

exec tests/lint/settings.sh
