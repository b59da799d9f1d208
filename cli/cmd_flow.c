/* cmd_flow.c -- `barque flow`: hand in jobs that wait for each other, show such a flow as a tree, cancel it. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"

#define FILE_MAX (8 * 1024 * 1024)

static const struct cli_flag flags[] = {
        {"wait", NULL, "follow the flow to its end; the exit status says whether it succeeded"},
        {"key", "TEXT", "idempotency key: the same key is the same flow"},
};

/* ---- the tree -------------------------------------------------------------------------------------------------- */

/* What waits stands above what it waits for. One that several wait for is drawn where it comes first. */
struct tree {
	const struct json *jobs;
	char *drawn; /* by number */
	size_t n;
};

static const struct json *job_named(const struct json *jobs, const char *name, size_t *number_out)
{
	*number_out = 0;
	for (const struct json *j = json_first(jobs); j; j = json_next(j), ++*number_out)
		if (str_eq(json_get_text(j, "name", ""), name))
			return j;
	return NULL;
}

static void print_state(const struct json *job)
{
	const struct json *progress = json_get(job, "progress");
	int64_t done = json_get_int(progress, "done", 0), total = json_get_int(progress, "total", 0);
	const char *state = json_get_text(job, "state", "no longer kept"), *error = json_get_text(job, "error", NULL);
	printf("  %s", state);
	if (total > 0 && !str_eq(state, "succeeded"))
		printf("  %lld / %lld %s", (long long)done, (long long)total, json_get_text(progress, "unit", ""));
	if (error && !str_eq(state, "succeeded"))
		printf("  %s", error);
}

static void print_job(struct tree *t, const char *name, struct buf *indent, bool last)
{
	size_t number, len = indent->len;
	const struct json *job = job_named(t->jobs, name, &number), *after = json_get(job, "after");
	if (!job)
		return;
	printf("%s%s %s  %s", buf_text(indent), last ? "`--" : "|--", name, json_get_text(job, "kind", ""));
	if (t->drawn[number]) {
		puts("  (as above)");
		return;
	}
	t->drawn[number] = 1;
	print_state(job);
	printf("  %s\n", json_get_text(job, "id", ""));
	buf_adds(indent, last ? "    " : "|   ");
	for (const struct json *a = json_first(after); a; a = json_next(a))
		print_job(t, json_text(a) ? json_text(a) : "", indent, json_next(a) == NULL);
	indent->len = len;
	if (indent->data)
		indent->data[len] = '\0';
}

/* Mark who is waited for by another job: it is drawn below that one. */
static void mark_inner(const struct tree *t, char *inner)
{
	for (const struct json *j = json_first(t->jobs); j; j = json_next(j))
		for (const struct json *a = json_first(json_get(j, "after")); a; a = json_next(a)) {
			size_t number;
			if (json_text(a) && job_named(t->jobs, json_text(a), &number))
				inner[number] = 1;
		}
}

static void print_flow(struct cli *c, const struct json *flow)
{
	struct tree t = {.jobs = json_get(flow, "jobs"), .n = json_count(json_get(flow, "jobs"))};
	struct buf indent = {0};
	char *inner = mem_new(t.n + 1);
	size_t i = 0, left = t.n;
	UNUSED(c);
	t.drawn = mem_new(t.n + 1);
	mark_inner(&t, inner);
	for (size_t k = 0; k < t.n; k++)
		left -= (size_t)inner[k];
	printf("%s  %s", json_get_text(flow, "id", ""), json_get_text(flow, "name", "flow"));
	print_state(flow);
	puts("");
	for (const struct json *j = json_first(t.jobs); j; j = json_next(j), i++)
		if (!inner[i])
			print_job(&t, json_get_text(j, "name", ""), &indent, --left == 0);
	mem_free(&inner);
	mem_free(&t.drawn);
	buf_close(&indent);
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

static struct json *flow_call(struct cli *c, const char *method, const char *id, struct err *e)
{
	struct buf path = {0};
	buf_adds(&path, "/api/flows/");
	http_escape(&path, id);
	struct json *flow = api_call(c, method, buf_text(&path), NULL, NULL, e);
	buf_close(&path);
	return flow;
}

static int show(struct cli *c, const char *method, const char *id)
{
	struct err e = {0};
	return cli_answer(c, flow_call(c, method, id, &e), &e, print_flow);
}

static int follow(struct cli *c, const char *id)
{
	struct err e = {0};
	struct watch_item item = {0};
	if (!str_copy(item.id, sizeof item.id, id) || !str_copy(item.label, sizeof item.label, "flow"))
		return CLI_FAILED;
	int failed = watch_jobs(c, &item, 1, &e);
	json_close(&item.job);
	if (failed < 0)
		return cli_fail(&e);
	int shown = show(c, "GET", id);
	return shown != CLI_DONE ? shown : failed ? CLI_FAILED : CLI_DONE;
}

/* "-": standard input. The caller frees the text. */
static char *read_file(const char *path, struct err *e)
{
	FILE *f = str_eq(path, "-") ? stdin : fopen(path, "re");
	struct buf text = {0};
	char block[16384];
	size_t n;
	if (!f) {
		err_set(e, ERR_NOT_FOUND, "%s cannot be read", path);
		return NULL;
	}
	while ((n = fread(block, 1, sizeof block, f)) > 0 && text.len <= FILE_MAX)
		buf_add(&text, block, n);
	if (f != stdin)
		fclose(f);
	if (text.len > FILE_MAX) {
		buf_close(&text);
		err_set(e, ERR_INVALID, "%s is longer than %d MiB", path, FILE_MAX >> 20);
		return NULL;
	}
	return buf_detach(&text);
}

static struct json *read_flow(const char *path, struct err *e)
{
	char *text = read_file(path, e);
	if (!text)
		return NULL;
	struct json *body = json_parse(text, strlen(text), e);
	if (!body)
		err_prefix(e, "%s", path);
	mem_free(&text);
	return body;
}

static int submit(struct cli *c, const char *path)
{
	struct err e = {0};
	struct json *body = read_flow(path, &e);
	if (!body) {
		fprintf(stderr, "barque flow: %s\n", e.text);
		return CLI_USAGE;
	}
	struct json *flow = api_call_with_key(c, "POST", "/api/flows", body, args_get(c, "key", NULL), NULL, &e);
	char id[48];
	json_close(&body);
	if (!flow)
		return cli_fail(&e);
	bool fits = str_copy(id, sizeof id, json_get_text(flow, "id", ""));
	if (fits && args_has(c, "wait")) {
		json_close(&flow);
		return follow(c, id);
	}
	if (c->json)
		return cli_print_json(flow);
	json_close(&flow);
	printf("%s\n", id);
	fprintf(stderr, "Look at it with: barque flow show %s\n", id);
	return CLI_DONE;
}

static int run(struct cli *c)
{
	bool acts = c->n_words > 0 && (str_eq(c->words[0], "show") || str_eq(c->words[0], "cancel"));
	if (c->n_words != (acts ? 2 : 1)) {
		fprintf(stderr, "barque flow: name a file, or 'show' or 'cancel' and the id of a flow\n");
		return CLI_USAGE;
	}
	if (!acts)
		return submit(c, c->words[0]);
	if (str_eq(c->words[0], "cancel"))
		return show(c, "DELETE", c->words[1]);
	return args_has(c, "wait") ? follow(c, c->words[1]) : show(c, "GET", c->words[1]);
}

extern const struct command command_flow;
const struct command command_flow = {
        .name = "flow",
        .summary = "hand in jobs that wait for each other, show or cancel them",
        .usage = "flow FILE.json [flags] | flow show ID [--wait] | flow cancel ID",
        .examples = "  barque flow nightly.json --wait            a file as docs/flows.md says; - reads standard input\n"
                    "  barque flow nightly.json --key 2026-02-01\n"
                    "  barque flow show default-0abc...           its jobs as a tree\n"
                    "  barque flow cancel default-0abc...         all of it that has not ended\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .words_max = 2,
        .run = run,
};
