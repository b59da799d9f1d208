/* slots.c -- forks slots, speaks with them, and settles the jobs of those that died. */
#include "workers/slots.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "workers/child.h"

#define TRUST_MS 500  /* a slot that follows such a one is given no job before it is so old, or all jobs would end up there */
#define YOUNG_MS 1000 /* a slot that dies younger than this without a job is not replaced at once: something is wrong with all of them */

bool slots_open(struct slots *s, const struct settings *settings, struct shm *shm, struct err *e)
{
	if (shm->n < settings->slots)
		return err_set(e, ERR_INTERNAL, "shared memory has room for %d slots, %d are wanted", shm->n, settings->slots);
	s->n = settings->slots;
	s->all = mem_array((size_t)s->n, sizeof(*s->all));
	s->shm = shm;
	s->settings = settings;
	cgroup_open(&s->cgroup, settings);
	for (int i = 0; i < s->n; i++) {
		s->all[i].index = i;
		s->all[i].fd = -1;
		s->all[i].flights = s->all[i].room;
		s->all[i].setup = (struct slot_setup){.settings = settings, .shm = &shm->slots[i]};
	}
	return true;
}

struct shm_slot *slot_shm(const struct slot *s)
{
	return s->setup.shm;
}

static void slot_hang_up(struct slot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	buf_clear(&s->in);
	buf_clear(&s->out);
}

void slots_close(struct slots *s)
{
	for (int i = 0; i < s->n; i++) {
		if (s->all[i].pid > 0) {
			kill(-s->all[i].pid, SIGKILL);
			waitpid(s->all[i].pid, NULL, 0);
		}
		slot_hang_up(&s->all[i]);
		buf_close(&s->all[i].in);
		buf_close(&s->all[i].out);
	}
	mem_free(&s->all);
	s->n = 0;
	cgroup_close(&s->cgroup);
}

static bool slot_fork(struct slots *all, struct slot *s, int64_t now_ms, struct err *e)
{
	int pair[2];
	char name[24];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set(e, ERR_UNAVAILABLE, "a socket pair cannot be made: %s", strerror(errno));
	snprintf(name, sizeof(name), "barque-slot-%d", s->index);
	shm_reset(slot_shm(s));
	FAILPOINT("slot_before_fork");
	s->pid = child_start(name, pair[1], slot_main, &s->setup, e);
	close(pair[1]);
	if (s->pid < 0) {
		s->pid = 0;
		close(pair[0]);
		return false;
	}
	cgroup_add(&all->cgroup, s->index, s->pid);
	s->fd = pair[0];
	s->eof = s->recycling = false;
	s->n = 0;
	s->line = NULL;
	s->last_number = 0;
	s->jobs = 0;
	s->tainted = false;
	s->killed[0] = '\0';
	s->born_ms = now_ms;
	return true;
}

void slots_fork_missing(struct slots *s, int64_t now_ms)
{
	struct err e;
	for (int i = 0; i < s->n; i++) {
		struct slot *slot = &s->all[i];
		slot->doubtful = slot->doubtful && (slot->pid == 0 || now_ms - slot->born_ms < TRUST_MS);
		if (slot->pid != 0 || now_ms < slot->again_ms || slot_fork(s, slot, now_ms, &e))
			continue;
		log_error("slot %d is not started: %s", i, e.text);
		slot->again_ms = now_ms + YOUNG_MS;
	}
}

bool slot_is_empty(const struct slot *s)
{
	return s->pid > 0 && !s->doubtful && !s->eof && !s->recycling && s->killed[0] == '\0' && s->n == 0;
}

bool slot_is_idle(const struct slot *s)
{
	return slot_is_empty(s) && !s->tainted;
}

bool slot_may_look_ahead(const struct slot *s)
{
	return s->n > 0 && s->n < SLOT_DEPTH && !s->eof && !s->recycling && s->killed[0] == '\0' && !s->tainted && !s->alone;
}

bool flight_is_started(const struct slot *s, const struct flight *f)
{
	return f->number <= atomic_load(&slot_shm(s)->started);
}

/* Numbers grow by one, but for those that were given back: the place that a number says is the last that it can have. */
struct flight *slot_running(struct slot *s)
{
	uint32_t started = atomic_load(&slot_shm(s)->started);
	if (s->n == 0 || started < s->flights[0].number)
		return NULL;
	uint32_t place = started - s->flights[0].number;
	int i = place < (uint32_t)s->n ? (int)place : s->n - 1;
	while (s->flights[i].number > started)
		i--;
	return &s->flights[i];
}

/* ---- sending */

void slot_put(struct slot *s, struct line *line, const struct kind *k, const struct job *j, int64_t now_ms)
{
	if (s->flights + s->n == s->room + ARRAY_LEN(s->room)) {
		memmove(s->room, s->flights, (size_t)s->n * sizeof(s->room[0]));
		s->flights = s->room;
	}
	struct flight *f = &s->flights[s->n++];
	memset(f, 0, sizeof(*f));
	f->number = ++s->last_number;
	f->slot = s->index;
	f->fence = j->fence;
	f->kind = k;
	f->line = line;
	f->quarantined = j->quarantined;
	f->time_limit_ms = j->time_limit_ms;
	f->hard_limit_ms = j->hard_limit_ms;
	s->tainted = s->tainted || j->quarantined;
	s->alone = false;
	f->sent_ms = f->renewed_ms = now_ms;
	memcpy(f->id, j->id, sizeof(f->id));
	s->line = line;
	/* One order a frame at worst 256 KiB of parameters, and those are far from usual. */
	size_t start = frame_begin(&s->out, FRAME_ORDERS);
	order_put(&s->out, f->number, j);
	frame_end(&s->out, start);
}

void slot_send(struct slot *s)
{
	size_t at = 0;
	while (s->fd >= 0 && at < s->out.len) {
		ssize_t n = send(s->fd, s->out.data + at, s->out.len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* full: the rest goes when it can be written; gone: the slot's end will be seen */
		at += (size_t)n;
	}
	memmove(s->out.data, s->out.data + at, s->out.len - at);
	s->out.len -= at;
}

/* ---- what comes back */

static void flights_drop(struct slot *s, int from, int count)
{
	if (from == 0)
		s->flights += count;
	else
		memmove(&s->flights[from], &s->flights[from + count], (size_t)(s->n - from - count) * sizeof(s->flights[0]));
	s->n -= count;
	if (s->n == 0) {
		s->line = NULL;
		s->flights = s->room;
	}
}

static void slot_distrust(struct slot *s)
{
	slot_kill(s, "it sent nonsense to its dispatcher: its memory is broken");
}

/* True: the frame was sound. */
static bool answers_take(struct slots *all, struct slot *s, struct cursor *items)
{
	struct answer a;
	int got;
	while ((got = answer_next(items, &a)) == 1) {
		if (s->n == 0 || s->flights[0].number != a.number || !str_eq(s->flights[0].id, a.id))
			return false;
		struct flight f = s->flights[0];
		flights_drop(s, 0, 1);
		s->jobs++;
		all->ended(all->user, &f, BACK_ANSWER, &a, NULL);
	}
	return got == 0;
}

/* Only the job that runs can speak: the first, since jobs end in the order in which they were sent. */
static bool remarks_take(struct slots *all, struct slot *s, struct cursor *items)
{
	uint32_t number;
	const char *text;
	int got;
	while ((got = remark_next(items, &number, &text)) == 1) {
		if (s->n == 0 || s->flights[0].number != number)
			return false;
		all->said(all->user, &s->flights[0], text);
	}
	return got == 0;
}

static bool frame_take(struct slots *all, struct slot *s, enum frame_type type, struct cursor *items)
{
	switch (type) {
	case FRAME_ANSWERS:
		return answers_take(all, s, items);
	case FRAME_REMARKS:
		return remarks_take(all, s, items);
	case FRAME_ORDERS:
		break;
	}
	return false;
}

static void frames_take(struct slots *all, struct slot *s)
{
	size_t used = 0;
	for (;;) {
		enum frame_type type;
		struct cursor items;
		size_t size;
		int got = frame_find(s->in.data + used, s->in.len - used, &type, &items, &size);
		if (got == 0)
			break;
		if (got < 0 || !frame_take(all, s, type, &items)) {
			slot_distrust(s);
			buf_clear(&s->in);
			return;
		}
		used += size;
	}
	memmove(s->in.data, s->in.data + used, s->in.len - used);
	s->in.len -= used;
}

void slot_read(struct slots *all, struct slot *s)
{
	char block[32 * 1024];
	s->readable = false;
	while (s->fd >= 0 && !s->eof) {
		ssize_t n = recv(s->fd, block, sizeof(block), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0) {
			s->eof = true;
			break;
		}
		buf_add(&s->in, block, (size_t)n);
		if ((size_t)n < sizeof(block))
			break;
	}
	if (s->in.len > 0)
		frames_take(all, s);
}

int slot_give_back(struct slots *all, struct slot *s)
{
	if (s->n == 0)
		return 0;
	uint32_t started = shm_revoke(slot_shm(s), s->last_number);
	int keep = 0;
	while (keep < s->n && s->flights[keep].number <= started)
		keep++;
	int count = s->n - keep;
	struct flight back[SLOT_DEPTH];
	memcpy(back, &s->flights[keep], (size_t)count * sizeof(back[0]));
	flights_drop(s, keep, count);
	for (int i = 0; i < count; i++)
		all->ended(all->user, &back[i], BACK_UNSTARTED, NULL, NULL);
	return count;
}

/* ---- ends */

void slot_kill(struct slot *s, const char *why)
{
	if (s->pid <= 0 || s->killed[0] != '\0')
		return;
	snprintf(s->killed, sizeof(s->killed), "%s", why);
	kill(-s->pid, SIGKILL); /* its group: what the job may have started dies too */
	kill(s->pid, SIGKILL);
}

void slot_recycle(struct slot *s)
{
	if (!slot_is_empty(s))
		return;
	s->recycling = true;
	shutdown(s->fd, SHUT_WR);
}

/* The last job that was started is to blame; those before it ran, but their answers are lost, so they run again uncounted. */
static void slot_settle(struct slots *all, struct slot *s, const char *why)
{
	uint32_t started = atomic_load(&slot_shm(s)->started);
	struct flight back[SLOT_DEPTH];
	int n = s->n, blamed = -1;
	memcpy(back, s->flights, (size_t)n * sizeof(back[0]));
	flights_drop(s, 0, n);
	for (int i = 0; i < n; i++)
		if (back[i].number <= started)
			blamed = i;
	for (int i = 0; i < n; i++)
		all->ended(all->user, &back[i], i == blamed ? BACK_CRASHED : BACK_UNSTARTED, NULL, why);
}

static void slot_reaped(struct slots *all, struct slot *s, int status, int64_t now_ms)
{
	char why[200];
	child_reason(why, sizeof(why), status);
	HISTORY("dead", NULL, 0, s->pid);
	if (s->killed[0] != '\0')
		snprintf(why, sizeof(why), "killed: %s", s->killed);
	kill(-s->pid, SIGKILL); /* nothing that a job started outlives its slot */
	slot_read(all, s);      /* answers that it sent before it died count */
	bool unborn = s->jobs == 0 && now_ms - s->born_ms < YOUNG_MS && (s->n == 0 || !flight_is_started(s, &s->flights[0]));
	if (!s->recycling && s->killed[0] == '\0')
		log_warn("slot %d (process %d) died: %s", s->index, (int)s->pid, why);
	if (!s->recycling)
		atomic_fetch_add(&all->shm->stats.slot_deaths, 1);
	slot_settle(all, s, why);
	slot_hang_up(s);
	s->pid = 0;
	s->killed[0] = '\0';
	s->doubtful = unborn;
	s->again_ms = unborn ? now_ms + YOUNG_MS : 0;
}

bool slots_reaped(struct slots *all, pid_t pid, int status, int64_t now_ms)
{
	for (int i = 0; i < all->n; i++)
		if (all->all[i].pid == pid) {
			slot_reaped(all, &all->all[i], status, now_ms);
			return true;
		}
	return false;
}
