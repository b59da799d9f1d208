/* test_flow.c -- the flow of docs/flows.md on a whole Barque: download, check, backtest, report; and what the command says of it. */
#include <string.h>

#include "base/mem.h"
#include "tests/lib/system.h"

static const char *const sim[] = {"--seed", "7", "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT", NULL};

static void expect(const char *out, const char *part)
{
	ck_assert_msg(strstr(out, part) != NULL, "'%s' is not in: %s", part, out);
}

static void write_file(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

/* The nth example of the document (from 0) into a file. */
static void write_example(const char *path, int nth)
{
	char *text = test_read_file("docs/flows.md", NULL), *at = text, *end;

	for (int i = 0; i <= nth; i++) {
		at = strstr(at, "```json\n");
		ck_assert_msg(at != NULL, "docs/flows.md has no example %d", nth);
		at += strlen("```json\n");
	}
	end = strstr(at, "```");
	ck_assert_ptr_nonnull(end);
	write_file(path, at, (size_t)(end - at));
	mem_free(&text);
}

START_TEST(the_documents_flows_run)
{
	struct test_system s;
	struct err e = {0};
	char file[600], id[48], *out;

	test_system_start(&s, sim, 1);
	snprintf(file, sizeof(file), "%s/january.json", test_dir());
	write_example(file, 0);
	ck_assert_msg(BARQUE(&s, &out, "flow", file, "--wait", "--key", "once") == 0, "%s", out);
	expect(out, "january  succeeded");
	expect(out, "`-- backtest  backtest.run  succeeded  backtest-0");
	expect(out, "    |-- download  kline.download  succeeded  kline-0");
	expect(out, "        `-- download  kline.download  (as above)");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "flow", file, "--key", "once", "--json"), 0);
	struct json *flow = json_parse(out, strcspn(out, "\n"), &e);
	ck_assert_msg(flow != NULL, "%s: %s", e.text, out);
	ck_assert(str_copy(id, sizeof(id), json_get_text(flow, "id", "")));
	ck_assert_str_eq(json_get_text(flow, "state", ""), "succeeded"); /* the same key: the same flow */
	json_close(&flow);
	mem_free(&out);
	/* The report holds what the backtest gave. */
	struct json *job = test_system_wait(&s, id, 10000);
	const struct json *backtest = json_get(json_get(job, "result"), "backtest");
	ck_assert_str_eq(json_get_text(json_get(backtest, "params"), "symbol", ""), "BTCUSDT");
	ck_assert_int_gt(json_get_int(json_get(backtest, "data"), "bars_read", 0), 500);
	json_close(&job);
	write_example(file, 1);
	ck_assert_msg(BARQUE(&s, &out, "flow", file, "--wait") == 0, "%s", out);
	expect(out, "check  kline.integrity  succeeded");
	expect(out, "get-ETHUSDT  kline.download  succeeded");
	mem_free(&out);
	ck_assert_msg(BARQUE(&s, &out, "submit", "kline.download", "symbols=BTCUSDT,ETHUSDT", "interval=1d", "days_back=3", "--split",
	                      "symbols", "--wait", "--json") == 0,
	        "%s", out);
	expect(out, "\"kline-download-BTCUSDT\":{");
	expect(out, "\"kline-download-ETHUSDT\":{");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "kline.download", "--split", "symbols"), 1);
	expect(out, "run a kline.download of all symbols that is not split first");
	mem_free(&out);
	test_system_stop(&s);
}
END_TEST

START_TEST(the_command_says_what_went_wrong)
{
	static const char bad[] =
	        "{\"chain\":[{\"name\":\"a\",\"kind\":\"noop\",\"params\":{\"fail\":\"boom\"}},{\"name\":\"b\",\"kind\":\"noop\"}]}";
	static const char slow[] = "{\"chain\":[{\"kind\":\"noop\",\"params\":{\"sleep_ms\":60000}},{\"kind\":\"noop\"}]}";
	struct test_system s;
	char file[600], id[48], *out;

	test_system_start(&s, sim, 1);
	snprintf(file, sizeof(file), "%s/flow.json", test_dir());
	write_file(file, bad, strlen(bad));
	ck_assert_int_eq(BARQUE(&s, &out, "flow", file, "--wait"), 1);
	expect(out, "a  noop  failed  boom");
	expect(out, "(a) failed: boom");
	mem_free(&out);
	write_file(file, slow, strlen(slow));
	ck_assert_int_eq(BARQUE(&s, &out, "flow", file), 0);
	ck_assert(str_copy_n(id, sizeof(id), strstr(out, "default-"), strcspn(strstr(out, "default-"), " \n")));
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "flow", "cancel", id), 0);
	expect(out, "cancelled");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "flow", "show", "default-0nosuchflow000000000"), 1);
	expect(out, "there is no flow");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "flow"), 2);
	expect(out, "name a file");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "flow", "/no/such/file"), 2);
	expect(out, "cannot be read");
	mem_free(&out);
	write_file(file, "{\"chain\":", 9);
	ck_assert_int_eq(BARQUE(&s, &out, "flow", file), 2);
	expect(out, file);
	mem_free(&out);
	test_system_stop(&s);
}
END_TEST

static const TTest *const tests[] = {the_documents_flows_run, the_command_says_what_went_wrong};
TEST_MAIN("flow", tests)
