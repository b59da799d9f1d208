#!/bin/sh
# length -- no function is longer than 60 lines.
set -eu

# clang-format puts the braces of a function, and of nothing else, alone at the left edge.
xargs awk '
	FNR == 1 { start = 0; head = "" }
	/^\{$/ { start = FNR; name = head; next }
	/^\}/ && start {
		n = FNR - start - 1
		if (n > 60) {
			printf "%s:%d: %d lines in %s\n", FILENAME, start, n, name
			bad = 1
		}
		start = 0
	}
	!start && /^[A-Za-z_].*\(/ { head = $0 }
	END { exit bad }
' <build/lint/c_files
