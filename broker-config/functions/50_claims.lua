-- claims: what is due becomes ready, and who asks is given jobs in fair shares.

-- When is the first of the schedule due? nil: there is none.
local function first_due()
	return tonumber(call('ZRANGE', K.d, '0', '0', 'WITHSCORES')[2])
end

-- Returns when the next is due, as first_due().
local function promote()
	local due = first_due()
	if not due or due > now then
		return due
	end
	local ids = call('ZRANGE', K.d, '-inf', now_text, 'BYSCORE', 'LIMIT', '0', '256')
	for _, id in ipairs(ids) do
		local key = J .. id
		local job = read(key)
		if job and LIST_INDEX[job.state] == ':d' then -- else it has no business here
			local h = call('HMGET', key, 'k', 'y')
			line_up(id, key, job, h[1], h[2])
			move(key, job, READY)
		end
	end
	call('ZREM', K.d, unpack(ids))
	return first_due()
end

-- From now to the first of two times; nil stands for never.
local function from_now(due, other)
	due = math.min(due or math.huge, other or math.huge)
	return due < math.huge and math.max(0, due - now) or -1
end

-- ---- claims ----------------------------------------------------------------------------------------------------------

local function by_score(a, b)
	return a.at < b.at
end

-- The lanes to be served next: those of the most urgent class among the routes asked for, by virtual time.
local function next_lanes(c)
	local lanes = {}
	for _, route in ipairs(c.routes) do
		local z = c.ready[route] > 0 and call('ZRANGE', K['g:'] .. route, '0', '31', 'WITHSCORES') or {}
		for i = 1, #z, 2 do
			lanes[#lanes + 1] = { route = route, lane = z[i], at = tonumber(z[i + 1]) }
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

-- How much of what is wanted goes to each of these lanes, and how fast their virtual time grows: by limits.UNIT / weight for each job. Returns
-- the sum of the weights.
function limits.weigh(c, lanes)
	local keys, sum = {}, 0
	for i, lane in ipairs(lanes) do
		keys[i] = string.sub(lane.lane, 2)
	end
	local weights = c.weighted and #lanes > 1 and call('HMGET', K.wt, unpack(keys)) or {}
	for i, lane in ipairs(lanes) do
		lane.weight = number_of(weights[i] or '1')
		sum = sum + lane.weight
	end
	return sum
end

-- What a dispatcher needs of an unusual job beside what is in every claim: its place among the claims, counts of earlier attempts, trace,
-- inputs, time limits, when it was due, is it suspect? Also how many bytes the inputs have.
-- since: false in an answer that is given again, since a wait is counted once.
local function extras_of(id, key, job, place, since)
	local counts = has_flag(job, 'a') and call('HGET', key, 'a')
	local trace = has_flag(job, 't') and call('HGET', key, 't')
	local limits_ms = has_flag(job, 'T') and call('HGET', key, 'T')
	local inputs, bytes = false, 0
	if has_flag(job, 'D') then
		inputs, bytes = flow.inputs(id)
	end
	return { place, counts, trace, inputs, limits_ms, since, has_flag(job, 'H') and 1 }, bytes
end

-- The milliseconds of a fence, nearly always those of this call; low: its last three digits.
function limits.high_of(fence, low)
	local ms = (fence - low) / 1000
	return ms == now and now_text or text_of(ms)
end

function limits.fence_text(fence)
	local low = fence % 1000
	return limits.high_of(fence, low) .. THOUSANDTHS[low]
end

-- The next fence, as text: c.high, the same for a whole batch nearly always, and the last three digits, which are returned. c.again: what
-- stands between these and their repetition in a state.
local function next_fence(c)
	c.fence = c.fence + 1
	local low = c.fence % 1000
	if low == 0 or not c.high then
		c.high = limits.high_of(c.fence, low)
		c.again = ' ' .. string.sub(c.high, -1)
	end
	return THOUSANDTHS[low]
end

-- Is this id, just taken from the lane of this mark, a ghost there? Then it is one no longer.
local function lay_ghost(key, job, mark)
	if not has_flag(job, 'g') or (job.state == READY and mark_of(job, call('HGET', key, 'y')) == mark) then
		return job.state ~= READY
	end
	if drop_ghost(key, job, mark) then
		keep(key, job)
	end
	return true
end

-- A job of this lane that is not to be claimed now: a ghost, what is left of one that has vanished, or one that must be parked.
function limits.is_passed_over(c, id, key, job, lane)
	if not job then
		return true
	end
	if job.state == READY and job.flags == '' then
		return false
	end
	if lay_ghost(key, job, lane_mark(lane.route, lane.lane)) then
		return true
	end
	if (has_flag(job, 'l') or has_flag(job, 'r')) and not limits.admit(id, key, job, lane.lane) then
		c.parked = c.parked + 1
		return true
	end
	return false
end

-- It is ours: into the answer, in the group of its lane, and the leases.
local function hand_over(c, id, params)
	local n, group = c.claimed + 1, c.group
	c.claimed = n
	c.ids[n] = id
	c.leases[n * 2 - 1] = c.until_ms
	c.leases[n * 2] = id
	local at = group.n
	group[at + 1], group[at + 2], group.n = id, params, at + 2
	c.bytes = c.bytes + (params and #params or 0)
end

-- A job that has anything unusual about it. False: it was passed over.
local function take_unusual(c, id, key, lane)
	local job = read(key)
	if limits.is_passed_over(c, id, key, job, lane) then
		return false
	end
	if has_flag(job, 'h') then
		timeline.note(key, job, 'claimed', c.worker)
	end
	local low = next_fence(c)
	job.fence = c.high .. low
	move(key, job, RUNNING, 'b', c.begun)
	local h = call('HMGET', key, 'p', 'c', 'd')
	local extras, inputs = extras_of(id, key, job, c.claimed, h[3] or h[2])
	hand_over(c, id, h[1])
	c.extras[#c.extras + 1] = extras
	c.bytes, c.inputs = c.bytes + inputs, (c.inputs or 0) + inputs
	return true
end

-- One job becomes ours; s is its state, which nobody has written since. A usual one's is written with those of its lane. False: it was passed over.
local function take(c, id, s, lane)
	local key = J .. id
	if s ~= FRESH then
		return take_unusual(c, id, key, lane)
	end
	local params = call('HGET', key, 'p') -- one value: an answer of two would be a table, which costs as much again
	if c.given[id] or (not params and call('EXISTS', key) == 0) then
		return false -- it lay there twice, or its record has vanished
	end
	c.given[id] = true
	local low, n = next_fence(c), c.fresh + 2
	c.fresh, c.states[n - 1], c.states[n] = n, id, CLAIMED .. c.high .. low .. c.again .. low .. c.by
	hand_over(c, id, params)
	if changes.on then
		changes.note(key, RUNNING, lane.kind)
	end
	return true
end

-- Take up to n from a lane; what was popped but would make the answer too long goes back to the front, in its order.
-- A lane whose last id was taken may stay in its ring until it is looked at again. One that is alone owes nobody anything.
local function serve(c, lane, n, alone)
	local list, ring = K['r:'] .. lane.route .. ':' .. lane.lane, K['g:'] .. lane.route
	local ids, taken = call('LPOP', list, text_of(n)) or {}, 0
	local last, all = #ids, states.of(ids, 1, #ids)
	c.parked, lane.kind = 0, kind_of(lane.route)
	c.group, c.states, c.fresh = { lane.route, limits.fence_text(c.fence + 1), n = 2 }, {}, 0
	for i = 1, #ids do
		taken = taken + (take(c, ids[i], all[i], lane) and 1 or 0)
		if c.bytes >= CLAIM_BYTES then
			last = i
			break
		end
	end
	for i = #ids, last + 1, -1 do
		call('LPUSH', list, ids[i])
	end
	if c.fresh > 0 then
		call('HSET', S, unpack(c.states))
	end
	if c.group.n > 2 then
		c.groups[#c.groups + 1] = c.group
	end
	if #ids < n and last == #ids then
		call('ZREM', ring, lane.lane)
	elseif not alone then
		-- Rounded up as often as the fraction says, so that small parts are not lost.
		local grown = math.floor(taken * limits.UNIT / lane.weight + c.fence % 997 / 997)
		call('ZADD', ring, lane.at + grown, lane.lane)
		local class = math.floor(lane.at / CLASS)
		c.service['v' .. class] = math.max(c.service['v' .. class] or 0, lane.at - class * CLASS)
	end
	c.popped = c.popped + math.max(1, last)
	c.want = c.want - taken
	local gone = taken + c.parked
	c.ready[lane.route] = c.ready[lane.route] - gone
	count('r', -gone)
	count('r:' .. lane.route, -gone)
end

-- Fair shares: each lane of the class gets a part of what is wanted that is as large as its weight. The virtual time of a lane grows
-- with what it was given, by less when its weight is more, so that one that got too little this time stands first the next.
local function claim(c)
	while c.want > 0 and c.popped < BATCH and c.bytes < CLAIM_BYTES do
		local lanes = next_lanes(c)
		if #lanes == 0 then
			break
		end
		local want, sum = c.want, limits.weigh(c, lanes)
		for _, lane in ipairs(lanes) do
			if c.want > 0 and c.popped < BATCH and c.bytes < CLAIM_BYTES then
				local part = math.ceil(want * lane.weight / sum)
				serve(c, lane, math.min(part, c.want, BATCH - c.popped), #lanes == 1)
			end
		end
	end
	for name, at in pairs(c.service) do
		set(name, at)
	end
	if c.claimed > 0 then
		count('by', (c.inputs or 0) - c.bytes) -- of the parameters alone
		call('ZADD', K['l:'] .. c.worker, unpack(c.leases))
		count('run', c.claimed)
		set('f', limits.fence_text(c.fence))
	end
end

-- What came back from where it was parked is in its lane for the next claim.
function limits.take_back(c)
	if not next(front) and not next(back) then
		return
	end
	flush_lanes()
	for _, route in ipairs(c.routes) do
		c.ready[route] = known['r:' .. route] + (deltas['r:' .. route] or 0)
	end
end

-- A route with something left keeps its marker, so that the next waiting dispatcher wakes; one that was emptied loses it.
local function set_markers(c)
	local more = 0
	if c.paused then
		return more -- resuming sets them all
	end
	for _, route in ipairs(c.routes) do
		if c.ready[route] > 0 then
			more = more + c.ready[route]
			call('ZADD', K['m:'] .. route, '0', '1')
		elseif c.before[route] > 0 then
			call('DEL', K['m:'] .. route)
		end
	end
	return more
end

