/* main.c -- the exchange simulator's program: options, start, and a clean end on SIGTERM. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/exchange_sim/sim.h"

/* Text options, in the order of the letters below; NULL: not given. */
struct options {
	const char *port, *csv, *symbols, *seed, *since, *now, *speed, *limit, *ban_after, *address;
	const char *faults[64];
	size_t n_faults;
	bool die_with_parent;
};

static const char help_top[] =
        "barque-exchange-sim: answers as Binance USDT-M futures does, for tests and for use without internet\n"
        "\n"
        "    barque-exchange-sim --symbols BTCUSDT,ETHUSDT --port 9900\n"
        "    barque-exchange-sim --csv DIR --now \"2026-02-28 12:00:00\"\n"
        "\n"
        "Its first line on standard output is \"listening on ADDRESS:PORT\". It ends on SIGTERM or SIGINT.\n"
        "\n"
        "    --port N            port to listen on; 0 (the default) takes a free one\n"
        "    --address A         address to listen on (127.0.0.1)\n"
        "    --symbols A,B,...   these symbols have made-up prices, the same for the same seed, at every interval\n"
        "    --seed N            of the made-up prices and of faults by probability (1)\n"
        "    --since TIME        first minute of the made-up prices (2019-09-01)\n"
        "    --csv DIR           serves files named SYMBOL-INTERVAL*.csv or .csv.gz (12 columns, as in Binance's archive); they win\n"
        "                        over made-up prices of the same symbol and interval; empty fields are served as \"0\"\n"
        "    --now TIME          its clock starts here and runs; without it: this machine's clock\n"
        "    --speed X           its clock runs X times as fast (1)\n"
        "    --weight-limit N    request weight a calendar minute and address; over it 429 (2400)\n"
        "    --ban-after N       after so many more requests in that minute 418, for 2 minutes, then 4 ... (10)\n"
        "    --fault NAME[:N]    something goes wrong: always, the next N times, or with probability N (0.1); may be repeated\n"
        "    --die-with-parent   ends when the program that started it ends\n"
        "\n"
        "Also: GET /sim/stats (requests, weight by minute, faults met), /sim/faults?set=NAME[:N] and ?clear=1,\n"
        "/sim/clock?advance=MS and ?now=TIME. Faults:\n";

int64_t sim_now(struct sim *s)
{
	pthread_mutex_lock(&s->lock);
	int64_t now = s->now_start_ms + (int64_t)((double)(clock_mono_ms() - s->real_start_ms) * s->speed);
	pthread_mutex_unlock(&s->lock);
	return now;
}

void sim_set_now(struct sim *s, int64_t now_ms)
{
	pthread_mutex_lock(&s->lock);
	s->now_start_ms = now_ms;
	s->real_start_ms = clock_mono_ms();
	pthread_mutex_unlock(&s->lock);
}

/* ---- options ------------------------------------------------------------------------------------------------ */

static const struct option longs[] = {
        {"port", required_argument, NULL, 'p'},
        {"address", required_argument, NULL, 'a'},
        {"symbols", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'S'},
        {"since", required_argument, NULL, 'i'},
        {"csv", required_argument, NULL, 'c'},
        {"now", required_argument, NULL, 'n'},
        {"speed", required_argument, NULL, 'x'},
        {"weight-limit", required_argument, NULL, 'w'},
        {"ban-after", required_argument, NULL, 'b'},
        {"fault", required_argument, NULL, 'f'},
        {"die-with-parent", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static const char **option_place(struct options *o, int letter)
{
	const struct {
		char letter;
		const char **place;
	} table[] = {{'p', &o->port}, {'a', &o->address}, {'s', &o->symbols}, {'S', &o->seed}, {'i', &o->since}, {'c', &o->csv},
	        {'n', &o->now}, {'x', &o->speed}, {'w', &o->limit}, {'b', &o->ban_after}};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].letter == letter)
			return table[i].place;
	}
	return letter == 'f' && o->n_faults < ARRAY_LEN(o->faults) ? &o->faults[o->n_faults++] : NULL;
}

/* 1 go on, 0 help was shown, -1 a mistake that getopt has named. */
static int options_read(int argc, char **argv, struct options *o)
{
	int letter;
	while ((letter = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		const char **place = option_place(o, letter);
		if (letter == 'h') {
			fputs(help_top, stdout);
			faults_help();
			return 0;
		}
		o->die_with_parent |= letter == 'd';
		if (!place && letter != 'd')
			return -1;
		if (place)
			*place = optarg;
	}
	if (optind == argc)
		return 1;
	fprintf(stderr, "%s: \"%s\" is not an option; --help lists them\n", argv[0], argv[optind]);
	return -1;
}

static bool number(const char *name, const char *text, int64_t min, int64_t max, int64_t *out, struct err *e)
{
	if (!text || str_int(text, min, max, out))
		return true;
	return err_set(
	        e, ERR_INVALID, "--%s wants a whole number from %lld to %lld, not \"%.40s\"", name, (long long)min, (long long)max, text);
}

static bool moment(const char *name, const char *text, int64_t *out, struct err *e)
{
	if (!text || time_parse(text, out, NULL))
		return true;
	return err_set(e, ERR_INVALID, "--%s wants a time such as \"2026-02-28 12:00:00\", not \"%.40s\"", name, text);
}

static bool options_apply(struct sim *s, const struct options *o, struct err *e)
{
	int64_t seed = 1;
	s->since_ms = INT64_C(1567296000000); /* 2019-09-01 */
	s->weight_limit = 2400;
	s->ban_after = 10;
	s->speed = 1;
	s->now_start_ms = clock_now_ms();
	s->real_start_ms = clock_mono_ms();
	if (!number("seed", o->seed, 0, INT64_MAX, &seed, e) || !number("weight-limit", o->limit, 1, 1000000000, &s->weight_limit, e) ||
	        !number("ban-after", o->ban_after, 0, 1000000000, &s->ban_after, e) || !moment("since", o->since, &s->since_ms, e) ||
	        !moment("now", o->now, &s->now_start_ms, e))
		return false;
	if (o->speed && (!str_double(o->speed, &s->speed) || s->speed < 0))
		return err_set(e, ERR_INVALID, "--speed wants a number, not \"%.40s\"", o->speed);
	s->seed = (uint64_t)seed;
	for (size_t i = 0; i < o->n_faults; i++) {
		if (!fault_set(s, o->faults[i], e))
			return false;
	}
	if (!o->symbols && !o->csv)
		return err_set(e, ERR_INVALID, "nothing to serve: give --symbols BTCUSDT,... or --csv DIR (--help explains)");
	return (!o->csv || market_load(s, o->csv, e)) && (!o->symbols || market_made_up(s, o->symbols, e));
}

/* ---- the program -------------------------------------------------------------------------------------------- */

/* Serve until a signal; the signals were blocked before any thread started. */
static bool serve(struct sim *s, const struct options *o, const sigset_t *signals, struct err *e)
{
	int64_t wanted = 0;
	int got;
	if (!number("port", o->port, 0, 65535, &wanted, e))
		return false;
	int port = (int)wanted;
	struct http_server_options so = {
	        .address = o->address ? o->address : "127.0.0.1", .ports = &port, .n_ports = 1, .max_body = 65536, .user = s};
	struct http_server *server = http_server_open(&so, sim_handle, e);
	if (!server)
		return false;
	printf("listening on %s:%d\n", so.address, http_server_port(server, 0));
	fflush(stdout);
	sigwait(signals, &got);
	http_server_close(&server);
	return true;
}

static void sim_close(struct sim *s)
{
	for (size_t i = 0; i < s->n_symbols; i++) {
		for (int iv = 0; iv < INTERVAL_COUNT; iv++)
			mem_free(&s->symbols[i].files[iv].bars);
	}
	mem_free(&s->symbols);
	pthread_mutex_destroy(&s->lock);
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct sim s = {0};
	struct err e = {0};
	sigset_t signals;
	pid_t parent = getppid();
	log_open("exchange-sim", LOG_INFO, false);
	int go = options_read(argc, argv, &o);
	if (go <= 0)
		return go < 0 ? 2 : 0;
	if (o.die_with_parent && (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent))
		return 1;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	pthread_mutex_init(&s.lock, NULL);
	bool ok = options_apply(&s, &o, &e) && serve(&s, &o, &signals, &e);
	if (!ok)
		fprintf(stderr, "%s: %s\n", argv[0], e.text);
	sim_close(&s);
	return ok ? 0 : 1;
}
