/* settings.c -- the settings of barque-api, read from the environment and checked. */
#include "api/settings.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

static const struct setting table[] = {
#define SETTING(name, type, fallback, min, max, help) {#name, SETTING_##type, fallback, min, max, help},
#include "api/settings.def"
#undef SETTING
};

static const int port_settings[ROLE_COUNT] = {
        [ROLE_ALL] = SET_API_PORT,
        [ROLE_DATA] = SET_DATA_SERVICE_PORT,
        [ROLE_BACKTEST] = SET_BACKTEST_SERVICE_PORT,
        [ROLE_ORDER] = SET_ORDER_SERVICE_PORT,
};

void settings_help(FILE *out)
{
	config_help(out, table, ARRAY_LEN(table));
}

/* A port that was free a moment ago; 0 when none can be had. */
static int port_probe(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0;

	if (fd >= 0)
		close(fd);
	return ok ? ntohs(a.sin_port) : 0;
}

/* The server can pick a port by itself (0), but requests are told apart by the number that was asked for: only one may be 0. */
static bool port_take(const char *name, const char *text, int *out, struct err *e)
{
	int64_t port;

	*out = 0;
	if (str_eq(text, "auto")) {
		if (!str_eq(name, "API_PORT"))
			*out = port_probe();
		return true;
	}
	if (!str_int(text, 0, 65535, &port))
		return err_set(e, ERR_INVALID, "%s is \"%.40s\", but should be a port from 1 to 65535, 0 for none, or auto", name, text);
	*out = port == 0 ? -1 : (int)port;
	return true;
}

static bool ports_take(struct settings *s, struct err *e)
{
	for (int i = 0; i < ROLE_COUNT; i++) {
		int setting = port_settings[i];

		if (!port_take(table[setting].name, s->values[setting].text, &s->ports[i], e))
			return false;
		for (int j = 0; j < i; j++)
			if (s->ports[i] > 0 && s->ports[i] == s->ports[j])
				return err_set(e, ERR_INVALID, "%s and %s are both %d; give each its own port, or 0 to turn one off",
				        table[port_settings[j]].name, table[setting].name, s->ports[i]);
	}
	if (s->ports[ROLE_ALL] < 0)
		return err_set(e, ERR_INVALID, "API_PORT is 0, but the API needs a port; auto picks a free one");
	return true;
}

static bool log_take(struct settings *s, struct err *e)
{
	const char *level = s->values[SET_LOG_LEVEL].text, *format = s->values[SET_LOG_FORMAT].text;

	if (!log_level_of(level, &s->log_level))
		return err_set(e, ERR_INVALID, "LOG_LEVEL is \"%.40s\", but should be debug, info, warn, error or silent", level);
	s->log_json = str_eq(format, "json");
	if (!s->log_json && !str_eq(format, "text"))
		return err_set(e, ERR_INVALID, "LOG_FORMAT is \"%.40s\", but should be text or json", format);
	return true;
}

static bool token_take(const struct settings *s, struct err *e)
{
	for (const char *p = s->values[SET_API_TOKEN].text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return err_set(e, ERR_INVALID, "API_TOKEN may hold only visible ASCII characters, because it travels in a header");
	return true;
}

static bool urls_take(const struct settings *s, struct err *e)
{
	const char *queue = s->values[SET_QUEUE_URL].text, *store = s->values[SET_STORE_URL].text;

	if (!strchr(queue, ':'))
		return err_set(e, ERR_INVALID, "QUEUE_URL is \"%.100s\", but should be like redis://127.0.0.1:6379/0", queue);
	if (!strchr(store, ':'))
		return err_set(e, ERR_INVALID, "STORE_URL is \"%.100s\", but should be like sqlite:db/", store);
	return true;
}

bool settings_load(struct settings *s, struct err *e)
{
	static const char *const prefixes[] = {"API_", NULL};

	memset(s, 0, sizeof *s);
	return config_load(table, ARRAY_LEN(table), s->values, e) && config_refuse_unknown(table, ARRAY_LEN(table), prefixes, e) &&
	       ports_take(s, e) && log_take(s, e) && token_take(s, e) && urls_take(s, e);
}

void settings_apply(const struct settings *s, struct api *api)
{
	const union setting_value *v = s->values;

	api->queue_url = v[SET_QUEUE_URL].text;
	api->store_url = v[SET_STORE_URL].text;
	api->brokers = v[SET_KAFKA_BROKERS].text;
	api->records_dir = v[SET_RECORDS_DIR].text;
	api->token = v[SET_API_TOKEN].text;
	api->cors_origins = v[SET_CORS_ORIGINS].text;
	api->exchange_url = v[SET_EXCHANGE_URL].text;
	api->wait_max_ms = v[SET_WAIT_MAX].number;
	api->queue_options.timeout_ms = 3000;
	api->queue_options.max_length = v[SET_QUEUE_MAX_LENGTH].number;
	api->queue_options.wait_replicas = (int)v[SET_QUEUE_WAIT_REPLICAS].number;
	api->queue_options.shards = (int)v[SET_QUEUE_SHARDS].number;
	api->queue_options.max_param_bytes = v[SET_QUEUE_MAX_BYTES].number;
	api->queue_options.max_lane = v[SET_QUEUE_MAX_LANE].number;
	api->queue_options.max_params = v[SET_QUEUE_MAX_PARAMS].number;
	api->queue_options.result_ttl_ms = v[SET_RESULT_TTL].number;
	memcpy(api->ports, s->ports, sizeof api->ports);
}
