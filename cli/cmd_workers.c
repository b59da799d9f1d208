/* cmd_workers.c -- `barque workers` and `barque worker`: which workers there are, what they do, and telling them to be quiet or to end. */
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"

static void print_queues(const struct json *worker)
{
	const char *comma = "";
	for (const struct json *q = json_first(json_get(worker, "queues")); q; q = json_next(q)) {
		printf("%s%s", comma, json_text(q) ? json_text(q) : "?");
		comma = ",";
	}
}

static void print_worker(const struct json *worker)
{
	char started[TIME_TEXT] = "-", slots[40];
	int64_t at = json_get_int(worker, "started_at", 0);
	if (at)
		time_print_datetime(started, at);
	snprintf(
	        slots, sizeof(slots), "%lld/%lld", (long long)json_get_int(worker, "busy", 0), (long long)json_get_int(worker, "slots", 0));
	printf("%-32s %-9s %9s %8.1f  %-8s %s  ", json_get_text(worker, "name", "?"), json_get_text(worker, "state", "?"), slots,
	        (double)json_get_int(worker, "rss_bytes", 0) / (1 << 20), json_get_text(worker, "version", "?"), started);
	print_queues(worker);
	puts("");
}

static void print_head(void)
{
	printf("%-32s %-9s %9s %8s  %-8s %-19s  %s\n", "WORKER", "STATE", "BUSY", "MiB", "VERSION", "STARTED (UTC)", "QUEUES");
}

static void print_workers(struct cli *c, const struct json *answer)
{
	UNUSED(c);
	print_head();
	for (const struct json *w = json_first(json_get(answer, "workers")); w; w = json_next(w))
		print_worker(w);
}

static int run_workers(struct cli *c)
{
	struct err e = {0};
	struct json *answer = api_call(c, "GET", "/api/workers", NULL, NULL, &e);
	return cli_answer(c, answer, &e, print_workers);
}

/* ---- one worker */

static void print_slot(const struct json *slot)
{
	const char *job = json_get_text(slot, "job", NULL);
	const struct json *p = json_get(slot, "progress");
	char since[TIME_TEXT] = "";
	printf("  %4lld %8lld %8.1f %9.1f  ", (long long)json_get_int(slot, "slot", 0), (long long)json_get_int(slot, "pid", 0),
	        (double)json_get_int(slot, "rss_bytes", 0) / (1 << 20), (double)json_get_int(slot, "cpu_ms", 0) / 1000);
	if (!job) {
		puts("idle");
		return;
	}
	time_print_datetime(since, json_get_int(slot, "since", 0));
	printf("%s %s since %s", job, json_get_text(slot, "kind", "?"), since);
	if (p)
		printf(", %lld of %lld %s", (long long)json_get_int(p, "done", 0), (long long)json_get_int(p, "total", 0),
		        json_get_text(p, "unit", ""));
	if (json_get_int(slot, "held", 1) > 1)
		printf(", %lld behind it", (long long)json_get_int(slot, "held", 1) - 1);
	puts(json_get_bool(slot, "stopping", false) ? ", stopping" : "");
}

static void worker_path(struct buf *path, const char *name, const char *command)
{
	buf_adds(path, "/api/workers/");
	http_escape(path, name);
	if (command)
		buf_addf(path, "/%s", command);
}

static void print_whole(struct cli *c, const struct json *worker)
{
	UNUSED(c);
	print_head();
	print_worker(worker);
	printf("  %4s %8s %8s %9s  %s\n", "SLOT", "PID", "MiB", "CPU s", "RUNS");
	for (const struct json *s = json_first(json_get(worker, "slot_list")); s; s = json_next(s))
		print_slot(s);
}

static int show(struct cli *c, const char *name)
{
	struct err e = {0};
	struct buf path = {0};
	worker_path(&path, name, NULL);
	struct json *answer = api_call(c, "GET", buf_text(&path), NULL, NULL, &e);
	buf_close(&path);
	return cli_answer(c, answer, &e, print_whole);
}

static void print_told(struct cli *c, const struct json *answer)
{
	for (const struct json *w = json_first(json_get(answer, "workers")); w; w = json_next(w))
		printf("%s: told to %s%s\n", json_text(w) ? json_text(w) : "?", str_eq(c->words[0], "quiet") ? "be " : "", c->words[0]);
	if (!json_first(json_get(answer, "workers")))
		puts("no worker lives");
}

static int tell(struct cli *c, const char *command, const char *name)
{
	struct err e = {0};
	struct buf path = {0};
	worker_path(&path, name, command);
	struct json *answer = api_call(c, "POST", buf_text(&path), NULL, NULL, &e);
	buf_close(&path);
	return cli_answer(c, answer, &e, print_told);
}

static int run_worker(struct cli *c)
{
	static const char *const words[] = {"quiet", "resume", "drain", "stop"};
	const char *what = c->n_words > 0 ? c->words[0] : "";
	bool all = args_has(c, "all");
	if (str_eq(what, "show") && c->n_words == 2 && !all)
		return show(c, c->words[1]);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(what, words[i]) && c->n_words == (all ? 1 : 2))
			return tell(c, what, all ? "*" : c->words[1]);
	fprintf(stderr,
	        "barque worker: say show, quiet, resume, drain or stop, and a worker's name ('barque workers' lists them) or --all\n");
	return CLI_USAGE;
}

extern const struct command command_workers, command_worker;
const struct command command_workers = {
        .name = "workers",
        .summary = "list the workers",
        .usage = "workers",
        .examples = "  barque workers\n",
        .run = run_workers,
};
static const struct cli_flag flags[] = {{"all", NULL, "all workers that live now (not with show)"}};
const struct command command_worker = {
        .name = "worker",
        .summary = "show what a worker runs; tell it to be quiet, go on, drain or stop",
        .usage = "worker show|quiet|resume|drain|stop NAME|--all",
        .examples = "  barque worker show host1:4711:1767225600\n"
                    "  barque worker quiet host1:4711:1767225600   # claims nothing more, but stays\n"
                    "  barque worker resume --all\n"
                    "  barque worker drain host1:4711:1767225600   # ends when what runs has ended\n"
                    "  barque worker stop --all                    # gives back what runs and ends\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .words_max = 2,
        .run = run_worker,
};
