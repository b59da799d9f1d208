#!/bin/sh
# metrics -- docs/metrics.md lists the metrics of shared/base/metrics.def, and no others.
set -eu

[ -f docs/metrics.md ] || {
	echo "docs/metrics.md is missing"
	exit 1
}
sed -n 's/^METRIC(\([a-z0-9_]*\), \([a-z]*\), "\([a-z_,]*\)".*/barque_\1 \2 \3/p' shared/base/metrics.def | sed 's/ $//' | sort >build/lint/metrics.code
sed -n 's/^| `\(barque_[a-z0-9_]*\)` | \([a-z]*\) | `\{0,1\}\([a-z_,]*\)`\{0,1\} *|.*/\1 \2 \3/p' docs/metrics.md | sed 's/ $//' | sort >build/lint/metrics.docs
diff build/lint/metrics.code build/lint/metrics.docs >build/lint/metrics.diff && exit 0
sed -n 's/^< \(.*\)/docs\/metrics.md lacks: \1/p; s/^> \(.*\)/docs\/metrics.md has, but metrics.def has not: \1/p' build/lint/metrics.diff
exit 1
