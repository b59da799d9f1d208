/* dispatcher.c -- the loop: poll, take what came, begin what is due; signals, draining and the watchdog. */
#include "workers/dispatcher.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "workers/report.h"

#define WATCHDOG_S      30
#define WATCHDOG_FED_AT 30   /* it is put off so often within its time */
#define BYE_MS          1000 /* to tell the queues that it is gone */

/* ---- the watchdog: SIGALRM fires unless the loop puts it off, so that it also catches a loop that stands still */

static void watchdog_bites(int signal)
{
	static const char text[] = "barque-worker: no progress for 30 s though there is work; ending, so that it is started again\n";
	UNUSED(signal);
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
	UNUSED(written);
	_exit(EXIT_STUCK);
}

/* A test has a shorter patience: BARQUE_WATCHDOG=seconds. */
static unsigned watchdog_s(void)
{
#ifdef BARQUE_FAILPOINTS
	const char *text = getenv("BARQUE_WATCHDOG");
	int64_t seconds;
	if (text != NULL && str_int(text, 1, WATCHDOG_S, &seconds))
		return (unsigned)seconds;
#endif
	return WATCHDOG_S;
}

static bool has_work(const struct dispatcher *d)
{
	for (size_t i = 0; i < d->n_lines; i++)
		if (d->lines[i].n_acks > 0 || d->lines[i].n_pending + d->lines[i].alone.n > 0 || d->lines[i].hungry ||
		        d->lines[i].call != CALL_NONE)
			return true;
	for (int i = 0; i < d->slots.n; i++)
		if (d->slots.all[i].n > 0)
			return true;
	return false;
}

/* Progress: every line that has something to do heard from its server (or was refused by it) since the last time. */
static void watchdog_feed(struct dispatcher *d)
{
	int64_t heard = d->progress_ms;
	for (size_t i = 0; i < d->n_lines; i++)
		if (d->lines[i].heard_ms > heard)
			heard = d->lines[i].heard_ms;
	bool lives = !has_work(d) || heard > d->progress_ms || heard == d->now_ms;
	if (lives && d->now_ms - d->fed_ms >= watchdog_s() * 1000 / WATCHDOG_FED_AT) {
		alarm(watchdog_s());
		d->fed_ms = d->now_ms;
	}
	d->progress_ms = heard;
}

/* ---- signals */

static int signals_open(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	struct sigaction ignore = {.sa_handler = SIG_IGN}, bite = {.sa_handler = watchdog_bites};
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGALRM, &bite, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void children_reap(struct dispatcher *d)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!slots_reaped(&d->slots, pid, status, d->now_ms))
			helpers_reaped(&d->helpers, pid, status, d->now_ms);
}

static void status_log(const struct dispatcher *d)
{
	for (size_t i = 0; i < d->n_lines; i++) {
		const struct line *l = &d->lines[i];
		log_info("queue %s: %s, %zu ends to tell, %zu jobs without a slot, round trip %.0f us, run time %.0f us", l->queue,
		        l->failures > 0 ? "does not answer" : "answers", l->n_acks, l->n_pending + l->alone.n, l->rtt_us, l->run_us);
	}
	for (int i = 0; i < d->slots.n; i++) {
		const struct slot *s = &d->slots.all[i];
		log_info("slot %d: process %d, %lld jobs done, holds %d%s%s", i, (int)s->pid, (long long)s->jobs, s->n,
		        s->n > 0 ? ": " : "", s->n > 0 ? s->flights[0].id : "");
	}
}

static void signal_take(struct dispatcher *d, int signal)
{
	if (signal == SIGCHLD)
		children_reap(d);
	else if (signal == SIGUSR1)
		status_log(d);
	else if (d->phase == PHASE_WORK)
		control_drain(d);
	else if (d->phase == PHASE_DRAIN)
		control_hurry(d, "asked a second time");
}

static void signals_take(struct dispatcher *d)
{
	struct signalfd_siginfo info;
	while (read(d->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		signal_take(d, (int)info.ssi_signo);
}

/* ---- one turn */

static bool line_add(struct dispatcher *d, const char *queue, int shard, size_t family, struct err *e)
{
	struct line *l = &d->lines[d->n_lines];
	if (!line_open(l, d->settings, queue, shard, e))
		return false;
	l->family = family;
	l->drained = d->lines[family].drained && l != &d->lines[family]; /* it was told to be quiet */
	d->n_lines++;
	return true;
}

/* A queue has more shards than we serve: serve them too. If it has fewer, the others are empty and stay. */
static void line_more(struct dispatcher *d, const struct line *l, int shards)
{
	struct err e;
	int have = 0;
	for (size_t i = 0; i < d->n_lines; i++)
		have += d->lines[i].family == l->family;
	for (; have < shards && d->phase == PHASE_WORK; have++) {
		if (d->n_lines == LINES_MAX || !line_add(d, l->queue, have, l->family, &e)) {
			if (!d->lines_full)
				log_warn(
				        "queue %s has %d shards, of which this worker serves %d: beside its other queues it can serve no more",
				        l->queue, shards, have);
			d->lines_full = true;
			return;
		}
		log_info("queue %s: shard %d is served too", l->queue, have);
	}
}

static void line_take(struct dispatcher *d, struct line *l)
{
	struct queue_step_reply step;
	struct queue_renew_reply renew;
	line_wait_take(l, d->now_ms);
	if (line_step_take(l, &step, d->now_ms) == 1) {
		control_take(d, l, (enum worker_command)step.command);
		dispatch_claims(l, &step);
		line_more(d, l, step.shards);
		queue_step_reply_close(&step);
		atomic_fetch_add(&d->shm->stats.steps, 1);
	}
	if (line_renew_take(l, &renew, d->now_ms) == 1) {
		limits_renewed(d, l, &renew);
		queue_renew_reply_close(&renew);
	}
	line_fire_take(l, d->now_ms);
}

static void line_begin(struct dispatcher *d, struct line *l)
{
	if (!line_is_free(l, d->now_ms))
		return;
	if (l->again) { /* before anything else, with the same content */
		line_step(l, l->want, d->now_ms);
		return;
	}
	if (l->n_due > 0) {
		line_fire(l, d->now_ms);
		return;
	}
	size_t renewals = limits_renewals(d, l);
	if (renewals > 0) {
		line_renew(l, renewals, d->now_ms);
		return;
	}
	int want = dispatch_want(d, l);
	if ((want > 0 && l->hungry) || line_has_to_step(l, d->now_ms)) {
		report_write(d, l);
		line_step(l, want, d->now_ms);
	} else if (want > 0 || (!l->drained && !l->hungry))
		line_wait(l, d->now_ms);
}

static void stats_write(struct dispatcher *d)
{
	int64_t busy = 0, alive = 0, oldest = INT64_MAX;
	for (size_t i = 0; i < d->n_lines; i++)
		oldest = d->lines[i].ready_ms < oldest ? d->lines[i].ready_ms : oldest;
	atomic_store(&d->shm->stats.step_ms, oldest);
	for (int i = 0; i < d->slots.n; i++) {
		busy += d->slots.all[i].n > 0;
		alive += d->slots.all[i].pid > 0;
	}
	atomic_store(&d->shm->stats.busy, busy);
	atomic_store(&d->shm->stats.slots, alive);
}

static void turn(struct dispatcher *d)
{
	if (d->signalled)
		signals_take(d);
	for (int i = 0; i < d->slots.n; i++) {
		if (d->slots.all[i].readable)
			slot_read(&d->slots, &d->slots.all[i]);
		if (d->slots.all[i].out.len > 0)
			slot_send(&d->slots.all[i]);
	}
	for (size_t i = 0; i < d->n_lines; i++)
		line_take(d, &d->lines[i]);
	limits_check(d);
	if (d->phase == PHASE_WORK)
		slots_fork_missing(&d->slots, d->now_ms);
	helpers_fork_missing(&d->helpers, d->now_ms);
	dispatch_plan(d);
	alone_plan(d);
	for (size_t i = 0; i < d->n_lines; i++)
		line_begin(d, &d->lines[i]);
	/* Last: while the server takes the next step, the slots are given what came with the one before. */
	for (size_t i = 0; i < d->n_lines; i++)
		dispatch_pending(d, &d->lines[i]);
	stats_write(d);
	watchdog_feed(d);
}

/* ---- waiting for something to happen */

#define POLL_MAX (1 + 1024 + 2 * LINES_MAX)

static nfds_t poll_add(struct pollfd *fds, nfds_t n, int fd, short events)
{
	if (fd < 0)
		return n;
	fds[n] = (struct pollfd){.fd = fd, .events = events};
	return n + 1;
}

static void wait_for_news(struct dispatcher *d)
{
	struct pollfd fds[POLL_MAX];
	nfds_t n = poll_add(fds, 0, d->signals, POLLIN);
	int64_t timeout = limits_next_ms(d);
	for (int i = 0; i < d->slots.n; i++) {
		const struct slot *s = &d->slots.all[i];
		n = poll_add(fds, n, s->eof ? -1 : s->fd, s->out.len > 0 ? POLLIN | POLLOUT : POLLIN);
	}
	for (size_t i = 0; i < d->n_lines; i++) {
		const struct line *l = &d->lines[i];
		int64_t next = line_next_ms(l, d->now_ms);
		timeout = next < timeout ? next : timeout;
		n = poll_add(fds, n, l->call != CALL_NONE ? queue_link_fd(l->link) : -1, POLLIN);
		n = poll_add(fds, n, l->waiting ? queue_link_wait_fd(l->link) : -1, POLLIN);
	}
	int got = poll(fds, n, timeout < 1 ? 1 : (int)timeout);
	/* The lines' sockets are found ready by looking: their takers answer "not yet" cheaply. */
	d->signalled = got != 0 && fds[0].revents != 0;
	n = 1;
	for (int i = 0; i < d->slots.n; i++) {
		struct slot *s = &d->slots.all[i];
		if (!s->eof && s->fd >= 0)
			s->readable = got != 0 && fds[n++].revents != 0;
	}
}

/* ---- the beginning and the end */

static bool is_settled(const struct dispatcher *d)
{
	for (size_t i = 0; i < d->n_lines; i++) {
		const struct line *l = &d->lines[i];
		if (l->n_acks > 0 || l->n_remarks > 0 || l->n_pending + l->alone.n > 0 || l->again || l->call == CALL_STEP)
			return false;
	}
	for (int i = 0; i < d->slots.n; i++)
		if (d->slots.all[i].n > 0)
			return false;
	return true;
}

/* All is told. Tell the queues also that this worker is gone; true when they know, or do not answer. */
static bool has_left(struct dispatcher *d)
{
	bool known = true;
	if (d->leaving_ms == 0)
		d->leaving_ms = d->now_ms;
	for (size_t i = 0; i < d->n_lines; i++) {
		struct line *l = &d->lines[i];
		l->leaving = true;
		known = known && (l->left || l->link == NULL || l->failures > 0);
	}
	return known || d->now_ms - d->leaving_ms >= BYE_MS;
}

static int loop(struct dispatcher *d)
{
	for (;;) {
		d->now_ms = clock_mono_ms();
		turn(d);
		if (d->phase == PHASE_DRAIN && d->now_ms >= d->deadline_ms)
			control_hurry(d, "the time for draining is over");
		if (d->leaving_ms != 0 || (d->phase != PHASE_WORK && is_settled(d))) {
			if (has_left(d))
				return EXIT_DRAINED;
			wait_for_news(d);
			continue;
		}
		if (d->phase == PHASE_HURRY && d->now_ms >= d->deadline_ms)
			return EXIT_UNTOLD;
		wait_for_news(d);
	}
}

static bool dispatcher_open(struct dispatcher *d, const struct settings *s, struct err *e)
{
	memset(d, 0, sizeof(*d));
	d->settings = s;
	d->started_at = clock_now_ms();
	d->signals = signals_open();
	if (d->signals < 0)
		return err_set(e, ERR_INTERNAL, "signals cannot be received: %s", strerror(errno));
	d->shm = shm_make(s->slots, e);
	if (d->shm == NULL || !slots_open(&d->slots, s, d->shm, e))
		return false;
	d->slots.ended = ends_take;
	d->slots.said = ends_said;
	d->slots.user = d;
	helpers_open(&d->helpers, s, d->shm);
	for (size_t i = 0; i < s->n_queues; i++)
		if (!line_add(d, s->queues[i], 0, i, e))
			return false;
	return true;
}

static void dispatcher_close(struct dispatcher *d)
{
	alarm(0);
	for (size_t i = 0; i < d->n_lines; i++)
		line_close(&d->lines[i]);
	slots_close(&d->slots);
	helpers_close(&d->helpers);
	shm_free(&d->shm);
	if (d->signals >= 0)
		close(d->signals);
}

int dispatcher_run(const struct settings *s)
{
	struct err e;
	struct dispatcher *d = mem_new(sizeof(*d));
	int code = EXIT_START;
	if (dispatcher_open(d, s, &e)) {
		log_info("worker %s: %d slots, %zu queues at %s", s->name, s->slots, s->n_queues, s->queues[0]);
		code = loop(d);
	} else {
		log_error("%s", e.text);
	}
	dispatcher_close(d);
	mem_free(&d);
	if (code == EXIT_UNTOLD)
		log_warn("ended, but the queue did not answer: what was not told runs again when its leases are over");
	else if (code == EXIT_DRAINED)
		log_info("ended: every job was told or given back");
	return code;
}
