/* test_doctor.c -- `barque doctor` against a whole Barque: what it prints, what it mends, and its exit codes. */
#include <string.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "base/str.h"
#include "tests/lib/system.h"

#define RUN_MS 60000

/* Run `barque ARGS...`: it must exit with this code, and print this. url: NULL for the system's own. */
static void barque(struct test_system *s, const char *url, int code, const char *part, const char *const *args)
{
	static int number;
	char name[32], path[600], env_url[64];
	const char *argv[16] = {test_program("barque")}, *env[] = {env_url, NULL};
	int status = 0;
	size_t n = 1;
	snprintf(name, sizeof(name), "cli-%d", number++);
	if (url)
		snprintf(env_url, sizeof(env_url), "BARQUE_URL=%s", url);
	else
		snprintf(env_url, sizeof(env_url), "BARQUE_URL=http://127.0.0.1:%d", s->api_port);
	for (; *args; args++)
		argv[n++] = *args;
	pid_t pid = test_spawn(name, argv, env);
	ck_assert_msg(test_wait(pid, RUN_MS, &status), "barque %s did not end in time", argv[1]);
	snprintf(path, sizeof(path), "%s/%s.log", test_dir(), name);
	char *out = test_read_file(path, NULL);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code && strstr(out, part), "status %x, and '%s' is not in: %s",
	        (unsigned)status, part, out);
	mem_free(&out);
}
#define EXPECT(s, code, part, ...) barque(s, NULL, code, part, (const char *const[]){__VA_ARGS__, NULL})

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
	EXPECT(&s, 0, "all is well: ", "doctor");
	json_close(&j);
	j = test_system_call(&s, "POST", "/api/queues/default/pause", NULL, 200);
	json_close(&j);
	test_system_submit(&s, "noop", "{}", id);
	EXPECT(&s, 0, "in 1 queue, looked at in", "doctor", "default");
	say(&s, "LREM {bq:default:0}:r:noop/1:5 0", id);
	say(&s, "HINCRBY {bq:default:0}:n run 3", NULL);
	EXPECT(&s, 1, "stands nowhere", "doctor");
	EXPECT(&s, 1, "2 findings: ", "doctor", "default");
	EXPECT(&s, 1, "--mend mends what can be mended", "doctor");
	EXPECT(&s, 1, "\"fault\":\"counter\"", "doctor", "--json");
	EXPECT(&s, 0, "Mended:", "doctor", "default", "--mend");
	EXPECT(&s, 0, "\"sound\":true", "doctor", "--json");
	j = test_system_call(&s, "POST", "/api/queues/default/resume", NULL, 200);
	json_close(&j);
	j = test_system_wait(&s, id, 20000); /* what was lost runs */
	json_close(&j);
	EXPECT(&s, 2, "there is no queue 'nosuch'", "doctor", "nosuch");
	EXPECT(&s, 2, "--force belongs to --mend", "doctor", "--force");
	char nobody[64];
	snprintf(nobody, sizeof(nobody), "http://127.0.0.1:%d", test_port());
	barque(&s, nobody, 2, "no Barque API answers", (const char *const[]){"doctor", NULL});
	test_system_stop(&s);
}
END_TEST

static const TTest *const tests[] = {the_doctor_speaks};
TEST_MAIN("doctor", tests)
