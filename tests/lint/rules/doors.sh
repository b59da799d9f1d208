#!/bin/sh
# doors -- each outside library is included by its one door file only (tests/lint/doors.txt).
set -eu

awk -v list=tests/lint/doors.txt '
	BEGIN {
		while ((getline line < list) > 0) {
			if (line ~ /^#/ || split(line, word, " ") != 2)
				continue
			door[word[1]] = door[word[1]] " " word[2] # a library may have several, each for another use
		}
	}
	{
		file = $0
		nr = 0
		while ((getline line < file) > 0) {
			nr++
			if (line !~ /^[ \t]*#[ \t]*include[ \t]*</)
				continue
			header = line
			sub(/^[^<]*</, "", header)
			sub(/>.*/, "", header)
			for (prefix in door) {
				if (index(header, prefix) != 1)
					continue
				n = split(door[prefix], doors, " ")
				for (i = 1; i <= n; i++)
					if (file == doors[i] || (doors[i] ~ /\/$/ && index(file, doors[i]) == 1))
						break
				if (i <= n)
					continue
				print file ":" nr ": only " door[prefix] " may include <" header ">"
				bad = 1
			}
		}
		close(file)
	}
	END { exit bad }
' build/lint/c_files
