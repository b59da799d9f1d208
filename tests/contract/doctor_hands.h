/* doctor_hands.h -- what a test of the doctor does by hand: harm what stands in Redis, look, mend, look again. */
#ifndef TESTS_CONTRACT_DOCTOR_HANDS_H
#define TESTS_CONTRACT_DOCTOR_HANDS_H

#include "queue/doctor.h"
#include "tests/contract/queue_hands.h"

#define LOOK_MS 20

static inline void say(const char *command)
{
	char answer[256];

	ck_assert_msg(test_redis_say(test_redis_own("no")->port, command, answer, sizeof(answer)), "%s", command);
	ck_assert_msg(answer[0] != '-', "%s: %s", command, answer);
}

static inline struct queue_look examine(struct queue *q)
{
	struct queue_look l = {.queue = Q};
	struct err e = {0};

	ck_ok(queue_examine(q, (struct queue_look *[]){&l}, 1, &(struct queue_look_bounds){.pause_ms = LOOK_MS}, &e), &e);
	return l;
}

static inline void check_clean(struct queue *q, const char *after)
{
	struct queue_look l = examine(q);
	struct queue_audit a;
	struct err e = {0};

	ck_assert_msg(l.total == 0, "after %s: %s", after, l.n ? l.findings[0].text : "?");
	ck_assert_msg(!l.moved, "nothing moved");
	queue_look_close(&l);
	ck_assert_msg(queue_audit(q, Q, &a, &e) == 1, "after %s: %s%s", after, a.problem, e.text);
}

static inline bool has_finding(const struct queue_look *l, enum queue_fault fault, const char *words)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->findings[i].fault == fault && strstr(l->findings[i].text, words))
			return true;
	return false;
}

/* Twice: looking mends nothing. */
static inline void check_found(struct queue *q, enum queue_fault fault, const char *words, const char *after)
{
	for (int round = 0; round < 2; round++) {
		struct queue_look l = examine(q);

		ck_assert_msg(has_finding(&l, fault, words), "%s: %lld findings, first: %s", after, (long long)l.total,
		        l.n ? l.findings[0].text : "none");
		queue_look_close(&l);
	}
}

/* Everything, in the rounds that this takes. Returns how much, and in why (NULL: nobody asks) why something last was not. */
static inline int mend_all_or(struct queue *q, char why_out[200])
{
	int mended = 0;

	for (int round = 0; round < QUEUE_MEND_ROUNDS; round++) {
		struct queue_look l = examine(q);

		for (size_t i = 0; i < l.n; i++) {
			char why[200];
			struct err e = {0};
			bool now = queue_fault_round(l.findings[i].fault) == round;
			int got = now ? queue_mend(q, Q, &l.findings[i], true, why, &e) : 0;

			ck_assert_msg(got >= 0, "%s: %s", l.findings[i].text, e.text);
			mended += got;
			if (now && why_out && *why)
				memcpy(why_out, why, sizeof(why));
		}
		queue_look_close(&l);
	}
	return mended;
}

static inline int mend_all(struct queue *q)
{
	return mend_all_or(q, NULL);
}

#endif
