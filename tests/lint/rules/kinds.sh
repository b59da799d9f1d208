#!/bin/sh
# kinds -- docs/jobs.md names every kind of job.
set -eu

[ -f docs/jobs.md ] || {
	echo "docs/jobs.md is missing"
	exit 1
}
status=0
for name in $(sed -n 's/^KIND(\([a-z0-9_]*\)).*/\1/p' shared/kinds/kinds.def); do
	file=shared/kinds/kind_$name.c
	[ -f "$file" ] || { echo "$file is missing"; status=1; continue; }
	wire=$(sed -n 's/^[ 	]*\.name = "\([a-z0-9._]*\)".*/\1/p' "$file" | head -n 1)
	[ -n "$wire" ] || { echo "$file: has no line .name = \"...\""; status=1; continue; }
	grep -qF "\`$wire\`" docs/jobs.md || { echo "docs/jobs.md does not name \`$wire\`"; status=1; }
done
exit $status
