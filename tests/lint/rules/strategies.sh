#!/bin/sh
# strategies -- each strategy has its file and is named in the documents.
set -eu

status=0
for name in $(sed -n 's/^STRATEGY(\([a-z0-9_]*\)).*/\1/p' shared/backtest/strategies.def); do
	[ -f "shared/backtest/strategy_$name.c" ] || { echo "shared/backtest/strategy_$name.c is missing"; status=1; }
	grep -rqF "$name" --include='*.md' docs || { echo "no document in docs/ names $name"; status=1; }
done
exit $status
