#!/bin/sh
# floors -- a file includes its own folder and the floors below it, with the folder in the path (tests/lint/floors.txt).
set -eu

# folder<TAB>included path<TAB>file:line, for each #include "..." of the folders that have a floor
awk -v list=tests/lint/floors.txt '
	function fail(text) { print text; bad = 1 }
	function folder_of(file) { sub(/\/[^\/]*$/, "", file); return file }
	BEGIN {
		while ((getline line < list) > 0) {
			if (line ~ /^#/ || line !~ /:/)
				continue
			folder = line
			sub(/:.*/, "", folder)
			sub(/^[^:]*:/, "", line)
			n = split(line, names, " ")
			for (i = 1; i <= n; i++) {
				if (!(names[i] in floor))
					fail(list ": " folder " may include " names[i] ", which stands on no line above it")
				allowed[folder, names[i]] = 1
			}
			floor[folder] = 1
			allowed[folder, folder] = 1
		}
	}
	{
		here = folder_of($0)
		if (here ~ /^shared\// && !(here in floor) && !(here in told)) {
			told[here] = 1
			fail(here " has no line in " list)
		}
		if (!(here in floor))
			next
		file = $0
		nr = 0
		while ((getline line < file) > 0) {
			nr++
			if (line !~ /^[ \t]*#[ \t]*include[ \t]*"/)
				continue
			path = line
			sub(/^[^"]*"/, "", path)
			sub(/".*/, "", path)
			there = folder_of(path)
			if (there == path) {
				fail(file ":" nr ": \"" path "\" lacks its folder")
				continue
			}
			if (("shared/" there) in floor)
				there = "shared/" there
			if (!((here, there) in allowed))
				fail(file ":" nr ": " here " may not include " path)
			if (here ~ /^shared\/(job|market|trade|backtest)$/ && path ~ /^base\/(clock|log|config)\.h$/)
				fail(file ":" nr ": floor 1 has no clock, no log and no settings")
		}
		close(file)
	}
	END { exit bad }
' build/lint/c_files
