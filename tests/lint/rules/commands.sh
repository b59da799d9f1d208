#!/bin/sh
# commands -- each command of `barque` is named in README.md or docs/.
set -eu

[ -f cli/commands.def ] || exit 0
status=0
for name in $(sed -n 's/^COMMAND(\([a-z_]*\)).*/\1/p' cli/commands.def); do
	grep -rqF "barque $name" README.md docs || { echo "neither README.md nor docs/ names barque $name"; status=1; }
done
exit $status
