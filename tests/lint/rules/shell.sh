#!/bin/sh
# shell -- every script is accepted by the shell that it names.
set -eu

status=0
while read -r file; do
	case $(head -c 64 "$file" | head -n 1 | tr -d '\0') in
	'#!/bin/sh'*) sh -n "$file" || status=1 ;;
	'#!/bin/bash'*) ! command -v bash >/dev/null 2>&1 || bash -n "$file" || status=1 ;;
	*) continue ;;
	esac
	case $file in tests/lint/rules/*) continue ;; esac
	[ -x "$file" ] || { echo "$file: is not executable"; status=1; }
done <build/lint/files
exit $status
