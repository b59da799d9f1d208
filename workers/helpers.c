/* helpers.c -- starts the courier, the postman and the health process and starts them again when they end. */
#include "workers/helpers.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "workers/child.h"
#include "workers/courier.h"
#include "workers/health.h"
#include "workers/postman.h"

#define AGAIN_MS     500
#define AGAIN_MAX_MS 30000
#define CLOSE_MS     1000

void helpers_open(struct helpers *h, const struct settings *s, struct shm *shm)
{
	*h = (struct helpers){.setup = {.settings = s, .shm = shm}};
	h->all[h->n++] = (struct helper){.name = "barque-courier", .run = courier_main};
	h->all[h->n++] = (struct helper){.name = "barque-postman", .run = postman_main};
	if (setting_number(s, WORKER_HEALTH_PORT) != 0)
		h->all[h->n++] = (struct helper){.name = "barque-health", .run = health_main};
}

void helpers_fork_missing(struct helpers *h, int64_t now_ms)
{
	struct err e;
	for (int i = 0; i < h->n; i++) {
		struct helper *p = &h->all[i];
		if (p->pid != 0 || now_ms < p->again_ms)
			continue;
		p->born_ms = now_ms;
		p->pid = child_start(p->name, -1, p->run, &h->setup, &e);
		if (p->pid > 0)
			continue;
		p->pid = 0;
		p->again_ms = now_ms + AGAIN_MAX_MS;
		log_error("%s is not started: %s", p->name, e.text);
	}
}

bool helpers_reaped(struct helpers *h, pid_t pid, int status, int64_t now_ms)
{
	char why[100];
	for (int i = 0; i < h->n; i++) {
		struct helper *p = &h->all[i];
		if (p->pid != pid)
			continue;
		p->failures = now_ms - p->born_ms > AGAIN_MAX_MS ? 0 : p->failures + 1;
		int64_t pause = (int64_t)AGAIN_MS << (p->failures < 7 ? p->failures : 7);
		p->again_ms = now_ms + (pause > AGAIN_MAX_MS ? AGAIN_MAX_MS : pause);
		child_reason(why, sizeof(why), status);
		log_warn("%s (process %d) ended and is started again in %lld ms: %s", p->name, (int)pid, (long long)(p->again_ms - now_ms),
		        why);
		p->pid = 0;
		return true;
	}
	return false;
}

void helpers_close(struct helpers *h)
{
	for (int i = 0; i < h->n; i++)
		if (h->all[i].pid > 0)
			kill(h->all[i].pid, SIGTERM);
	int64_t until = clock_mono_ms() + CLOSE_MS;
	for (int i = 0; i < h->n; i++) {
		while (h->all[i].pid > 0 && clock_mono_ms() < until && waitpid(h->all[i].pid, NULL, WNOHANG) == 0)
			clock_sleep_ms(5);
		if (h->all[i].pid > 0) {
			kill(-h->all[i].pid, SIGKILL);
			waitpid(h->all[i].pid, NULL, 0);
		}
		h->all[i].pid = 0;
	}
}
