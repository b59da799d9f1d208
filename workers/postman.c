/* postman.c -- takes what lies in the outboxes of this worker's queues, tells it, drops it; it may die between any two of these. Beside that
 * it brings schedules to where they belong when the number of shards has changed. */
#include "workers/postman.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "queue/flow.h"
#include "workers/child.h"
#include "workers/helpers.h"

#define WAIT_MS      500 /* what another postman took and did not drop is found at the latest then */
#define TIDY_MS      3000
#define PATIENCE_MS  200
#define PATIENCE_MAX 5000

static struct queue_mail *mail_open(const struct settings *s, struct err *e)
{
	const char *queues[QUEUES_MAX], *space = setting_text(s, WORKER_NAMESPACE);
	struct queue_options options = {.namespace_ = *space != '\0' ? space : NULL};
	for (size_t i = 0; i < s->n_queues; i++)
		queues[i] = s->queues[i];
	return queue_mail_open(setting_text(s, QUEUE_URL), &options, queues, s->n_queues, e);
}

/* One round. How much was carried, -1: failed. */
static int carry(struct queue_mail *m, struct err *e)
{
	int n = queue_mail_take(m, e);
	if (n <= 0)
		return n;
	FAILPOINT("mail_before_tell");
	if (!queue_mail_tell(m, e))
		return -1;
	FAILPOINT("mail_before_drop");
	return queue_mail_drop(m, e) ? n : -1;
}

/* Carry all there is, then wait for more. */
static bool turn(struct queue_mail *m, struct err *e)
{
	int n;
	while ((n = carry(m, e)) > 0)
		if (child_asked_to_end())
			return true;
	return n == 0 && queue_mail_wait(m, WAIT_MS, e);
}

/* What is not done now is done later. */
static void tidy(struct queue_mail *m, int64_t *next_ms, bool *said)
{
	struct err e;
	if (clock_mono_ms() < *next_ms)
		return;
	bool ok = queue_mail_tidy(m, &e);
	if (!ok && !*said)
		log_warn("not all schedules are in the shards where they belong, and are moved until they are: %s", e.text);
	*said = !ok;
	*next_ms = clock_mono_ms() + TIDY_MS;
}

int postman_main(void *arg, int fd)
{
	const struct helper_setup *setup = arg;
	struct queue_mail *m = NULL;
	int64_t pause = 0, tidy_ms = 0;
	bool said = false;
	struct err e;
	UNUSED(fd);
	while (!child_asked_to_end()) {
		if (m == NULL)
			m = mail_open(setup->settings, &e);
		if (m != NULL && turn(m, &e)) {
			if (pause > 0)
				log_info("word is carried between queues again");
			pause = 0;
			tidy(m, &tidy_ms, &said);
			continue;
		}
		if (pause == 0)
			log_warn("word is not carried between queues: %s", e.text);
		pause = pause * 2 < PATIENCE_MS ? PATIENCE_MS : pause * 2 > PATIENCE_MAX ? PATIENCE_MAX : pause * 2;
		clock_sleep_ms(pause);
	}
	queue_mail_close(&m);
	return 0;
}
