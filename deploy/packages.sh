# packages.sh -- what Barque needs on a machine, and how it gets there. Sourced by ./run and ./check.
#
# packages_need LIST...   looks for each by what it gives (a command, a pkg-config module, a file), so that anything that serves
# is taken, wherever it came from; when nothing is missing, no package manager is called. What is missing is installed with apt,
# without questions. INSTALL=no forbids that: then the missing packages are named, and that is all.

# package probe
packages_build='
gcc command:cc
libc6-dev file:/usr/include/stdio.h
make command:make
pkg-config command:pkg-config
libhiredis-dev module:hiredis
librdkafka-dev module:rdkafka
libsqlite3-dev module:sqlite3
libcjson-dev module:libcjson
libcurl4-openssl-dev module:libcurl
libmicrohttpd-dev module:libmicrohttpd
libzstd-dev module:libzstd
libssl-dev module:libssl
ca-certificates file:/etc/ssl/certs/ca-certificates.crt
redis-server command:redis-server
'
packages_check='
check module:check
liblua5.1-0-dev module:lua5.1
clang-format command:clang-format
cppcheck command:cppcheck
gzip command:gzip
'

packages_say() {
	echo "barque: $*" >&2
}

packages_has() {
	case $1 in
	command:*) command -v "${1#*:}" >/dev/null 2>&1 ;;
	module:*) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "${1#*:}" ;;
	file:*) [ -e "${1#*:}" ] ;;
	esac
}

# The packages of the list on standard input whose probe finds nothing.
packages_missing() {
	while read -r package probe; do
		[ -z "$package" ] || packages_has "$probe" || echo "$package"
	done
}

# Run as root; sudo only where it asks no password, because nobody may be there to type one.
packages_as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

packages_may_install() {
	if [ "${INSTALL:-yes}" = no ]; then
		packages_say "missing, and INSTALL=no forbids to install: $*"
	elif ! command -v apt-get >/dev/null 2>&1; then
		packages_say "missing (names as in Debian), and there is no apt-get here: $*"
	elif [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
		packages_say "missing, and this user may not install. Please run: sudo apt-get install $*"
	else
		return 0
	fi
	return 1
}

# Debian starts a service when its package is installed. We bring our own Redis up with our own settings, so a Redis that
# was not here before must neither start now (policy-rc.d) nor at the next boot (disable).
packages_apt() {
	log=$(mktemp)
	policy=/usr/sbin/policy-rc.d
	own_policy=no
	status=0
	if [ ! -e "$policy" ]; then
		own_policy=yes
		trap 'packages_as_root rm -f "$policy"' EXIT
		trap 'exit 130' INT TERM
		packages_as_root sh -c 'printf "#!/bin/sh\nexit 101\n" >"$1" && chmod 755 "$1"' sh "$policy"
	fi
	apt="env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300"
	# Old lists may still do, so a failed update is told only if the installation then fails as well.
	packages_as_root $apt update >"$log" 2>&1 </dev/null || true
	packages_as_root $apt install --no-install-recommends "$@" >>"$log" 2>&1 </dev/null || status=$?
	if [ "$own_policy" = yes ]; then
		packages_as_root rm -f "$policy"
		trap - EXIT INT TERM
	fi
	if [ "$status" != 0 ]; then
		tail -n 30 "$log" >&2
		packages_say "apt-get could not install: $*"
	fi
	rm -f "$log"
	return "$status"
}

packages_quiet_redis() {
	case " $* " in
	*" redis-server "*) [ -d /run/systemd/system ] || return 0 ;;
	*) return 0 ;;
	esac
	packages_as_root systemctl disable --now redis-server.service >/dev/null 2>&1 || packages_say "the system's own redis-server could not be switched off"
}

packages_need() {
	missing=$(for list in "$@"; do printf '%s\n' "$list"; done | packages_missing)
	[ -n "$missing" ] || return 0
	set -- $missing
	packages_may_install "$@" || return 1
	packages_say "installing with apt-get: $*"
	packages_apt "$@" || return 1
	packages_quiet_redis "$@"
}
