/* route_doctor.c -- GET and POST /api/doctor: what is asked for, and how far it is; the look itself is made by doctor.c. */
#include "api/context.h"
#include "api/doctor.h"
#include "api/input.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/seeing.h"

static const struct param members[] = {
        {"queue", PARAM_TEXT, .min = 1, .max = JOB_NAME - 1, .help = "only this queue, and not the store"},
        {"mend", PARAM_FLAG, .fallback = "false", .help = "mend what does not fit"},
        {"force", PARAM_FLAG, .fallback = "false", .help = "set counters also while their queue is not paused"},
};

/* False: answered. name NULL: all. */
static bool choose_queue(struct call *c, const char *name, struct doctor_wish *wish)
{
	struct err e = {0};
	struct queue *q = name ? call_queue(c) : NULL;
	char(*names)[JOB_NAME] = NULL;
	int n = 0;
	bool found = false;

	if (!q)
		return !name;
	n = queue_names(q, &names, &e);
	for (int i = 0; i < n && !found; i++)
		found = str_eq(names[i], name) && str_copy(wish->queue, sizeof wish->queue, name);
	mem_free(&names);
	if (n < 0)
		reply_err(c, &e, NULL);
	else if (!found)
		reply_detail(c, 404, "there is no queue '%s'", reply_excerpt(c, name));
	return found;
}

void route_doctor_look(struct call *c)
{
	const char *name = http_query(c->r, "queue");
	struct doctor_wish wish = {0};

	if (choose_queue(c, name && *name ? name : NULL, &wish))
		doctor_ask(c, &wish);
}

void route_doctor_progress(struct call *c)
{
	struct doctor_progress p = doctor_progress(c->api->doctor);
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	jw_object(&w, NULL);
	jw_bool(&w, "looking", p.looking);
	jw_text(&w, "queue", p.looking && *p.queue ? p.queue : NULL);
	jw_bool(&w, "store", p.looking && p.store);
	jw_int(&w, "nth", p.nth);
	jw_int(&w, "of", p.of);
	jw_int(&w, "read", p.read);
	jw_end(&w);
	reply_json(c, 200, &body);
}

void route_doctor_mend(struct call *c)
{
	struct json *body = input_object(c, true);
	struct err e = {0};
	struct json *in = body ? params_check(members, ARRAY_LEN(members), body, false, &e) : NULL;
	struct doctor_wish wish = {.mend = json_get_bool(in, "mend", false), .force = json_get_bool(in, "force", false)};
	bool chosen = in && choose_queue(c, json_get_text(in, "queue", NULL), &wish);

	if (body && !in)
		reply_err(c, &e, NULL);
	json_close(&body);
	json_close(&in);
	if (chosen)
		doctor_ask(c, &wish);
}
