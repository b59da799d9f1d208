-- lanes: lists of ids that are ready, and the rings in which lanes take turns.

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

-- A job that is ready takes its place in the lane: where its id lies, if it does, else at the end (or in the front). To be saved after this.
local function line_up(id, key, job, kind, lane, lanes)
	if not drop_ghost(key, job, priority_of(lane)) then
		put(lanes or back, kind, lane, id)
		return
	end
	count('r', 1)
	count('r:' .. kind, 1)
	call('ZADD', T .. ':m:' .. kind, '0', '1')
end

