# dramatiq_peer.py -- Dramatiq: broker and actors, and its client when run as a program.
import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

import peer

dramatiq.set_broker(RedisBroker(url=os.environ["BROKER"]))


@dramatiq.actor
def noop(payload):
    pass


@dramatiq.actor
def stamp(sent_ns):
    peer.stamp_run(sent_ns)


@dramatiq.actor(time_limit=7200000)
def hold(number):
    peer.hold_run(number)


@dramatiq.actor
def chaos(number):
    peer.chaos_run(number)


if __name__ == "__main__":
    peer.client_main(noop.send, stamp.send, hold.send, chaos.send)
