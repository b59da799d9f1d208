/* cmd_lanes.c -- `barque lanes`: which lanes a queue has, and how large their shares are. */
#include "base/str.h"
#include "cli/cli.h"

static const struct cli_flag flags[] = {
        {"weight", "N", "give the lane this weight, 1 (usual) to 1000: its share beside the other lanes"},
        {"reset", NULL, "give the lane the usual weight again"},
};

extern const struct command command_lanes;

static void lane_path(struct cli *c, struct buf *path)
{
	buf_adds(path, "/api/queues/");
	http_escape(path, c->words[0]);
	buf_adds(path, "/lanes");
	if (c->n_words == 2) {
		buf_adds(path, "/");
		http_escape(path, c->words[1]);
	}
}

static void print_lane(const struct json *lane)
{
	printf("%-32s %6lld", json_get_text(lane, "lane", "?"), (long long)json_get_int(lane, "weight", 1));
	if (json_get(lane, "ready"))
		printf(" %9lld", (long long)json_get_int(lane, "ready", 0));
	else
		printf(" %9s  the weight that was set", "-");
	if (json_get(lane, "kind"))
		printf("  %s, priority %lld%s", json_get_text(lane, "kind", "?"), (long long)json_get_int(lane, "priority", 5),
		        json_get_bool(lane, "quarantined", false) ? ", quarantined" : "");
	putchar('\n');
}

static void print_lanes(const struct json *lanes)
{
	for (const struct json *l = json_first(lanes); l; l = json_next(l))
		print_lane(l);
}

/* All pages; as JSON one page a line. */
static int list(struct cli *c)
{
	char cursor[64] = "";
	struct err e = {0};
	bool first = true;
	do {
		struct buf path = {0};
		lane_path(c, &path);
		if (cursor[0]) {
			buf_adds(&path, "?cursor=");
			http_escape(&path, cursor);
		}
		struct json *page = api_call(c, "GET", buf_text(&path), NULL, NULL, &e);
		buf_close(&path);
		if (!page)
			return cli_fail(&e);
		if (!str_copy(cursor, sizeof cursor, json_get_text(page, "next_cursor", "")))
			cursor[0] = '\0';
		if (c->json) {
			cli_print_json(page);
			continue;
		}
		if (first)
			printf("%-32s %6s %9s\n", "LANE", "WEIGHT", "READY");
		first = false;
		print_lanes(json_get(page, "lanes"));
		print_lanes(json_get(page, "weights"));
		json_close(&page);
	} while (cursor[0]);
	return CLI_DONE;
}

static void print_one(struct cli *c, const struct json *lane)
{
	printf("%s: weight %lld, %lld ready\n", c->words[1], (long long)json_get_int(lane, "weight", 1),
	        (long long)json_get_int(lane, "ready", 0));
}

static int one(struct cli *c, const char *method, const struct json *body)
{
	struct buf path = {0};
	struct err e = {0};
	lane_path(c, &path);
	struct json *lane = api_call(c, method, buf_text(&path), body, NULL, &e);
	buf_close(&path);
	return cli_answer(c, lane, &e, print_one);
}

static int run(struct cli *c)
{
	const char *text = args_get(c, "weight", NULL);
	int64_t weight;
	if (c->n_words == 0 || (c->n_words == 1 && (text || args_has(c, "reset"))) || (text && args_has(c, "reset"))) {
		fprintf(stderr, "barque lanes: name a queue; and to change a weight one lane, with --weight N or --reset\n");
		return CLI_USAGE;
	}
	if (c->n_words == 1)
		return list(c);
	if (!text)
		return one(c, args_has(c, "reset") ? "DELETE" : "GET", NULL);
	if (!str_int(text, 1, 1000, &weight)) {
		fprintf(stderr, "barque lanes: --weight is '%s', but must be a whole number from 1 to 1000\n", text);
		return CLI_USAGE;
	}
	struct json *body = json_new_object();
	json_put_int(body, "weight", weight);
	int status = one(c, "PUT", body);
	json_close(&body);
	return status;
}

const struct command command_lanes = {
        .name = "lanes",
        .summary = "list a queue's lanes and weigh them",
        .usage = "lanes QUEUE [LANE] [--weight N | --reset]",
        .examples = "  barque lanes kline\n"
                    "  barque lanes kline desk-7 --weight 3\n"
                    "  barque lanes kline desk-7 --reset\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .words_max = 2,
        .run = run,
};
