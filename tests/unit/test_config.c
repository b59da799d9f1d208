/* test_config.c -- settings: defaults, units, limits, mistakes named in one sentence. */
#include "base/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/lib/test.h"

static const struct setting table[] = {
        {"BQT_URL", SETTING_text, "redis://x", 0, 0, "where"},
        {"BQT_SLOTS", SETTING_int, "0", 0, 8, "how many"},
        {"BQT_DELTA", SETTING_int, "-5", -10, 10, "how much"},
        {"BQT_WAIT", SETTING_ms, "30s", 100, 3600000, "how long"},
        {"BQT_SIZE", SETTING_bytes, "64k", 0, 0, "how large"},
        {"BQT_ON", SETTING_flag, "yes", 0, 0, "whether"},
};
#define N ARRAY_LEN(table)

static const char *const prefixes[] = {"BQT_", NULL};

START_TEST(defaults)
{
	union setting_value v[N];
	struct err e = {0};

	setenv("BQT_URL", "", 1); /* set but empty: as if not set */
	ck_ok(config_load(table, N, v, &e), &e);
	ck_assert_str_eq(v[0].text, "redis://x");
	ck_assert_int_eq(v[1].number, 0);
	ck_assert_int_eq(v[2].number, -5);
	ck_assert_int_eq(v[3].number, 30000);
	ck_assert_int_eq(v[4].number, 65536);
	ck_assert_int_eq(v[5].number, 1);
}
END_TEST

static int64_t loads(const char *name, size_t i, const char *text)
{
	union setting_value v[N];
	struct err e = {0};

	setenv(name, text, 1);
	ck_ok(config_load(table, N, v, &e), &e);
	unsetenv(name);
	return v[i].number;
}

static void refuses(const char *name, const char *text, const char *sentence)
{
	union setting_value v[N];
	struct err e = {0};

	setenv(name, text, 1);
	ck_assert_msg(!config_load(table, N, v, &e), "%s=%s", name, text);
	unsetenv(name);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_str_eq(e.text, sentence);
}

START_TEST(values_and_units)
{
	ck_assert_int_eq(loads("BQT_SLOTS", 1, "8"), 8);
	ck_assert_int_eq(loads("BQT_WAIT", 3, "500"), 500);
	ck_assert_int_eq(loads("BQT_WAIT", 3, "500ms"), 500);
	ck_assert_int_eq(loads("BQT_WAIT", 3, "2m"), 120000);
	ck_assert_int_eq(loads("BQT_WAIT", 3, "1h"), 3600000);
	ck_assert_int_eq(loads("BQT_SIZE", 4, "512"), 512);
	ck_assert_int_eq(loads("BQT_SIZE", 4, "16m"), 16 << 20);
	ck_assert_int_eq(loads("BQT_SIZE", 4, "3g"), INT64_C(3) << 30);
	ck_assert_int_eq(loads("BQT_ON", 5, "no"), 0);
	ck_assert_int_eq(loads("BQT_ON", 5, "true"), 1);
	ck_assert_int_eq(loads("BQT_ON", 5, "0"), 0);
}
END_TEST

START_TEST(mistakes_are_named)
{
	refuses("BQT_SLOTS", "x", "BQT_SLOTS is \"x\" but must be a whole number");
	refuses("BQT_SLOTS", "9", "BQT_SLOTS is \"9\" but must be between 0 and 8");
	refuses("BQT_SLOTS", " 1", "BQT_SLOTS is \" 1\" but must be a whole number");
	refuses("BQT_DELTA", "-11", "BQT_DELTA is \"-11\" but must be between -10 and 10");
	refuses("BQT_WAIT", "5d", "BQT_WAIT is \"5d\" but must be a time such as 500ms, 30s, 5m or 2h");
	refuses("BQT_WAIT", "-5s", "BQT_WAIT is \"-5s\" but must be a time such as 500ms, 30s, 5m or 2h");
	refuses("BQT_WAIT", "9223372036854775807h", "BQT_WAIT is \"9223372036854775807h\" but must be a time such as 500ms, 30s, 5m or 2h");
	refuses("BQT_WAIT", "50", "BQT_WAIT is \"50\" but must be between 100 and 3600000");
	refuses("BQT_SIZE", "1t", "BQT_SIZE is \"1t\" but must be a size such as 512, 64k, 16m or 1g");
	refuses("BQT_SIZE", "k", "BQT_SIZE is \"k\" but must be a size such as 512, 64k, 16m or 1g");
	refuses("BQT_ON", "maybe", "BQT_ON is \"maybe\" but must be yes or no");
}
END_TEST

START_TEST(typing_mistakes_are_caught)
{
	struct err e = {0};

	ck_assert(config_refuse_unknown(table, N, prefixes, &e));
	setenv("BQT_SLOT", "3", 1);
	ck_assert(!config_refuse_unknown(table, N, prefixes, &e));
	ck_assert_str_eq(e.text, "BQT_SLOT is no setting of this program; did you mean BQT_SLOTS?");
	unsetenv("BQT_SLOT");
	setenv("BQT_WAIT", "3", 1);
	setenv("XBQT_SLOT", "3", 1);
	ck_assert(config_refuse_unknown(table, N, prefixes, &e));
	ck_assert(config_refuse_unknown(table, 0, (const char *const[]){NULL}, &e));
	ck_assert(!config_refuse_unknown(table, 0, prefixes, &e));
	ck_assert(strstr(e.text, "is no setting of this program") != NULL);
}
END_TEST

START_TEST(what_kubernetes_sets_is_let_pass)
{
	struct err e = {0};

	setenv("BQT_API_SERVICE_HOST", "10.0.0.1", 1);
	setenv("BQT_API_SERVICE_PORT_HTTP", "80", 1);
	setenv("BQT_API_PORT", "tcp://10.0.0.1:80", 1);
	setenv("BQT_API_PORT_80_TCP_ADDR", "10.0.0.1", 1);
	ck_ok(config_refuse_unknown(table, N, prefixes, &e), &e);
}
END_TEST

START_TEST(help_names_every_setting)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	config_help(f, table, N);
	fclose(f);
	for (size_t i = 0; i < N; i++) {
		ck_assert_ptr_nonnull(strstr(text, table[i].name));
		ck_assert_ptr_nonnull(strstr(text, table[i].help));
	}
	ck_assert_ptr_nonnull(strstr(text, "-10 to 10"));
	ck_assert_ptr_nonnull(strstr(text, "(default: 30s)"));
	mem_free(&text);
}
END_TEST

static const TTest *const tests[] = {
        defaults,
        values_and_units,
        mistakes_are_named,
        typing_mistakes_are_caught,
        what_kubernetes_sets_is_let_pass,
        help_names_every_setting,
};
TEST_MAIN("config", tests)
