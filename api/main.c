/* main.c -- barque-api: the thin HTTP side. Settings from the environment, ports, one server, and a clean end on SIGTERM. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/context.h"
#include "api/doctor.h"
#include "api/events.h"
#include "api/live.h"
#include "api/settings.h"
#include "api/waiter.h"
#include "base/str.h"

#define EXIT_SETTINGS 2
#define EXIT_START    1

static int help(void)
{
	printf("barque-api -- the HTTP API: submit jobs, watch them, read what is stored. SIGTERM ends it cleanly.\n\n");
	printf("Settings (environment variables):\n");
	settings_help(stdout);
	return 0;
}

/* Blocked in every thread, so that only main's sigwait takes them. */
static void signals_block(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void options_fill(
        const struct settings *s, struct api *api, int ports[ROLE_COUNT], enum api_role roles[ROLE_COUNT], struct http_server_options *out)
{
	*out = (struct http_server_options){
	        .address = s->values[SET_API_ADDRESS].text,
	        .ports = ports,
	        .threads = (int)s->values[SET_API_THREADS].number,
	        .max_body = (size_t)s->values[SET_API_MAX_BODY].number,
	        .thread_open = context_open,
	        .thread_close = context_close,
	        .user = api,
	};
	for (int i = 0; i < ROLE_COUNT; i++) {
		if (s->ports[i] < 0)
			continue;
		roles[out->n_ports] = (enum api_role)i;
		ports[out->n_ports++] = s->ports[i];
	}
}

static const char *const role_names[ROLE_COUNT] = {"everything", "data service", "backtest service", "order service"};

static struct http_server *listen_on(const struct settings *s, struct api *api, struct err *e)
{
	int ports[ROLE_COUNT];
	enum api_role roles[ROLE_COUNT];
	struct http_server_options options;

	options_fill(s, api, ports, roles, &options);
	struct http_server *server = http_server_open(&options, dispatch, e);
	for (size_t i = 0; server && i < options.n_ports; i++)
		printf("listening on %s:%d (%s)\n", options.address, http_server_port(server, i), role_names[roles[i]]);
	fflush(stdout);
	return server;
}

/* Requests that wait are answered first, so that closing the server finds none of them. */
static int serve(const struct settings *s, struct api *api, const sigset_t *set)
{
	struct err e = {0};
	int got;

	struct http_server *server = listen_on(s, api, &e);
	if (!server) {
		log_error("%s", e.text);
		return EXIT_START;
	}
	sigwait(set, &got);
	log_info("stopping on %s", got == SIGTERM ? "SIGTERM" : "SIGINT");
	waiter_stop(api->waiter);
	doctor_stop(api->doctor);
	http_server_close(&server);
	return 0;
}

static int run(const struct settings *s, const sigset_t *set)
{
	struct api api = {0};
	struct err e = {0};
	int status = EXIT_START;

	settings_apply(s, &api);
	api.waiter = waiter_open(&api, &e);
	if (!api.waiter || !(api.live = live_open(&api, &e)) || !(api.doctor = doctor_open(&api, &e)))
		goto out;
	if (*api.brokers && !(api.events = events_open(api.brokers, &e)))
		goto out;
	status = serve(s, &api, set);
out:
	if (*e.text)
		log_error("%s", e.text);
	events_close(&api.events);
	doctor_close(&api.doctor);
	live_close(&api.live);
	waiter_close(&api.waiter);
	return status;
}

int main(int argc, char **argv)
{
	struct settings s;
	struct err e = {0};
	sigset_t set;

	if (argc == 2 && (str_eq(argv[1], "--help") || str_eq(argv[1], "-h")))
		return help();
	if (argc > 1) {
		fprintf(stderr, "barque-api: \"%s\" is not understood: settings come from the environment, see --help\n", argv[1]);
		return EXIT_SETTINGS;
	}
	if (!settings_load(&s, &e)) {
		fprintf(stderr, "barque-api: %s\n", e.text);
		return EXIT_SETTINGS;
	}
	log_open("barque-api", s.log_level, s.log_json);
	signals_block(&set);
	return run(&s, &set);
}
