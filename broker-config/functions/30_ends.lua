-- ends: how a job ends, crashes, is retried; and the acknowledgements that say so.

local function free_unique(unique, id)
	local key = K['u:'] .. unique
	if call('GET', key) == id then
		call('DEL', key)
	end
end

local flow = {} -- jobs that wait for jobs: filled in by 78_flow.lua

-- The keys are let go, the record stays for its retention.
local function finish(id, key, job, to, ...)
	if has_flag(job, 'S') and flow.again(id, key, job, to, ...) then
		return
	end
	history.note(to, id)
	local was, ttl = job.state, (to == FAILED or to == DEAD) and opt.dead_ttl or opt.result_ttl
	if to == SUCCEEDED and has_flag(job, 'x') then
		ttl = call('HGET', key, 'x')
	end
	move(key, job, to, 'e', now_text, ...)
	call('PEXPIRE', key, ttl)
	if has_flag(job, 'L') then
		call('PEXPIRE', T .. ':L:' .. id, ttl)
	end
	if has_flag(job, 'u') then
		free_unique(call('HGET', key, 'u'), id)
	end
	if has_flag(job, 'i') then
		call('PEXPIRE', K['i:'] .. call('HGET', key, 'i'), ttl)
		if has_flag(job, 'O') then
			flow.keep_key(id, key, job)
		end
	end
	if to ~= SUCCEEDED then
		call('ZADD', T .. END_INDEX[to], now_text, id)
	end
	if has_flag(job, 'w') then
		call('PUBLISH', opt.ns .. ':ended', opt.prefix .. id .. ' ' .. to)
	end
	count('done', 1)
	if has_flag(job, 'S') or has_flag(job, 'D') then
		flow.ended(id, job, to, was, ttl)
	end
end

-- What is needed to send a running job back: kind and version, lane, errors, crashes, and its limits.
local function plan_of(key)
	local h = call('HMGET', key, 'k', 'y', 'a', 'm')
	local plan = { k = h[1], lane = h[2], errors = 0, crashes = 0, attempts = 1, max_crashes = 3, base = 1000, cap = 300000, quarantine = 1 }
	if h[3] then
		local errors, crashes = string.match(h[3], '^(%d+) (%d+)$')
		plan.errors, plan.crashes = tonumber(errors), tonumber(crashes)
	end
	if h[4] then
		local attempts, max_crashes, base, cap, quarantine = string.match(h[4], '^(%d+) (%d+) (%d+) (%d+) ?(%d*)$')
		plan.attempts, plan.max_crashes, plan.base, plan.cap = tonumber(attempts), tonumber(max_crashes), tonumber(base), tonumber(cap)
		plan.quarantine = tonumber(quarantine) or 1
	end
	return plan
end

local function crash(id, key, job, why)
	local plan = plan_of(key)
	local crashes = plan.crashes + 1
	local counts = plan.errors .. ' ' .. crashes
	set_flag(job, 'a')
	timeline.note(key, job, 'crashed', why)
	count('crs', 1)
	remarks.say(id, job, 'crashed: ' .. why)
	if has_flag(job, 'c') then
		return finish(id, key, job, CANCELLED, 'a', counts)
	end
	if crashes > plan.max_crashes then
		return finish(id, key, job, DEAD, 'a', counts, 'E', 'crashed poison: it crashed ' .. crashes .. ' times; last: ' .. why)
	end
	if crashes >= plan.quarantine then
		set_flag(job, 'Q')
	end
	move(key, job, READY, 'a', counts)
	line_up(id, key, job, plan.k, plan.lane, front)
	if has_flag(job, 'Q') then
		keep(key, job) -- its id may have lain in the lane of the quarantine from an earlier time
	end
end

-- It runs again, in front, and nothing is counted.
local function give_back(id, key, job, why)
	if has_flag(job, 'c') then
		return finish(id, key, job, CANCELLED)
	end
	local plan = plan_of(key)
	timeline.note(key, job, 'given_back', why)
	move(key, job, READY)
	put(front, route_of(plan.k, job), plan.lane, id)
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
	remarks.say(id, job, 'attempt ' .. errors .. ' failed: ' .. code .. ': ' .. text)
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
	timeline.note(key, job, 'error', string.format('%s: %s; again in %.1f s', code, string.sub(text, 1, 250), (due - now) / 1000))
	count('ret', 1)
	move(key, job, RETRYING, 'a', counts, 'E', why, 'd', due)
	call('ZADD', K.d, due, id)
end

function ACKS.C(id, key, job, _, text)
	crash(id, key, job, text)
end

function ACKS.G(id, key, job)
	if has_flag(job, 'r') then
		limits.refund(key)
	end
	give_back(id, key, job)
end

-- Not now: what it needs is used up or stopped. Neither an error nor a crash. a: for how many ms; b: why.
function ACKS.L(id, key, job, wait, text)
	if has_flag(job, 'c') then
		return finish(id, key, job, CANCELLED)
	end
	local due = now + tonumber(wait)
	move(key, job, SCHEDULED, 'd', due, 'z', string.format('later %.0f %s', due, text))
	call('ZADD', K.d, due, id)
end

function ACKS.X(id, key, job)
	finish(id, key, job, CANCELLED)
end

-- It is about to start: no end, but from now on its loss is a crash. apply_acks() writes that down.
function ACKS.S() end

local leases = {} -- 40_leases.lua

local function drop_leases(worker, ids)
	if #ids > 0 then
		count('run', -call('ZREM', K['l:'] .. worker, unpack(ids)))
	end
end

-- Its retention is given to Redis, or found by trim_all() when it is over: that costs a tenth less, but may take a minute longer.
local SWEPT = 600000

-- The usual ends of usual jobs, as ACKS.D and finish() would do them: n ids and then their n fences, of jobs that ended without a result or
-- a last word about how far they were. Returns ids and the places of those that are not so usual.
local function settle(worker, args, at, n)
	local by, text, others, seen, k = ' ' .. worker, '.' .. now_text .. ' ', {}, {}, 0
	local all, over, new = states.of(args, at, at + n - 1), {}, { unpack(args, at, at + 2 * n - 1) } -- new: as long as it will be
	for i = 1, n do
		local id, fence = args[at + i - 1], args[at + n + i - 1]
		local low = string.sub(fence, -4)
		if all[i] == CLAIMED .. fence .. ' ' .. low .. by and not seen[id] then
			seen[id] = true
			over[#over + 1] = id
			k = k + 2
			new[k - 1], new[k] = id, SETTLED .. fence .. text .. low .. by
		else
			others[#others + 1] = i - 1
		end
	end
	if k > 0 then
		call('HSET', S, unpack(new, 1, k))
		states.settled(over)
	end
	return over, others
end

-- A fence is given once, to one worker, so it says who may acknowledge. False: it is stale.
local function acknowledge(id, fence, outcome, a, b)
	local key = J .. id
	local job = read(key)
	if not job or job.state ~= RUNNING or job.fence ~= fence then
		return false
	end
	ACKS[outcome](id, key, job, a, b)
	return true
end

-- They ended as usual.
function states.settled(ids)
	history.note(SUCCEEDED, unpack(ids))
	count('done', #ids)
	if tonumber(opt.result_ttl) < SWEPT then
		for _, id in ipairs(ids) do
			call('PEXPIRE', J .. id, opt.result_ttl)
		end
	end
	if changes.on then
		for _, id in ipairs(ids) do
			changes.note(J .. id, SUCCEEDED)
		end
	end
end

-- Acknowledgements: how many ended as usual, their ids, their fences; how many others, and five arguments for each of these: id, fence,
-- outcome, a, b. Where do they end?
function states.acks_end(args, at)
	at = at + 1 + 2 * number_of(args[at])
	return at + 1 + 5 * number_of(args[at])
end

-- Returns the ids whose fence was stale.
local function apply_acks(worker, lease, args, at)
	local rejected, starting, n = {}, nil, number_of(args[at])
	local over, others = settle(worker, args, at + 1, n)
	local function tell(id, fence, outcome, a, b)
		local list = acknowledge(id, fence, outcome, a, b) and (outcome == 'S' and starting or over) or rejected
		list[#list + 1] = id
	end
	for _, i in ipairs(others) do
		tell(args[at + 1 + i], args[at + 1 + n + i], 'D', '', '')
	end
	at = at + 1 + 2 * n
	n = number_of(args[at])
	starting = n > 0 and {}
	for i = 0, n - 1 do
		tell(unpack(args, at + 1 + 5 * i, at + 5 + 5 * i))
	end
	drop_leases(worker, over)
	if starting then
		leases.start(worker, starting, lease)
	end
	return rejected
end

