/* courier.h -- the process that carries events: the outbox to Kafka, and changes of K-lines from Kafka to this host's cache. */
#ifndef WORKERS_COURIER_H
#define WORKERS_COURIER_H

/* arg: struct helper_setup. Ends on SIGTERM, after a last turn. */
int courier_main(void *arg, int fd);

#endif
