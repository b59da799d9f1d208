-- history: which jobs have ended and are not yet in the store, for the one process that writes them there.
--
-- T:e holds one text for each call that ended something: the time, 13 digits, and the ids, 20 letters each. T:n field hm, set by the
-- writers, says which: a all ends, f all but successes, n none; and how many ids may wait: beyond that the oldest go.
-- T:n also counts hq ids that wait, ho ids of the first text that are written already, hp ids that ever left, hx ids that were dropped.

local ENTRY_TIME = 13
local WRITER_LEASE = '5000'

history.usual = 'a2000000'

-- text: field hm of T:n, nil when there is none.
function history.set_mode(text)
	history.mode = text or history.usual
	history.what = string.sub(history.mode, 1, 1)
end

-- Some ids came to this end.
function history.note(to, ...)
	if history.mode == nil then
		local h = call('HMGET', K.n, 'hm', 'hq')
		history.set_mode(h[1])
		known.hq = tonumber(h[2] or 0)
	end
	if history.what == 'n' or (history.what == 'f' and to == SUCCEEDED) then
		return
	elseif history.ids[1] == nil then
		history.ids = { ... }
		return
	end
	for i = 1, select('#', ...) do
		history.ids[#history.ids + 1] = (select(i, ...))
	end
end

local function entry_size(entry)
	return (#entry - ENTRY_TIME) / TAIL
end

-- Nobody writes, or not fast enough.
local function drop_oldest(over)
	local done, gone = tonumber(call('HGET', K.n, 'ho') or 0), 0
	for _ = 1, BATCH do
		local entry = gone < over and call('LPOP', K.e)
		if not entry then
			break
		end
		gone, done = gone + entry_size(entry) - done, 0
	end
	set('ho', 0)
	count('hq', -gone)
	count('hp', gone)
	count('hx', gone)
end

-- At the end of a call. One push, unless the call ended more than a batch.
function history.flush()
	local ids = history.ids
	if #ids == 0 then
		return
	end
	for i = 1, #ids, BATCH do
		call('RPUSH', K.e, now_text .. table.concat(ids, '', i, math.min(i + BATCH - 1, #ids)))
	end
	count('hq', #ids)
	local over = known.hq and known.hq + deltas.hq - tonumber(string.sub(history.mode, 2)) or 0
	if over > 0 then
		drop_oldest(over)
	end
end

-- The oldest texts, enough for so many ids behind the first `done`.
local function oldest(done, limit)
	local entries, ids = {}, -done
	while ids < limit and #entries < BATCH do
		local some = call('LRANGE', K.e, #entries, #entries + 7)
		for _, entry in ipairs(some) do
			if ids < limit then
				entries[#entries + 1] = entry
				ids = ids + entry_size(entry)
			end
		end
		if #some < 8 then
			break
		end
	end
	return entries
end

-- writer, limit, what and how many may wait: {0} another writes; {1, place, ids that wait, ids dropped ever, ids of the first text that are
-- written, texts}. The writer reads the records by itself: a record in an answer of ours would be turned into Lua's values and back, which
-- costs this server five times as much.
local function history_take(keys, args)
	enter(keys, args)
	local writer, limit = args[5], math.min(tonumber(args[6]), BATCH)
	local holder = call('GET', K.hw)
	if holder and holder ~= writer then
		return { 0 }
	end
	call('SET', K.hw, writer, 'PX', WRITER_LEASE)
	local h = call('HMGET', K.n, 'hm', 'ho', 'hp', 'hq', 'hx')
	if h[1] ~= args[7] then
		call('HSET', K.n, 'hm', args[7])
	end
	local done = tonumber(h[2] or 0)
	return { 1, tonumber(h[3] or 0), tonumber(h[4] or 0), tonumber(h[5] or 0), done, oldest(done, limit) }
end

-- writer, place, n: the n oldest are in the store. 1; 0 when another writes now, or the place has moved on.
local function history_drop(keys, args)
	enter(keys, args)
	local left = tonumber(args[7])
	local h = call('HMGET', K.n, 'hp', 'ho')
	if call('GET', K.hw) ~= args[5] or tonumber(h[1] or 0) ~= tonumber(args[6]) or left > BATCH then
		return 0
	end
	local done = tonumber(h[2] or 0)
	for _ = 1, BATCH do
		local entry = left > 0 and call('LINDEX', K.e, 0)
		if not entry then
			break
		end
		local step = math.min(left, entry_size(entry) - done)
		left, done = left - step, done + step
		if done == entry_size(entry) then
			call('LPOP', K.e)
			done = 0
		end
	end
	set('ho', done)
	count('hq', left - tonumber(args[7]))
	count('hp', tonumber(args[7]) - left)
	leave()
	return 1
end

-- Ends are noted no more, until somebody takes them. What waits is kept for it.
local function history_off(keys, args)
	enter(keys, args)
	call('HSET', K.n, 'hm', 'n')
	return 1
end

register('history_take', history_take, 'allow-oom')
register('history_drop', history_drop, 'allow-oom')
register('history_off', history_off, 'allow-oom')

