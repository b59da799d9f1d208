-- queues: acts upon a whole queue.

do
-- '1': nothing is claimed from now on; '2': nothing new is taken in; '0': all goes on. Each may be said twice.
local function pause(keys, args)
	enter(keys, args)
	if args[5] == '1' then
		call('HSETNX', T .. ':n', 'p', now_text)
		return 1
	end
	if args[5] == '2' then
		call('HSETNX', T .. ':n', 'dr', now_text)
		return 1
	end
	call('HDEL', T .. ':n', 'p', 'dr')
	sweep.stay()
	local h = call('HGETALL', T .. ':n')
	for i = 1, #h, 2 do
		local route = string.match(h[i], '^r:(.+)$')
		if route and tonumber(h[i + 1]) > 0 then
			call('ZADD', T .. ':m:' .. route, '0', '1')
		end
	end
	return 1
end

-- An id just taken from its lane, which nobody will run. Returns how many jobs that cancelled.
local function purge_id(id, lane, route)
	local key = T .. ':j:' .. id
	local job = read(key)
	if not job or lay_ghost(key, job, lane_mark(route, lane)) then
		return 0
	end
	count('r', -1)
	count('r:' .. route, -1)
	finish(id, key, job, CANCELLED)
	return 1
end

-- The lanes of a route from the first on, until `limit` ids were taken or as many lanes looked at.
local function purge_route(route, limit)
	local ring, popped, cancelled = T .. ':g:' .. route, 0, 0
	for _ = 1, BATCH do
		local lane = popped < limit and call('ZRANGE', ring, 0, 0)[1]
		if not lane then
			break
		end
		local wanted = limit - popped
		local ids = call('LPOP', T .. ':r:' .. route .. ':' .. lane, wanted) or {}
		for _, id in ipairs(ids) do
			cancelled = cancelled + purge_id(id, lane, route)
		end
		if #ids < wanted then
			call('ZREM', ring, lane)
		end
		popped = popped + #ids
	end
	return popped, cancelled
end

function limits.purge_place(place, limit)
	local ids = call('ZRANGE', T .. ':q:' .. place, 0, limit - 1)
	for _, id in ipairs(ids) do
		local key = T .. ':j:' .. id
		local job = read(key)
		limits.unpark(id, job, place)
		finish(id, key, job, CANCELLED)
	end
	return #ids
end

function limits.purge_parked(limit)
	local cancelled = 0
	for _, place in ipairs(limit > 0 and call('ZRANGE', T .. ':qd', 0, limit - 1) or {}) do
		if cancelled < limit then
			cancelled = cancelled + limits.purge_place(place, limit - cancelled)
		end
	end
	return cancelled
end

local function purge_ready(limit)
	local h, popped, cancelled = call('HGETALL', T .. ':n'), 0, 0
	for i = 1, #h, 2 do
		local route = string.match(h[i], '^r:(.+)$')
		if route and tonumber(h[i + 1]) > 0 and popped < limit then
			local p, n = purge_route(route, limit - popped)
			popped, cancelled = popped + p, cancelled + n
		end
	end
	return cancelled + limits.purge_parked(limit - popped)
end

local function purge_index(index, limit)
	local ids, cancelled = limit > 0 and call('ZRANGE', T .. index, 0, limit - 1) or {}, 0
	for _, id in ipairs(ids) do
		local key = T .. ':j:' .. id
		local job = read(key)
		if job and LIST_INDEX[job.state] == index then -- the end of one may have moved another
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
	flush_lanes()
	leave()
	if not left then
		local h = call('HMGET', T .. ':n', 'r', 'q')
		left = tonumber(h[1] or 0) + tonumber(h[2] or 0)
	end
	return { cancelled, left }
end

register('pause', pause, 'allow-oom')
register('purge', purge, 'allow-oom')

end

