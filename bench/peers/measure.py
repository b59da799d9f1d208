# measure.py -- measure each job system in its usual and in its durable setting; print one table. Started by run.sh.
#
# Every system: n no-op jobs of 200 bytes are enqueued by one client, then its worker is started. A drain is timed from the first end
# that is seen to the last, by looking at the server every 10 ms. Pick-up is what the job itself sees: its start minus the time at which
# the client was about to enqueue it. Recovery: 20 jobs, 4 of them running, kill -9 of all worker processes, a new worker at once.
import collections
import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import redis

HERE = pathlib.Path("bench/peers").absolute()
TO = pathlib.Path("build/peers").absolute()
BARQUE = pathlib.Path(os.environ.get("B", "build/release")).absolute()
RUNS = int(os.environ.get("RUNS", "3"))
PERCENT = int(os.environ.get("JOBS_PERCENT", "100"))
RECOVERY_S = int(os.environ.get("RECOVERY_S", "120"))
PATIENCE_S = 300
MODES = ("usual", "durable")

# slots: how a worker is started with the processes or threads that suit 2 cores, and with 4 for the recovery. jobs: for a drain of some
# seconds, usual and durable. stamps: how many and how far apart in ms; those who poll once a second need patience.
Peer = collections.namedtuple("Peer", "title setting setting_durable client worker worker4 waiting jobs stamps bulk")
PY = str(TO / "py/bin/python")
NODE = ["node", str(HERE / "bullmq_peer.mjs")]
GO = [str(TO / "go/asynq_peer")]
BEANSTALK = [str(TO / "beanstalk_peer")]


def celery_worker(n):
    return [PY, "-m", "celery", "-A", "celery_peer", "worker", "--pool", "prefork", "-c", str(n), "-l", "error"]


def dramatiq_worker(processes, threads):
    return [PY, "-m", "dramatiq", "-p", str(processes), "-t", str(threads), "dramatiq_peer"]


PEERS = {
    "celery": Peer("Celery", "prefork, 2 processes, no results", "+ acks_late", [PY, str(HERE / "celery_peer.py")], celery_worker(2),
                   celery_worker(4), [("llen", "celery"), ("hlen", "unacked")], (6000, 4000), (150, 40), False),
    "dramatiq": Peer("Dramatiq", "2 processes x 8 threads", "", [PY, str(HERE / "dramatiq_peer.py")], dramatiq_worker(2, 8),
                     dramatiq_worker(1, 4), [("hlen", "dramatiq:default.msgs")], (20000, 8000), (60, 150), False),
    "bullmq": Peer("BullMQ", "1 process, concurrency 100, ended jobs removed", "", NODE, NODE + ["worker", "100"], NODE + ["worker", "4"],
                   [("llen", "bull:jobs:wait"), ("llen", "bull:jobs:active")], (60000, 15000), (150, 40), True),
    "asynq": Peer("asynq", "1 process, concurrency 16", "", GO, GO + ["worker", "16"], GO + ["worker", "4"],
                  [("llen", "asynq:{default}:pending"), ("llen", "asynq:{default}:active")], (60000, 15000), (40, 300), False),
    "beanstalkd": Peer("beanstalkd", "4 connections, memory only", "binlog, fsync each (-f 0)", BEANSTALK, BEANSTALK + ["worker", "4"],
                       BEANSTALK + ["worker", "4"], None, (60000, 15000), (150, 40), False),
}


def say(text):
    print("peers:", text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class RedisServer:
    """redis-server with its own defaults, but no snapshots, and the AOF off or always."""

    def __init__(self, folder, durable):
        self.port = free_port()
        aof = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
        self.process = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
                                         "--logfile", "redis.log"] + aof)
        self.redis = redis.Redis(port=self.port)
        wait_for(lambda: can(self.redis.ping, redis.RedisError), 10, "redis-server does not start")

    def cpu(self):
        info = self.redis.info("cpu")
        return info["used_cpu_user"] + info["used_cpu_sys"]

    def memory(self):
        return self.redis.info("memory")["used_memory"]

    def waiting(self, peer):
        pipe = self.redis.pipeline(transaction=False)
        for command, key in peer.waiting:
            getattr(pipe, command)(key)
        return sum(pipe.execute())


class BeanstalkServer:
    def __init__(self, folder, durable):
        self.port = free_port()
        binlog = ["-b", folder, "-f", "0"] if durable else []
        self.process = subprocess.Popen(["beanstalkd", "-l", "127.0.0.1", "-p", str(self.port)] + binlog)
        wait_for(lambda: can(self.connect, OSError), 10, "beanstalkd does not start")

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.stream = self.socket.makefile("rwb")

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        return memory_of(self.process.pid)[0]

    def waiting(self, peer):
        self.stream.write(b"stats\r\n")
        self.stream.flush()
        text = self.stream.read(int(self.stream.readline().split()[1]) + 2).decode()
        stats = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        return int(stats["current-jobs-ready"]) + int(stats["current-jobs-reserved"])


def can(call, errors):
    try:
        call()
        return True
    except errors:
        return False


def wait_for(done, seconds, why):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(why)
        time.sleep(0.01)


def memory_of(pid):
    """RSS and PSS in bytes."""
    sizes = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        sizes[name] = int(value.split()[0]) * 1024
    return sizes["Rss"], sizes["Pss"]


def family(pid):
    """The process and all below it."""
    pids = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


class Bench:
    """One server, one scratch folder, for one measurement of one peer."""

    def __init__(self, name, durable):
        self.peer = PEERS[name]
        self.folder = tempfile.mkdtemp(prefix="barque-peers-")
        self.server = (BeanstalkServer if name == "beanstalkd" else RedisServer)(self.folder, durable)
        self.workers = []
        self.environment = dict(os.environ, BROKER=f"redis://127.0.0.1:{self.server.port}/0", BROKER_PORT=str(self.server.port),
                                SCRATCH=self.folder, DURABLE="1" if durable else "0", PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1",
                                MODULES=str(TO / "node/package.json"), C_FORCE_ROOT="1")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for worker in self.workers:
            self.kill(worker)
        self.server.process.kill()
        self.server.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, *arguments):
        command = self.peer.client + [str(a) for a in arguments]
        return float(subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE, cwd=self.folder).stdout)

    def work(self, command):
        log = open(os.path.join(self.folder, "worker.log"), "ab")
        worker = subprocess.Popen(command, env=self.environment, start_new_session=True, cwd=self.folder, stdout=log, stderr=log)
        self.workers.append(worker)
        return worker

    def kill(self, worker):
        """kill -9 of all processes of a worker."""
        try:
            os.killpg(worker.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        worker.wait()

    def notes(self, name):
        path = pathlib.Path(self.folder, name)
        return path.read_text().split() if path.exists() else []


def drain(name, durable):
    """Enqueue, then drain: rates, server CPU, memory."""
    got = {}
    with Bench(name, durable) as b:
        n = max(100, b.peer.jobs[durable] * PERCENT // 100)
        b.client("enqueue", 10)  # so that what is made once is there
        memory = b.server.memory()
        got["enqueue_one"] = n / b.client("enqueue", n)
        got["bytes"] = (b.server.memory() - memory) / n
        worker = b.work(b.peer.worker)
        end = time.monotonic() + PATIENCE_S
        while (left := b.server.waiting(b.peer)) >= n + 10:
            time.sleep(0.01)
            if time.monotonic() > end:
                raise RuntimeError(f"{name} does not begin to work: " + pathlib.Path(b.folder, "worker.log").read_text()[-500:])
        began, first, cpu = time.monotonic(), left, b.server.cpu()
        wait_for(lambda: b.server.waiting(b.peer) == 0, PATIENCE_S, f"{name} does not drain")
        got["drain"] = first / (time.monotonic() - began)
        got["cpu_us"] = (b.server.cpu() - cpu) * 1e6 / first
        sizes = [memory_of(pid) for pid in family(worker.pid)]
        got["rss_mb"], got["pss_mb"] = (sum(s) / 2**20 for s in zip(*sizes))
    return got


def bulk(name, durable):
    with Bench(name, durable) as b:
        n = max(250, b.peer.jobs[durable] * PERCENT // 100)
        return {"enqueue_bulk": n / b.client("bulk", n)}


def pick_up(name, durable):
    with Bench(name, durable) as b:
        b.work(b.peer.worker)
        b.client("stamp", 5, 1)
        wait_for(lambda: len(b.notes("stamps")) == 5, 30, f"{name} does not begin to work")
        time.sleep(1)
        count, pause = b.peer.stamps
        b.client("stamp", count, pause)
        wait_for(lambda: len(b.notes("stamps")) == count + 5, 30, f"{name} lost a job")
        us = sorted(int(line) / 1000 for line in b.notes("stamps")[5:])
        return {"p50_us": us[len(us) // 2], "p99_us": us[min(len(us) - 1, len(us) * 99 // 100)]}


def recovery(name, durable):
    with Bench(name, durable) as b:
        worker = b.work(b.peer.worker4)
        b.client("hold", 20)
        wait_for(lambda: len(b.notes("starts")) == 4, 60, f"{name} does not run 4 jobs at a time")
        time.sleep(2)
        running = set(b.notes("starts"))
        pathlib.Path(b.folder, "gate").touch()
        b.kill(worker)
        began = time.monotonic()
        b.work(b.peer.worker4)
        again = None
        while time.monotonic() - began < RECOVERY_S and len(set(b.notes("ends"))) < 20:
            if again is None and running <= set(b.notes("ends")):
                again = time.monotonic() - began
            time.sleep(0.01)
        ends = set(b.notes("ends"))
        if again is None and running <= ends:
            again = time.monotonic() - began
        return {"recovery_s": again, "lost_running": len(running - ends), "lost_other": 20 - len(ends) - len(running - ends)}


def median(rows, key):
    values = [row[key] for row in rows if row.get(key) is not None]
    return statistics.median(values) if values else None


def is_there(name):
    need = {"bullmq": TO / "node/node_modules/bullmq", "asynq": GO[0], "beanstalkd": shutil.which("beanstalkd") or "/nowhere",
            "celery": PY, "dramatiq": PY}[name]
    return os.path.exists(need)


def peer_all(name, durable, recovered):
    rows = []
    for run in range(RUNS):
        say(f"{name}, {MODES[durable]}, run {run + 1} of {RUNS}")
        row = drain(name, durable) | pick_up(name, durable)
        if PEERS[name].bulk:
            row |= bulk(name, durable)
        rows.append(row)
    return {key: median(rows, key) for key in rows[0]} | recovered[name, durable]


def barque_all(durable):
    rows = []
    for run in range(RUNS):
        say(f"barque, {MODES[durable]}, run {run + 1} of {RUNS}")
        jobs = (60000 if durable else 200000) * PERCENT // 100
        text = subprocess.run([str(BARQUE / "bench/bench_worker"), "peers", "always" if durable else "off"], check=True,
                              stdout=subprocess.PIPE, text=True, env=dict(os.environ, BENCH_JOBS=str(max(jobs, 5000)))).stdout
        rows.append({line.split()[0]: float(line.split()[1]) for line in text.splitlines()})
    got = {key: median(rows, key) for key in rows[0]}
    got["lost_running"], got["lost_other"] = int(max(row["lost"] for row in rows)), 0
    if any(row["recovery_s"] < 0 for row in rows):
        got["recovery_s"] = None
    return got


def recover_together(names):
    """Mostly waiting, so all at the same time."""
    found, faults = {}, []

    def one(name, durable):
        try:
            found[name, durable] = recovery(name, durable)
        except Exception as e:  # told below, by the thread that may end the program
            faults.append(f"{name}, {MODES[durable]}: {e}")

    say(f"recovery of all after kill -9, at most {RECOVERY_S} s")
    threads = [threading.Thread(target=one, args=(name, durable)) for name in names for durable in (0, 1)]
    for t in threads:
        t.start()
        time.sleep(3)  # start-ups are not to starve each other
    for t in threads:
        t.join()
    if faults:
        raise SystemExit("peers: " + "; ".join(faults))
    return found


# ---- the table

COLUMNS = [
    ("drain", "drain, jobs/s", "{:,.0f}"), ("enqueue_one", "enqueue, one by one /s", "{:,.0f}"),
    ("enqueue_bulk", "enqueue, bulk /s", "{:,.0f}"), ("cpu_us", "server CPU, µs/job", "{:.0f}"),
    ("bytes", "bytes/waiting job", "{:,.0f}"), ("rss_mb", "worker RSS, MB", "{:.0f}"), ("pss_mb", "PSS, MB", "{:.0f}"),
    ("p50_us", "pick-up p50, µs", "{:,.0f}"), ("p99_us", "p99, µs", "{:,.0f}"),
]


def recovery_text(row):
    return f"not within {RECOVERY_S} s" if row["recovery_s"] is None else f"{row['recovery_s']:.1f} s"


def lost_text(row):
    running, other = row["lost_running"], row["lost_other"]
    return "0" if running + other == 0 else f"{running} of 4 running" + (f", {other} of 16 waiting" if other else "")


def table(results, durable):
    out = ["| | " + " | ".join(c[1] for c in COLUMNS) + " | after kill -9 | not run again | drain, Barque is |",
           "|---|" + "---:|" * len(COLUMNS) + "---|---|---:|"]
    ours = results.get(("barque", durable))
    for (name, d), row in results.items():
        if d != durable:
            continue
        cells = [form.format(row[key]) if row.get(key) is not None else "–" for key, _, form in COLUMNS]
        ratio = f"{ours['drain'] / row['drain']:.1f}×" if ours and name != "barque" else ""
        out.append(f"| {label(name, durable)} | " + " | ".join(cells) + f" | {recovery_text(row)} | {lost_text(row)} | {ratio} |")
    return "\n".join(out)


def label(name, durable):
    if name == "barque":
        return "**Barque**, 2 slots"
    p = PEERS[name]
    return f"{p.title}, {p.setting_durable if durable and name == 'beanstalkd' else p.setting + (' ' + p.setting_durable if durable else '')}".strip()


def versions():
    pip = dict(line.split("==") for line in (HERE / "requirements.txt").read_text().splitlines() if "==" in line)
    npm = json.loads((HERE / "package.json").read_text())["dependencies"]
    go = [line.split()[-1] for line in (HERE / "asynq/go.mod").read_text().splitlines() if "hibiken/asynq" in line]
    said = subprocess.run(["beanstalkd", "-v"], stdout=subprocess.PIPE, text=True).stdout.split() if shutil.which("beanstalkd") else ["-"]
    server = subprocess.run(["redis-server", "--version"], stdout=subprocess.PIPE, text=True).stdout.split()[2]
    return (f"Celery {pip['celery']}, Dramatiq {pip['dramatiq']}, BullMQ {npm['bullmq']}, asynq {go[0]}, beanstalkd {said[-1]}, "
            f"Redis {server}")


def machine():
    model = [line.split(": ")[1] for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{os.cpu_count()} cores, {model[0] if model else 'unknown'}, Linux {os.uname().release}"


def main():
    names = sys.argv[1:] or list(PEERS) + ["barque"]
    missing = [name for name in names if name in PEERS and not is_there(name)]
    peers = [name for name in names if name in PEERS and name not in missing]
    if set(names) - set(PEERS) - {"barque"}:
        raise SystemExit("peers: known are barque " + " ".join(PEERS))
    load = os.getloadavg()[0]
    recovered = recover_together(peers)
    results = {}
    for durable in (0, 1):
        if "barque" in names:
            results["barque", durable] = barque_all(durable)
        for name in peers:
            results[name, durable] = peer_all(name, durable, recovered)
    text = (f"{datetime.date.today()}, {machine()}, load before {load:.1f}\n{versions()}\nmedian of {RUNS} runs\n\n"
            f"Usual settings, AOF off\n\n{table(results, 0)}\n\nDurable: appendfsync always\n\n{table(results, 1)}\n")
    if missing:
        text += "\nNot measured, because not installed: " + ", ".join(missing) + "\n"
    (TO / "table.md").write_text(text)
    (TO / "table.json").write_text(json.dumps([{"name": n, "mode": MODES[d]} | row for (n, d), row in results.items()], indent=1))
    print(text)


main()
