#!/bin/sh
# headers -- each header compiles alone: it includes what it needs.
set -eu

flags="-std=gnu11 -D_GNU_SOURCE -Ishared -I. -Wall -Wextra -Wno-unused-function -Werror"
flags="$flags $(pkg-config --cflags hiredis rdkafka sqlite3 libcjson libcurl libmicrohttpd libzstd libssl libcrypto check)"
# A *_suite.h is the body of contract tests and is included at the end of a test that brings what the suite needs.
# One header a call of the compiler: given several, it would still compile them apart, but stop telling at the first.
grep '\.h$' build/lint/c_files | grep -v '_suite\.h$' | xargs -n 8 -P 2 sh -c '
	flags=$1
	shift
	status=0
	for header; do
		printf "#include \"%s\"\nextern int headers_compile_alone;\n" "$header" |
			${CC:-cc} $flags -fsyntax-only -x c - || status=1
	done
	exit $status' sh "$flags"
