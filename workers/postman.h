/* postman.h -- the process that carries word of ended jobs to jobs of other queues that wait for them, and moves schedules when
 * the number of shards has changed. */
#ifndef WORKERS_POSTMAN_H
#define WORKERS_POSTMAN_H

int postman_main(void *helper_setup, int fd);

#endif
