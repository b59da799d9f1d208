#!/bin/sh
# links -- links between documents lead to files that are there.
set -eu

grep '\.md$' build/lint/files | xargs awk '
	/^```/ { code = !code }
	FNR == 1 { code = 0 }
	!code {
		rest = $0
		while (match(rest, /\]\([^)]+\)/)) {
			print FILENAME "\t" FNR "\t" substr(rest, RSTART + 2, RLENGTH - 3)
			rest = substr(rest, RSTART + RLENGTH)
		}
	}' | {
	status=0
	while IFS='	' read -r file line target; do
		case $target in *://* | mailto:* | '#'*) continue ;; esac
		path=$(dirname "$file")/${target%%#*}
		[ -e "$path" ] || { echo "$file:$line: $target is not there"; status=1; }
	done
	exit $status
}
