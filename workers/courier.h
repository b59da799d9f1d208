/* courier.h -- the process that carries: ended jobs to the store, the outbox to Kafka, changes of K-lines from Kafka to this host's cache. */
#ifndef WORKERS_COURIER_H
#define WORKERS_COURIER_H

/* arg: struct helper_setup. Ends on SIGTERM, after a last turn. */
int courier_main(void *arg, int fd);

#endif
