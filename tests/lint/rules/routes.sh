#!/bin/sh
# routes -- api/routes.def and api/openapi.yaml list the same routes, and docs/http.md names each path.
set -eu

[ -f api/routes.def ] || exit 0
[ -f api/openapi.yaml ] || {
	echo "api/openapi.yaml is missing"
	exit 1
}
sed -n 's/^ROUTE("\([A-Z]*\)", "\([^"]*\)".*/\1 \2/p' api/routes.def | sort -u >build/lint/routes.code
awk '
	/^[a-z]/ { inside = /^paths:/ }
	inside && /^  \// { path = $1; sub(/:$/, "", path); gsub(/["\047]/, "", path) }
	# The same in the JSON form of YAML.
	/^  "/ { json = /^  "paths":/ }
	json && /^    "\// { split($0, part, "\""); path = part[2] }
	json && /^      "(get|post|put|delete|patch|head|options)":/ { split($0, part, "\""); print toupper(part[2]), path }
	inside && /^    (get|post|put|delete|patch|head|options):/ { method = $1; sub(/:.*/, "", method); print toupper(method), path }
' api/openapi.yaml | sort -u >build/lint/routes.docs
status=0
comm -23 build/lint/routes.code build/lint/routes.docs | sed 's/$/ is in routes.def but not in openapi.yaml/' >build/lint/routes.diff
comm -13 build/lint/routes.code build/lint/routes.docs | sed 's/$/ is in openapi.yaml but not in routes.def/' >>build/lint/routes.diff
if [ -s build/lint/routes.diff ]; then
	cat build/lint/routes.diff
	status=1
fi
if [ -f docs/http.md ]; then
	while read -r method path; do
		grep -qF "$path" docs/http.md || { echo "docs/http.md does not name $method $path"; status=1; }
	done <build/lint/routes.code
fi
exit $status
