// bullmq_peer.mjs -- BullMQ: worker and client. Ended jobs are removed at once, which is its fastest setting.
import { appendFileSync, existsSync } from "node:fs";
import { createRequire } from "node:module";

// The packages are in build/peers/node, not beside this file.
const { Queue, Worker } = createRequire(process.env.MODULES)("bullmq");
const url = new URL(process.env.BROKER);
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
const scratch = process.env.SCRATCH;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const note = (name, text) => appendFileSync(`${scratch}/${name}`, `${text}\n`);
const options = { removeOnComplete: true };

// A line of a history, as tests/chaos/checker.h wants it.
const chaosNote = (event, number) =>
  appendFileSync(process.env.BARQUE_HISTORY, `${process.hrtime.bigint() / 1000n} ${event} ${number} 0 0 ${process.pid} ${process.ppid}\n`);

const kinds = {
  noop: async () => {},
  stamp: async (job) => note("stamps", process.hrtime.bigint() - BigInt(job.data.sent)),
  hold: async (job) => {
    note("starts", job.data.number);
    if (!existsSync(`${scratch}/gate`)) await sleep(3600000);
    note("ends", job.data.number);
  },
  // 20 ms, one of four 400 ms: some always run when something is killed.
  chaos: async (job) => {
    chaosNote("start", job.data.number);
    await sleep(job.data.number % 4 === 0 ? 400 : 20);
    chaosNote("effect", job.data.number);
  },
};

// Some 20 jobs a second. What was answered with an error was not accepted.
async function chaosClient(queue, seconds) {
  const end = Date.now() + seconds * 1000;
  for (let number = 1; Date.now() < end; number++) {
    chaosNote("attempt", number);
    try {
      await queue.add("chaos", { number }, options);
      chaosNote("accept", number);
    } catch (e) {
      console.error(`${number}: ${e.message}`);
    }
    await sleep(50);
  }
}

async function client(what, n, argument) {
  const queue = new Queue("jobs", { connection });
  const payload = "x".repeat(200);
  await queue.waitUntilReady();
  const began = process.hrtime.bigint();
  if (what === "enqueue") for (let i = 0; i < n; i++) await queue.add("noop", { payload }, options);
  if (what === "bulk")
    for (let i = 0; i < n; i += 250)
      await queue.addBulk(Array.from({ length: Math.min(250, n - i) }, () => ({ name: "noop", data: { payload }, opts: options })));
  if (what === "hold") for (let i = 0; i < n; i++) await queue.add("hold", { number: i }, options);
  if (what === "stamp")
    for (let i = 0; i < n; i++) {
      await queue.add("stamp", { sent: String(process.hrtime.bigint()) }, options);
      await sleep(argument * (1 + (i % 7) / 7));
    }
  if (what === "chaos") await chaosClient(queue, n);
  console.log(Number(process.hrtime.bigint() - began) / 1e9);
  await queue.close();
}

const [what, n, argument] = process.argv.slice(2);
if (what === "worker") new Worker("jobs", (job) => kinds[job.name](job), { connection, concurrency: Number(n) });
else await client(what, Number(n), Number(argument));
