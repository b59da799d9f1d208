-- lanes: lists of ids that are ready, and the rings in which lanes take turns.

local function put(lanes, route, lane, id)
	local name = route .. ':' .. (lane or '5')
	local ids = lanes[name]
	if not ids then
		ids = { route = route, lane = lane or '5' }
		lanes[name] = ids
	end
	ids[#ids + 1] = id
end

-- A lane that held nothing joins its class at the virtual time where service stands: no credit for having been away.
local function join_ring(route, lane)
	local class = string.sub(lane, 1, 1)
	local at = tonumber(call('HGET', K.n, 'v' .. class) or 0)
	call('ZADD', K['g:'] .. route, 'GT', tonumber(class) * CLASS + at, lane)
end

local function flush(how, lanes)
	for name, ids in pairs(lanes) do
		local len = call(how, K['r:'] .. name, unpack(ids))
		if len == #ids then
			join_ring(ids.route, ids.lane)
		end
		count('r', #ids)
		count('r:' .. ids.route, #ids)
		call('ZADD', K['m:'] .. ids.route, '0', '1')
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

-- How field o names a lane: a job changes its priority and whether it is quarantined, never its kind or fairness key.
local QUARANTINE_MARKS = { ['0'] = 'a', ['1'] = 'b', ['2'] = 'c', ['3'] = 'd', ['4'] = 'e', ['5'] = 'f', ['6'] = 'g', ['7'] = 'h',
	['8'] = 'i', ['9'] = 'j' }

local function lane_mark(route, lane)
	local priority = priority_of(lane)
	return string.sub(route, -1) == '!' and QUARANTINE_MARKS[priority] or priority
end

-- The mark of the lane where a job is meant to lie.
local function mark_of(job, lane)
	return lane_mark(has_flag(job, 'Q') and '!' or '', lane)
end

-- Its id stays in this lane, to be passed over.
local function add_ghost(key, job, mark)
	set_flag(job, 'g')
	call('HSET', key, 'o', (call('HGET', key, 'o') or '') .. mark)
end

-- False: there is none.
local function drop_ghost(key, job, mark)
	local ghosts = has_flag(job, 'g') and call('HGET', key, 'o') or ''
	local rest = string.gsub(ghosts, mark, '', 1)
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

-- A job that is ready takes its place in the lane: where its id lies, if it does, else at the end (or in the front). To be saved after this.
local function line_up(id, key, job, k, lane, lanes)
	local route = route_of(k, job)
	if not drop_ghost(key, job, mark_of(job, lane)) then
		put(lanes or back, route, lane, id)
		return
	end
	count('r', 1)
	count('r:' .. route, 1)
	call('ZADD', K['m:'] .. route, '0', '1')
end

