#!/bin/sh
# first_line -- every C file and table opens with /* name -- one sentence. */
set -eu

grep '\.\([ch]\|def\)$' build/lint/files | xargs awk '
	FNR == 1 {
		name = FILENAME
		sub(/.*\//, "", name)
		if (index($0, "/* " name " -- ") != 1 || length($0) < length(name) + 15) {
			print FILENAME ":1: does not begin with /* " name " -- ..."
			bad = 1
		}
	}
	END { exit bad }
'
