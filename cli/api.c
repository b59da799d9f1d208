/* api.c -- talks to Barque's HTTP API and turns its refusals into sentences. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"

int cli_fail(const struct err *e)
{
	fprintf(stderr, "barque: %s\n", e->text);
	return e->code == ERR_UNAVAILABLE ? CLI_UNREACHABLE : CLI_FAILED;
}

int cli_print_json(struct json *j)
{
	char *text = json_to_text(j);
	puts(text);
	mem_free(&text);
	json_close(&j);
	return CLI_DONE;
}

int cli_answer(struct cli *c, struct json *answer, const struct err *e, void (*print)(struct cli *c, const struct json *answer))
{
	if (!answer)
		return cli_fail(e);
	if (c->json)
		return cli_print_json(answer);
	print(c, answer);
	json_close(&answer);
	return CLI_DONE;
}

static enum err_code code_of_status(int status)
{
	switch (status) {
	case 404:
	case 410:
		return ERR_NOT_FOUND;
	case 409:
		return ERR_CONFLICT;
	case 429:
		return ERR_LIMITED;
	case 401:
	case 403:
		return ERR_DENIED;
	default:
		return status >= 500 ? ERR_INTERNAL : ERR_INVALID;
	}
}

/* The answer's own sentence; a proxy's HTML page gives only the status. */
static bool refuse(struct err *e, int status, const struct json *answer)
{
	const char *detail = json_get_text(answer, "detail", NULL);
	if (detail)
		return err_set(e, code_of_status(status), "%s", detail);
	return err_set(e, code_of_status(status), "the API answered with HTTP status %d", status);
}

static bool send_call(struct cli *c, const char *method, const char *path, const struct json *body, const char *key,
        struct http_answer *answer, struct err *e)
{
	struct buf url = {0}, text = {0}, key_line = {0};
	buf_addf(&url, "%s%s", c->url, path);
	if (body)
		json_print(body, &text);
	if (key)
		buf_addf(&key_line, "Idempotency-Key: \"%s\"", key);
	const char *headers[4] = {"Content-Type: application/json"};
	size_t n = 1;
	if (key)
		headers[n++] = buf_text(&key_line);
	if (c->token[0])
		headers[n++] = c->token;
	struct http_call call = {
	        .method = method, .url = buf_text(&url), .headers = headers, .body = body ? buf_text(&text) : NULL, .body_len = text.len};
	bool ok = http_client_call(c->http, &call, answer, e);
	if (!ok && e->code == ERR_UNAVAILABLE)
		err_set(e, ERR_UNAVAILABLE, "no Barque API answers at %s; start one with 'barque up', or name another with --url", c->url);
	buf_close(&url);
	buf_close(&text);
	buf_close(&key_line);
	return ok;
}

struct json *api_call_with_key(
        struct cli *c, const char *method, const char *path, const struct json *body, const char *key, int *status_out, struct err *e)
{
	struct http_answer answer = {0};
	struct json *j = NULL;
	if (!send_call(c, method, path, body, key, &answer, e))
		goto out;
	if (status_out)
		*status_out = answer.status;
	char replayed[8] = "";
	c->was_there = http_answer_header(&answer, "idempotent-replayed", replayed, sizeof replayed) && str_eq(replayed, "true");
	struct err bad = {0};
	if (answer.body.len > 0)
		j = json_parse(answer.body.data, answer.body.len, &bad);
	if (answer.status >= 400) {
		refuse(e, answer.status, j);
		json_close(&j);
	} else if (!j && (answer.status == 304 || answer.status == 204)) {
		j = json_new_null();
	} else if (!j) {
		err_set(e, ERR_CORRUPT, "the answer of %s%s is not JSON: %s", c->url, path, bad.text);
	}
out:
	http_answer_close(&answer);
	return j;
}

struct json *api_call(struct cli *c, const char *method, const char *path, const struct json *body, int *status_out, struct err *e)
{
	return api_call_with_key(c, method, path, body, NULL, status_out, e);
}

bool api_submit(struct cli *c, const struct json *body, const char *key, char id_out[48], struct err *e)
{
	struct json *job = api_call_with_key(c, "POST", "/api/jobs", body, key, NULL, e);
	if (!job)
		return false;
	bool ok = str_copy(id_out, 48, json_get_text(job, "id", "")) && id_out[0];
	json_close(&job);
	return ok ? true : err_set(e, ERR_CORRUPT, "the API accepted the job but gave no id");
}

/* what: the part of the path behind the job. */
static struct json *call_on_job(struct cli *c, const char *method, const char *id, const char *what, struct err *e)
{
	struct buf path = {0};
	buf_adds(&path, "/api/jobs/");
	http_escape(&path, id);
	buf_adds(&path, what);
	struct json *job = api_call(c, method, buf_text(&path), NULL, NULL, e);
	buf_close(&path);
	return job;
}

struct json *api_job(struct cli *c, const char *id, int wait_s, struct err *e)
{
	char wait[24] = "";
	if (wait_s > 0)
		snprintf(wait, sizeof(wait), "?wait=%d", wait_s);
	return call_on_job(c, "GET", id, wait, e);
}

struct json *api_cancel(struct cli *c, const char *id, struct err *e)
{
	return call_on_job(c, "DELETE", id, "", e);
}

struct json *api_replay(struct cli *c, const char *id, struct err *e)
{
	return call_on_job(c, "POST", id, "/replay", e);
}

void api_add_flag(const struct cli *c, const char *flag, const char *name, struct buf *path)
{
	const char *value = args_get(c, flag, NULL);
	if (!value)
		return;
	buf_addf(path, "&%s=", name);
	http_escape(path, value);
}

bool api_job_is_over(const struct json *job)
{
	static const char *const over[] = {"succeeded", "failed", "cancelled", "dead"};
	const char *state = json_get_text(job, "state", "");
	for (size_t i = 0; i < ARRAY_LEN(over); i++)
		if (str_eq(state, over[i]))
			return true;
	return false;
}
