#!/bin/sh
# words -- no word of tests/lint/words.txt anywhere.
set -eu

grep -v '^#' tests/lint/words.txt | grep . >build/lint/words
! grep -v '^tests/lint/words.txt$' build/lint/files | xargs grep -nIE -f build/lint/words
