/* test_worker_queues.c -- one worker, two queues that have more to do than it can: who holds how many slots, by weight and in strict order. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/flow/worker_rig.h"
#include "tests/lib/counts.h"

#define SLOTS   4
#define NOOPS   120 /* of 100 ms: three seconds for all slots, twelve for one */
#define SAMPLES 60

/* An exchange that takes calls and never answers: what downloads from it holds its slot. */
static int silent_exchange(int *port_out)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 64) == 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port_out = ntohs(a.sin_port);
	return fd;
}

static struct queue_counts counts_of(struct rig *r, const char *queue)
{
	struct queue_counts c[8], none = {.ready = 0};
	int got = test_counts(r->queue, c, ARRAY_LEN(c), &r->e);
	ck_assert_msg(got >= 0, "%s", r->e.text);
	for (int i = 0; i < got; i++)
		if (str_eq(c[i].queue, queue))
			return c[i];
	return none;
}

struct wait {
	struct rig *r;
	const char *queue;
	int64_t running;
};

static bool so_many_run(void *user)
{
	const struct wait *w = user;
	return counts_of(w->r, w->queue).running >= w->running;
}

static void wait_running(struct rig *r, const char *queue, int64_t n)
{
	struct wait w = {r, queue, n};
	ck_assert_msg(test_until(60000, so_many_run, &w), "%s: %lld jobs run, not %lld", queue, (long long)counts_of(r, queue).running,
	        (long long)n);
}

/* A worker that has its hands full with noops; then downloads come, which never end. */
static int fill(struct rig *r, const char *queues, const char *order)
{
	char exchange[64], id[JOB_ID];
	int port, fd = silent_exchange(&port);
	snprintf(exchange, sizeof(exchange), "EXCHANGE_URL=http://127.0.0.1:%d", port);
	rig_open(r, "no");
	for (int i = 0; i < NOOPS; i++)
		rig_submit(r, id, "{\"sleep_ms\":100}");
	rig_worker(r, 0, (const char *[]){queues, order, exchange, "WORKER_SLOTS=4", NULL});
	wait_running(r, "default", SLOTS);
	for (int i = 0; i < 2 * SLOTS; i++)
		rig_submit_kind(r, id, "kline.download", "kline", "{\"symbols\":[\"AAAUSDT\"],\"limit\":10}");
	return fd;
}

/* The slots that downloads hold, on average, while noops are waiting. */
static double downloads_held(struct rig *r)
{
	double sum = 0;
	int n = 0;
	for (; n < SAMPLES && counts_of(r, "default").ready > 0; n++, clock_sleep_ms(20))
		sum += (double)counts_of(r, "kline").running;
	ck_assert_msg(n > SAMPLES / 4, "the noops were over after %d looks: this proves nothing", n);
	return sum / n;
}

static void shares_are(const char *queues, int of_kline)
{
	struct rig r;
	int fd = fill(&r, queues, "WORKER_ORDER=weighted");
	wait_running(&r, "kline", of_kline);
	double held = downloads_held(&r);
	ck_assert_msg(held > of_kline - 0.5 && held < of_kline + 0.5, "%s: downloads hold %.2f of %d slots", queues, held, SLOTS);
	rig_close(&r);
	close(fd);
}

START_TEST(weights_share_the_slots)
{
	shares_are("WORKER_QUEUES=default:3,kline:1", 1);
	shares_are("WORKER_QUEUES=default:1,kline:3", 3);
}
END_TEST

START_TEST(strict_order_lets_the_second_wait)
{
	struct rig r;
	int fd = fill(&r, "WORKER_QUEUES=default,kline", "WORKER_ORDER=strict");
	double held = downloads_held(&r);
	ck_assert_msg(held < 0.2, "downloads hold %.2f slots, though noops are waiting", held);
	wait_running(&r, "kline", SLOTS); /* what the first leaves */
	rig_close(&r);
	close(fd);
}
END_TEST

static const TTest *const tests[] = {weights_share_the_slots, strict_order_lets_the_second_wait};
TEST_MAIN("worker_queues", tests)
