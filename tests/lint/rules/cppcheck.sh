#!/bin/sh
# cppcheck -- cppcheck finds nothing.
set -eu

command -v cppcheck >/dev/null 2>&1 || {
	echo "cppcheck is not here"
	exit 77
}
# Every version finds something else to say. Debian 12 has 2.10, and 2.10 decides.
case $(cppcheck --version) in
*' 2.10'*) ;;
*)
	echo "cppcheck is $(cppcheck --version | sed 's/.* //') here; version 2.10 decides"
	exit 77
	;;
esac
# The folder keeps what was found in files that did not change, so that only the first run takes long.
mkdir -p build/lint/cppcheck
grep '\.c$' build/lint/c_files | grep -v '^tests/' >build/lint/cppcheck.files
cppcheck --quiet --std=c11 --language=c -j 2 --cppcheck-build-dir=build/lint/cppcheck --enable=warning,performance,portability \
	--inline-suppr --suppressions-list=tests/lint/cppcheck.txt -Ishared -I. -D_GNU_SOURCE --error-exitcode=1 \
	--template='{file}:{line}: {severity}: {message} ({id})' --file-list=build/lint/cppcheck.files
