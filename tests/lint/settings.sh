#!/bin/sh
# settings.sh -- docs/settings.md from the programs' settings.def: compare, or with --write, write it.
set -eu
cd "$(dirname "$0")/../.."

table() { # PROGRAM FOLDER
	[ -f "$2/settings.def" ] || return 0
	printf '\n## %s\n\n| variable | type | default | what it is |\n|---|---|---|---|\n' "$1"
	awk '
		# SETTING(NAME, type, "default", min, max, "help"): texts may hold commas, so they are taken out first.
		/^SETTING\(/ {
			line = $0
			sub(/^SETTING\(/, "", line)
			name = line; sub(/,.*/, "", name)
			sub(/^[^,]*, */, "", line)
			type = line; sub(/,.*/, "", type)
			sub(/^[^"]*"/, "", line)
			fallback = line; sub(/".*/, "", fallback)
			sub(/^[^"]*", */, "", line)
			min = line; sub(/,.*/, "", min)
			sub(/^[^,]*, */, "", line)
			max = line; sub(/,.*/, "", max)
			sub(/^[^"]*"/, "", line)
			help = line; sub(/"\)[^"]*$/, "", help)
			gsub(/\\"/, "\"", help); gsub(/\|/, "\\|", help)
			if (type == "int" && (min + 0 || max + 0))
				type = "int, " min " to " max
			if (fallback != "")
				fallback = "`" fallback "`"
			printf "| `%s` | %s | %s | %s |\n", name, type, fallback, help
		}' "$2/settings.def"
}

document() {
	cat <<'TEXT'
# Settings

Settings come from the environment only. A program refuses to start on a value that it cannot use and, for variables that begin
like its own, on a name that it does not know; in both cases it says in one sentence what is wrong. `--help` prints the same
tables. A variable that is set but empty counts as not set.

Types: *text*; *int*, a whole number; *ms*, a time such as `500ms`, `30s`, `5m` or `2h`; *bytes*, a size such as `512`, `64k`, `16m`
or `1g`; *flag*, `yes` or `no`.

This page is written by `make docs` from the `settings.def` of each program, and `make lint` compares them.
TEXT
	table barque-api api
	table barque-worker workers
	table barque cli
	table barque-devbroker broker-config
	table barque-exchange-sim tests/exchange_sim
}

if [ "${1:-}" = --write ]; then
	document >docs/settings.md
	exit 0
fi
[ -f docs/settings.md ] || {
	echo "docs/settings.md is missing; make docs writes it"
	exit 1
}
mkdir -p build/lint
document >build/lint/settings.md
diff docs/settings.md build/lint/settings.md && exit 0
echo "docs/settings.md is not what the tables say; make docs writes it"
exit 1
