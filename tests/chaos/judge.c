/* judge.c -- the checker as a program: judge HISTORY ROW FAULT prints and keeps the row's line, for histories that others wrote. */
#include "base/str.h"
#include "tests/chaos/rig.h"

static bool read_all(const char *path, struct buf *out)
{
	char block[65536];
	size_t n;
	FILE *f = fopen(path, "re");
	while (f != NULL && (n = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(out, block, n);
	return f != NULL && fclose(f) == 0 && out->len > 0;
}

int main(int argc, char **argv)
{
	struct chaos_verdict v;
	struct buf text = {0};
	if (argc != 4) {
		fprintf(stderr, "judge HISTORY ROW FAULT\n");
		return 2;
	}
	bool ok = read_all(argv[1], &text);
	if (ok)
		chaos_check(text.data, text.len, &v);
	ok = ok && v.attempted > 0 && v.nonsense == 0;
	if (!ok)
		fprintf(stderr, "%s is no history of jobs\n", argv[1]);
	ok = ok && chaos_report(argv[2], argv[3], &v, v.lost == 0 ? "nothing lost" : "LOST", "");
	buf_close(&text);
	return ok ? 0 : 1;
}
