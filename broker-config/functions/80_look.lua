-- look: records, listings, counts.

-- The record as fields and values, with its id, its lease's end and its state, as a field s, before it; nil when it has vanished.
local function record_of(id)
	local fields, s = call('HGETALL', J .. id), call('HGET', S, id)
	if #fields == 0 then
		return nil
	end
	local worker = s and string.match(s, ' %d+ (.*)$') or timeline.worker(unpack(call('HMGET', J .. id, 'b', 'w')))
	local lease = worker and call('ZSCORE', T .. ':l:' .. worker, id)
	local record = s and { id, lease or '0', 's', s } or { id, lease or '0' } -- barque2 had it among the fields
	for i = 1, #fields do
		record[#record + 1] = fields[i]
	end
	return record
end

local function show(keys, args)
	enter(keys, args)
	local out = {}
	for i = 5, math.min(#args, 4 + BATCH) do
		out[#out + 1] = record_of(args[i])
	end
	return out
end

-- From the highest score down, how many stand before whatever comes after (score, id), which itself may be gone.
local function rank_after(name, score, id)
	local low = call('ZCOUNT', name, '(' .. score, '+inf')
	local high = low + call('ZCOUNT', name, score, score)
	while low < high do
		local middle = math.floor((low + high) / 2)
		if call('ZREVRANGE', name, middle, middle)[1] >= id then
			low = middle + 1
		else
			high = middle
		end
	end
	return low
end

-- Page through a zset from its highest score, or from `top` down. The cursor names the last member given, so that a member added or
-- removed elsewhere moves nothing. Returns ids, a function that makes the cursor after one of them, and their scores.
local function page_zset(name, cursor, top)
	local score, id = string.match(cursor, '^(%d+):(%w+)$')
	local rank = 0
	if id then
		rank = rank_after(T .. name, score, id)
	elseif top then
		rank = call('ZCOUNT', T .. name, '(' .. top, '+inf')
	end
	local z, ids, scores = call('ZREVRANGE', T .. name, rank, rank + BATCH - 1, 'WITHSCORES'), {}, {}
	for i = 1, #z, 2 do
		ids[#ids + 1] = z[i]
		scores[#scores + 1] = tonumber(z[i + 1])
	end
	return ids, function(i)
		return z[i * 2] .. ':' .. z[i * 2 - 1]
	end, scores
end

-- Page through T:a from its end; the cursor is a position counted from the first job ever, so that trimming moves nothing.
local function page_all(cursor)
	local trimmed = tonumber(call('HGET', T .. ':n', 'at') or 0)
	local len = call('LLEN', T .. ':a')
	local stop = cursor == '' and len or math.max(0, math.min(len, (tonumber(cursor) or 0) - trimmed))
	local first = math.max(0, stop - BATCH)
	local some = stop > 0 and call('LRANGE', T .. ':a', first, stop - 1) or {}
	local ids = {}
	for i = #some, 1, -1 do
		ids[#ids + 1] = some[i]
	end
	return ids, function(i)
		return string.format('%.0f', trimmed + stop - i)
	end
end

-- Fill out with the records that fit; returns how many ids were looked at.
local function pick(ids, kind, state, limit, out)
	local bytes, all = 0, states.of(ids, 1, #ids)
	for i, id in ipairs(ids) do
		local s = all[i] or states.old(id)
		local k = s and (state == '' or string.sub(s, 1, 1) == state) and call('HGET', J .. id, 'k')
		if k and (kind == '' or kind_of(k) == kind) then
			local record = record_of(id)
			for _, text in ipairs(record) do
				bytes = bytes + #text
			end
			out[#out + 1] = record
		end
		if #out == limit or bytes > LIST_BYTES then
			return i
		end
	end
	return #ids
end

-- kind ('' any), state ('' any), cursor, limit. A cursor is the letter of a source and the place in it; '' starts and ends.
local function list(keys, args)
	enter(keys, args)
	local kind, state, cursor, limit = args[5], args[6], args[7], tonumber(args[8])
	local source, place = string.sub(cursor, 1, 1), string.sub(cursor, 2)
	local ids, mark
	if LIST_INDEX[state] then
		source = 'z'
		ids, mark = page_zset(LIST_INDEX[state], place)
	elseif source == 'o' then
		ids, mark = page_zset(':o', place)
	else
		source = 'a'
		ids, mark = page_all(place)
	end
	local out = {}
	local looked = pick(ids, kind, state, limit, out)
	if looked == #ids and #ids < BATCH then
		-- This source is exhausted; after the list of all come the old ones.
		return { source == 'a' and call('EXISTS', T .. ':o') == 1 and 'o' or '', out }
	end
	return { source .. mark(looked), out }
end

local function counts(keys, args)
	enter(keys, args)
	local h = call('HMGET', T .. ':n', 'r', 'run', 'done', 'p', 'q', 'by', 'dr', 'hq', 'hm')
	local unwritten = string.sub(h[9] or '', 1, 1) ~= 'n' and tonumber(h[8] or 0) or 0
	return { tonumber(h[1] or 0), call('ZCARD', T .. ':d'), tonumber(h[2] or 0), call('ZCARD', T .. ':h'), call('ZCARD', T .. ':x'),
		tonumber(h[3] or 0), call('ZCOUNT', T .. ':W', '(' .. now, '+inf'),
		tonumber(h[4] or 0), tonumber(h[5] or 0), math.max(0, tonumber(h[6] or 0)),
		tonumber(h[7] or 0), call('ZCARD', T .. ':cr') + call('ZCARD', T .. ':ob') + unwritten }
end

register('show', show, 'no-writes')
register('list', list, 'no-writes')
register('counts', counts, 'no-writes')

