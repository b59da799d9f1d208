/* main.c -- barque-devbroker: a development broker for Kafka events, and `--topics`, which makes the topics on a real Kafka. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/time.h"
#include "broker-config/port.h"
#include "bus/bus.h"

#define TOPICS_TIMEOUT_MS 30000

struct options {
	int64_t port, brokers, partitions, replication;
	const char *address_file;
	const char *topics; /* brokers to make the topics on; NULL: be a broker */
	bool die_with_parent, help;
};

static const struct bus_topic topics[] = {
#define TOPIC(name, partitions, cleanup, days, help) {name, partitions, cleanup, (days)*TIME_DAY},
#include "broker-config/topics.def"
#undef TOPIC
};

static void help(FILE *out)
{
	fputs("barque-devbroker: a Kafka broker for development, inside one small process. It keeps nothing on disk.\n"
	      "  --port N            listen on 127.0.0.1:N (0: any free port, the default)\n"
	      "  --brokers N         so many brokers, on ports N, N+1, ... (1)\n"
	      "  --partitions N      of each topic (4)\n"
	      "  --address-file FILE write the address there once it listens\n"
	      "  --die-with-parent   end when the process that started it ends\n"
	      "  --topics HOST:PORT  make the missing topics on a real Kafka, then end\n"
	      "  --replication N     with --topics: copies of each partition (0: the broker's default)\n"
	      "Its first line of output is \"listening on HOST:PORT,...\". SIGTERM ends it.\n"
	      "Topics on a real Kafka (barque. stands before each name):\n",
	        out);
#define TOPIC(name, partitions, cleanup, days, help) \
	fprintf(out, "  %-14s %d partitions, %s%s: %s\n", name, partitions, cleanup, (days) ? " after " #days " days" : "", help);
#include "broker-config/topics.def"
#undef TOPIC
}

/* ---- options -------------------------------------------------------------------------------------------------- */

/* 1: taken with its value, 0: not an option with a number, -1: a bad number. */
static int option_number(struct options *o, const char *name, const char *value, struct err *e)
{
	const struct {
		const char *name;
		int64_t *to;
		int64_t min, max;
	} table[] = {{"--port", &o->port, 0, 65000}, {"--brokers", &o->brokers, 1, 16}, {"--partitions", &o->partitions, 1, 1000},
	        {"--replication", &o->replication, 0, 100}};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (!str_eq(name, table[i].name))
			continue;
		if (!value || !str_int(value, table[i].min, table[i].max, table[i].to))
			return err_fail(e, ERR_INVALID, "%s wants a number from %lld to %lld", name, (long long)table[i].min,
			        (long long)table[i].max);
		return 1;
	}
	return 0;
}

/* Returns how many words were taken, -1 for none. */
static int option_take(struct options *o, const char *name, const char *value, struct err *e)
{
	bool *flag = str_eq(name, "--help") ? &o->help : str_eq(name, "--die-with-parent") ? &o->die_with_parent : NULL;
	const char **text = str_eq(name, "--address-file") ? &o->address_file : str_eq(name, "--topics") ? &o->topics : NULL;
	if (flag) {
		*flag = true;
		return 1;
	}
	if (text && value) {
		*text = value;
		return 2;
	}
	int number = option_number(o, name, value, e);
	if (number != 0)
		return number < 0 ? -1 : 2;
	return err_fail(e, ERR_INVALID, text ? "%s wants a value" : "there is no option %s; --help lists them", name);
}

static bool options_parse(struct options *o, char **argv, struct err *e)
{
	*o = (struct options){.brokers = 1, .partitions = 4};
	for (int taken; *argv; argv += taken)
		if ((taken = option_take(o, argv[0], argv[1], e)) < 0)
			return false;
	return true;
}

/* ---- being a broker ------------------------------------------------------------------------------------------- */

/* Whole or not at all: readers wait for the file to appear. */
static bool address_write(const char *path, const char *address, struct err *e)
{
	struct buf beside = {0};
	buf_addf(&beside, "%s.%d", path, (int)getpid());
	FILE *f = fopen(buf_text(&beside), "w");
	bool ok = f && fprintf(f, "%s\n", address) > 0;
	ok = f && fclose(f) == 0 && ok;
	ok = ok && rename(buf_text(&beside), path) == 0;
	if (!ok)
		err_set(e, ERR_IO, "the address cannot be written to %s: %s", path, strerror(errno));
	buf_close(&beside);
	return ok;
}

/* The parent may have ended before we asked to be told of it. */
static bool parent_watch(pid_t parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent;
}

static bool announce(const struct options *o, const struct devbroker *d, struct err *e)
{
	const char *address = devbroker_address(d);
	if (o->address_file && !address_write(o->address_file, address, e))
		return false;
	printf("listening on %s\n"
	       "This is a development broker (librdkafka's mock cluster): it keeps nothing on disk, its events are gone when it ends.\n",
	        address);
	return fflush(stdout) == 0 || err_set(e, ERR_IO, "standard output cannot be written: %s", strerror(errno));
}

/* The signals are blocked before librdkafka starts its threads, so that all of them come here. */
static bool serve(const struct options *o, struct err *e)
{
	sigset_t ends;
	int came;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	port_choose((int)o->port);
	struct devbroker *d = devbroker_open((int)o->brokers, (int)o->partitions, e);
	if (!d)
		return false;
	bool ok = announce(o, d, e);
	if (ok)
		sigwait(&ends, &came);
	if (o->address_file)
		unlink(o->address_file);
	devbroker_close(&d);
	return ok;
}

int main(int argc, char **argv)
{
	struct options o;
	struct err e;
	pid_t parent = getppid();
	UNUSED(argc);
	log_open("barque-devbroker", LOG_INFO, false);
	if (!options_parse(&o, argv + 1, &e)) {
		fprintf(stderr, "barque-devbroker: %s\n", e.text);
		return 2;
	}
	if (o.help) {
		help(stdout);
		return 0;
	}
	if (o.die_with_parent && !parent_watch(parent))
		return 0;
	bool ok = o.topics ? bus_topics_ensure(o.topics, topics, ARRAY_LEN(topics), (int)o.replication, TOPICS_TIMEOUT_MS, &e)
	                   : serve(&o, &e);
	if (!ok)
		fprintf(stderr, "barque-devbroker: %s\n", e.text);
	return ok ? 0 : 1;
}
