-- submit: new jobs, their keys, and room for them.

local NEW, EXISTING, MISMATCH, REJECTED, FULL = 0, 1, 2, 3, 4
-- What a unique key does when it meets a live job; '2' replaces it.
limits.RETURN, limits.REJECT, limits.KEEP_NEWEST = '0', '1', '3'
limits.LANE_FULL = 5
limits.ELSEWHERE = 6 -- its idempotency key is a job's of another shard: see shards.reserve

-- The state of a job, or nil when it has vanished.
local function present_state(id)
	local job = id and read(J .. id)
	return job and job.state
end

local function known_key(item)
	local value = call('GET', K['i:'] .. item.idem)
	local id, fingerprint = string.match(value or '', '^(%S+) (.*)$')
	if id and #id > TAIL then
		return limits.ELSEWHERE, ''
	end
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
		call('SET', K['i:'] .. item.idem, id .. ' ' .. item.fingerprint, 'PX', ttl)
	end
end

-- The live job that holds the unique key, if any. A holder that has ended or vanished does not count: the key cannot stick.
local function unique_holder(item)
	local id = call('GET', K['u:'] .. item.unique)
	local state = present_state(id)
	if not state or state >= SUCCEEDED then
		return nil
	end
	return id, state
end

local function cancel_job(id)
	local key = J .. id
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
		timeline.note(key, job, 'cancel_asked')
		save(key, job)
		return { 1, tonumber(state) }
	end
	if has_flag(job, 'q') then
		limits.unpark(id, job, limits.place_of(key))
	elseif state == READY then
		local h = call('HMGET', key, 'k', 'y')
		add_ghost(key, job, mark_of(job, h[2]))
		count('r', -1)
		count('r:' .. route_of(h[1], job), -1)
	else
		call('ZREM', T .. (state == WAITING and ':h' or ':d'), id)
	end
	finish(id, key, job, CANCELLED)
	return { 1, tonumber(CANCELLED) }
end

local function store_job(item, args, first, last)
	local key = J .. item.id
	if string.find(item.flags, 'D', 1, true) then
		first = flow.start(item.id, args, first)
	end
	if item.held then
		states.put(item.id, WAITING .. item.flags .. '.1')
		call('HSET', key, 'c', now_text, unpack(args, first, last))
		call('ZADD', K.h, now, item.id)
	elseif item.due > now then
		states.put(item.id, SCHEDULED .. item.flags .. '.1')
		call('HSET', key, 'c', now_text, 'd', item.due, unpack(args, first, last))
		call('ZADD', K.d, item.due, item.id)
		-- Who waits must learn when it is due earlier than all others.
		if call('ZRANGE', K.d, 0, 0)[1] == item.id then
			call('ZADD', K['m:'] .. item.route, '0', '1')
		end
	else
		states.put(item.id, READY .. item.flags .. '.1')
		call('HSET', key, 'c', now_text, unpack(args, first, last))
		put(back, item.route, item.lane, item.id)
	end
	if changes.on ~= false then
		changes.note(key, item.held and WAITING or item.due > now and SCHEDULED or READY, item.kind)
	end
end

-- May the queue still grow by this job, and its lane? room: what is left of all limits; it shrinks with what is accepted.
function limits.refusal(item, bytes, room)
	if room.jobs <= 0 or bytes > room.bytes then
		return FULL
	end
	if room.lane <= 0 or #item.lane <= 1 then
		return nil
	end
	local name = item.route .. ':' .. string.sub(item.lane, 2)
	if not room.lanes[name] then
		local waiting = 0
		for class = 0, 9 do
			waiting = waiting + call('LLEN', K['r:'] .. item.route .. ':' .. class .. string.sub(item.lane, 2))
		end
		room.lanes[name] = room.lane - waiting
	end
	return room.lanes[name] <= 0 and limits.LANE_FULL or nil
end

function limits.use_room(item, bytes, room)
	local name = item.route .. ':' .. string.sub(item.lane, 2)
	room.jobs, room.bytes = room.jobs - 1, room.bytes - bytes
	room.lanes[name] = room.lanes[name] and room.lanes[name] - 1
	count('by', bytes)
end

-- Returns outcome and id.
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
	local holder, state
	if item.unique ~= '' then
		holder, state = unique_holder(item)
	end
	if holder and item.policy == limits.REJECT then
		return REJECTED, holder
	end
	if holder and item.policy == limits.RETURN then
		note_key(item, holder, opt.result_ttl)
		return EXISTING, holder
	end
	local bytes = args[last - 1] == 'p' and #args[last] or 0
	local refused = limits.refusal(item, bytes, room)
	if refused then
		return refused, ''
	end
	if holder and not (item.policy == limits.KEEP_NEWEST and state == RUNNING) then
		cancel_job(holder)
	end
	limits.use_room(item, bytes, room)
	local ttl = KEY_BACKSTOP + math.max(0, item.due - now)
	note_key(item, item.id, ttl)
	if item.unique ~= '' then
		call('SET', K['u:'] .. item.unique, item.id, 'PX', ttl)
	end
	store_job(item, args, first, last)
	return NEW, ''
end

local function read_item(args, at)
	local item = { id = args[at], route = args[at + 1], lane = args[at + 2], idem = args[at + 3], fingerprint = args[at + 4],
		unique = args[at + 5], policy = args[at + 6], held = args[at + 7] == '1', due = number_of(args[at + 8]),
		flags = args[at + 10] }
	local delay = number_of(args[at + 9])
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
		keys[i] = J .. id
		at = at + 12 + number_of(args[at + 11])
	end
	return twice or call('EXISTS', unpack(keys)) > 0
end

-- Asked before anything is changed: what it reads is then known.
local function waiting_count()
	local names = { 'r', 'q', 'by', 'ev', 'dr' }
	local h = call('HMGET', K.n, unpack(names))
	for i = 1, 3 do
		known[names[i]] = number_of(h[i] or '0')
	end
	changes.look(h[4])
	if h[5] then
		return math.huge -- it drains: no room
	end
	return known.r + known.q + call('ZCARD', K.d) + call('ZCARD', K.h)
end

-- limits: "jobs bytes lane", 0 where there is none.
function limits.room_of(text, memory_full)
	local jobs, bytes, lane = string.match(text, '^(%d+) (%d+) (%d+)$')
	local waiting = waiting_count()
	return { jobs = memory_full and 0 or number_of(jobs) - waiting, lane = number_of(lane), lanes = {},
		bytes = bytes == '0' and math.huge or tonumber(bytes) - known.by }
end

-- What is left of each limit, -1 where there is none, or where it is not known. item: whose lane is told of.
function limits.left(room, item)
	local lane = item and room.lanes[item.route .. ':' .. string.sub(item.lane, 2)]
	return room.whole and -1 or math.max(0, room.jobs), room.bytes < math.huge and math.max(0, room.bytes) or -1, lane and math.max(0, lane) or -1
end

-- limits, memory full (0, 1), n, then for each item: id, route, lane, idempotency key, fingerprint, unique key, policy, held,
-- due, delay, flags, number of further arguments, fields and values of the record. {outcome and id of each, what is left of the limits}
local function submit(keys, args)
	enter(keys, args)
	local room, n = limits.room_of(args[5], args[6] == '1'), number_of(args[7])
	local at, known, out, ids = 8, any_known(args, 8, n), {}, {}
	if string.find(args[18] or '', '[DS]') then
		-- Jobs that wait for each other come together or not at all.
		room.jobs = room.jobs >= n and room.bytes > 0 and n or 0
		room.bytes, room.lane, room.whole = math.huge, 0, true
	end
	local item
	for i = 1, n do
		item = read_item(args, at)
		local last = at + 11 + number_of(args[at + 11])
		local outcome, id = submit_one(item, args, at + 12, last, known, room)
		if outcome == NEW then
			ids[#ids + 1] = item.id
		end
		out[i * 2 - 1], out[i * 2] = outcome, id
		at = last + 1
	end
	out[2 * n + 1], out[2 * n + 2], out[2 * n + 3] = limits.left(room, item)
	flush_lanes()
	if #ids > 0 then
		call('RPUSH', K.a, unpack(ids))
		sweep.after(#ids)
	end
	leave()
	return out
end

register('submit', submit)

