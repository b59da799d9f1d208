#!/bin/sh
# options -- what may be said of any job (api/job_options.def) stands in openapi.yaml and docs/http.md, and as a flag in cli/job_flags.def.
set -eu

status=0
sed -n '/^      "JobOptions"/,/^      }/p' api/openapi.yaml >build/lint/options.docs
for name in $(sed -n 's/^{"\([a-z_]*\)",.*/\1/p' api/job_options.def); do
	grep -q "^          \"$name\":" build/lint/options.docs || { echo "JobOptions in api/openapi.yaml has no $name"; status=1; }
	grep -q "^| .*\`$name\`" docs/http.md || { echo "docs/http.md does not name $name"; status=1; }
	grep -q "\"$name\"" cli/job_flags.def || { echo "cli/job_flags.def has no flag for $name"; status=1; }
done
exit $status
