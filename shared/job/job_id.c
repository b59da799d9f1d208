/* job_id.c -- job ids: they carry queue and shard, sort by time, and cannot be guessed into each other. */
#include <stdio.h>
#include <string.h>

#include "job/job.h"

#include "base/str.h"

#define TAIL_TIME    10 /* base32 digits of the time in ms: enough until the year 37648 */
#define TAIL_CHANCE  10
#define TAIL         (TAIL_TIME + TAIL_CHANCE)
#define SHARD_DIGITS 3

/* Ascending in ASCII, so that ids sort by time; without i, l, o, u, which people misread. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

static bool name_ok(const char *name, const char *also)
{
	if (!str_is_name(name, JOB_NAME - 1, also))
		return false;
	for (const char *s = name; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			return false;
	return true;
}

bool job_name_ok(const char *name)
{
	return name && name_ok(name, "._");
}

bool job_queue_ok(const char *name)
{
	return name && name_ok(name, "_");
}

static void put_digits(char *out, int n, uint64_t v)
{
	for (int i = n - 1; i >= 0; i--, v >>= 5)
		out[i] = digits[v & 31];
}

void job_id_make(char out[JOB_ID], const char *queue, int shard, int64_t now_ms, uint64_t chance)
{
	int n = snprintf(out, JOB_ID - TAIL, "%s-%d", queue, shard);

	put_digits(out + n, TAIL_TIME, (uint64_t)now_ms);
	put_digits(out + n + TAIL_TIME, TAIL_CHANCE, chance);
	out[n + TAIL] = '\0';
}

bool job_id_tail_ok(const char *tail)
{
	static const char is_digit[256] = {['0'] = 1,
	        ['1'] = 1,
	        ['2'] = 1,
	        ['3'] = 1,
	        ['4'] = 1,
	        ['5'] = 1,
	        ['6'] = 1,
	        ['7'] = 1,
	        ['8'] = 1,
	        ['9'] = 1,
	        ['a'] = 1,
	        ['b'] = 1,
	        ['c'] = 1,
	        ['d'] = 1,
	        ['e'] = 1,
	        ['f'] = 1,
	        ['g'] = 1,
	        ['h'] = 1,
	        ['j'] = 1,
	        ['k'] = 1,
	        ['m'] = 1,
	        ['n'] = 1,
	        ['p'] = 1,
	        ['q'] = 1,
	        ['r'] = 1,
	        ['s'] = 1,
	        ['t'] = 1,
	        ['v'] = 1,
	        ['w'] = 1,
	        ['x'] = 1,
	        ['y'] = 1,
	        ['z'] = 1};

	for (int i = 0; i < TAIL; i++)
		if (!is_digit[(unsigned char)tail[i]])
			return false;
	return true;
}

int64_t job_id_time(const char *tail)
{
	int64_t ms = 0;

	for (int i = 0; i < TAIL_TIME; i++)
		ms = ms * 32 + (strchr(digits, tail[i]) - digits);
	return ms;
}

bool job_id_parse(const char *id, char queue_out[JOB_NAME], int *shard_out)
{
	const char *dash = id ? strchr(id, '-') : NULL;
	size_t rest = dash ? strlen(dash + 1) : 0;
	size_t shard_len = rest > TAIL ? rest - TAIL : 0;
	char shard[SHARD_DIGITS + 1];
	int64_t n;

	if (shard_len < 1 || shard_len > SHARD_DIGITS || !str_copy_n(queue_out, JOB_NAME, id, (size_t)(dash - id)))
		return false;
	if (!job_queue_ok(queue_out) || !job_id_tail_ok(dash + 1 + shard_len))
		return false;
	if (!str_copy_n(shard, sizeof(shard), dash + 1, shard_len) || shard[0] == '-' || (shard[0] == '0' && shard[1]))
		return false;
	if (!str_int(shard, 0, 999, &n))
		return false;
	*shard_out = (int)n;
	return true;
}
