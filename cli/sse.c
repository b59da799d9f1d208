/* sse.c -- reads a stream of server-sent events piece by piece. */
#include "cli/sse.h"

#include <string.h>

#define SSE_EVENT_MAX (1024 * 1024)

static bool dispatch(struct sse *s)
{
	bool go_on = s->data.len == 0 || s->handler(s->user, s->id, s->type, buf_text(&s->data));
	buf_clear(&s->data);
	s->type[0] = '\0';
	return go_on;
}

static const char *field(const char *line, const char *name)
{
	size_t len = strlen(name);
	if (strncmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	return line + len + 1 + (line[len + 1] == ' ');
}

static bool take_line(struct sse *s, const char *line)
{
	const char *value;
	if (!*line)
		return dispatch(s);
	if ((value = field(line, "data"))) {
		if (s->data.len)
			buf_addc(&s->data, '\n');
		buf_adds(&s->data, value);
	} else if ((value = field(line, "event"))) {
		if (!str_copy(s->type, sizeof s->type, value))
			s->type[0] = '\0';
	} else if ((value = field(line, "id"))) {
		if (!str_copy(s->id, sizeof s->id, value))
			s->id[0] = '\0';
	} else if (str_eq(line, ": listening")) {
		s->listening = true;
	}
	return s->data.len <= SSE_EVENT_MAX; /* comments and unknown fields are passed over, as the standard says */
}

bool sse_feed(void *user, const char *bytes, size_t len)
{
	struct sse *s = user;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\r')
			continue;
		if (bytes[i] != '\n') {
			buf_addc(&s->line, bytes[i]);
			if (s->line.len > SSE_EVENT_MAX)
				return false;
			continue;
		}
		bool go_on = take_line(s, buf_text(&s->line));
		buf_clear(&s->line);
		if (!go_on)
			return false;
	}
	return true;
}

void sse_close(struct sse *s)
{
	buf_close(&s->line);
	buf_close(&s->data);
}
