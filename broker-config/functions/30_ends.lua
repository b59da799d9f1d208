-- ends: how a job ends, crashes, is retried; and the acknowledgements that say so.

local function free_unique(unique, id)
	local key = T .. ':u:' .. unique
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
	history.note(id, to)
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
		call('PEXPIRE', T .. ':i:' .. call('HGET', key, 'i'), ttl)
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
	call('ZADD', T .. ':d', due, id)
end

function ACKS.C(id, key, job, _, text)
	crash(id, key, job, text)
end

function ACKS.G(id, key, job)
	if has_flag(job, 'r') then
		limits.refund(key)
	end
	if has_flag(job, 'c') then
		return finish(id, key, job, CANCELLED)
	end
	local plan = plan_of(key)
	timeline.note(key, job, 'given_back')
	move(key, job, READY)
	put(front, route_of(plan.k, job), plan.lane, id)
end

-- Not now: what it needs is used up or stopped. Neither an error nor a crash. a: for how many ms; b: why.
function ACKS.L(id, key, job, wait, text)
	if has_flag(job, 'c') then
		return finish(id, key, job, CANCELLED)
	end
	local due = now + tonumber(wait)
	move(key, job, SCHEDULED, 'd', due, 'z', string.format('later %.0f %s', due, text))
	call('ZADD', T .. ':d', due, id)
end

function ACKS.X(id, key, job)
	finish(id, key, job, CANCELLED)
end

local function drop_leases(worker, ids)
	if #ids > 0 then
		count('run', -call('ZREM', T .. ':l:' .. worker, unpack(ids)))
	end
end

-- Its retention is given to Redis, or found by trim_all() when it is over: that costs a tenth less, but may take a minute longer.
local SWEPT = 600000

-- The usual end of the usual job, as ACKS.D and finish() would do it. False: it is another one.
local function settle(id, key, s, fence, result)
	if s ~= CLAIMED .. fence then
		return false
	end
	history.note(id, SUCCEEDED)
	if result == '' then
		call('HSET', key, 's', SETTLED .. fence, 'e', now_text)
	else
		call('HSET', key, 's', SETTLED .. fence, 'e', now_text, 'R', result)
	end
	if opt.swept == nil then
		opt.swept = tonumber(opt.result_ttl) >= SWEPT
	end
	if not opt.swept then
		call('PEXPIRE', key, opt.result_ttl)
	end
	count('done', 1)
	if changes.on then
		changes.note(key, SUCCEEDED)
	end
	return true
end

-- Five arguments each: id, fence, outcome, a, b. Returns the ids whose fence was stale. A fence is given once, to one worker, so it
-- says who may acknowledge.
local function apply_acks(worker, args, at, n)
	local rejected, over = {}, {}
	for i = 1, n do
		local id, fence, outcome = args[at], args[at + 1], args[at + 2]
		local key = J .. id
		local s = call('HGET', key, 's')
		if outcome == 'D' and args[at + 4] == '' and settle(id, key, s, fence, args[at + 3]) then
			over[#over + 1] = id
		else
			local job = parse(s)
			if job and job.state == RUNNING and job.fence == fence then
				ACKS[outcome](id, key, job, args[at + 3], args[at + 4])
				over[#over + 1] = id
			else
				rejected[#rejected + 1] = id
			end
		end
		at = at + 5
	end
	drop_leases(worker, over)
	return rejected
end

