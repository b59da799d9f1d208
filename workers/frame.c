/* frame.c -- writes and checks the frames between dispatcher and slot. */
#include "workers/frame.h"

#include <string.h>

/* ---- writing */

size_t frame_begin(struct buf *b, enum frame_type type)
{
	size_t start = b->len;
	uint32_t length = 0;
	buf_add(b, &length, sizeof(length));
	buf_addc(b, (char)type);
	return start;
}

void frame_end(struct buf *b, size_t start)
{
	uint32_t length = (uint32_t)(b->len - start - sizeof(uint32_t));
	memcpy(b->data + start, &length, sizeof(length));
}

static void put_u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof(v));
}

static void put_i64(struct buf *b, int64_t v)
{
	buf_add(b, &v, sizeof(v));
}

/* Texts carry their NUL, so that the reader may point at them. */
static void put_text_n(struct buf *b, const char *s, size_t len)
{
	put_u32(b, (uint32_t)len);
	buf_add(b, s, len);
	buf_addc(b, '\0');
}

static void put_text(struct buf *b, const char *s)
{
	put_text_n(b, s, strlen(s));
}

void order_put(struct buf *b, uint32_t number, const struct job *j)
{
	put_u32(b, number);
	put_text(b, j->id);
	put_text(b, j->kind);
	put_text(b, j->queue);
	put_text(b, j->parent);
	put_text(b, j->trace);
	put_text(b, j->tags);
	put_text(b, j->params != NULL ? j->params : "{}");
	put_text(b, j->inputs != NULL ? j->inputs : "");
	put_u32(b, (uint32_t)j->kind_version);
	put_u32(b, (uint32_t)j->attempt);
	put_u32(b, (uint32_t)j->max_attempts);
	put_u32(b, (uint32_t)j->crashes);
	put_i64(b, j->fence);
	put_i64(b, j->created_at);
}

void answer_put(struct buf *b, const struct answer *a)
{
	put_u32(b, a->number);
	put_text(b, a->id);
	put_u32(b, a->done);
	put_i64(b, a->run_us);
	if (a->done) {
		put_u32(b, a->result != NULL);
		if (a->result != NULL)
			put_text_n(b, a->result, a->result_len);
		return;
	}
	put_u32(b, (uint32_t)a->error.code);
	put_i64(b, a->error.retry_after_ms);
	put_text(b, a->error.text);
}

void remark_put(struct buf *b, uint32_t number, const char *text)
{
	put_u32(b, number);
	put_text(b, text);
}

/* ---- reading */

static bool get_bytes(struct cursor *c, void *out, size_t size)
{
	if ((size_t)(c->end - c->at) < size)
		return false;
	memcpy(out, c->at, size);
	c->at += size;
	return true;
}

static bool get_int(struct cursor *c, int *out)
{
	int32_t v;
	if (!get_bytes(c, &v, sizeof(v)) || v < 0)
		return false;
	*out = v;
	return true;
}

static bool get_text(struct cursor *c, char **out, size_t *len_out)
{
	uint32_t len;
	if (!get_bytes(c, &len, sizeof(len)) || (size_t)(c->end - c->at) <= len || c->at[len] != '\0' || memchr(c->at, '\0', len) != NULL)
		return false;
	*out = c->at;
	*len_out = len;
	c->at += (size_t)len + 1;
	return true;
}

static bool get_into(struct cursor *c, char *out, size_t size)
{
	char *text;
	size_t len;
	return get_text(c, &text, &len) && str_copy_n(out, size, text, len);
}

int frame_find(char *data, size_t len, enum frame_type *type_out, struct cursor *items_out, size_t *size_out)
{
	uint32_t length;
	if (len < sizeof(length))
		return 0;
	memcpy(&length, data, sizeof(length));
	if (length < 1 || length > FRAME_MAX)
		return -1;
	if (len - sizeof(length) < length)
		return 0;
	unsigned char type = (unsigned char)data[sizeof(length)];
	if (type != FRAME_ORDERS && type != FRAME_ANSWERS && type != FRAME_REMARKS)
		return -1;
	*type_out = type;
	items_out->at = data + sizeof(length) + 1;
	items_out->end = data + sizeof(length) + length;
	*size_out = sizeof(length) + length;
	return 1;
}

int order_next(struct cursor *c, struct order *out)
{
	memset(out, 0, sizeof(*out));
	if (c->at == c->end)
		return 0;
	struct job *j = &out->job;
	size_t len;
	bool ok = get_bytes(c, &out->number, sizeof(out->number)) && get_into(c, j->id, sizeof(j->id)) &&
	          get_into(c, j->kind, sizeof(j->kind)) && get_into(c, j->queue, sizeof(j->queue)) &&
	          get_into(c, j->parent, sizeof(j->parent)) && get_into(c, j->trace, sizeof(j->trace)) &&
	          get_into(c, j->tags, sizeof(j->tags)) && get_text(c, &j->params, &len) && get_text(c, &j->inputs, &len) &&
	          get_int(c, &j->kind_version) && get_int(c, &j->attempt) && get_int(c, &j->max_attempts) && get_int(c, &j->crashes) &&
	          get_bytes(c, &j->fence, sizeof(j->fence)) && get_bytes(c, &j->created_at, sizeof(j->created_at));
	if (!ok)
		return -1;
	j->state = JOB_RUNNING;
	return 1;
}

static bool get_error(struct cursor *c, struct err *out)
{
	int code;
	if (!get_int(c, &code) || code <= ERR_NONE || code > ERR_INTERNAL)
		return false;
	out->code = (enum err_code)code;
	return get_bytes(c, &out->retry_after_ms, sizeof(out->retry_after_ms)) && get_into(c, out->text, sizeof(out->text));
}

static bool get_result(struct cursor *c, struct answer *out)
{
	int has;
	if (!get_int(c, &has) || has > 1)
		return false;
	if (has == 0)
		return true;
	char *text;
	if (!get_text(c, &text, &out->result_len))
		return false;
	out->result = text;
	return out->result_len <= QUEUE_RESULT_MAX;
}

int answer_next(struct cursor *c, struct answer *out)
{
	memset(out, 0, sizeof(*out));
	if (c->at == c->end)
		return 0;
	int done;
	if (!get_bytes(c, &out->number, sizeof(out->number)) || !get_into(c, out->id, sizeof(out->id)) || !get_int(c, &done) || done > 1 ||
	        !get_bytes(c, &out->run_us, sizeof(out->run_us)) || out->run_us < 0)
		return -1;
	out->done = done == 1;
	return (out->done ? get_result(c, out) : get_error(c, &out->error)) ? 1 : -1;
}

int remark_next(struct cursor *c, uint32_t *number_out, const char **text_out)
{
	char *text;
	size_t len;
	if (c->at == c->end)
		return 0;
	if (!get_bytes(c, number_out, sizeof(*number_out)) || !get_text(c, &text, &len))
		return -1;
	if (len > QUEUE_REMARK_MAX) {
		len = QUEUE_REMARK_MAX;
		while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) /* not within a character */
			len--;
		text[len] = '\0';
	}
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			text[i] = ' ';
	*text_out = text;
	return 1;
}
