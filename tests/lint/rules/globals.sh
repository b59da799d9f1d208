#!/bin/sh
# globals -- no mutable variable of a whole file, but those in tests/lint/globals.txt, each with its reason.
set -eu

grep '^\(shared\|api\|workers\|cli\|broker-config\)/.*\.c$' build/lint/c_files | xargs awk -v list=tests/lint/globals.txt '
	BEGIN {
		while ((getline line < list) > 0) {
			if (line ~ /^#/ || line !~ /: /)
				continue
			sub(/: .*/, "", line)
			known[line] = 1
		}
	}
	/^(static |volatile |_Thread_local |struct |int |bool |char |int64_t |size_t |sig_atomic_t )/ && !/const / && !/\(/ && (/;$/ || / = / || /^static (struct|union)( [a-z_]+)? \{$/) {
		if (/^struct [a-z_0-9]+;$/ || known[FILENAME])
			next
		print FILENAME ":" FNR ": " $0
		bad = 1
	}
	END { exit bad }
'
