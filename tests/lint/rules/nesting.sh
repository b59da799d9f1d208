#!/bin/sh
# nesting -- at most three levels of nesting inside a function.
set -eu

# Code stands behind tabs, one a level: four of them before a statement that opens another level are one too many.
# Lines that continue another are also indented; they do not begin with these words.
xargs awk '
	/^\t\t\t\t+(if|for|while|switch|do)( |$)/ && previous ~ /[;{}:]$|\*\/$|\)$|else$/ {
		print FILENAME ":" FNR ": a fourth level of nesting"
		bad = 1
	}
	{ previous = $0; sub(/[ \t]*\/\/.*$/, "", previous); sub(/[ \t]+$/, "", previous) }
	END { exit bad }
' <build/lint/c_files
