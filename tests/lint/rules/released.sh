#!/bin/sh
# released -- the text of a released library in Redis is not changed under its name.
set -eu

# Its clients refuse a server that holds other text under the name (docs/queue.md says how to release).
name=$(sed -n '1,5s/^#!lua name=//p' broker-config/functions/10_base.lua)
[ -n "$name" ] || { echo "broker-config/functions/10_base.lua does not begin with #!lua name=..."; exit 1; }
sum=$(cat broker-config/functions/*.lua | sha256sum | cut -d " " -f 1)
released=$(sed -n "s/^$name //p" broker-config/released.txt)
[ -z "$released" ] || [ "$released" = "$sum" ] || {
	echo "$name was released as $released, and its text is $sum now: give it another name"
	exit 1
}
