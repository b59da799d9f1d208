#!/bin/sh
# cover.sh -- line coverage by the unit and contract tests, per folder, and the files with the least.
set -eu
cd "$(dirname "$0")/.."

command -v gcov >/dev/null 2>&1 || {
	echo "cover: gcov is not here; it comes with gcc" >&2
	exit 1
}
B=build/cover
make -s -j"$(nproc)" MODE=cover tests programs
find "$B" -name '*.gcda' -delete
for program in $(make -s MODE=cover list-tests); do
	case $program in
	*/unit/* | */contract/*) "$program" >/dev/null 2>&1 || echo "cover: ${program#"$B"/tests/} failed; its lines count all the same" ;;
	esac
done

# gcov prints, for each source of an object: File 'name' / Lines executed:97.22% of 36
find "$B/shared" "$B/api" "$B/workers" "$B/cli" -name '*.gcno' 2>/dev/null | sort | while read -r notes; do
	gcov -n -o "$(dirname "$notes")" "$notes" 2>/dev/null
done | awk -F"['%:]" '
	/^File / { file = $2 }
	/^Lines executed/ && file ~ /^(shared|api|workers|cli)\/.*\.c$/ {
		split($0, part, " of ")
		lines[file] = part[2]
		hit[file] = $2 * part[2] / 100
		file = ""
	}
	END {
		for (f in lines) {
			folder = f
			sub(/\/[^\/]*$/, "", folder)
			all[folder] += lines[f]
			some[folder] += hit[f]
			total += lines[f]
			covered += hit[f]
			printf "file %5.1f %5d %s\n", 100 * hit[f] / lines[f], lines[f], f
		}
		for (d in all)
			printf "folder %5.1f %5d %s\n", 100 * some[d] / all[d], all[d], d
		if (total)
			printf "total %5.1f %5d all\n", 100 * covered / total, total
	}' >"$B/summary.txt"
echo "    %  lines  folder"
sed -n 's/^folder //p' "$B/summary.txt" | sort -k3
sed -n 's/^total //p' "$B/summary.txt"
echo
echo "least covered files"
sed -n 's/^file //p' "$B/summary.txt" | sort -n | head -n 15
