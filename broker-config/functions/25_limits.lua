-- limits: at most so many jobs of a key at once, at most so much of a key in a window. Who meets one that is used up is parked: it is
-- ready, but stands in a place of its own (T:q:<place>) instead of in its lane, and costs nobody anything until it comes back.
--
-- Places never hold a job up for ever. A rate's are looked at when their window turns. From a concurrency key's the first comes back
-- whenever one that runs leaves; and if one that came back goes away without having run (flag v), another comes in its stead. So where
-- jobs are parked for a key, one of it runs or is on its way.

limits.NEVER, limits.EPOCH = '+inf', 1600000000000

function limits.concurrency_of(l)
	local max, name = string.match(l, '^(%d+) (.*)$')
	return tonumber(max), name
end

function limits.rate_of(r)
	local limit, window, cost, name = string.match(r, '^(%d+) (%d+) (%d+) (.*)$')
	local rate = { limit = tonumber(limit), window = tonumber(window), cost = tonumber(cost), name = name, place = window .. ':' .. name }
	rate.start = now - now % rate.window
	rate.next = rate.start + rate.window
	return rate
end

function limits.running(name)
	return tonumber(call('HGET', T .. ':cc', name) or 0)
end

-- What is used of a rate in this window, and writing that down.
function limits.used(rate)
	local start, used = string.match(call('GET', T .. ':b:' .. rate.place) or '', '^(%d+) (%d+)$')
	return start and tonumber(start) == rate.start and tonumber(used) or 0
end

function limits.use(rate, used)
	call('SET', T .. ':b:' .. rate.place, string.format('%.0f %.0f', rate.start, used), 'PX', rate.next - now + 1000)
end

-- ---- places ----------------------------------------------------------------------------------------------------------

-- limits.due: when is the first place to be looked at? nil: none, or (outside of step) not known.
function limits.look_at(due)
	if not limits.due or due < limits.due then
		limits.due = due
		set('qd', due)
	end
end

-- Where in its place: by priority, then as they came; one that had come back keeps its turn.
function limits.score(priority, came_back)
	limits.seq = limits.seq + 1
	return tonumber(priority) * 2 * CLASS + (came_back and 0 or (now - limits.EPOCH) * BATCH + limits.seq % BATCH)
end

function limits.park(id, key, job, lane, place, due, why)
	call('ZADD', T .. ':q:' .. place, limits.score(priority_of(lane), has_flag(job, 'v')), id)
	call('ZADD', T .. ':qd', due, place)
	if due ~= limits.NEVER then
		limits.look_at(due)
	end
	clear_flags(job, 'v')
	set_flag(job, 'q')
	count('q', 1)
	save(key, job, 'z', why)
end

-- Where does a parked job stand? Its field z says so.
function limits.place_of(key)
	local h = call('HMGET', key, 'z', 'l', 'r')
	if string.sub(h[1], 1, 1) == 'c' then
		local _, name = limits.concurrency_of(h[2])
		return 'c' .. name
	end
	return 'r' .. limits.rate_of(h[3]).place
end

-- It stands there no longer. To be saved after this.
function limits.unpark(id, job, place)
	call('ZREM', T .. ':q:' .. place, id)
	if call('EXISTS', T .. ':q:' .. place) == 0 then
		call('ZREM', T .. ':qd', place)
	end
	clear_flags(job, 'q')
	count('q', -1)
end

function limits.bring_back(id, key, job, k, lane, place)
	limits.unpark(id, job, place)
	set_flag(job, 'v')
	line_up(id, key, job, k, lane, front)
	save(key, job)
end

-- The first that is parked for a concurrency key comes back, if there is room for it.
function limits.next_of(name, running)
	local place = 'c' .. name
	local id = call('ZRANGE', T .. ':q:' .. place, 0, 0)[1]
	if not id then
		return
	end
	local key = T .. ':j:' .. id
	local h = call('HMGET', key, 'k', 'y', 'l')
	if running < limits.concurrency_of(h[3]) then
		limits.bring_back(id, key, read(key), h[1], h[2], place)
	end
end

-- There may be room again in a rate, before its window turns.
function limits.look_again(rate)
	if call('ZADD', T .. ':qd', 'XX', 'CH', now_text, 'r' .. rate.place) == 1 then
		limits.look_at(now)
	end
end

-- At most n of those that are parked for a rate come back, as many as fit into the window. Returns how many.
function limits.refill(place, n)
	local ids, used, due = call('ZRANGE', T .. ':q:' .. place, 0, n - 1), nil, nil
	if not ids[1] then
		call('ZREM', T .. ':qd', place) -- or it would be looked at for ever, before others
	end
	for i, id in ipairs(ids) do
		local key = T .. ':j:' .. id
		local h = call('HMGET', key, 'k', 'y', 'r')
		local rate = limits.rate_of(h[3])
		used, due = (used or limits.used(rate)) + rate.cost, rate.next
		if used > rate.limit then
			call('ZADD', T .. ':qd', 'XX', due, place)
			return i - 1
		end
		limits.bring_back(id, key, read(key), h[1], h[2], place)
	end
	return #ids
end

-- Some windows turned, or there is room before.
function limits.turn()
	local left = BATCH
	for _, place in ipairs(call('ZRANGE', T .. ':qd', '-inf', now_text, 'BYSCORE', 'LIMIT', '0', '16')) do
		left = left > 0 and left - limits.refill(place, left) or 0
	end
	local first = call('ZRANGE', T .. ':qd', '0', '0', 'WITHSCORES')[2]
	limits.due = first and first ~= 'inf' and tonumber(first) or nil
	set('qd', limits.due or 0)
end

-- Once a second, for some of the concurrency keys: the one that is on its way may be of a kind that nobody takes just now. Then another
-- goes too; if it was not so, that one is parked again.
function limits.keep_house(from)
	local first = call('ZCOUNT', T .. ':qd', '-inf', '(+inf')
	local at = math.max(first, from or 0)
	local places = call('ZRANGE', T .. ':qd', at, at + 15)
	for _, place in ipairs(places) do
		local name = string.sub(place, 2)
		limits.next_of(name, limits.running(name))
	end
	set('qp', #places < 16 and 0 or at + 16)
end

-- ---- hooks -----------------------------------------------------------------------------------------------------------

-- A job with one of the flags l and r is about to be claimed from a lane. False: it was parked instead.
function limits.admit(id, key, job, lane)
	local h, came_back = call('HMGET', key, 'l', 'r'), has_flag(job, 'v')
	local rate = h[2] and limits.rate_of(h[2])
	local max, name, running
	if h[1] then
		max, name = limits.concurrency_of(h[1])
		running = limits.running(name)
	end
	if name and running >= max then
		limits.park(id, key, job, lane, 'c' .. name, limits.NEVER, 'concurrency 0 ' .. name)
		if came_back and rate then
			limits.look_again(rate)
		end
		return false
	end
	local used = rate and limits.used(rate) + rate.cost
	if rate and used > rate.limit then
		limits.park(id, key, job, lane, 'r' .. rate.place, rate.next, string.format('rate %.0f %s', rate.next, rate.name))
		if came_back and name then
			limits.next_of(name, running)
		end
		return false
	end
	if rate then
		limits.use(rate, used)
	end
	if name then
		call('HINCRBY', T .. ':cc', name, 1)
		limits.next_of(name, running + 1)
	end
	clear_flags(job, 'v')
	return true
end

-- One that had come back goes away without having run: another may come in its stead.
function limits.pass_on(key)
	local h = call('HMGET', key, 'l', 'r')
	if h[1] then
		local _, name = limits.concurrency_of(h[1])
		limits.next_of(name, limits.running(name))
	end
	if h[2] then
		limits.look_again(limits.rate_of(h[2]))
	end
end

-- Every change of state of a job with flags comes through here, while it still has the old one.
function limits.before_move(key, job, to)
	if job.state == RUNNING and has_flag(job, 'l') then
		local _, name = limits.concurrency_of(call('HGET', key, 'l'))
		local running = call('HINCRBY', T .. ':cc', name, -1)
		if running == 0 then
			call('HDEL', T .. ':cc', name)
		end
		limits.next_of(name, running)
	elseif job.state == READY and to ~= RUNNING and has_flag(job, 'v') then
		clear_flags(job, 'v')
		limits.pass_on(key)
	end
end

-- It was claimed and is given back without having been started: what it used of its rate in this window is free again.
function limits.refund(key)
	local h = call('HMGET', key, 'r', 'b')
	local rate = limits.rate_of(h[1])
	if tonumber(string.match(h[2] or '0', '^%d+')) >= rate.start then
		limits.use(rate, math.max(0, limits.used(rate) - rate.cost))
		limits.look_again(rate)
	end
end
