#!lua name=barque1
-- barque.lua -- every transition of a job, each one atomic call of a Redis function; shared/job/job.h has the drawing and the rules.
--
-- The library's name carries its version: two versions may be loaded side by side while workers are rolled over, so what one writes
-- the other must read. A change of meaning is a new version; the loader refuses different text under the same name.
--
-- All keys of a shard begin with T = {<namespace>:<queue>:<shard>}, so that they share one slot of a cluster:
--   T:j:<id>          hash    the record of a job (fields below)
--   T:r:<kind>:<lane> list    ids ready to run; a lane is one digit of priority and the fairness key
--   T:g:<kind>        zset    the lanes of a kind that may hold something, by class (priority) and virtual time within it
--   T:m:<kind>        zset    the marker that waiting dispatchers pop (BZPOPMIN)
--   T:d               zset    the schedule: jobs that wait for their time, new or tried before, by that time
--   T:h               zset    jobs held for others
--   T:l:<worker>      zset    leases by their end: together the only index of what is in flight
--   T:W               zset    workers by the time until which they are taken for alive
--   T:w:<worker>      string  the last step of a worker and its answer, to be given again when it was lost
--   T:x T:f T:k       zset    dead, failed and cancelled jobs by their end, for looking
--   T:a, T:o          list    all ids, oldest first, and zset: the old ones among them that still live
--   T:i:<key> T:u:<key> string idempotency and unique keys: the id that holds them
--   T:n               hash    counters: f last fence, r ready, r:<kind>, run, done, p paused since, v<class> virtual time,
--                             t ge mt rt times, at op places
--
-- Fields of a job: s state (below), k kind[/version], p params, c created, d due, y lane, m "attempts crashes base cap",
-- a "errors crashes", w worker, b began, e ended, i u keys, n progress, E error, R result, P parent, t trace, g tags, o ghosts. What has its
-- usual value is left out. The field s is <state digit><flags>.<revision>.<last fence>: all that a usual transition has to read. Its
-- flags: a i t u it has such a field, w watched, c cancel asked, g it has ghosts: its id lies in lanes where it is not to be taken,
-- because it was cancelled there or moved to another (searching a lane would cost its length). Field o names these lanes by their
-- priorities, one digit each. An id lies in a lane at most once, so that where a ready job is meant to be its id is no ghost.
--
-- No loop runs more than 256 times for each thing a call does.

local SCHEDULED, READY, RUNNING, RETRYING, WAITING = '0', '1', '2', '3', '4'
local SUCCEEDED, FAILED, CANCELLED, DEAD = '5', '6', '7', '8'

-- From, to: the arrows of job.h; job_move() there says the same.
local ARROWS = {
	[SCHEDULED] = { [READY] = true, [CANCELLED] = true },
	[READY] = { [RUNNING] = true, [CANCELLED] = true },
	[RUNNING] = { [READY] = true, [RETRYING] = true, [SUCCEEDED] = true, [FAILED] = true, [CANCELLED] = true, [DEAD] = true },
	[RETRYING] = { [READY] = true, [CANCELLED] = true },
	[WAITING] = { [READY] = true, [CANCELLED] = true },
	[SUCCEEDED] = {},
	[FAILED] = { [READY] = true },
	[CANCELLED] = { [READY] = true },
	[DEAD] = { [READY] = true },
}
local END_INDEX = { [DEAD] = ':x', [FAILED] = ':f', [CANCELLED] = ':k' }
local LIST_INDEX = { [SCHEDULED] = ':d', [RETRYING] = ':d', [WAITING] = ':h', [DEAD] = ':x', [FAILED] = ':f', [CANCELLED] = ':k' }

local BATCH = 256
local CLASS = 2 ^ 48 -- scores in a ring: class * CLASS + virtual time
local ALIVE = 3500 -- a worker unheard for so long is dead
local ALIVE_NOTED = 500 -- and is noted as alive so often at most
local SILENCE = 3000 -- nobody was heard for so long: the server itself was away, nobody is to blame
local GRACE = 2500 -- after a silence, time for the living to be heard again
local ANSWER_TTL = '60000' -- how long a lost answer can be asked for again
local KEY_BACKSTOP = 30 * 24 * 3600 * 1000 -- keys of jobs that never end are let go after this
local CLAIM_BYTES = 4 * 1024 * 1024 -- parameters in one answer
local LIST_BYTES = 8 * 1024 * 1024

-- Set by enter() at each call; a call is alone in the server while it runs.
-- Turning numbers into text is dear, so what is written often is turned once: now_text, and see NEXT_REV and fence_text().
local call, T, opt, now, now_us, now_text, deltas, sets, known, back, front

local function enter(keys, args)
	call = redis.call
	local t = call('TIME')
	now_us = tonumber(t[1]) * 1000000 + tonumber(t[2])
	now = math.floor(now_us / 1000)
	now_text = string.format('%.0f', now)
	T = string.sub(keys[1], 1, -3)
	opt = { ns = args[1], prefix = args[2], result_ttl = args[3], dead_ttl = args[4] }
	deltas, sets, known, back, front = {}, {}, {}, {}, {}
end

local function count(name, by)
	deltas[name] = (deltas[name] or 0) + by
end

local function set(name, value)
	sets[#sets + 1] = name
	sets[#sets + 1] = value
end

-- Counters that were read in this call are written with all else that is set, the others by themselves.
local function leave()
	for name, by in pairs(deltas) do
		if known[name] then
			set(name, known[name] + by)
		elseif by ~= 0 then
			call('HINCRBY', T .. ':n', name, by)
		end
	end
	if #sets > 0 then
		call('HSET', T .. ':n', unpack(sets))
	end
end

local NEXT_REV = {}
for i = 1, 999 do
	NEXT_REV[i .. ''] = (i + 1) .. '' -- while a library is loaded there is no tostring
end

-- A field s, taken apart; nil when there is no record.
local function parse(s)
	if not s then
		return nil
	end
	local state, flags, rev, fence = string.match(s, '^(%d)(%a*)%.(%d+)%.?(%d*)$')
	return { state = state, flags = flags, rev = rev, fence = fence } -- all of them text
end

local function read(key)
	return parse(call('HGET', key, 's'))
end

-- Write it back without a new revision: only what nobody sees has changed.
local function keep(key, job, ...)
	call('HSET', key, 's', job.state .. job.flags .. '.' .. job.rev .. '.' .. job.fence, ...)
end

-- Write it back, with other fields that ride along: a new revision.
local function save(key, job, ...)
	job.rev = NEXT_REV[job.rev] or string.format('%.0f', tonumber(job.rev) + 1)
	keep(key, job, ...)
end

-- The only place where the state of an existing job changes.
local function move(key, job, to, ...)
	if not ARROWS[job.state][to] then
		error('a job in state ' .. job.state .. ' cannot move to ' .. to)
	end
	job.state = to
	save(key, job, ...)
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

local function kind_of(k)
	return string.match(k, '^[^/]+')
end

-- ---- lanes ----------------------------------------------------------------------------------------------------------

local function put(lanes, kind, lane, id)
	local name = kind .. ':' .. (lane or '5')
	local ids = lanes[name]
	if not ids then
		ids = { kind = kind, lane = lane or '5' }
		lanes[name] = ids
	end
	ids[#ids + 1] = id
end

-- A lane that held nothing joins its class at the virtual time where service stands: no credit for having been away.
local function join_ring(kind, lane)
	local class = string.sub(lane, 1, 1)
	local at = tonumber(call('HGET', T .. ':n', 'v' .. class) or 0)
	call('ZADD', T .. ':g:' .. kind, 'GT', tonumber(class) * CLASS + at, lane)
end

local function flush(how, lanes)
	for name, ids in pairs(lanes) do
		local len = call(how, T .. ':r:' .. name, unpack(ids))
		if len == #ids then
			join_ring(ids.kind, ids.lane)
		end
		count('r', #ids)
		count('r:' .. ids.kind, #ids)
		call('ZADD', T .. ':m:' .. ids.kind, '0', '1')
	end
end

local function flush_lanes()
	flush('RPUSH', back)
	flush('LPUSH', front)
	back, front = {}, {}
end

-- ---- ghosts ----------------------------------------------------------------------------------------------------------

local function priority_of(lane)
	return string.sub(lane or '5', 1, 1)
end

-- Its id stays in the lane of this priority, to be passed over.
local function add_ghost(key, job, priority)
	set_flag(job, 'g')
	call('HSET', key, 'o', (call('HGET', key, 'o') or '') .. priority)
end

-- False: there is none.
local function drop_ghost(key, job, priority)
	local ghosts = has_flag(job, 'g') and call('HGET', key, 'o') or ''
	local rest = string.gsub(ghosts, priority, '', 1)
	if rest == ghosts then
		return false
	end
	if rest == '' then
		clear_flags(job, 'g')
		call('HDEL', key, 'o')
	else
		call('HSET', key, 'o', rest)
	end
	return true
end

-- A job that is ready takes its place in the lane: where its id lies, if it does, else at the end. To be saved after this.
local function line_up(id, key, job, kind, lane)
	if not drop_ghost(key, job, priority_of(lane)) then
		put(back, kind, lane, id)
		return
	end
	count('r', 1)
	count('r:' .. kind, 1)
	call('ZADD', T .. ':m:' .. kind, '0', '1')
end

-- ---- the end of a job -----------------------------------------------------------------------------------------------

local function free_unique(unique, id)
	local key = T .. ':u:' .. unique
	if call('GET', key) == id then
		call('DEL', key)
	end
end

-- The keys are let go, the record stays for its retention.
local function finish(id, key, job, to, ...)
	local ttl = (to == FAILED or to == DEAD) and opt.dead_ttl or opt.result_ttl
	move(key, job, to, 'e', now_text, ...)
	call('PEXPIRE', key, ttl)
	if has_flag(job, 'u') then
		free_unique(call('HGET', key, 'u'), id)
	end
	if has_flag(job, 'i') then
		call('PEXPIRE', T .. ':i:' .. call('HGET', key, 'i'), ttl)
	end
	if to ~= SUCCEEDED then
		call('ZADD', T .. END_INDEX[to], now_text, id)
	end
	if has_flag(job, 'w') then
		call('PUBLISH', opt.ns .. ':ended', opt.prefix .. id .. ' ' .. to)
	end
	count('done', 1)
end

-- What is needed to send a running job back: kind, lane, errors, crashes, and its limits.
local function plan_of(key)
	local h = call('HMGET', key, 'k', 'y', 'a', 'm')
	local plan = { kind = kind_of(h[1]), lane = h[2], errors = 0, crashes = 0, attempts = 1, max_crashes = 3, base = 1000, cap = 300000 }
	if h[3] then
		local errors, crashes = string.match(h[3], '^(%d+) (%d+)$')
		plan.errors, plan.crashes = tonumber(errors), tonumber(crashes)
	end
	if h[4] then
		local attempts, max_crashes, base, cap = string.match(h[4], '^(%d+) (%d+) (%d+) (%d+)$')
		plan.attempts, plan.max_crashes, plan.base, plan.cap = tonumber(attempts), tonumber(max_crashes), tonumber(base), tonumber(cap)
	end
	return plan
end

local function crash(id, key, job, why)
	local plan = plan_of(key)
	local crashes = plan.crashes + 1
	local counts = plan.errors .. ' ' .. crashes
	set_flag(job, 'a')
	if has_flag(job, 'c') then
		return finish(id, key, job, CANCELLED, 'a', counts)
	end
	if crashes > plan.max_crashes then
		return finish(id, key, job, DEAD, 'a', counts, 'E', 'crashed poison: it crashed ' .. crashes .. ' times; last: ' .. why)
	end
	move(key, job, READY, 'a', counts)
	put(front, plan.kind, plan.lane, id)
end

local function backoff(plan, errors, chance)
	local whole = math.min(plan.cap, plan.base * 2 ^ (errors - 1))
	local half = math.floor(whole / 2)
	return half + math.floor((whole - half) * chance)
end

-- ---- acknowledgements: outcome letter -> function(id, key, job, a, b) -------------------------------------------------

local ACKS = {}

-- a: the result; b: how far it was at last.
function ACKS.D(id, key, job, result, progress)
	if progress ~= '' then
		call('HSET', key, 'n', progress)
	end
	if result == '' then
		finish(id, key, job, SUCCEEDED)
	else
		finish(id, key, job, SUCCEEDED, 'R', result)
	end
end

-- a: "code temporary retry_after chance", the last in 1/65536; b: the sentence.
function ACKS.E(id, key, job, a, text)
	local code, temporary, after, chance = string.match(a, '^(%S+) (%d) (%d+) (%d+)$')
	local plan = plan_of(key)
	local errors = plan.errors + 1
	local counts, why = errors .. ' ' .. plan.crashes, code .. ' ' .. text
	set_flag(job, 'a')
	if temporary == '0' then
		return finish(id, key, job, FAILED, 'a', counts, 'E', why)
	end
	if has_flag(job, 'c') then
		return finish(id, key, job, CANCELLED, 'a', counts, 'E', why)
	end
	if errors >= plan.attempts then
		return finish(id, key, job, DEAD, 'a', counts, 'E', why)
	end
	local due = now + (after ~= '0' and tonumber(after) or backoff(plan, errors, tonumber(chance) / 65536))
	move(key, job, RETRYING, 'a', counts, 'E', why, 'd', due)
	call('ZADD', T .. ':d', due, id)
end

function ACKS.C(id, key, job, _, text)
	crash(id, key, job, text)
end

function ACKS.G(id, key, job)
	if has_flag(job, 'c') then
		return finish(id, key, job, CANCELLED)
	end
	local plan = plan_of(key)
	move(key, job, READY)
	put(front, plan.kind, plan.lane, id)
end

function ACKS.X(id, key, job)
	finish(id, key, job, CANCELLED)
end

local function drop_leases(worker, ids)
	if #ids > 0 then
		count('run', -call('ZREM', T .. ':l:' .. worker, unpack(ids)))
	end
end

-- Five arguments each: id, fence, outcome, a, b. Returns the ids whose fence was stale. A fence is given once, to one worker, so it
-- says who may acknowledge.
local function apply_acks(worker, args, at, n)
	local rejected, over = {}, {}
	for i = 1, n do
		local id = args[at]
		local key = T .. ':j:' .. id
		local job = read(key)
		if job and job.state == RUNNING and job.fence == args[at + 1] then
			ACKS[args[at + 2]](id, key, job, args[at + 3], args[at + 4])
			over[#over + 1] = id
		else
			rejected[#rejected + 1] = id
		end
		at = at + 5
	end
	drop_leases(worker, over)
	return rejected
end

-- ---- leases ----------------------------------------------------------------------------------------------------------

local function reap_leases(worker, ids, why)
	for _, id in ipairs(ids) do
		local key = T .. ':j:' .. id
		local job = read(key)
		if job and job.state == RUNNING then
			crash(id, key, job, why)
		end
	end
	drop_leases(worker, ids)
	return #ids
end

-- A worker that lives reaps its own forgotten leases; one that was not heard for ALIVE loses all of its own to whoever comes first.
-- silence_end: see keep_time().
local function reap_own(worker, lease, silence_end)
	if now >= silence_end + lease then
		local ids = call('ZRANGE', T .. ':l:' .. worker, '-inf', now_text, 'BYSCORE', 'LIMIT', '0', '256')
		reap_leases(worker, ids, 'its lease ended')
	end
end

-- last: when somebody looked for dead workers, which is often enough every 100 ms.
local function reap_dead(worker, silence_end, last)
	if now < silence_end + GRACE or (last and now - tonumber(last) < 100) then
		return
	end
	set('rt', now_text)
	local dead = call('ZRANGE', T .. ':W', '-inf', now_text, 'BYSCORE', 'LIMIT', '0', '1')[1]
	if not dead or dead == worker then
		return
	end
	local ids = call('ZRANGE', T .. ':l:' .. dead, 0, BATCH - 1)
	if reap_leases(dead, ids, 'its worker died') < BATCH then
		call('ZREM', T .. ':W', dead)
	end
end

-- When nobody at all was heard for a while, the server was away (a restart, a failover): then no worker is dead because of it, and
-- everybody gets time to be heard again. Returns the end of the last such silence.
local function keep_time(last, silence_end)
	set('t', now_text)
	if last and now - tonumber(last) > SILENCE then
		set('ge', now_text)
		return now
	end
	return tonumber(silence_end or 0)
end

-- ---- the schedule ----------------------------------------------------------------------------------------------------

-- When is the first of the schedule due? nil: there is none.
local function first_due()
	return tonumber(call('ZRANGE', T .. ':d', '0', '0', 'WITHSCORES')[2])
end

-- Returns when the next is due, as first_due().
local function promote()
	local due = first_due()
	if not due or due > now then
		return due
	end
	local ids = call('ZRANGE', T .. ':d', '-inf', now_text, 'BYSCORE', 'LIMIT', '0', '256')
	for _, id in ipairs(ids) do
		local key = T .. ':j:' .. id
		local job = read(key)
		if job then
			local h = call('HMGET', key, 'k', 'y')
			line_up(id, key, job, kind_of(h[1]), h[2])
			move(key, job, READY)
		end
	end
	call('ZREM', T .. ':d', unpack(ids))
	return first_due()
end

local function from_now(due)
	return due and math.max(0, due - now) or -1
end

-- ---- claims ----------------------------------------------------------------------------------------------------------

local function by_score(a, b)
	return a.at < b.at
end

-- The lanes to be served next: those of the most urgent class among the kinds asked for, by virtual time.
local function next_lanes(c)
	local lanes = {}
	for _, kind in ipairs(c.kinds) do
		local z = c.ready[kind] > 0 and call('ZRANGE', T .. ':g:' .. kind, '0', '31', 'WITHSCORES') or {}
		for i = 1, #z, 2 do
			lanes[#lanes + 1] = { kind = kind, lane = z[i], at = tonumber(z[i + 1]) }
		end
	end
	if #lanes > 1 then
		table.sort(lanes, by_score)
		local class_end = (math.floor(lanes[1].at / CLASS) + 1) * CLASS
		while lanes[#lanes].at >= class_end do
			lanes[#lanes] = nil
		end
	end
	return lanes
end

-- What a dispatcher needs of a claimed job: id, fence, kind, params, counts of earlier attempts, trace.
local function claim_of(id, key, job, kind, params)
	local counts = has_flag(job, 'a') and call('HGET', key, 'a')
	local trace = has_flag(job, 't') and call('HGET', key, 't')
	return { id, job.fence, kind, params, counts, trace }
end

-- The next fence, as text: the thousands are the same for a whole batch, nearly always.
local function fence_text(c)
	c.fence = c.fence + 1
	local low = c.fence % 1000
	if low == 0 or not c.high then
		c.high = string.format('%.0f', (c.fence - low) / 1000)
	end
	return c.high .. string.sub(1000 + low, 2)
end

-- Is this id, just taken from the lane of this priority, a ghost there? Then it is one no longer.
local function lay_ghost(key, job, priority)
	if not has_flag(job, 'g') or (job.state == READY and priority_of(call('HGET', key, 'y')) == priority) then
		return job.state ~= READY
	end
	if drop_ghost(key, job, priority) then
		keep(key, job)
	end
	return true
end

-- One job becomes ours. False: the id was a ghost, or what is left of a job that has vanished.
local function take(c, id, lane)
	local key = T .. ':j:' .. id
	local h = call('HMGET', key, 's', 'k', 'p')
	local job = parse(h[1])
	if not job or ((job.state ~= READY or job.flags ~= '') and lay_ghost(key, job, priority_of(lane))) then
		return false
	end
	job.fence = fence_text(c)
	move(key, job, RUNNING, 'w', c.worker, 'b', now_text)
	c.bytes = c.bytes + (h[3] and #h[3] or 2)
	c.claims[#c.claims + 1] = claim_of(id, key, job, h[2], h[3])
	c.leases[#c.leases + 1] = c.until_ms
	c.leases[#c.leases + 1] = id
	return true
end

-- Take up to n from a lane; what was popped but would make the answer too long goes back to the front, in its order.
-- A lane whose last id was taken may stay in its ring until it is looked at again. One that is alone owes nobody anything.
local function serve(c, lane, n, alone)
	local list, ring = T .. ':r:' .. lane.kind .. ':' .. lane.lane, T .. ':g:' .. lane.kind
	local ids, taken = call('LPOP', list, n) or {}, 0
	local last = #ids
	for i = 1, #ids do
		taken = taken + (take(c, ids[i], lane.lane) and 1 or 0)
		if c.bytes >= CLAIM_BYTES then
			last = i
			break
		end
	end
	for i = #ids, last + 1, -1 do
		call('LPUSH', list, ids[i])
	end
	if #ids < n and last == #ids then
		call('ZREM', ring, lane.lane)
	elseif not alone then
		call('ZADD', ring, lane.at + taken, lane.lane)
		local class = math.floor(lane.at / CLASS)
		c.service['v' .. class] = math.max(c.service['v' .. class] or 0, lane.at - class * CLASS)
	end
	c.popped = c.popped + math.max(1, last)
	c.want = c.want - taken
	c.ready[lane.kind] = c.ready[lane.kind] - taken
	count('r', -taken)
	count('r:' .. lane.kind, -taken)
end

-- Fair shares: each lane of the class gets an equal part of what is wanted. The virtual time of a lane grows with what it was given,
-- so that one that got nothing this time stands first the next; a weight would divide that growth.
local function claim(c)
	while c.want > 0 and c.popped < BATCH and c.bytes < CLAIM_BYTES do
		local lanes = next_lanes(c)
		if #lanes == 0 then
			break
		end
		local part = math.ceil(c.want / #lanes)
		for _, lane in ipairs(lanes) do
			if c.want > 0 and c.popped < BATCH and c.bytes < CLAIM_BYTES then
				serve(c, lane, math.min(part, c.want, BATCH - c.popped), #lanes == 1)
			end
		end
	end
	for name, at in pairs(c.service) do
		set(name, at)
	end
	if #c.claims > 0 then
		call('ZADD', T .. ':l:' .. c.worker, unpack(c.leases))
		count('run', #c.claims)
		set('f', c.claims[#c.claims][2])
	end
end

-- A kind with something left keeps its marker, so that the next waiting dispatcher wakes; one that was emptied loses it.
local function set_markers(c)
	local more = 0
	if c.paused then
		return more -- resuming sets them all
	end
	for _, kind in ipairs(c.kinds) do
		if c.ready[kind] > 0 then
			more = 1
			call('ZADD', T .. ':m:' .. kind, '0', '1')
		elseif c.before[kind] > 0 then
			call('DEL', T .. ':m:' .. kind)
		end
	end
	return more
end

-- ---- keeping house ---------------------------------------------------------------------------------------------------

-- Drop from the front of T:a what has vanished; what is old but still lives moves to T:o, lest it hold up the rest.
local function trim_all(limit)
	local gone = 0
	while gone < limit do
		local id = call('LINDEX', T .. ':a', 0)
		local created = id and call('HGET', T .. ':j:' .. id, 'c')
		if not id or (created and tonumber(created) > now - opt.result_ttl - 60000) then
			break
		end
		if created then
			call('ZADD', T .. ':o', created, id)
		end
		call('LPOP', T .. ':a')
		gone = gone + 1
	end
	count('at', gone)
end

local function trim_ends(index, ttl)
	local ids = call('ZRANGE', T .. index, '-inf', now - ttl, 'BYSCORE', 'LIMIT', 0, BATCH)
	if #ids > 0 then
		call('ZREM', T .. index, unpack(ids))
	end
end

-- Walk through T:o a stretch at a time, for ever, and drop what has vanished.
local function trim_old()
	local from = tonumber(call('HGET', T .. ':n', 'op') or 0)
	local ids, gone = call('ZRANGE', T .. ':o', from, from + 63), 0
	for _, id in ipairs(ids) do
		if call('EXISTS', T .. ':j:' .. id) == 0 then
			gone = gone + call('ZREM', T .. ':o', id)
		end
	end
	set('op', #ids < 64 and 0 or from + 64 - gone)
end

local function keep_house(last)
	if last and now - tonumber(last) < 1000 then
		return
	end
	set('mt', now_text)
	trim_ends(':x', opt.dead_ttl)
	trim_ends(':f', opt.dead_ttl)
	trim_ends(':k', opt.result_ttl)
	trim_old()
	trim_all(64)
end

-- ---- step ------------------------------------------------------------------------------------------------------------

-- The last answer to a worker, as note_answer() wrote it; nil: none is known.
local function last_answer(worker)
	local text = call('GET', T .. ':w:' .. worker)
	if not text then
		return nil
	end
	local seq, fence, alive, ids, rejected = string.match(text, '^(%d+) (%d+) (%d+) (%w*) (%w*)$')
	return { seq = tonumber(seq), fence = tonumber(fence), alive = tonumber(alive), ids = ids, rejected = rejected }
end

local ID = '%w%w%w%w%w%w%w%w%w%w%w%w%w%w%w%w%w%w%w%w'

-- Give it once more; claims that are no longer ours are left out.
local function answer_again(worker, last)
	local refused, claims, fence = {}, {}, last.fence
	for id in string.gmatch(last.rejected, ID) do
		refused[#refused + 1] = id
	end
	for id in string.gmatch(last.ids, ID) do
		fence = fence + 1
		local key = T .. ':j:' .. id
		local h = call('HMGET', key, 's', 'k', 'p')
		local job = parse(h[1])
		if job and job.state == RUNNING and tonumber(job.fence) == fence then
			claims[#claims + 1] = claim_of(id, key, job, h[2], h[3])
		end
	end
	call('ZADD', T .. ':W', now + ALIVE, worker)
	return { from_now(first_due()), 1, refused, claims }
end

local function note_answer(c, seq, fence, rejected, last)
	local ids, alive = {}, last and last.alive or 0
	for i = 1, #c.claims do
		ids[i] = c.claims[i][1]
	end
	if now - alive >= ALIVE_NOTED then
		alive = now
		call('ZADD', T .. ':W', now + ALIVE, c.worker)
	end
	local text = string.format('%.0f %.0f %.0f %s %s', seq, fence, alive, table.concat(ids), table.concat(rejected))
	call('SET', T .. ':w:' .. c.worker, text, 'PX', ANSWER_TTL)
end

local function read_counters(c)
	local names = { 'f', 't', 'ge', 'mt', 'rt', 'p', 'r', 'run', 'done' }
	local fixed = #names
	for i, kind in ipairs(c.kinds) do
		names[fixed + i] = 'r:' .. kind
	end
	local h = call('HMGET', T .. ':n', unpack(names))
	for i = 7, #names do
		known[names[i]] = tonumber(h[i] or 0)
	end
	for _, kind in ipairs(c.kinds) do
		c.ready[kind] = known['r:' .. kind]
	end
	-- Fences follow the clock, so that they grow even over the loss of all data and mean the same in every shard.
	c.fence = math.max(tonumber(h[1] or 0), now_us)
	return h
end

-- worker, seq, lease, want, number of kinds, kinds, number of acks, acks
local function step(keys, args)
	enter(keys, args)
	local worker, seq, lease, n_kinds = args[5], tonumber(args[6]), tonumber(args[7]), tonumber(args[9])
	local last = last_answer(worker)
	if last and last.seq > seq then
		return redis.error_reply('STALESEQ a later step of this worker was already taken')
	end
	if last and last.seq == seq then
		return answer_again(worker, last)
	end
	local c = { worker = worker, want = tonumber(args[8]), until_ms = string.format('%.0f', now + lease), kinds = {}, ready = {}, before = {}, service = {},
		claims = {}, leases = {}, popped = 0, bytes = 0 }
	for i = 1, n_kinds do
		c.kinds[i] = args[9 + i]
	end
	local h = read_counters(c)
	local fence = c.fence
	if h[6] then
		c.paused, c.want = true, 0
	end
	local rejected = apply_acks(worker, args, 11 + n_kinds, tonumber(args[10 + n_kinds]))
	local silence_end = keep_time(h[2], h[3])
	-- Often enough as often as it is noted that we live.
	if not last or now - last.alive >= ALIVE_NOTED then
		reap_own(worker, lease, silence_end)
	end
	reap_dead(worker, silence_end, h[5])
	local due = promote()
	flush_lanes()
	for _, kind in ipairs(c.kinds) do
		c.ready[kind] = c.ready[kind] + (deltas['r:' .. kind] or 0)
		c.before[kind] = c.ready[kind]
	end
	claim(c)
	local more = set_markers(c)
	note_answer(c, seq, fence, rejected, last)
	keep_house(h[4])
	leave()
	return { from_now(due), more, rejected, c.claims }
end

-- worker, lease, n, then id, fence, progress ('' = unchanged) each
local function renew(keys, args)
	enter(keys, args)
	local worker, lease, lost, cancel, leases = args[5], tonumber(args[6]), {}, {}, {}
	local h = call('HMGET', T .. ':n', 't', 'ge', 'rt')
	local silence_end = keep_time(h[1], h[2])
	for i = 8, 7 + tonumber(args[7]) * 3, 3 do
		local key = T .. ':j:' .. args[i]
		local job = read(key)
		if job and job.state == RUNNING and job.fence == args[i + 1] then
			leases[#leases + 1] = now + lease
			leases[#leases + 1] = args[i]
			if args[i + 2] ~= '' then
				save(key, job, 'n', args[i + 2])
			end
			if has_flag(job, 'c') then
				cancel[#cancel + 1] = args[i]
			end
		else
			lost[#lost + 1] = args[i]
		end
	end
	if #leases > 0 then
		call('ZADD', T .. ':l:' .. worker, 'XX', unpack(leases))
	end
	call('ZADD', T .. ':W', now + ALIVE, worker)
	reap_own(worker, lease, silence_end)
	reap_dead(worker, silence_end, h[3])
	flush_lanes()
	leave()
	return { lost, cancel }
end

-- ---- submit ----------------------------------------------------------------------------------------------------------

local NEW, EXISTING, MISMATCH, REJECTED, FULL = 0, 1, 2, 3, 4

-- The state of a job, or nil when it has vanished.
local function present_state(id)
	local s = id and call('HGET', T .. ':j:' .. id, 's')
	return s and string.sub(s, 1, 1)
end

local function known_key(item)
	local value = call('GET', T .. ':i:' .. item.idem)
	local id, fingerprint = string.match(value or '', '^(%w+) (.*)$')
	if not present_state(id) then
		return nil
	end
	if fingerprint ~= item.fingerprint then
		return MISMATCH, id
	end
	return EXISTING, id
end

local function note_key(item, id, ttl)
	if item.idem ~= '' then
		call('SET', T .. ':i:' .. item.idem, id .. ' ' .. item.fingerprint, 'PX', ttl)
	end
end

-- The live job that holds the unique key, if any. A holder that has ended or vanished does not count: the key cannot stick.
local function unique_holder(item)
	local id = call('GET', T .. ':u:' .. item.unique)
	local state = present_state(id)
	return state and state < SUCCEEDED and id or nil
end

local function cancel_job(id)
	local key = T .. ':j:' .. id
	local job = read(key)
	if not job then
		return { 0, 0 }
	end
	local state = job.state
	if state >= SUCCEEDED then
		return { -1, tonumber(state) }
	end
	if state == RUNNING then
		set_flag(job, 'c')
		save(key, job)
		return { 1, tonumber(state) }
	end
	if state == READY then
		local h = call('HMGET', key, 'k', 'y')
		add_ghost(key, job, priority_of(h[2]))
		count('r', -1)
		count('r:' .. kind_of(h[1]), -1)
	else
		call('ZREM', T .. (state == WAITING and ':h' or ':d'), id)
	end
	finish(id, key, job, CANCELLED)
	return { 1, tonumber(CANCELLED) }
end

local function store_job(item, args, first, last)
	local key = T .. ':j:' .. item.id
	if item.held then
		call('HSET', key, 's', WAITING .. item.flags .. '.1', 'c', now_text, unpack(args, first, last))
		call('ZADD', T .. ':h', now, item.id)
	elseif item.due > now then
		call('HSET', key, 's', SCHEDULED .. item.flags .. '.1', 'c', now_text, 'd', item.due, unpack(args, first, last))
		call('ZADD', T .. ':d', item.due, item.id)
		-- Who waits must learn when it is due earlier than all others.
		if call('ZRANGE', T .. ':d', 0, 0)[1] == item.id then
			call('ZADD', T .. ':m:' .. item.kind, '0', '1')
		end
	else
		call('HSET', key, 's', READY .. item.flags .. '.1', 'c', now_text, unpack(args, first, last))
		put(back, item.kind, item.lane, item.id)
	end
end

-- Returns outcome and id. room: may the queue still grow?
local function submit_one(item, args, first, last, known, room)
	if known and present_state(item.id) then
		return EXISTING, item.id
	end
	if item.idem ~= '' then
		local outcome, id = known_key(item)
		if outcome then
			return outcome, id
		end
	end
	local holder = item.unique ~= '' and unique_holder(item)
	if holder and item.policy == '1' then
		return REJECTED, holder
	end
	if holder and item.policy == '0' then
		note_key(item, holder, opt.result_ttl)
		return EXISTING, holder
	end
	if not room then
		return FULL, ''
	end
	if holder then
		cancel_job(holder)
	end
	local ttl = KEY_BACKSTOP + math.max(0, item.due - now)
	note_key(item, item.id, ttl)
	if item.unique ~= '' then
		call('SET', T .. ':u:' .. item.unique, item.id, 'PX', ttl)
	end
	store_job(item, args, first, last)
	return NEW, ''
end

local function read_item(args, at)
	local item = { id = args[at], kind = args[at + 1], lane = args[at + 2], idem = args[at + 3], fingerprint = args[at + 4],
		unique = args[at + 5], policy = args[at + 6], held = args[at + 7] == '1', due = tonumber(args[at + 8]),
		flags = args[at + 10] }
	local delay = tonumber(args[at + 9])
	if delay > 0 then
		item.due = now + delay
	end
	return item
end

-- May any of these ids be known already? One question for all of them, since the answer is nearly always no.
local function any_known(args, at, n)
	local keys, seen, twice = {}, {}, false
	for i = 1, n do
		local id = args[at]
		twice = twice or seen[id]
		seen[id] = true
		keys[i] = T .. ':j:' .. id
		at = at + 12 + tonumber(args[at + 11])
	end
	return twice or call('EXISTS', unpack(keys)) > 0
end

local function waiting_count()
	return tonumber(call('HGET', T .. ':n', 'r') or 0) + call('ZCARD', T .. ':d') + call('ZCARD', T .. ':h')
end

-- max_length, memory full (0, 1), n, then for each item: id, kind, lane, idempotency key, fingerprint, unique key, policy, held,
-- due, delay, flags, number of further arguments, fields and values of the record
local function submit(keys, args)
	enter(keys, args)
	local room, n = args[6] == '1' and 0 or tonumber(args[5]) - waiting_count(), tonumber(args[7])
	local at, known, out, ids = 8, any_known(args, 8, n), {}, {}
	for i = 1, n do
		local item = read_item(args, at)
		local last = at + 11 + tonumber(args[at + 11])
		local outcome, id = submit_one(item, args, at + 12, last, known, room > 0)
		if outcome == NEW then
			room = room - 1
			ids[#ids + 1] = item.id
		end
		out[i * 2 - 1], out[i * 2] = outcome, id
		at = last + 1
	end
	flush_lanes()
	if #ids > 0 then
		call('RPUSH', T .. ':a', unpack(ids))
		trim_all(math.min(#ids * 2, BATCH))
	end
	leave()
	return out
end

-- ---- single jobs -----------------------------------------------------------------------------------------------------

local function cancel(keys, args)
	enter(keys, args)
	local reply = cancel_job(args[5])
	leave()
	return reply
end

-- Take the keys of an ended job again. False: the unique one is another's now.
local function take_keys(id, key, job)
	local unique = has_flag(job, 'u') and call('HGET', key, 'u')
	if unique and unique_holder({ unique = unique }) then
		return false
	end
	if unique then
		call('SET', T .. ':u:' .. unique, id, 'PX', KEY_BACKSTOP)
	end
	if has_flag(job, 'i') then
		call('PEXPIRE', T .. ':i:' .. call('HGET', key, 'i'), KEY_BACKSTOP)
	end
	return true
end

-- False: its unique key is another's now.
local function replay_job(id, key, job)
	if not take_keys(id, key, job) then
		return false
	end
	local h = call('HMGET', key, 'k', 'y')
	call('ZREM', T .. END_INDEX[job.state], id)
	clear_flags(job, 'ac')
	line_up(id, key, job, kind_of(h[1]), h[2])
	move(key, job, READY)
	call('PERSIST', key)
	call('HDEL', key, 'a', 'e', 'E', 'R', 'n', 'd')
	return true
end

-- {1, state} done, {0, 0} no such job, {-1, state} not in an end state, {-2, state} its unique key is another's now
local function replay(keys, args)
	enter(keys, args)
	local id = args[5]
	local key = T .. ':j:' .. id
	local job = read(key)
	if not job then
		return { 0, 0 }
	end
	if not END_INDEX[job.state] then
		return { -1, tonumber(job.state) }
	end
	if not replay_job(id, key, job) then
		return { -2, tonumber(job.state) }
	end
	flush_lanes()
	leave()
	return { 1, tonumber(READY) }
end

local function release(keys, args)
	enter(keys, args)
	local id = args[5]
	local key = T .. ':j:' .. id
	local job = read(key)
	if not job then
		return { 0, 0 }
	end
	if job.state ~= WAITING then
		return { -1, tonumber(job.state) }
	end
	local h = call('HMGET', key, 'k', 'y')
	line_up(id, key, job, kind_of(h[1]), h[2])
	move(key, job, READY)
	call('ZREM', T .. ':h', id)
	flush_lanes()
	leave()
	return { 1, tonumber(READY) }
end

-- id, priority, the revision that it must have ('' any): {1, state} done, {0, 0} no such job, {-1, state} it runs or has ended,
-- {-3, state} it has another revision
local function prioritize(keys, args)
	enter(keys, args)
	local id, priority = args[5], args[6]
	local key = T .. ':j:' .. id
	local job = read(key)
	if not job then
		return { 0, 0 }
	end
	if args[7] ~= '' and args[7] ~= job.rev then
		return { -3, tonumber(job.state) }
	end
	if job.state == RUNNING or job.state >= SUCCEEDED then
		return { -1, tonumber(job.state) }
	end
	local h = call('HMGET', key, 'k', 'y')
	local from, lane, kind = priority_of(h[2]), priority .. string.sub(h[2] or '5', 2), kind_of(h[1])
	if from == priority then
		return { 1, tonumber(job.state) }
	end
	if job.state == READY then
		add_ghost(key, job, from)
		line_up(id, key, job, kind, lane)
		count('r', -1) -- it was counted where it was
		count('r:' .. kind, -1)
	end
	save(key, job, 'y', lane)
	flush_lanes()
	leave()
	return { 1, tonumber(job.state) }
end

local function watch(keys, args)
	enter(keys, args)
	local key = T .. ':j:' .. args[5]
	local job = read(key)
	if not job then
		return { 0, 0 }
	end
	if job.state < SUCCEEDED and not has_flag(job, 'w') then
		set_flag(job, 'w')
		save(key, job)
	end
	return { 1, tonumber(job.state) }
end

-- ---- whole queues ----------------------------------------------------------------------------------------------------

-- '1': nothing is claimed from now on; '0': whoever waits goes on. Either may be said twice.
local function pause(keys, args)
	enter(keys, args)
	if args[5] == '1' then
		call('HSETNX', T .. ':n', 'p', now_text)
		return 1
	end
	call('HDEL', T .. ':n', 'p')
	local h = call('HGETALL', T .. ':n')
	for i = 1, #h, 2 do
		local kind = string.match(h[i], '^r:(.+)$')
		if kind and tonumber(h[i + 1]) > 0 then
			call('ZADD', T .. ':m:' .. kind, '0', '1')
		end
	end
	return 1
end

-- An id just taken from its lane, which nobody will run. Returns how many jobs that cancelled.
local function purge_id(id, lane, kind)
	local key = T .. ':j:' .. id
	local job = read(key)
	if not job or lay_ghost(key, job, priority_of(lane)) then
		return 0
	end
	count('r', -1)
	count('r:' .. kind, -1)
	finish(id, key, job, CANCELLED)
	return 1
end

-- The lanes of a kind from the first on, until `limit` ids were taken or as many lanes looked at.
local function purge_kind(kind, limit)
	local ring, popped, cancelled = T .. ':g:' .. kind, 0, 0
	for _ = 1, BATCH do
		local lane = popped < limit and call('ZRANGE', ring, 0, 0)[1]
		if not lane then
			break
		end
		local wanted = limit - popped
		local ids = call('LPOP', T .. ':r:' .. kind .. ':' .. lane, wanted) or {}
		for _, id in ipairs(ids) do
			cancelled = cancelled + purge_id(id, lane, kind)
		end
		if #ids < wanted then
			call('ZREM', ring, lane)
		end
		popped = popped + #ids
	end
	return popped, cancelled
end

local function purge_ready(limit)
	local h, popped, cancelled = call('HGETALL', T .. ':n'), 0, 0
	for i = 1, #h, 2 do
		local kind = string.match(h[i], '^r:(.+)$')
		if kind and tonumber(h[i + 1]) > 0 and popped < limit then
			local p, n = purge_kind(kind, limit - popped)
			popped, cancelled = popped + p, cancelled + n
		end
	end
	return cancelled
end

local function purge_index(index, limit)
	local ids, cancelled = call('ZRANGE', T .. index, 0, limit - 1), 0
	for _, id in ipairs(ids) do
		local key = T .. ':j:' .. id
		local job = read(key)
		if job then
			finish(id, key, job, CANCELLED)
			cancelled = cancelled + 1
		end
	end
	if #ids > 0 then
		call('ZREM', T .. index, unpack(ids))
	end
	return cancelled, call('ZCARD', T .. index)
end

-- state (ready, scheduled with retrying, waiting), limit: {how many were cancelled, how many are left}
local function purge(keys, args)
	enter(keys, args)
	local state, limit = args[5], math.min(tonumber(args[6]), BATCH)
	local cancelled, left
	if state == READY then
		cancelled = purge_ready(limit)
	else
		cancelled, left = purge_index(LIST_INDEX[state], limit)
	end
	leave()
	return { cancelled, left or tonumber(call('HGET', T .. ':n', 'r') or 0) }
end

-- ---- looking ---------------------------------------------------------------------------------------------------------

-- The record as fields and values, with its id and its lease's end before it; nil when it has vanished.
local function record_of(id)
	local fields = call('HGETALL', T .. ':j:' .. id)
	if #fields == 0 then
		return nil
	end
	local worker = call('HGET', T .. ':j:' .. id, 'w')
	local lease = worker and call('ZSCORE', T .. ':l:' .. worker, id)
	table.insert(fields, 1, lease or '0')
	table.insert(fields, 1, id)
	return fields
end

local function show(keys, args)
	enter(keys, args)
	local out = {}
	for i = 5, math.min(#args, 4 + BATCH) do
		out[#out + 1] = record_of(args[i])
	end
	return out
end

-- From the highest score down, how many stand before whatever comes after (score, id), which itself may be gone.
local function rank_after(name, score, id)
	local low = call('ZCOUNT', name, '(' .. score, '+inf')
	local high = low + call('ZCOUNT', name, score, score)
	while low < high do
		local middle = math.floor((low + high) / 2)
		if call('ZREVRANGE', name, middle, middle)[1] >= id then
			low = middle + 1
		else
			high = middle
		end
	end
	return low
end

-- Page through a zset from its highest score, or from `top` down. The cursor names the last member given, so that a member added or
-- removed elsewhere moves nothing. Returns ids, a function that makes the cursor after one of them, and their scores.
local function page_zset(name, cursor, top)
	local score, id = string.match(cursor, '^(%d+):(%w+)$')
	local rank = 0
	if id then
		rank = rank_after(T .. name, score, id)
	elseif top then
		rank = call('ZCOUNT', T .. name, '(' .. top, '+inf')
	end
	local z, ids, scores = call('ZREVRANGE', T .. name, rank, rank + BATCH - 1, 'WITHSCORES'), {}, {}
	for i = 1, #z, 2 do
		ids[#ids + 1] = z[i]
		scores[#scores + 1] = tonumber(z[i + 1])
	end
	return ids, function(i)
		return z[i * 2] .. ':' .. z[i * 2 - 1]
	end, scores
end

-- Page through T:a from its end; the cursor is a position counted from the first job ever, so that trimming moves nothing.
local function page_all(cursor)
	local trimmed = tonumber(call('HGET', T .. ':n', 'at') or 0)
	local len = call('LLEN', T .. ':a')
	local stop = cursor == '' and len or math.max(0, math.min(len, (tonumber(cursor) or 0) - trimmed))
	local first = math.max(0, stop - BATCH)
	local some = stop > 0 and call('LRANGE', T .. ':a', first, stop - 1) or {}
	local ids = {}
	for i = #some, 1, -1 do
		ids[#ids + 1] = some[i]
	end
	return ids, function(i)
		return string.format('%.0f', trimmed + stop - i)
	end
end

-- Fill out with the records that fit; returns how many ids were looked at.
local function pick(ids, kind, state, limit, out)
	local bytes = 0
	for i, id in ipairs(ids) do
		local h = call('HMGET', T .. ':j:' .. id, 's', 'k')
		if h[1] and (state == '' or string.sub(h[1], 1, 1) == state) and (kind == '' or kind_of(h[2]) == kind) then
			local record = record_of(id)
			for _, text in ipairs(record) do
				bytes = bytes + #text
			end
			out[#out + 1] = record
		end
		if #out == limit or bytes > LIST_BYTES then
			return i
		end
	end
	return #ids
end

-- kind ('' any), state ('' any), cursor, limit. A cursor is the letter of a source and the place in it; '' starts and ends.
local function list(keys, args)
	enter(keys, args)
	local kind, state, cursor, limit = args[5], args[6], args[7], tonumber(args[8])
	local source, place = string.sub(cursor, 1, 1), string.sub(cursor, 2)
	local ids, mark
	if LIST_INDEX[state] then
		source = 'z'
		ids, mark = page_zset(LIST_INDEX[state], place)
	elseif source == 'o' then
		ids, mark = page_zset(':o', place)
	else
		source = 'a'
		ids, mark = page_all(place)
	end
	local out = {}
	local looked = pick(ids, kind, state, limit, out)
	if looked == #ids and #ids < BATCH then
		-- This source is exhausted; after the list of all come the old ones.
		return { source == 'a' and call('EXISTS', T .. ':o') == 1 and 'o' or '', out }
	end
	return { source .. mark(looked), out }
end

local function counts(keys, args)
	enter(keys, args)
	local h = call('HMGET', T .. ':n', 'r', 'run', 'done', 'p')
	return { tonumber(h[1] or 0), call('ZCARD', T .. ':d'), tonumber(h[2] or 0), call('ZCARD', T .. ':h'), call('ZCARD', T .. ':x'),
		tonumber(h[3] or 0), call('ZCOUNT', T .. ':W', '(' .. now, '+inf'),
		tonumber(h[4] or 0) }
end

-- ---- dead letters ----------------------------------------------------------------------------------------------------

-- The job, if it is one of those looked for.
local function dead_match(key, f)
	local h = call('HMGET', key, 's', 'k', 'E')
	local job = parse(h[1])
	if not job or job.state ~= f.state or (f.kind ~= '' and kind_of(h[2]) ~= f.kind) then
		return nil
	end
	local found = f.error == '' or string.find(string.lower(h[3] or ''), f.error, 1, true)
	return found and job or nil
end

-- Look at no more than 256, the latest ended first; visit(id, key, job) says whether to stop there. Returns the cursor, '' at the end.
local function walk_dead(args, visit)
	local f = { state = args[5], kind = args[6], error = string.lower(args[7]), from = tonumber(args[8]) }
	local ids, mark, scores = page_zset(END_INDEX[f.state], args[10], args[9] ~= '0' and args[9])
	for i, id in ipairs(ids) do
		if scores[i] < f.from then
			return ''
		end
		local key = T .. ':j:' .. id
		local job = dead_match(key, f)
		if job and visit(id, key, job) then
			return mark(i)
		end
	end
	return #ids < BATCH and '' or mark(#ids)
end

-- state, kind ('' any), part of the error ('' any), ended from, to (0: no limit), cursor, limit
local function dead_list(keys, args)
	enter(keys, args)
	local limit, bytes, out = tonumber(args[11]), 0, {}
	local cursor = walk_dead(args, function(id)
		local record = record_of(id)
		for _, text in ipairs(record) do
			bytes = bytes + #text
		end
		out[#out + 1] = record
		return #out == limit or bytes > LIST_BYTES
	end)
	return { cursor, out }
end

local function delete_job(id, key, job)
	if has_flag(job, 'i') then
		local idem = T .. ':i:' .. call('HGET', key, 'i')
		if string.sub(call('GET', idem) or '', 1, #id) == id then
			call('DEL', idem)
		end
	end
	call('ZREM', T .. END_INDEX[job.state], id)
	call('UNLINK', key)
	return true
end

-- The same, and after the limit what to do: replay or delete. {cursor, how many were done, how many have a unique key that is
-- another's now}
local function dead_act(keys, args)
	enter(keys, args)
	local act, limit, done, skipped = args[12] == 'delete' and delete_job or replay_job, tonumber(args[11]), 0, 0
	local cursor = walk_dead(args, function(id, key, job)
		if act(id, key, job) then
			done = done + 1
		else
			skipped = skipped + 1
		end
		return done == limit
	end)
	flush_lanes()
	leave()
	return { cursor, done, skipped }
end

-- ---- budgets ---------------------------------------------------------------------------------------------------------

-- A budget is a hash with a tag of its own: s start of the window, u used in it, x stopped until.
local function budget_of(keys, window)
	call = redis.call
	local t = call('TIME')
	now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
	local start = now - now % window
	local h = call('HMGET', keys[1], 's', 'u', 'x')
	return { start = start, used = tonumber(h[1] or -1) == start and tonumber(h[2] or 0) or 0, stop = tonumber(h[3] or 0) }
end

local function keep_budget(key, b, window)
	call('HSET', key, 's', b.start, 'u', b.used, 'x', b.stop)
	call('PEXPIRE', key, math.max(2 * window, b.stop - now + 1000))
end

-- cost, limit, window: {1, 0} taken, {0, wait_ms} not now
local function budget_take(keys, args)
	local cost, limit, window = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
	local b = budget_of(keys, window)
	if b.stop > now then
		return { 0, b.stop - now }
	end
	if b.used + cost > limit then
		return { 0, b.start + window - now }
	end
	b.used = b.used + cost
	keep_budget(keys[1], b, window)
	return { 1, 0 }
end

-- used, window, stop_ms: raises what was counted and the stop, never lowers either
local function budget_correct(keys, args)
	local window = tonumber(args[2])
	local b = budget_of(keys, window)
	b.used = math.max(b.used, tonumber(args[1]))
	b.stop = math.max(b.stop, tonumber(args[3]) > 0 and now + tonumber(args[3]) or 0)
	keep_budget(keys[1], b, window)
	return 1
end

-- What frees memory or moves what is there may run when memory is full; submissions may not.
local function register(name, callback, ...)
	redis.register_function({ function_name = 'barque1_' .. name, callback = callback, flags = { ... } })
end

register('submit', submit)
register('step', step, 'allow-oom')
register('renew', renew, 'allow-oom')
register('cancel', cancel, 'allow-oom')
register('replay', replay, 'allow-oom')
register('release', release, 'allow-oom')
register('prioritize', prioritize, 'allow-oom')
register('watch', watch, 'allow-oom')
register('pause', pause, 'allow-oom')
register('purge', purge, 'allow-oom')
register('show', show, 'no-writes')
register('list', list, 'no-writes')
register('dead_list', dead_list, 'no-writes')
register('dead_act', dead_act, 'allow-oom')
register('counts', counts, 'no-writes')
register('budget_take', budget_take, 'allow-oom')
register('budget_correct', budget_correct, 'allow-oom')
