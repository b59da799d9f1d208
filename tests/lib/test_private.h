/* test_private.h -- what the files behind test.h share. */
#ifndef TESTS_LIB_TEST_PRIVATE_H
#define TESTS_LIB_TEST_PRIVATE_H

const char *test_redis_server(void); /* the program */
void test_stop_all(void);            /* kill -9 every program that this process spawned and that still runs */

#endif
