#!/bin/sh
# selftest.sh -- do the rules of the lint find anything? A small clean tree passes each; broken in one place, it must fail.
set -u
cd "$(dirname "$0")/../.."
here=$(pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0
failed=0

fresh() {
	rm -rf "$dir/tree"
	mkdir -p "$dir/tree/shared/base" "$dir/tree/shared/job" "$dir/tree/shared/kinds" "$dir/tree/shared/bus" "$dir/tree/shared/backtest" \
		"$dir/tree/api" "$dir/tree/cli" "$dir/tree/docs" "$dir/tree/tests" "$dir/tree/deploy/prometheus" "$dir/tree/deploy/grafana"
	cd "$dir/tree" || exit 1
	cp -r "$here/tests/lint" tests/lint
	cp "$here/.clang-format" .
	printf '/* a.h -- a header for the lint. */\n#ifndef BASE_A_H\n#define BASE_A_H\n\nint a_one(int n);\n\n#endif\n' >shared/base/a.h
	printf '/* a.c -- a file for the lint. */\n#include "base/a.h"\n\nint a_one(int n)\n{\n\treturn n;\n}\n' >shared/base/a.c
	printf '/* b.c -- a file of floor one. */\n#include "base/a.h"\n' >shared/job/b.c
	printf 'METRIC(x_total, counter, "kind", "x")\n' >shared/base/metrics.def
	printf '| `barque_x_total` | counter | `kind` | x |\n' >docs/metrics.md
	{
		printf 'groups:\n  - name: x\n    rules:\n      - alert: X\n        expr: barque_x_total > 0\n'
		for _ in 1 2 3 4 5 6 7 8 9 10; do echo '# barque_x_total'; done
	} >deploy/prometheus/alerts.yml
	printf 'rule_files: [alerts.yml]\n' >deploy/prometheus/prometheus.yml
	printf '{"a": [\n' >deploy/grafana/barque.json
	for _ in 1 2 3 4 5 6 7 8 9 10 11; do echo '"barque_x_total",'; done >>deploy/grafana/barque.json
	echo '0]}' >>deploy/grafana/barque.json
	printf 'ROUTE("GET", "/x/{id}", route_x, "x")\n' >api/routes.def
	printf 'openapi: 3.1.0\npaths:\n  /x/{id}:\n    get:\n      summary: x\ncomponents:\n' >api/openapi.yaml
	printf 'GET /x/{id}\n' >docs/http.md
	printf 'SETTING(X_ONE, int, "1", 0, 5, "one, \\"two\\" | three")\n' >api/settings.def
	printf 'KIND(x_run)\n' >shared/kinds/kinds.def
	printf '/* kind_x_run.c -- x. */\n\t.name = "x.run",\n' >shared/kinds/kind_x_run.c
	printf '`x.run`\n' >docs/jobs.md
	printf 'EVENT("x.v1", "x.changes", "", "x")\n' >shared/bus/events.def
	printf 'x.v1 on x.changes\n' >docs/events.md
	printf 'STRATEGY(x_cross)\n' >shared/backtest/strategies.def
	printf '/* strategy_x_cross.c -- x. */\n' >shared/backtest/strategy_x_cross.c
	printf '`x_cross`\n' >docs/strategies.md
	printf 'COMMAND(show)\n' >cli/commands.def
	printf 'barque show, see [jobs](docs/jobs.md#x)\n' >README.md
	mkdir -p broker-config/functions shared/queue tests/deploy
	printf "#!lua name=x1\nlocal n = call('HGET', 'k', 'f')\nflush('RPUSH')\n" >broker-config/functions/10_base.lua
	{
		echo '# released.txt -- what was released.'
		echo "x1 $(sha256sum <broker-config/functions/10_base.lua | cut -d ' ' -f 1)"
		echo 'x0 0'
	} >broker-config/released.txt
	printf '/* redis.c -- a door for the lint. */\n\tredis_cmd_adds(c, "PING");\n\tredis_cmd_adds(c, "FUNCTION");\n\tredis_cmd_adds(c, "LOAD");\n\tredis_cmd_adds(c, "FCALL");\n' >shared/queue/redis.c
	printf 'user default off -@all\nuser barque on >x ~bq:* -@all +ping +fcall +function|load +hget +rpush\n' >broker-config/users.acl
	{
		printf 'rule_files: [../../deploy/prometheus/alerts.yml]\ntests:\n  - interval: 1m\n    input_series:\n'
		printf "      - {series: barque_x_total, values: '0 1x5'}\n    alert_rule_test:\n"
		printf '      - {eval_time: 3m, alertname: X, exp_alerts: [{exp_labels: {}}]}\n'
	} >tests/deploy/alerts_test.yml
	sh tests/lint/settings.sh --write
}

expect() { # WORD RULE WHAT
	if sh tests/lint/lint.sh "$2" | grep -q "^$1 *$2:"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$2: expected $1: $3"
		cat "build/lint/$2.result"
	fi
}

rules() {
	for rule in tests/lint/rules/*.sh; do basename "$rule" .sh; done
}

breaks() { # RULE COMMAND
	fresh
	sh -c "$2" || echo "the breaking of $1 failed: $2"
	case $(sh tests/lint/lint.sh "$1") in
	skip*)
		echo "note: $1 cannot be tried here"
		return
		;;
	esac
	expect FAIL "$1" "$2"
}

fresh
for rule in $(rules); do
	# These look at what a tree of a few lines does not have, or at tools that may be missing.
	case $rule in first_line | cppcheck | format) continue ;; esac
	[ "$rule" != alerts ] || command -v promtool >/dev/null || continue
	expect ok "$rule" "the clean tree"
done

breaks floors 'echo "#include \"base/log.h\"" >>shared/job/b.c'
breaks floors 'echo "#include \"a.h\"" >>shared/base/a.c'
breaks floors 'echo "#include \"job/job.h\"" >>shared/base/a.c'
breaks floors 'mkdir shared/new && echo "/* c.c -- in a folder without a floor. */" >shared/new/c.c'
breaks floors 'sed -i "s/^shared.base:/shared\/base: shared\/job/" tests/lint/floors.txt'
breaks doors 'echo "#include <curl/curl.h>" >>shared/base/a.c'
breaks doors 'echo "#  include <sqlite3.h>" >>shared/base/a.c'
breaks headers 'echo "int64_t a_two(void);" >>shared/base/a.h'
breaks length '{ printf "int a_long(void)\n{\n"; yes "	a_one(1);" | head -n 61; echo "}"; } >>shared/base/a.c'
breaks nesting 'printf "int a_deep(int n)\n{\n\tif (n) {\n\t\tif (n) {\n\t\t\tif (n) {\n\t\t\t\tif (n)\n\t\t\t\t\treturn 1;\n}\n" >>shared/base/a.c'
breaks first_line 'echo "int x;" >shared/base/c.c'
breaks first_line 'echo "/* d.c -- the wrong name of a file. */" >shared/base/c.c'
breaks globals 'echo "static int counter;" >>shared/base/a.c'
breaks globals 'printf "static struct {\n\tint n;\n} state;\n" >>shared/base/a.c'
breaks format 'echo "int  a_two( void );" >>shared/base/a.c'
breaks cppcheck 'printf "int a_bad(void);\nint a_bad(void)\n{\n\tint *p = 0;\n\treturn *p;\n}\n" >>shared/base/a.c'
breaks words 'echo "/* TO""DO */" >>shared/base/a.c'
breaks shell 'printf "#!/bin/sh\nif\n" >bad.sh; chmod +x bad.sh'
breaks shell 'printf "#!/bin/sh\n" >bad.sh'
breaks links 'echo "[x](docs/none.md)" >>README.md'
breaks alerts 'sed -i "s/> 0/> 5/" deploy/prometheus/alerts.yml'
breaks alerts 'sed -i "s/> 0/> > 0/" deploy/prometheus/alerts.yml'
breaks alerts 'sed -i "s/eval_time: 3m, alertname: X/eval_time: 3m, alertname: Y/" tests/deploy/alerts_test.yml'
breaks acl 'sed -i "s/ +hget//" broker-config/users.acl'
breaks acl 'sed -i "s/ +hget/ +hget +hset/" broker-config/users.acl'
breaks acl 'sed -i "s/ +hget/ +hget +config|get/" broker-config/users.acl'
breaks acl 'sed -i "s/ +hget/ +@hash +hget/" broker-config/users.acl'
breaks acl 'rm broker-config/users.acl'
breaks released 'echo "-- changed" >>broker-config/functions/10_base.lua'
breaks released 'echo "-- added" >broker-config/functions/20_more.lua'
breaks released 'rm broker-config/released.txt'
breaks routes 'sed -i "s/GET/PUT/" api/routes.def'
breaks routes 'printf "  /y:\n    post:\n" >>api/openapi.yaml; sed -i "/^components/d" api/openapi.yaml'
breaks routes 'rm api/openapi.yaml'
breaks routes ': >docs/http.md'
breaks settings 'sed -i "s/one,/uno,/" api/settings.def'
breaks settings 'rm docs/settings.md'
breaks kinds ': >docs/jobs.md'
breaks kinds 'rm shared/kinds/kind_x_run.c'
breaks events 'echo "x.v1" >docs/events.md'
breaks strategies ': >docs/strategies.md'
breaks metrics 'echo "METRIC(y, gauge, \"\", \"y\")" >>shared/base/metrics.def'
breaks dashboards 'echo "- expr: barque_y_total" >>deploy/prometheus/alerts.yml'
breaks dashboards 'echo >deploy/grafana/barque.json'
breaks metrics 'sed -i "s/counter/gauge/" docs/metrics.md'
breaks commands 'echo "COMMAND(hide)" >>cli/commands.def'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
