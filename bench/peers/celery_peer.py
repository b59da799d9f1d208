# celery_peer.py -- Celery: the app, and its client when run as a program.
import os

from celery import Celery

import peer

app = Celery("celery_peer", broker=os.environ["BROKER"])
app.conf.task_ignore_result = True
app.conf.task_acks_late = os.environ.get("DURABLE") == "1"


@app.task
def noop(payload):
    pass


@app.task
def stamp(sent_ns):
    peer.stamp_run(sent_ns)


@app.task
def hold(number):
    peer.hold_run(number)


@app.task
def chaos(number):
    peer.chaos_run(number)


if __name__ == "__main__":
    peer.client_main(noop.delay, stamp.delay, hold.delay, chaos.delay)
