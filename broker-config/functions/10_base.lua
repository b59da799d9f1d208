#!lua name=barque3
-- functions/*.lua -- every transition of a job, each one atomic call of a Redis function; shared/job/job.h has the drawing and the rules.
--
-- The library's name carries its version: two versions may be loaded side by side while workers are rolled over, so what one writes
-- the other must read. A change of meaning is a new version; the loader refuses different text under the same name.
--
-- The files of this folder are joined in the order of their names and loaded as one text. Lua allows 200 local names in it: a file's own
-- helpers stand in one local table of its name once they are more than a few.
--
-- All keys of a shard begin with T = {<namespace>:<queue>:<shard>}, so that they share one slot of a cluster:
--   T:s               hash    the state of each job by its id (below): all that a usual transition reads and writes, so that one command
--                             serves all jobs of a call
--   T:j:<id>          hash    all else of a job, its record (fields below)
--   T:r:<route>:<lane> list   ids ready to run; a lane is one digit of priority and the fairness key
--   T:g:<route>       zset    the lanes of a route that may hold something, by class (priority) and virtual time within it
--   T:m:<route>       zset    the marker that waiting dispatchers pop (BZPOPMIN)
--   T:d               zset    the schedule: jobs that wait for their time, new or tried before, by that time
--   T:h               zset    jobs held for others
--   T:l:<worker>      zset    leases by their end: together the only index of what is in flight. An odd number of ms says that the job is only
--                             held, as far as is known: its worker has not begun it (40_leases.lua)
--   T:W               zset    workers by the time until which they are taken for alive
--   T:ws, T:rs        hash    what each worker says about itself, and when each route was named last (35_workers.lua)
--   T:e, T:hw         list    ids that ended and wait for the history (25_history.lua, which also tells of its fields of T:n), and
--                     string  who writes it, 5 s
--   T:w:<worker>      string  the last step of a worker and its answer, to be given again when it was lost
--   T:x T:f T:k       zset    dead, failed and cancelled jobs by their end, for looking
--   T:a, T:o          list    all ids, oldest first, and zset: the old ones among them that still live
--   T:i:<key> T:u:<kind>:<key> string idempotency and unique keys: the id that holds them; in shard 0 of several also idempotency keys of jobs of
--                     the others, with their whole id (76_shards.lua)
--   T:cc              hash    how many jobs of a concurrency key run
--   T:q:<place>       zset    parked jobs, by priority and age: ready, but what they share is used up. A place is c<concurrency key> or
--                             r<window>:<rate key>
--   T:qd              zset    the places where jobs are parked, by when to look there again (c: never, an end brings them back)
--   T:b:<window>:<key> string  a rate: start of the window and what was used in it
--   T:wt              hash    weights of lanes that have not the usual one, by fairness key
--   T:L:<id>          list    what a job said while it ran: its log
--   T:load            string  ready and running jobs together
--   T:ev              stream  changes of state, while somebody listens
--   T:D:<id>          hash    what a job waits for and what that gave, see 78_flow.lua
--   T:ob, T:om        zset    word for jobs of other shards, and the marker that those pop who carry it
--   T:cr, T:cj:<name> zset, hash schedules by their next tick, and what each is (55_cron.lua)
--   T:cl:<name>       string  who makes, moves or deletes a schedule of the queue, in shard 0, 20 s
--   T:n               hash    counters: f last fence, r ready, r:<route>, run, done, p paused since,
--                             c:<worker> command, v<class> virtual time,
--                             q parked, qd when to look at places again, qp the place looked at last, nw how many weights, by bytes of
--                             parameters that wait,
--                             t ge mt rt times, ct when the next schedule ticks, at op fp places, ob words posted, ev until when
--                             somebody listens, es since when, hd ht hr the drain rate, ret crs rec totals;
--                             in shard 0 also sh sp st sm: shards served, used, since when, schedules spread over
--
-- A route is what a job asks of the dispatcher that takes it: <kind>[/<version>], as field k says, and "!" after it when the job is
-- quarantined, because it crashed. Dispatchers name the routes that they serve, so that old and new ones run side by side.
--
-- Fields of a job: k kind[/version], p params, c created, d due, y lane, m "attempts crashes base cap
-- [quarantine after]", a "errors crashes", b "began worker", e ended, i u keys, n progress, E error, R result, P parent, t trace, g tags,
-- o ghosts, h timeline, l "max key" of concurrency, r "limit window cost key" of a rate, x time to live after success,
-- z "reason until what" it waited on last, T "soft hard" time limits in ms (0: the kind's), S who waits for it and D what it waits for (78_flow.lua). What has its usual value is left out.
--
-- A state is <state digit><flags>.<revision>[.<last fence>], and of a job whose life is as usual also "[.<ended>] <last 4 digits of the fence>
-- <worker>": it began when its fence was given, in microseconds. (Lua hashes every second letter of such a text: the digits that differ
-- stand in it twice, at an odd distance, since a batch of texts with one hash costs ten times as much.) Its flags: a h i l r t u x S D T it has such a field,
-- q it is parked, v it was parked and came back to its lane, L a log, w watched, O in T:o while it lived, c cancel asked, Q quarantined, H suspect: a worker that only
-- held it died, g it has ghosts: its id lies in lanes where it is not to be taken, because it was cancelled
-- there or moved to another (searching a lane would cost its length). Field o names these lanes by their priorities, one digit each, or one
-- letter (a for 0) for a lane of the quarantine. An id lies in a lane at most once, so that where a ready job is meant to be its id is no
-- ghost.
--
-- No loop runs more than 256 times for each thing a call does.

local SCHEDULED, READY, RUNNING, RETRYING, WAITING = '0', '1', '2', '3', '4'
local SUCCEEDED, FAILED, CANCELLED, DEAD = '5', '6', '7', '8'

-- From, to: the arrows of job.h; job_move() there says the same. The number says whether the job's parameters then wait (1), wait no
-- longer (-1), or neither; a claim reads them anyway and counts by itself.
local ARROWS = {
	[SCHEDULED] = { [READY] = 0, [CANCELLED] = -1 },
	[READY] = { [RUNNING] = 0, [CANCELLED] = -1 },
	[RUNNING] = { [READY] = 1, [RETRYING] = 1, [SCHEDULED] = 1, [SUCCEEDED] = 0, [FAILED] = 0, [CANCELLED] = 0, [DEAD] = 0 },
	[RETRYING] = { [READY] = 0, [CANCELLED] = -1 },
	[WAITING] = { [READY] = 0, [FAILED] = -1, [CANCELLED] = -1 },
	[SUCCEEDED] = {},
	[FAILED] = { [READY] = 1, [WAITING] = 1 },
	[CANCELLED] = { [READY] = 1, [WAITING] = 1 },
	[DEAD] = { [READY] = 1 },
}
local END_INDEX = { [DEAD] = ':x', [FAILED] = ':f', [CANCELLED] = ':k' }
local LIST_INDEX = { [SCHEDULED] = ':d', [RETRYING] = ':d', [WAITING] = ':h', [DEAD] = ':x', [FAILED] = ':f', [CANCELLED] = ':k' }

local BATCH = 256
local TAIL = 20 -- letters of an id within its shard; a whole id has its queue and shard before them
local CLASS = 2 ^ 48 -- scores in a ring: class * CLASS + virtual time
local ALIVE = 3500 -- a worker unheard for so long is dead
local ALIVE_NOTED = 500 -- and is noted as alive so often at most
local SILENCE = 3000 -- nobody was heard for so long: the server itself was away, nobody is to blame
local GRACE = 2500 -- after a silence, time for the living to be heard again
local ANSWER_TTL = '60000' -- how long a lost answer can be asked for again
local KEY_BACKSTOP = 30 * 24 * 3600 * 1000 -- keys of jobs that never end are let go after this
local CLAIM_BYTES = 4 * 1024 * 1024 -- parameters in one answer
local LIST_BYTES = 8 * 1024 * 1024

-- The two moves that nearly every job makes, READY -> RUNNING by its first claim and RUNNING -> SUCCEEDED, are written out where they happen,
-- since they are nearly all that is done here. The state of such a job is one of these and its fence, worker and end; whatever has
-- anything unusual about it has a flag or another revision, and goes through move().
local FRESH, CLAIMED, SETTLED = READY .. '.1', RUNNING .. '.2.', SUCCEEDED .. '.3.'

-- Turning a number into text is dear, whoever does it: string.format costs as much as a command of Redis, a number among the arguments of a
-- command half of it, and the way back a quarter. So what is written often is turned once (now_text, NEXT_REV, next_fence()), and small ones are
-- looked up: SMALL[7] is '7', and SMALL['7'] is 7.
local SMALL, THOUSANDTHS = {}, {}
for i = 0, 999 do
	local text = i .. ''
	SMALL[i], SMALL[text] = text, i
	THOUSANDTHS[i] = (i < 10 and '00' or i < 100 and '0' or '') .. i
end

-- Of a whole number of up to 14 digits.
local function text_of(n)
	return SMALL[n] or n .. ''
end

local function number_of(text)
	return SMALL[text] or tonumber(text)
end

-- Set by enter() at each call; a call is alone in the server while it runs. Of sets the first sets_end count: what is behind them is old.
-- K.n is the key T:n, for those that nearly every call needs.
local call, T, K, J, S, opt, now, now_us, now_text, deltas, known, back, front
local sets, sets_end = {}, 0
local history = { ids = {} } -- 25_history.lua
local states = { list = {} }

-- UNIT: by which the virtual time of a lane with the usual weight grows for each job: years at full speed fit a class. The rest is filled
-- in by 25_limits.lua.
local limits = { UNIT = 64 }

-- What moves in this call, for those who listen (16_changes.lua). on: does anybody? nil: not known yet.
local changes = { list = {} }

-- The keys of a shard that nearly every call needs: to join two texts costs more than to find the whole one. A queue that is gone must not
-- stay in memory for ever, so from time to time all are forgotten.
local keys = { of = {}, n = 0, meta = {} }

function keys.meta.__index(list, name)
	local key = list[''] .. ':' .. name
	list[name] = key
	return key
end

function keys.of_shard(shard)
	local list = keys.of[shard]
	if not list then
		if keys.n == 1000 then
			keys.of, keys.n = {}, 0
		end
		list = setmetatable({ [''] = shard }, keys.meta)
		keys.of[shard], keys.n = list, keys.n + 1
	end
	return list
end

local function enter(its_keys, args)
	history.mode = nil
	if history.ids[1] then
		history.ids = {}
	end
	call = redis.call
	local t = call('TIME')
	now_us = t[1] * 1000000 + t[2]
	now = math.floor(now_us / 1000)
	now_text = text_of(now)
	T = string.sub(its_keys[1], 1, -3)
	K = keys.of_shard(T)
	J, S = K['j:'], K.s
	if states.list[1] then
		states.list = {}
	end
	opt = { ns = args[1], prefix = args[2], result_ttl = args[3], dead_ttl = args[4] }
	-- With room for what is nearly always in them: a table that grows costs more than one that is made.
	deltas = { r = 0, run = 0, done = 0, by = 0 }
	known = { r = false, run = false, done = false, by = false, hq = false, q = false }
	back, front, sets_end = {}, {}, 0
	limits.due, limits.seq = nil, 0
	changes.on = nil
	if changes.list[1] then
		changes.list = {}
	end
end

-- until_ms: field ev of T:n.
function changes.look(until_ms)
	changes.on = until_ms and tonumber(until_ms) > now or false
end

local function count(name, by)
	deltas[name] = (deltas[name] or 0) + by
end

local function set(name, value)
	sets[sets_end + 1], sets[sets_end + 2] = name, value
	sets_end = sets_end + 2
end

-- What waits and runs, as one number for autoscalers. Whoever has just read the counters writes it anew, so that it heals.
local function keep_load()
	local by = (deltas.r or 0) + (deltas.run or 0)
	if by ~= 0 and known.r and known.run then
		call('SET', K.load, text_of(known.r + known.run + by))
	elseif by ~= 0 then
		call('INCRBY', K.load, by)
	end
end

-- States of new jobs are written together: what is put here stands in Redis before any other is read or written, or the call ends.
function states.put(id, s)
	local list, n = states.list, #states.list
	list[n + 1], list[n + 2] = id, s
end

function states.flush()
	if states.list[1] then
		call('HSET', S, unpack(states.list))
		states.list = {}
	end
end

-- Of many jobs: list[first] and so on are their ids. false for one that has none.
function states.of(list, first, last)
	states.flush()
	return first <= last and call('HMGET', S, unpack(list, first, last)) or {}
end

-- Counters that were read in this call are written with all else that is set, the others by themselves.
local function leave()
	states.flush()
	keep_load()
	history.flush()
	for name, by in pairs(deltas) do
		if by ~= 0 and known[name] then
			set(name, text_of(known[name] + by))
		elseif by ~= 0 then
			call('HINCRBY', K.n, name, text_of(by))
		end
	end
	if sets_end > 0 then
		call('HSET', K.n, unpack(sets, 1, sets_end))
	end
	if changes.list[1] then
		changes.write()
	end
end

local NEXT_REV = {}
for i = 1, 999 do
	NEXT_REV[i .. ''] = (i + 1) .. '' -- while a library is loaded there is no tostring
end

-- A state, taken apart; nil when there is none.
local function parse(s)
	if not s then
		return nil
	end
	local state, flags, rev, fence, ended, worker = string.match(s, '^(%d)(%a*)%.(%d+)%.?(%d*)%.?(%d*) ?%d* ?(.*)$')
	return { state = state, flags = flags, rev = rev, fence = fence, ended = ended, worker = worker } -- all of them text
end

-- Of a job that barque2 left, which had the state in field s of the record.
function states.old(id)
	return call('HGET', J .. id, 's')
end

-- nil: there is no such job. Its record may have vanished before its state.
local function read(key)
	states.flush()
	local id = string.sub(key, #J + 1)
	local s = call('HGET', S, id)
	local job = parse(s or states.old(id))
	if not job or call('EXISTS', key) == 0 then
		return nil
	end
	job.is_old = not s
	return job
end

-- What happens to a usual job is told by its state alone. Something else is about to happen: when it began and who ran it, and its end,
-- become fields of the record.
function states.spell_out(key, job)
	if job.worker ~= '' then
		call('HSET', key, 'b', string.format('%.0f ', math.floor(job.fence / 1000)) .. job.worker)
	end
	if job.ended ~= '' then
		call('HSET', key, 'e', job.ended)
		call('PEXPIRE', key, text_of(math.max(1, job.ended + opt.result_ttl - now)), 'NX')
	end
	job.worker, job.ended = '', ''
end

-- Write it back without a new revision: only what nobody sees has changed.
local function keep(key, job, ...)
	states.flush()
	states.spell_out(key, job)
	call('HSET', S, string.sub(key, #J + 1), job.state .. job.flags .. '.' .. job.rev .. '.' .. job.fence)
	if select('#', ...) > 0 then
		call('HSET', key, ...)
	end
	if job.is_old then
		call('HDEL', key, 's')
	end
end

-- Write it back, with other fields that ride along: a new revision.
local function save(key, job, ...)
	job.rev = NEXT_REV[job.rev] or text_of(job.rev + 1)
	keep(key, job, ...)
end

local function has_flag(job, flag)
	return job.flags ~= '' and string.find(job.flags, flag, 1, true) ~= nil
end

local function set_flag(job, flag)
	if not has_flag(job, flag) then
		job.flags = job.flags .. flag
	end
end

local function clear_flags(job, flags)
	job.flags = string.gsub(job.flags, '[' .. flags .. ']', '')
end

-- The only place where the state of an existing job changes.
local function move(key, job, to, ...)
	local bytes = ARROWS[job.state][to]
	if not bytes then
		error('a job in state ' .. job.state .. ' cannot move to ' .. to)
	end
	if bytes ~= 0 then
		count('by', bytes * call('HSTRLEN', key, 'p'))
	end
	if job.flags ~= '' then
		limits.before_move(key, job, to)
		if to ~= RUNNING and to ~= READY then
			clear_flags(job, 'H') -- it came to an end, and its worker lived to tell it
		end
	end
	job.state = to
	save(key, job, ...)
	if changes.on ~= false then
		changes.note(key, to)
	end
end

local function kind_of(k)
	return string.match(k, '^[^/]+')
end

local function route_of(k, job)
	return has_flag(job, 'Q') and k .. '!' or k
end

-- The name under which clients call it. flags: 'allow-oom' frees memory or moves what is there, so that it may run when memory is full.
local function register(name, callback, ...)
	redis.register_function({ function_name = 'barque3_' .. name, callback = callback, flags = { ... } })
end

