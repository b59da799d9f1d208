/* health.c -- answers the health port from shared memory. */
#include "workers/health.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"
#include "http/server.h"
#include "kinds/kind.h"
#include "workers/child.h"
#include "workers/helpers.h"

#define READY_MS 10000

bool health_port_ok(const struct settings *s, struct err *e)
{
	int port = (int)setting_number(s, WORKER_HEALTH_PORT), on = 1;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (port == 0)
		return true;
	if (inet_pton(AF_INET, setting_text(s, WORKER_HEALTH_ADDRESS), &to.sin_addr) != 1)
		return err_set(e, ERR_INVALID, "WORKER_HEALTH_ADDRESS is \"%.60s\", but should be an IPv4 address like 0.0.0.0",
		        setting_text(s, WORKER_HEALTH_ADDRESS));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, ERR_IO, "no socket can be made: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	int rc = bind(fd, (const struct sockaddr *)&to, sizeof(to));
	int why = errno;
	close(fd);
	if (rc != 0)
		return err_set(
		        e, ERR_CONFLICT, "port %d cannot be used (%s); stop who uses it or set WORKER_HEALTH_PORT", port, strerror(why));
	return true;
}

static void reply_text(struct http_request *r, int status, const char *text)
{
	http_reply(r, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void reply_ready(struct http_request *r, const struct shm_stats *s)
{
	int64_t step = atomic_load(&s->step_ms);
	int64_t age = clock_mono_ms() - step;
	char text[120];
	if (atomic_load(&s->draining) != 0)
		reply_text(r, 503, "not ready: the worker drains\n");
	else if (step == 0)
		reply_text(r, 503, "not ready: the queue has not answered yet\n");
	else if (age > READY_MS) {
		snprintf(text, sizeof(text), "not ready: the queue last answered %lld ms ago\n", (long long)age);
		reply_text(r, 503, text);
	} else
		reply_text(r, 200, "ready\n");
}

struct health {
	const struct shm *shm;
	const struct shm_stats *stats;
	int64_t told[16]; /* of each counter, so that only what is new is added; one server thread, so no lock */
};

static void counter(struct health *h, size_t i, enum metric m, const char *label, int64_t now)
{
	metrics_add(m, label, (double)(now - h->told[i]));
	h->told[i] = now;
}

static void figures_of_times(enum metric m, const char *kind, const struct shm_times *t)
{
	uint64_t buckets[METRIC_BUCKETS], sum = 0, count = atomic_load(&t->count);
	for (size_t i = 0; i < METRIC_BUCKETS; i++)
		sum += buckets[i] = atomic_load(&t->buckets[i]);
	/* Read while it is written: what is in a bucket is counted. */
	metrics_set_histogram(m, kind, buckets, count > sum ? count : sum, (double)atomic_load(&t->sum_us) / 1e6);
}

/* Kinds that this worker has met. */
static void figures_of_kinds(const struct shm *shm)
{
	static const char *const outcomes[] = {
#define X(name) #name,
	        SHM_OUTCOMES(X)
#undef X
	};
	const struct kind *k;
	for (size_t i = 0; i < SHM_KINDS && (k = kind_at(i)) != NULL; i++) {
		const struct shm_kind *figures = &shm->kinds[i];
		char label[64];
		for (size_t o = 0; o < OUTCOME_COUNT; o++) {
			uint64_t n = atomic_load(&figures->ends[o]);
			snprintf(label, sizeof(label), "%s,%s", k->name, outcomes[o]);
			if (n > 0)
				metrics_set(METRIC_worker_ends_total, label, (double)n);
		}
		if (atomic_load(&figures->waited.count) > 0)
			figures_of_times(METRIC_worker_wait_seconds, k->name, &figures->waited);
		if (atomic_load(&figures->ran.count) > 0)
			figures_of_times(METRIC_worker_run_seconds, k->name, &figures->ran);
	}
}

static void reply_metrics(struct http_request *r, struct health *h)
{
	const struct shm_stats *s = h->stats;
	struct buf out = {0};
	counter(h, 0, METRIC_worker_jobs_total, "done", atomic_load(&s->done));
	counter(h, 1, METRIC_worker_jobs_total, "failed", atomic_load(&s->failed));
	counter(h, 2, METRIC_worker_jobs_total, "crashed", atomic_load(&s->crashed));
	counter(h, 3, METRIC_worker_jobs_total, "given_back", atomic_load(&s->given_back));
	counter(h, 4, METRIC_worker_jobs_total, "cancelled", atomic_load(&s->cancelled));
	counter(h, 5, METRIC_worker_steps_total, NULL, atomic_load(&s->steps));
	counter(h, 6, METRIC_worker_slot_deaths_total, NULL, atomic_load(&s->slot_deaths));
	counter(h, 7, METRIC_events_sent_total, "all", atomic_load(&s->events_sent));
	counter(h, 8, METRIC_history_written_total, NULL, atomic_load(&s->history_written));
	metrics_set(METRIC_history_waiting, NULL, (double)atomic_load(&s->history_waiting));
	metrics_set(METRIC_history_dropped, NULL, (double)atomic_load(&s->history_dropped));
	metrics_set(METRIC_worker_slots, "busy", (double)atomic_load(&s->busy));
	metrics_set(METRIC_worker_slots, "alive", (double)atomic_load(&s->slots));
	metrics_set(METRIC_worker_step_age_seconds, NULL, (double)(clock_mono_ms() - atomic_load(&s->step_ms)) / 1000.0);
	metrics_set(METRIC_events_waiting, NULL, (double)atomic_load(&s->events_waiting));
	figures_of_kinds(h->shm);
	metrics_print(&out);
	http_reply_buf(r, 200, "text/plain; version=0.0.4", &out);
}

static void health_request(struct http_request *r, void *thread, void *user)
{
	struct health *h = user;
	const char *path = http_path(r);
	UNUSED(thread);
	if (!str_eq(http_method(r), "GET") && !str_eq(http_method(r), "HEAD"))
		reply_text(r, 405, "only GET\n");
	else if (str_eq(path, "/livez"))
		reply_text(r, 200, "live\n");
	else if (str_eq(path, "/readyz"))
		reply_ready(r, h->stats);
	else if (str_eq(path, "/metrics"))
		reply_metrics(r, h);
	else
		reply_text(r, 404, "there are /livez, /readyz and /metrics\n");
}

int health_main(void *arg, int fd)
{
	const struct helper_setup *setup = arg;
	struct health health = {.shm = setup->shm, .stats = &setup->shm->stats};
	struct err e;
	int port = (int)setting_number(setup->settings, WORKER_HEALTH_PORT);
	struct http_server_options options = {
	        .address = setting_text(setup->settings, WORKER_HEALTH_ADDRESS),
	        .ports = &port,
	        .n_ports = 1,
	        .threads = 1,
	        .max_body = 4096,
	        .user = &health,
	};
	UNUSED(fd);
	struct http_server *server = http_server_open(&options, health_request, &e);
	if (server == NULL) {
		log_error("the health port is not open: %s", e.text);
		return 1;
	}
	while (!child_asked_to_end())
		clock_sleep_ms(1000);
	http_server_close(&server);
	return 0;
}
