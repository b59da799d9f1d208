/* test_doctor.c -- `barque doctor` against a whole Barque: what it prints, what it mends, and its exit codes. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tests/lib/system.h"

/* id: the last argument, or NULL. */
static void say(struct test_system *s, const char *command, const char *id)
{
	char line[200], answer[64];
	snprintf(line, sizeof(line), "%s %s", command, id ? id + strlen(id) - 20 : "");
	ck_assert(test_redis_say(s->redis.port, line, answer, sizeof(answer)));
	ck_assert_msg(answer[0] == ':', "%s: %s", line, answer);
}

START_TEST(the_doctor_speaks)
{
	struct test_system s;
	char id[48], done[48];
	test_system_start(&s, (const char *const[]){"--seed", "7", "--symbols", "BTCUSDT", NULL}, 1);
	test_system_submit(&s, "noop", "{}", done);
	struct json *j = test_system_wait(&s, done, 20000);
	json_close(&j);
	BARQUE_SAYS(&s, 0, "all is well: ", "doctor");
	json_close(&j);
	j = test_system_call(&s, "POST", "/api/queues/default/pause", NULL, 200);
	json_close(&j);
	test_system_submit(&s, "noop", "{}", id);
	BARQUE_SAYS(&s, 0, "in 1 queue, looked at in", "doctor", "default");
	say(&s, "LREM {bq:default:0}:r:noop/1:5 0", id);
	say(&s, "HINCRBY {bq:default:0}:n run 3", NULL);
	BARQUE_SAYS(&s, 1, "stands nowhere", "doctor");
	BARQUE_SAYS(&s, 1, "2 findings: ", "doctor", "default");
	BARQUE_SAYS(&s, 1, "--mend mends what can be mended", "doctor");
	BARQUE_SAYS(&s, 1, "\"fault\":\"counter\"", "doctor", "--json");
	BARQUE_SAYS(&s, 0, "Mended:", "doctor", "default", "--mend");
	BARQUE_SAYS(&s, 0, "\"sound\":true", "doctor", "--json");
	j = test_system_call(&s, "POST", "/api/queues/default/resume", NULL, 200);
	json_close(&j);
	j = test_system_wait(&s, id, 20000); /* what was lost runs */
	json_close(&j);
	BARQUE_SAYS(&s, 2, "there is no queue 'nosuch'", "doctor", "nosuch");
	BARQUE_SAYS(&s, 2, "--force belongs to --mend", "doctor", "--force");
	BARQUE_SAYS(NULL, 2, "no Barque API answers", "doctor");
	test_system_stop(&s);
}
END_TEST

static const TTest *const tests[] = {the_doctor_speaks};
TEST_MAIN("doctor", tests)
