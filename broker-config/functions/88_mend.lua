-- mend: what `barque doctor` asks for: looks that are of one moment each, and repairs, each of one thing.
--
-- A repair looks again before it changes anything: what was found may have moved on since. It leaves the counters as right or wrong as they
-- were, counted against the records; they are mended by themselves.

local mend = { GONE = 60000, MOST = 1000, SHARDS = 64 } -- a worker that was not heard for so long is not merely late; so many leases are counted at most

-- How long a record stays: its time in Redis, or until trim_all() finds it.
function mend.lifetime(key, job)
	local ttl = call('PTTL', key)
	if ttl == -1 and job.ended ~= '' then
		return math.max(0, job.ended + opt.result_ttl - now)
	end
	return ttl
end

-- ids: of each its {s, y, o, k, l, r, how long it lives (ms, -1: for ever), bytes of its parameters, what makes no sense in it}, or 0 when
-- it has vanished, or as look_keys what the key should be and is not
function mend.look_records(keys, args)
	enter(keys, args)
	local out = {}
	for i = 5, math.min(#args, 4 + BATCH) do
		local key = J .. args[i]
		local fields = redis.pcall('HLEN', key)
		if fields == 0 then
			out[#out + 1] = 0
		elseif type(fields) == 'number' then
			local h = odd.fields(key)
			out[#out + 1] = { h.s, h.y, h.o, h.k, h.l, h.r, call('PTTL', key), call('HSTRLEN', key, 'p'), odd.record(h) or false }
		else
			out[#out + 1] = 'hash'
		end
	end
	return out
end

-- "<route>:<lane>": {does its ring know it, its ids}
function mend.look_lane(keys, args)
	enter(keys, args)
	local route, lane = string.match(args[5], '^([^:]*):(.*)$')
	local known = odd.stray('g:' .. route) or call('ZSCORE', T .. ':g:' .. route, lane)
	return { known and 1 or 0, call('LRANGE', T .. ':r:' .. args[5], 0, -1) }
end

-- Does a job that lives say nothing of a key that holds it? Of an idempotency key it need not: the request may have been answered with the
-- job that held its unique key. Such a key ends by itself.
function mend.is_foreign(name, id)
	local sort = string.sub(name, 1, 1)
	return call('HGET', J .. id, sort) ~= string.sub(name, 3) and (sort == 'u' or call('PTTL', T .. ':' .. name) == -1)
end

-- The id that a key holds, and its state ('?': it lives, but the key is not its own), either nil when there is none, or when it stands in
-- another shard: nothing here knows of it.
function mend.holder(name)
	local id = string.match(call('GET', T .. ':' .. name) or '', '^%S+')
	if not id or #id > TAIL then
		return nil
	end
	local state = not odd.stray('j:' .. id) and not odd.stray('s') and present_state(id)
	if not state then
		return id, nil
	end
	return id, state < SUCCEEDED and mend.is_foreign(name, id) and '?' or state
end

-- Does nobody need this key ("u:<unique key>" or "i:<idempotency key>") any more?
function mend.is_stuck(name)
	local id, state = mend.holder(name)
	local over = not state or state == '?' or (string.sub(name, 1, 1) == 'u' and state >= SUCCEEDED)
	return id and over, id, state
end

-- names of keys: of each {stuck, id or '', state or '', what it should be and is not (odd.stray), or ''}
function mend.look_keys(keys, args)
	enter(keys, args)
	local out = {}
	for i = 5, math.min(#args, 4 + BATCH) do
		local stray, stuck, id, state = odd.stray(args[i]), nil, nil, nil
		if not stray and string.find(args[i], '^[iu]:') then
			stuck, id, state = mend.is_stuck(args[i])
		end
		out[#out + 1] = { stuck and 1 or 0, id or '', state or '', stray or '' }
	end
	return out
end

-- {ms since it was taken for alive, ms since its last lease ended, leases}; the first is -1 when nothing is known of the worker
function mend.worker_state(worker)
	local alive = not odd.stray('W') and tonumber(call('ZSCORE', T .. ':W', worker)) or nil
	local last = tonumber(call('ZRANGE', T .. ':l:' .. worker, -1, -1, 'WITHSCORES')[2])
	return { alive and math.max(0, now - alive) or -1, last and math.max(0, now - last) or -1, call('ZCARD', T .. ':l:' .. worker) }
end

function mend.is_gone(w)
	return w[3] > 0 and w[2] > mend.GONE and (w[1] < 0 or w[1] > mend.GONE)
end

-- worker: {is it gone with leases that are long over, and worker_state}
function mend.look_worker(keys, args)
	enter(keys, args)
	local w = mend.worker_state(args[5])
	return { mend.is_gone(w) and 1 or 0, w[1], w[2], w[3] }
end

-- ---- a job's place ---------------------------------------------------------------------------------------------------

-- A place where nothing is parked any more is listed no more.
function mend.zrem(at, id)
	local n = call('ZREM', T .. ':' .. at, id)
	if string.sub(at, 1, 2) == 'q:' and call('EXISTS', T .. ':' .. at) == 0 then
		call('ZREM', T .. ':qd', string.sub(at, 3))
	end
	return n
end

-- An id that no record knows leaves the index where it was found.
function mend.drop(id, at)
	local had_state = call('HDEL', S, id)
	if at == 's' then
		return had_state
	end
	if string.sub(at, 1, 2) == 'D:' or string.sub(at, 1, 2) == 'L:' then
		return call('UNLINK', T .. ':' .. at)
	end
	if string.sub(at, 1, 2) == 'r:' then
		return call('LREM', T .. ':' .. at, 0, id)
	end
	return odd.type_of(at) == 'zset' and mend.zrem(at, id) or 0
end

-- Take it out of indexes by time that are not its own, put it into that which is. own: 'd', 'h', 'l:<worker>', 'q:<place>' or nil.
function mend.zsets(id, own, worker, at)
	local changed = 0
	local places = { d = true, h = true }
	if worker then
		places['l:' .. worker] = true
	end
	if string.sub(at, 1, 2) == 'l:' or string.sub(at, 1, 2) == 'q:' then
		places[at] = true
	end
	for _, name in ipairs(call('ZRANGE', T .. ':W', 0, BATCH - 1)) do
		places['l:' .. name] = true
	end
	for place in pairs(places) do
		if place ~= own then
			changed = changed + mend.zrem(place, id)
		end
	end
	return changed
end

-- One lane: the id lies there once when it is meant to, or is said to as a ghost, and else not at all.
function mend.one_lane(id, key, job, name, mark, own)
	local ghost = has_flag(job, 'g') and string.find(call('HGET', key, 'o') or '', mark, 1, true)
	if ghost and own then
		drop_ghost(key, job, mark)
	end
	local found, wanted = #call('LPOS', T .. ':r:' .. name, id, 'COUNT', 0), (ghost or own) and 1 or 0
	if found > wanted then
		call('LREM', T .. ':r:' .. name, wanted - found, id)
	elseif found < wanted and own then
		if call('RPUSH', T .. ':r:' .. name, id) == 1 then
			join_ring(string.match(name, '^([^:]*):(.*)$'))
		end
		call('ZADD', T .. ':m:' .. string.match(name, '^[^:]*'), '0', '1')
	elseif found < wanted then
		drop_ghost(key, job, mark)
	end
	return (found ~= wanted or (ghost and own)) and 1 or 0
end

-- All lanes in which it may have been put, and the one where it was found.
function mend.lanes(id, key, job, k, lane, at)
	local changed, seen, own = 0, {}, job.state == READY and not has_flag(job, 'q') and route_of(k, job) .. ':' .. (lane or '5')
	for _, route in ipairs({ k, k .. '!' }) do
		for priority = 0, 9 do
			local there = priority .. string.sub(lane or '5', 2)
			local name = route .. ':' .. there
			seen['r:' .. name] = true
			changed = changed + mend.one_lane(id, key, job, name, lane_mark(route, there), name == own)
		end
	end
	if string.sub(at, 1, 2) == 'r:' and not seen[at] then
		changed = changed + call('LREM', T .. ':' .. at, 0, id)
	end
	return changed
end

-- A log vanishes with its record, which says that it has one.
function mend.log(id, key, job)
	local log, left, ttl = T .. ':L:' .. id, call('PTTL', T .. ':L:' .. id), call('PTTL', key)
	if left == -2 then
		return 0
	end
	local known = has_flag(job, 'L')
	set_flag(job, 'L')
	if ttl >= 0 and left == -1 then
		return call('PEXPIRE', log, ttl)
	end
	return ttl == -1 and left >= 0 and call('PERSIST', log) or known and 0 or 1
end

-- The flag of ghosts and their field say the same; what lives does not vanish, what has ended does.
function mend.record(id, key, job)
	local changed, ghosts, ttl = 0, call('HGET', key, 'o'), mend.lifetime(key, job)
	if has_flag(job, 'g') ~= (ghosts and true or false) then
		changed = 1
		clear_flags(job, 'g')
		call('HDEL', key, 'o')
	end
	if job.state < SUCCEEDED and ttl >= 0 then
		changed = changed + call('PERSIST', key)
	elseif job.state >= SUCCEEDED and ttl < 0 then
		changed = changed + call('PEXPIRE', key, (job.state == FAILED or job.state == DEAD) and opt.dead_ttl or opt.result_ttl)
	end
	changed = changed + mend.log(id, key, job)
	for state, index in pairs(END_INDEX) do
		if state == job.state then
			changed = changed + call('ZADD', T .. index, 'NX', call('HGET', key, 'e') or now_text, id)
		else
			changed = changed + call('ZREM', T .. index, id)
		end
	end
	return changed
end

-- Nothing will ever end a running job that has no lease: it is given back.
function mend.lease_lost(id, key, job)
	count('run', -1)
	ACKS.G(id, key, job)
	flush_lanes()
end

-- 'q:<place>', or nil when its record does not say.
function mend.parked_in(key)
	local h = call('HMGET', key, 'z', 'l', 'r')
	local field = string.sub(h[1] or '', 1, 1) == 'c' and h[2] or h[3]
	return h[1] and field and 'q:' .. limits.place_of(key) or nil
end

-- A parked job that stands in no place joins its lane; when its turn comes it is parked again, if it still must be.
function mend.park_lost(id, key, job, k, lane, place)
	if place ~= '' then
		limits.unpark(id, job, place)
	else
		clear_flags(job, 'q')
		count('q', -1)
	end
	line_up(id, key, job, k, lane)
	save(key, job)
	flush_lanes()
end

-- ---- records that make no sense ----------------------------------------------------------------------------------------

-- All flags that say which fields are there.
function mend.flags_of(h)
	local flags = ''
	for _, name in ipairs(odd.FLAGGED) do
		flags = flags .. (h[name] and name or '')
	end
	return flags
end

-- Nothing says whether it ran, or who is to run it: it becomes a dead letter, for somebody to look at.
function mend.bury(id, key, h, why)
	local rev, job = tonumber(string.match(h.s or '', '%.(%d+)')) or 1, parse(h.s)
	if job and job.state == RUNNING then
		count('run', -1)
		if has_flag(job, 'l') and string.find(h.l or '', odd.FORM.l) then
			limits.before_move(key, job, DEAD) -- another of its concurrency key may run
		end
	end
	call('HDEL', key, 'o', 'z', 's')
	call('HSET', S, id, string.format('%s.%.0f.', DEAD, rev + 1))
	call('HSET', key, 'e', now_text, 'E', 'corrupt its record had no ' .. why)
	if not odd.is_kind(h.k) then
		call('HSET', key, 'k', 'unknown')
	end
	call('PEXPIRE', key, opt.dead_ttl)
	call('ZADD', T .. END_INDEX[DEAD], now_text, id)
end

-- Who holds the lease of it.
function mend.holder_of(id, at)
	for _, worker in ipairs(call('ZRANGE', T .. ':W', 0, BATCH - 1)) do
		if call('ZSCORE', T .. ':l:' .. worker, id) then
			return worker
		end
	end
	return string.match(at, '^l:(.*)$')
end

-- What it waits on where it is parked, as field z says it; nil: it is not parked there.
function mend.waits_on(id, h)
	local _, name = limits.concurrency_of(h.l or '')
	if name and call('ZSCORE', T .. ':q:c' .. name, id) then
		return 'concurrency 0 ' .. name
	end
	local rate = h.r and limits.rate_of(h.r)
	return rate and call('ZSCORE', T .. ':q:r' .. rate.place, id) and string.format('rate %.0f %s', rate.next, rate.name) or nil
end

-- What its state needs and it has not. A parked job that stands nowhere goes without: it is sent back to its lane for it.
function mend.need(id, key, h, name, at)
	local value = now_text
	if name == 'b' then
		value = now_text .. ' ' .. (mend.holder_of(id, at) or '?')
	elseif name == 'd' then
		value = call('ZSCORE', T .. ':d', id) or now_text
	elseif name == 'z' then
		value = mend.waits_on(id, h)
	end
	if value then
		call('HSET', key, name, value)
	else
		call('HDEL', key, name)
	end
	return value ~= nil
end

-- All flags are gone that say which fields there are, and those that nobody knows.
function mend.drop_flags(job)
	clear_flags(job, odd.NO_FLAG)
	clear_flags(job, table.concat(odd.FLAGGED))
end

-- Drop what makes no sense, put in what is missing. Which lanes, leases and limits follow from it is another fault, if it is one.
function mend.fields(id, key, job, h, at)
	local name = odd.malformed(h)
	while name do
		call('HDEL', key, name)
		h[name], name = false, nil
		name = odd.malformed(h)
	end
	name = odd.missing(job, h)
	while name and mend.need(id, key, h, name, at) do
		h = odd.fields(key)
		name = odd.missing(job, h)
	end
	mend.drop_flags(job)
	job.flags = job.flags .. mend.flags_of(h)
	keep(key, job)
end

-- id, where it was found. True: it made no sense, and does now.
function mend.sense(id, key, at)
	local h = odd.fields(key)
	if not odd.record(h) then
		return false
	end
	if not odd.is_state(h.s) then
		mend.bury(id, key, h, 'state')
	elseif not odd.is_kind(h.k) then
		mend.bury(id, key, h, 'kind')
	end
	h = odd.fields(key)
	local job = parse(h.s)
	job.is_old = h.is_old
	mend.fields(id, key, job, h, at)
	return true
end

-- All ids stand in T:a or, when they are old, in T:o.
function mend.list(id)
	if call('ZSCORE', T .. ':o', id) or call('LPOS', T .. ':a', id) then
		return 0
	end
	return call('RPUSH', T .. ':a', id)
end

-- id, where it was found
function mend.place(id, at)
	local key = J .. id
	if call('EXISTS', key) == 0 then
		return mend.drop(id, at)
	end
	local changed = (mend.sense(id, key, at) and 1 or 0) + (at == 'a' and mend.list(id) or 0)
	local job = read(key)
	local h = call('HMGET', key, 'k', 'y', 'd', 'b', 'w')
	local worker = job.worker ~= '' and job.worker or timeline.worker(h[4], h[5])
	local own = job.state == RUNNING and worker and 'l:' .. worker or string.sub(LIST_INDEX[job.state] or '', 2)
	if has_flag(job, 'q') then
		own = mend.parked_in(key) or ''
	end
	changed = changed + mend.record(id, key, job) + mend.zsets(id, own, worker, at) + mend.lanes(id, key, job, h[1], h[2], at)
	if job.state == RUNNING and not (worker and call('ZSCORE', T .. ':' .. own, id)) then
		mend.lease_lost(id, key, job)
		return 1
	end
	if has_flag(job, 'q') and (own == '' or not call('ZSCORE', T .. ':' .. own, id)) then
		mend.park_lost(id, key, job, h[1], h[2], string.sub(own, 3))
		return 1
	end
	if own == 'd' or own == 'h' then
		changed = changed + call('ZADD', T .. ':' .. own, 'NX', own == 'd' and h[3] or now_text, id)
	end
	if changed > 0 then
		keep(key, job)
	end
	return changed
end

-- A number of shards that can be; nil: it is none.
function mend.shard_count(text)
	local n = string.find(text or '', '^[1-9]%d?$') and tonumber(text)
	return n and n <= mend.SHARDS and n or nil
end

-- In shard 0: so many shards hold something that somebody waits for. No fewer are served; new jobs go to as many as before, or where nothing says
-- how many that were, to all that are served: what has a key meets the jobs of its key there, in whichever of these they are.
function mend.shards(_, needed)
	local h = call('HMGET', T .. ':n', 'sh', 'sp', 'st', 'sm')
	local serve, put = mend.shard_count(h[1]), mend.shard_count(h[2])
	local least = math.max(serve or 1, put or 1, tonumber(needed))
	local sound = (serve or not h[1]) and (put or not h[2]) and (serve or 1) == least and not string.find((h[3] or '0') .. (h[4] or '0'), '%D')
	if sound then
		return 0
	end
	call('HSET', T .. ':n', 'sh', least, 'sp', put or least, 'st', now_text, 'sm', 0)
	return 1
end

-- A key that cannot be of use to anybody. What should stand there is put back by other mends.
function mend.stray(name)
	return odd.stray(name) and call('UNLINK', T .. ':' .. name) or 0
end

-- ---- other things ----------------------------------------------------------------------------------------------------

function mend.lane(name)
	local route, lane = string.match(name, '^([^:]*):(.*)$')
	if not route or call('LLEN', T .. ':r:' .. name) == 0 or call('ZSCORE', T .. ':g:' .. route, lane) then
		return 0
	end
	join_ring(route, lane)
	call('ZADD', T .. ':m:' .. route, '0', '1')
	return 1
end

function mend.key(name)
	return mend.is_stuck(name) and call('DEL', T .. ':' .. name) or 0
end

-- 2: it held more than one call may take.
function mend.lease(worker)
	if not mend.is_gone(mend.worker_state(worker)) then
		return 0
	end
	local n = reap_leases(worker, call('ZRANGE', T .. ':l:' .. worker, 0, BATCH - 1, 'WITHSCORES'), 'its worker is gone')
	flush_lanes()
	if n == BATCH then
		return 2
	end
	call('ZREM', T .. ':W', worker)
	workers.forget(worker)
	return 1
end

-- name, what it said, what was counted ('': nothing is known of it), '1': although the queue is not paused. What is no number stops the
-- queue as well as a pause does.
function mend.counter(name, said, counted, force)
	local h, load = call('HMGET', T .. ':n', 'p', name), name == 'load'
	if ((load and call('GET', T .. ':load') or h[2]) or '0') ~= said then
		return 0
	end
	if not h[1] and force ~= '1' and tonumber(said) then
		return 'counters are set in a paused queue only, where they stand still: pause it, or say --force'
	end
	if name == 'p' then
		call('HSET', T .. ':n', name, now_text)
	elseif counted == '' then
		call('HDEL', T .. ':n', name)
	elseif not load then
		call('HSET', T .. ':n', name, counted)
	end
	if load or call('EXISTS', T .. ':load') == 1 then
		local n = call('HMGET', T .. ':n', 'r', 'run')
		call('SET', T .. ':load', string.format('%.0f', (tonumber(n[1]) or 0) + (tonumber(n[2]) or 0)))
	end
	return 1
end

-- Drops texts that say nothing, and counts the ids of the others.
function mend.history()
	local entries, ids, dropped = call('LRANGE', T .. ':e', 0, mend.MOST), 0, 0
	if #entries > mend.MOST then
		return 'more waits for the history than one call may count: mend it when less waits'
	end
	for _, entry in ipairs(entries) do
		local size = (#entry - ENTRY_TIME) / TAIL
		if size < 1 or size % 1 ~= 0 then
			dropped = dropped + call('LREM', T .. ':e', 1, entry)
		else
			ids = ids + size
		end
	end
	local h = call('HMGET', T .. ':n', 'hq', 'ho', 'hp')
	local first = call('LINDEX', T .. ':e', 0)
	local done = math.min(math.max(tonumber(h[2] or 0) or 0, 0), first and (#first - ENTRY_TIME) / TAIL - 1 or 0)
	call('HSET', T .. ':n', 'hq', ids - done, 'ho', done, 'hp', string.format('%.0f', tonumber(h[3] or 0) or 0))
	local was_right = dropped == 0 and tonumber(h[1] or 0) == ids - done and tonumber(h[2] or 0) == done and tonumber(h[3] or 0)
	return was_right and 0 or 1
end

-- How many run of each concurrency key, and how many in all, as the leases of known workers say.
function mend.count_running()
	local counted, total = {}, 0
	for _, worker in ipairs(call('ZRANGE', T .. ':W', 0, BATCH - 1)) do
		if total > mend.MOST then
			break
		end
		for _, id in ipairs(call('ZRANGE', T .. ':l:' .. worker, 0, mend.MOST - total)) do
			local l = call('HGET', J .. id, 'l')
			local _, name = limits.concurrency_of(l or '')
			if name then
				counted[name] = (counted[name] or 0) + 1
			end
			total = total + 1
		end
	end
	return counted, total
end

-- A concurrency key's place, if somebody is parked there, is listed, and its first comes back if there is room.
function mend.bring_on(name, running)
	local place = 'c' .. name
	if call('EXISTS', T .. ':q:' .. place) == 0 then
		return 0
	end
	local listed = call('ZADD', T .. ':qd', 'NX', limits.NEVER, place)
	limits.next_of(name, running)
	return listed
end

-- Weights that are none are as if they were not set.
function mend.weights()
	local h, changed = call('HGETALL', T .. ':wt'), 0
	for i = 1, #h, 2 do
		if not string.find(h[i + 1], '^[1-9]%d*$') then
			changed = changed + call('HDEL', T .. ':wt', h[i])
		end
	end
	set('nw', call('HLEN', T .. ':wt'))
	return changed
end

-- All concurrency keys at once: what is counted of them is what runs.
function mend.limit(what)
	if what == 'wt' then
		return mend.weights()
	end
	local counted, total = mend.count_running()
	if total > mend.MOST then
		return 'more jobs run than one call may count: pause the queue and mend it when fewer run'
	end
	if total ~= tonumber(call('HGET', T .. ':n', 'run') or 0) then
		return 'not all that run have a lease of a known worker: mend the other findings first'
	end
	local said, changed = call('HGETALL', T .. ':cc'), 0
	for i = 1, #said, 2 do
		if not counted[said[i]] then
			changed = changed + call('HDEL', T .. ':cc', said[i])
			mend.bring_on(said[i], 0)
		end
	end
	for name, running in pairs(counted) do
		if limits.running(name) ~= running then
			call('HSET', T .. ':cc', name, running)
			changed = changed + 1
		end
		changed = changed + mend.bring_on(name, running)
	end
	for _, place in ipairs(call('ZRANGE', T .. ':qd', 0, mend.MOST)) do
		if call('EXISTS', T .. ':q:' .. place) == 0 then
			changed = changed + call('ZREM', T .. ':qd', place)
		end
	end
	flush_lanes()
	return changed
end

-- name; '' is the next look of steps at all of them
function mend.schedule(name)
	local key = T .. ':cj:' .. name
	local due, score, changed = call('HGET', key, 'd'), call('ZSCORE', T .. ':cr', name), 0
	if due and not tonumber(due) then
		due = false
	end
	if due and (not score or tonumber(due) ~= tonumber(score)) then
		call('ZADD', T .. ':cr', due, name)
		changed = 1
	elseif score and not due and call('EXISTS', key) == 1 then
		changed = 1
		call('HSET', key, 'd', score)
	elseif score and not due then
		changed = call('ZREM', T .. ':cr', name)
	elseif name ~= '' and not due and call('EXISTS', key) == 1 then
		return 'nothing says when it ticks: put it again, or delete it'
	end
	local before = call('HGET', T .. ':n', 'ct')
	cron.note_first()
	return (changed > 0 or before ~= call('HGET', T .. ':n', 'ct')) and 1 or 0
end

mend.MENDS = { shards = mend.shards, stray = mend.stray, record = mend.place, place = mend.place, orphan = mend.place, lifetime = mend.place,
	listing = mend.place, lane = mend.lane, key = mend.key, history = mend.history,
	lease = mend.lease, limit = mend.limit, counter = mend.counter, schedule = mend.schedule }

-- fault, its key, and what the mend of that fault takes: > 0 mended (2: ask again, there is more), 0 it was no longer so, or why not
function mend.act(keys, args)
	enter(keys, args)
	local act = mend.MENDS[args[5]]
	local result = act and act(args[6], args[7], args[8], args[9]) or 'nothing says what it should be'
	leave()
	return result
end

register('look_records', mend.look_records, 'no-writes')
register('look_lane', mend.look_lane, 'no-writes')
register('look_keys', mend.look_keys, 'no-writes')
register('look_worker', mend.look_worker, 'no-writes')
register('mend', mend.act, 'allow-oom')
