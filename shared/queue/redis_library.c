/* redis_library.c -- the function library: its name, its text, and the command that loads it. Linked in by the Makefile. */
#include <string.h>

#include "queue/redis_private.h"

extern const char _binary_barque_lua_start[], _binary_barque_lua_end[];

/* The text speaks of itself by the name of this version; under another name (tests load two side by side) each mention is replaced. */
void redis_library_text(struct buf *out, const struct queue_options *o)
{
	const char *at = _binary_barque_lua_start, *end = _binary_barque_lua_end, *found;
	size_t len = strlen(QUEUE_LIBRARY);

	while ((found = memmem(at, (size_t)(end - at), QUEUE_LIBRARY, len)) != NULL) {
		buf_add(out, at, (size_t)(found - at));
		buf_adds(out, o->library);
		at = found + len;
	}
	buf_add(out, at, (size_t)(end - at));
}

void redis_library_load(struct redis_cmd *c, const struct queue_options *o)
{
	struct buf text = {0};

	redis_library_text(&text, o);
	redis_cmd_adds(c, "FUNCTION");
	redis_cmd_adds(c, "LOAD");
	redis_cmd_add(c, text.data, text.len);
	buf_close(&text);
}

void redis_function(struct redis_cmd *c, const struct queue_options *o, const char *function)
{
	struct buf name = {0};

	buf_addf(&name, "%s_%s", o->library, function);
	redis_cmd_adds(c, "FCALL");
	redis_cmd_add(c, name.data, name.len);
	buf_close(&name);
}

bool redis_library_missing(const struct redis_reply *r)
{
	const char *error = redis_reply_error(r);

	return error && strstr(error, "Function not found");
}
