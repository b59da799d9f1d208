-- cron: schedules, which make jobs by the clock. Dispatchers compute the ticks; here stands which is next, and that each is made once.
--
-- T:cr holds the names by their next tick ('inf': paused, or it never ticks again), T:cj:<name> is a hash: v revision, S what was asked for
-- (JSON), x its timing alone, k route, d the next tick as in T:cr, c created, u changed, t last tick, j last job (its whole id when that is of
-- another shard), f m o fired, missed, passed over because the job before it had not ended, e what is wrong with it. Field ct of T:n says when a step has to look at T:cr; it
-- is absent when no schedule ticks, so that a queue without schedules pays nothing.
--
-- A queue's schedules stand in all its shards, each with the jobs that it makes: where the keys of its jobs say, else by its name. For
-- a tick is made once only because one call does it all, and a call is within a shard. Who makes, moves or deletes one holds its lock, T:cl:<name>
-- in shard 0 (cron.lock), and is refused by the clock before that could be another's. While it is moved it stands in two shards, in the new
-- one asleep: M is its next tick then, d is 'inf', and N says which move it was. If who moves it is killed, word passes between both shards
-- (78_flow.lua) as soon as the lock is over, by which it ticks in one of them again.
--
-- A tick is made by one call that compares the next tick with what the dispatcher was told, submits the jobs, and writes the tick
-- after: whoever comes second, or comes again after a lost answer, finds another next tick and does nothing.

local cron = { OFFERS = 8, MOST = 1000, AGAIN = 200, FULL = 1000, LOCK = 20000 }

-- Returns when the first is due; nil: none is.
function cron.first()
	local score = tonumber(call('ZRANGE', T .. ':cr', 0, 0, 'WITHSCORES')[2])
	return score ~= math.huge and score or nil
end

-- Let steps look again at the first tick, but not before `earliest`. Returns when that is.
function cron.note_first(earliest)
	local first = cron.first()
	if not first then
		call('HDEL', T .. ':n', 'ct')
		return nil
	end
	local at = math.max(first, earliest or 0)
	call('HSET', T .. ':n', 'ct', string.format('%.0f', at))
	return at
end

-- Can anybody make something of this?
function cron.can_tick(name, due, spec)
	return spec and string.find(due or '', '^%d+$') and tonumber(due) <= 2 ^ 46 and #name < 64 and string.find(name, '^[%w_.-]+$')
end

-- What is due, for one dispatcher: {now, name, tick, spec ...}. Others are not told for a while, in which this one makes the jobs.
function cron.offers()
	local names, out = call('ZRANGE', T .. ':cr', '-inf', now_text, 'BYSCORE', 'LIMIT', '0', cron.OFFERS), { now_text }
	if #names == 0 then
		return nil, cron.note_first()
	end
	for _, name in ipairs(names) do
		local h = call('HMGET', T .. ':cj:' .. name, 'd', 'S')
		if cron.can_tick(name, h[1], h[2]) then
			out[#out + 1], out[#out + 2], out[#out + 3] = name, h[1], h[2]
		else
			call('ZADD', T .. ':cr', 'inf', name) -- it ticks no more, nor holds up others: the doctor finds it
		end
	end
	set('ct', string.format('%.0f', now + cron.AGAIN))
	return out, now + cron.AGAIN
end

-- The earlier of two times, either of which may be nil.
function cron.earlier(a, b)
	return a and b and math.min(a, b) or a or b
end
