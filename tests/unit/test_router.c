/* test_router.c -- the router against tables of its own: methods, names, literals, hostile paths. */
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

/* Programs are not part of the library; the router is pure, so the test takes it in whole. */
#include "api/router.c"

static void nothing(struct call *c)
{
	UNUSED(c);
}

static const struct route table[] = {
        {"GET", "/", nothing, "root"},
        {"GET", "/api/jobs", nothing, "list"},
        {"POST", "/api/jobs", nothing, "submit"},
        {"GET", "/api/jobs/{id}", nothing, "show"},
        {"DELETE", "/api/jobs/{id}", nothing, "cancel"},
        {"GET", "/api/jobs/recent", nothing, "recent"},
        {"GET", "/api/kline/{interval}/{symbol}", nothing, "kline"},
        {"PUT", "/only/put", nothing, "put"},
};

static enum route_found find(const char *method, const char *path, const struct route **route, struct route_match *m, char allow[64])
{
	return route_find(table, ARRAY_LEN(table), method, path, route, m, allow);
}

static const char *title(const char *method, const char *path)
{
	const struct route *route;
	struct route_match m;
	char allow[64];

	return find(method, path, &route, &m, allow) == ROUTE_FOUND ? route->title : NULL;
}

START_TEST(finds_by_method_and_path)
{
	ck_assert_str_eq(title("GET", "/"), "root");
	ck_assert_str_eq(title("GET", "/api/jobs"), "list");
	ck_assert_str_eq(title("POST", "/api/jobs"), "submit");
	ck_assert_str_eq(title("GET", "/api/jobs/kline-1"), "show");
	ck_assert_str_eq(title("DELETE", "/api/jobs/kline-1"), "cancel");
}
END_TEST

START_TEST(head_is_answered_by_get)
{
	ck_assert_str_eq(title("HEAD", "/api/jobs"), "list");
	ck_assert_ptr_null(title("HEAD", "/only/put"));
}
END_TEST

START_TEST(literals_win_over_names)
{
	ck_assert_str_eq(title("GET", "/api/jobs/recent"), "recent");
	ck_assert_str_eq(title("GET", "/api/jobs/recent2"), "show");
	ck_assert_str_eq(title("DELETE", "/api/jobs/recent"), "cancel");
}
END_TEST

START_TEST(names_take_their_parts)
{
	const struct route *route;
	struct route_match m;
	char allow[64];

	ck_assert_int_eq(find("GET", "/api/kline/1d/BTCUSDT", &route, &m, allow), ROUTE_FOUND);
	ck_assert_uint_eq(m.n, 2);
	ck_assert_uint_eq(m.parts[0].name_len, strlen("interval"));
	ck_assert_int_eq(memcmp(m.parts[0].name, "interval", 8), 0);
	ck_assert_uint_eq(m.parts[0].value_len, 2);
	ck_assert_int_eq(memcmp(m.parts[0].value, "1d", 2), 0);
	ck_assert_str_eq(m.parts[1].value, "BTCUSDT");
}
END_TEST

START_TEST(unknown_paths_are_not_found)
{
	static const char *const paths[] = {"", "x", "//", "/api", "/api/", "/api/jobs/", "/api/jobs//", "/api/jobs/a/b", "/API/jobs",
	        "/api/jobsx", "/api/kline/1d", "/api/kline/1d/", "/api/kline//BTCUSDT", "/api/kline/1d/BTC/USDT", "/{id}", "api/jobs"};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const struct route *route;
		struct route_match m;
		char allow[64];

		ck_assert_msg(find("GET", paths[i], &route, &m, allow) == ROUTE_NOT_FOUND, "'%s' was found", paths[i]);
		ck_assert_ptr_null(route);
		ck_assert_str_eq(allow, "");
	}
}
END_TEST

START_TEST(other_methods_are_told_what_is_allowed)
{
	const struct route *route;
	struct route_match m;
	char allow[64];

	ck_assert_int_eq(find("PATCH", "/api/jobs", &route, &m, allow), ROUTE_NOT_ALLOWED);
	ck_assert_str_eq(allow, "GET, HEAD, POST");
	ck_assert_int_eq(find("get", "/api/jobs", &route, &m, allow), ROUTE_NOT_ALLOWED);
	ck_assert_int_eq(find("OPTIONS", "/only/put", &route, &m, allow), ROUTE_NOT_ALLOWED);
	ck_assert_str_eq(allow, "PUT");
}
END_TEST

START_TEST(long_parts_are_taken_whole)
{
	size_t len = 100000;
	char *path = malloc(len + 32);
	const struct route *route;
	struct route_match m;
	char allow[64];

	ck_assert_ptr_nonnull(path);
	memcpy(path, "/api/jobs/", 11);
	memset(path + 10, 'x', len);
	path[10 + len] = '\0';
	ck_assert_int_eq(find("GET", path, &route, &m, allow), ROUTE_FOUND);
	ck_assert_uint_eq(m.parts[0].value_len, len);
	free(path);
}
END_TEST

START_TEST(many_names_are_refused_not_overrun)
{
	static const struct route deep[] = {{"GET", "/{a}/{b}/{c}/{d}/{e}", nothing, "five"}};
	const struct route *route;
	struct route_match m;
	char allow[64];

	ck_assert_int_eq(route_find(deep, 1, "GET", "/1/2/3/4/5", &route, &m, allow), ROUTE_NOT_FOUND);
}
END_TEST

static const TTest *const tests[] = {finds_by_method_and_path, head_is_answered_by_get, literals_win_over_names, names_take_their_parts,
        unknown_paths_are_not_found, other_methods_are_told_what_is_allowed, long_parts_are_taken_whole,
        many_names_are_refused_not_overrun};
TEST_MAIN("router", tests)
