#!/bin/sh
# format -- C files look as clang-format says (.clang-format).
set -eu

# Versions of clang-format differ in small things. Debian 12 has 14, and 14 decides.
decides=14
command -v clang-format >/dev/null 2>&1 || {
	echo "clang-format is not here"
	exit 77
}
version=$(clang-format --version | sed 's/.*version \([0-9]*\).*/\1/')
[ "$version" = "$decides" ] || {
	echo "clang-format is version $version here; version $decides decides"
	exit 77
}
xargs -n 20 -P 2 clang-format --dry-run -Werror --ferror-limit=1 <build/lint/c_files >build/lint/format.log 2>&1 && exit 0
grep ' error: ' build/lint/format.log || cat build/lint/format.log
echo "make format rewrites them"
exit 1
