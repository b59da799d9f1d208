/* test_private.h -- what the files behind test.h share. */
#ifndef TESTS_LIB_TEST_PRIVATE_H
#define TESTS_LIB_TEST_PRIVATE_H

void test_stop_all(void); /* kill -9 every program that this process spawned and that still runs */

#endif
