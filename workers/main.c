/* main.c -- barque-worker: runs jobs. One dispatcher, WORKER_SLOTS slots, a courier for events; settings from the environment. */
#include <stdio.h>

#include "base/log.h"
#include "base/str.h"
#include "workers/dispatcher.h"
#include "workers/health.h"

static int help(void)
{
	printf("barque-worker -- claims jobs from Redis and runs them. SIGTERM drains, a second one hurries, SIGUSR1 logs what runs.\n\n");
	printf("Settings (environment variables):\n");
	settings_help(stdout);
	printf("\nExit codes: %d drained, %d a setting was refused, %d stuck (start it again), %d the machine refused something at start,\n"
	       "%d ended but could not tell the queue.\n",
	        EXIT_DRAINED, EXIT_SETTINGS, EXIT_STUCK, EXIT_START, EXIT_UNTOLD);
	return 0;
}

int main(int argc, char **argv)
{
	static struct settings settings;
	struct err e;
	if (argc == 2 && (str_eq(argv[1], "--help") || str_eq(argv[1], "-h")))
		return help();
	if (argc > 1) {
		fprintf(stderr, "barque-worker: \"%s\" is not understood: settings come from the environment, see --help\n", argv[1]);
		return EXIT_SETTINGS;
	}
	if (!settings_load(&settings, &e)) {
		fprintf(stderr, "barque-worker: %s\n", e.text);
		return EXIT_SETTINGS;
	}
	log_open("barque-worker", settings.log_level, settings.log_json);
	if (!health_port_ok(&settings, &e)) {
		fprintf(stderr, "barque-worker: %s\n", e.text);
		return EXIT_START;
	}
	return dispatcher_run(&settings);
}
