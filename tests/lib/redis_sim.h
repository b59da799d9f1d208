/* redis_sim.h -- a server that runs the real function library on a model of Redis (tests/sim/redis.lua), with a clock that the test moves.
 *
 * It is a child process of the test and speaks RESP on a port of 127.0.0.1, so that the product's own driver talks to it. Nothing in it takes
 * time or chance from outside: the same calls give the same answers.
 */
#ifndef TESTS_LIB_REDIS_SIM_H
#define TESTS_LIB_REDIS_SIM_H

#include <stdint.h>
#include <sys/types.h>

struct redis_sim {
	pid_t pid;
	int port;
	int control; /* a connection of the test's own */
	char url[64];
};

void redis_sim_start(struct redis_sim *s);
void redis_sim_stop(struct redis_sim *s);
void redis_sim_pass(struct redis_sim *s, int64_t ms); /* time passes */
/* The n-th function call from now (1: the next) loses its connection: before it is done, or after it, so that its answer is lost. */
void redis_sim_cut(struct redis_sim *s, int n, int after);
int64_t redis_sim_fields(struct redis_sim *s, const char *key); /* how many a hash has */

#endif
