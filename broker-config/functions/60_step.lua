-- step and renew: the two calls of a dispatcher, and keeping house.

local sweep = { YOUNG = 60000, USUAL = '^5%.3%.%d+%.(%d+) ' } -- SETTLED, and when

-- Is it to leave T:a? What ended as usual and stayed for its retention goes into `doomed`. What is old but stays moves to T:o, lest it hold up
-- the rest: what lives is marked, so that its end gives it a time in Redis; what has ended is given what is left of it.
function sweep.passes(id, s, doomed)
	local key, ended = J .. id, s and string.match(s, sweep.USUAL)
	local left = ended and ended + opt.result_ttl - now or 0
	if ended and left <= 0 then
		doomed[#doomed + 1] = id
		return true
	end
	local created = call('HGET', key, 'c')
	if not created then
		call('HDEL', S, id)
		return true
	elseif tonumber(created) > now - opt.result_ttl - sweep.YOUNG then
		return false
	end
	call('ZADD', K.o, created, id)
	if ended then
		call('PEXPIRE', key, text_of(left), 'NX')
	elseif s then
		local job = parse(s)
		set_flag(job, 'O')
		keep(key, job)
		flow.keep_key(id, key, job)
	end
	return true
end

-- They go with their states.
function sweep.drop(ids)
	local keys = {}
	for i, id in ipairs(ids) do
		keys[i] = J .. id
	end
	if keys[1] then
		call('UNLINK', unpack(keys))
		call('HDEL', S, unpack(ids))
	end
end

-- Drop from the front of T:a what has vanished, and what settle() left without a time in Redis once its own is over. Returns how many.
local function trim_all(limit)
	local gone, doomed, some, n = 0, {}, 1, 1
	while n == some and gone < limit do
		some = math.min(gone == 0 and 1 or 64, limit - gone)
		local ids = call('LRANGE', K.a, gone, gone + some - 1)
		local all = states.of(ids, 1, #ids)
		n = 0
		while ids[n + 1] and sweep.passes(ids[n + 1], all[n + 1], doomed) do
			n = n + 1
		end
		gone = gone + n
	end
	if gone > 0 then
		call('LPOP', K.a, gone)
		count('at', gone)
	end
	sweep.drop(doomed)
	return gone
end

-- So many were added: look whether twice as many may go. To look costs as much as to add one, so that of the calls that add few not every
-- one does, but then for them all.
function sweep.after(n)
	if n >= 16 then
		trim_all(math.min(n * 2, BATCH))
	elseif now_us % 16 < n then
		trim_all(32)
	end
end

local function trim_ends(index, ttl)
	local ids = call('ZRANGE', T .. index, '-inf', now - ttl, 'BYSCORE', 'LIMIT', 0, BATCH)
	if #ids > 0 then
		call('ZREM', T .. index, unpack(ids))
	end
end

-- Walk through T:o a stretch at a time, for ever, and drop what has vanished. What barque2 had put there while it lived has no mark, and so
-- was given no time by its end.
local function trim_old()
	local from = tonumber(call('HGET', K.n, 'op') or 0)
	local ids, gone = call('ZRANGE', K.o, from, from + 63), 0
	for _, id in ipairs(ids) do
		local job = read(J .. id)
		if not job then
			call('HDEL', S, id)
			gone = gone + call('ZREM', K.o, id)
		elseif job.state == SUCCEEDED then
			local ended = job.ended ~= '' and job.ended or call('HGET', J .. id, 'e')
			call('PEXPIRE', J .. id, text_of(ended + opt.result_ttl - now), 'NX')
		end
	end
	set('op', #ids < 64 and 0 or from + 64 - gone)
end

-- Jobs ended per second, lately: a moving average over some 20 s.
local function measure_drain()
	local h = call('HMGET', K.n, 'hd', 'ht', 'hr')
	local done = known.done + (deltas.done or 0)
	set('hd', text_of(done))
	set('ht', now_text)
	if h[1] and now > tonumber(h[2]) then
		local ms = now - tonumber(h[2])
		local old = math.exp(-ms / 20000)
		set('hr', string.format('%.6f', tonumber(h[3] or 0) * old + (done - tonumber(h[1])) * 1000 / ms * (1 - old)))
	end
end

local function keep_house(last)
	if last and now - tonumber(last) < 1000 then
		return
	end
	-- As long as much is to be swept, every tenth of a second.
	set('mt', trim_all(BATCH) < BATCH and now_text or text_of(now - 900))
	measure_drain()
	trim_ends(':x', opt.dead_ttl)
	trim_ends(':f', opt.dead_ttl)
	trim_ends(':k', opt.result_ttl)
	trim_old()
	sweep.stay()
	limits.keep_house(tonumber(call('HGET', K.n, 'qp')))
	flow.keep_house()
	flush_lanes()
end

-- ---- step ------------------------------------------------------------------------------------------------------------

-- The last answer to a worker, as note_answer() wrote it: number of its step, the fence before its claims, when it was noted that the worker
-- lives, how many claims, and their ids and those of refused acknowledgements, from `at` on; nil: none is known.
local function last_answer(worker)
	local text = call('GET', K['w:'] .. worker)
	if not text then
		return nil
	end
	local seq, fence, alive, n, at = string.match(text, '^(%d+) (%d+) (%d+) (%d%d?%d?) ()')
	if not seq then
		return nil -- barque2 has written it: its step is not this one
	end
	return { seq = seq, fence = fence, alive = alive, n = n, text = text, at = at }
end

-- Two numbers of steps, which are texts without leading zeros.
local function is_later(seq, other)
	return #seq > #other or (#seq == #other and seq > other)
end

-- Give it once more; claims that are no longer ours are left out.
local function answer_again(worker, last)
	local refused, groups, extras, fence, n = {}, {}, {}, tonumber(last.fence), tonumber(last.n)
	local ids = string.sub(last.text, last.at)
	for i = n, #ids / TAIL - 1 do
		refused[#refused + 1] = string.sub(ids, i * TAIL + 1, i * TAIL + TAIL)
	end
	for i = 0, n - 1 do
		fence = fence + 1
		local id = string.sub(ids, i * TAIL + 1, i * TAIL + TAIL)
		local key = J .. id
		local job = read(key)
		if job and job.state == RUNNING and tonumber(job.fence) == fence then
			local h = call('HMGET', key, 'k', 'p')
			extras[#extras + 1] = extras_of(id, key, job, #groups, false)
			groups[#groups + 1] = { route_of(h[1], job), job.fence, id, h[2] }
		end
	end
	call('ZADD', K.W, now + ALIVE, worker)
	return { from_now(cron.earlier(first_due(), cron.first())), 1, refused, groups, false, false, false, extras }
end

local function note_answer(c, seq, fence, rejected, last)
	local alive = last and last.alive or '0'
	if now - alive >= ALIVE_NOTED then
		alive = now_text
		call('ZADD', K.W, now + ALIVE, c.worker)
	end
	local head = seq .. ' ' .. limits.fence_text(fence) .. ' ' .. alive .. ' ' .. SMALL[c.claimed] .. ' '
	call('SET', K['w:'] .. c.worker, head .. table.concat(c.ids) .. table.concat(rejected), 'PX', ANSWER_TTL)
end

local function read_counters(c)
	local names = { 'f', 't', 'ge', 'mt', 'rt', 'p', 'ct', 'ev', 'c:' .. c.worker, 'sh', 'qd', 'nw', 'r', 'run', 'done', 'by' }
	local fixed = #names
	for i, route in ipairs(c.routes) do
		names[fixed + i] = 'r:' .. route
	end
	names[#names + 1] = 'hq'
	names[#names + 1] = 'hm'
	local h = call('HMGET', K.n, unpack(names))
	changes.look(h[8])
	for i = 13, #names - 1 do
		local n = h[i]
		known[names[i]] = n and number_of(n) or 0
	end
	for _, route in ipairs(c.routes) do
		c.ready[route] = known['r:' .. route]
	end
	limits.due = h[11] and h[11] ~= '0' and tonumber(h[11]) or nil
	c.weighted = h[12] and h[12] ~= '0'
	-- Fences follow the clock, so that they grow even over the loss of all data and mean the same in every shard.
	c.fence = math.max(tonumber(h[1] or 0), now_us)
	history.set_mode(h[#names])
	return h
end

-- worker, seq, lease, held ('1': what is claimed may wait behind others, '0'), want, number of routes, routes, acks (see apply_acks), and
-- when there are remarks or a report: number of remarks,
-- remarks, and of a report its word and its text. The remarks are taken first: who ends says nothing any more.
-- {ms until something is due, ready, ids refused, claims, ticks due, command, shards, extras}; claims: of each lane served its route, the
-- first fence, which grows by one from each to the next, and id and parameters of each; extras: see extras_of. A job without extras was
-- due when it was made, and its id says when that was.
local function step(keys, args)
	enter(keys, args)
	local worker, seq, lease, n_routes = args[5], args[6], args[7], number_of(args[10])
	local last = last_answer(worker)
	if last and is_later(last.seq, seq) then
		return redis.error_reply('STALESEQ a later step of this worker was already taken')
	end
	if last and last.seq == seq then
		return answer_again(worker, last)
	end
	local c = { worker = worker, want = number_of(args[9]), until_ms = leases.till(now + lease, args[8] == '1'), routes = {}, ready = {}, before = {}, service = {},
		groups = {}, extras = {}, ids = {}, given = {}, claimed = 0, leases = {}, popped = 0, bytes = 0, by = ' ' .. worker,
		begun = now_text .. ' ' .. worker }
	for i = 1, n_routes do
		c.routes[i] = args[10 + i]
	end
	local h = read_counters(c)
	local fence = c.fence
	if h[6] then
		c.paused, c.want = true, 0
	end
	local command, acks, word = h[9], 11 + n_routes, nil
	local after = states.acks_end(args, acks)
	if args[after] then
		remarks.take(args, after)
		after = after + 1 + 4 * number_of(args[after])
		word = args[after]
	end
	local rejected = apply_acks(worker, lease, args, acks)
	if word then
		command = workers.hear(worker, c.routes, word, args[after + 1], command)
	end
	local silence_end = keep_time(h[2], h[3])
	-- Often enough as often as it is noted that we live.
	if not last or now - last.alive >= ALIVE_NOTED then
		reap_own(worker, lease, silence_end)
	end
	local look = reap_dead(worker, silence_end, h[5])
	local due, offers, tick = cron.earlier(promote(), look), nil, tonumber(h[7])
	if limits.due and limits.due <= now then
		limits.turn()
	end
	if tick and tick <= now then
		offers, tick = cron.offers()
	end
	flush_lanes()
	for _, route in ipairs(c.routes) do
		c.ready[route] = c.ready[route] + (deltas['r:' .. route] or 0)
		c.before[route] = c.ready[route]
	end
	claim(c)
	limits.take_back(c)
	local more = set_markers(c)
	note_answer(c, seq, fence, rejected, last)
	if word == 'bye' then
		workers.bye(worker)
	end
	keep_house(h[4])
	leave()
	return { from_now(cron.earlier(due, tick), limits.due), more, rejected, c.groups, offers or false, command or false, h[10] or 1, c.extras }
end

-- worker, lease, n, then id, fence, progress ('' = unchanged), held ('1': it is not known to have started, '0') each.
-- {id, fence of each that is lost, of each to be cancelled}: with its fence,
-- since a worker that lost a lease and was given the job again holds both
local function renew(keys, args)
	enter(keys, args)
	local worker, lease, lost, cancel, z = args[5], tonumber(args[6]), {}, {}, {}
	local h = call('HMGET', K.n, 't', 'ge', 'rt', 'ev')
	changes.look(h[4])
	local silence_end, held, started = keep_time(h[1], h[2]), leases.till(now + lease, true), leases.till(now + lease)
	for i = 8, 7 + number_of(args[7]) * 4, 4 do
		local key = J .. args[i]
		local job = read(key)
		if job and job.state == RUNNING and job.fence == args[i + 1] then
			z[#z + 1] = args[i + 3] == '1' and held or started
			z[#z + 1] = args[i]
			if args[i + 2] ~= '' then
				save(key, job, 'n', args[i + 2])
			end
			if has_flag(job, 'c') then
				cancel[#cancel + 1] = args[i]
				cancel[#cancel + 1] = args[i + 1]
			end
		else
			lost[#lost + 1] = args[i]
			lost[#lost + 1] = args[i + 1]
		end
	end
	if #z > 0 then
		call('ZADD', K['l:'] .. worker, 'XX', unpack(z))
	end
	call('ZADD', K.W, now + ALIVE, worker)
	reap_own(worker, lease, silence_end)
	reap_dead(worker, silence_end, h[3])
	flush_lanes()
	leave()
	return { lost, cancel }
end

register('step', step, 'allow-oom')
register('renew', renew, 'allow-oom')

