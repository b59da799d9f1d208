-- dead: letters searched, replayed, deleted.

do -- nobody else uses these names, and a text may have 200 of them

-- The job, if it is one of those looked for.
local function dead_match(key, f)
	local h, job = call('HMGET', key, 'k', 'E'), read(key)
	if not job or job.state ~= f.state or (f.kind ~= '' and kind_of(h[1]) ~= f.kind) then
		return nil
	end
	local found = f.error == '' or string.find(string.lower(h[2] or ''), f.error, 1, true)
	return found and job or nil
end

-- Look at no more than 256, the latest ended first; visit(id, key, job) says whether to stop there. Returns the cursor, '' at the end.
local function walk_dead(args, visit)
	local f = { state = args[5], kind = args[6], error = string.lower(args[7]), from = tonumber(args[8]) }
	local ids, mark, scores = page_zset(END_INDEX[f.state], args[10], args[9] ~= '0' and args[9])
	for i, id in ipairs(ids) do
		if scores[i] < f.from then
			return ''
		end
		local key = T .. ':j:' .. id
		local job = dead_match(key, f)
		if job and visit(id, key, job) then
			return mark(i)
		end
	end
	return #ids < BATCH and '' or mark(#ids)
end

-- state, kind ('' any), part of the error ('' any), ended from, to (0: no limit), cursor, limit
local function dead_list(keys, args)
	enter(keys, args)
	local limit, bytes, out = tonumber(args[11]), 0, {}
	local cursor = walk_dead(args, function(id)
		local record = record_of(id)
		for _, text in ipairs(record) do
			bytes = bytes + #text
		end
		out[#out + 1] = record
		return #out == limit or bytes > LIST_BYTES
	end)
	return { cursor, out }
end

local function delete_job(id, key, job)
	if has_flag(job, 'i') then
		local idem = T .. ':i:' .. call('HGET', key, 'i')
		if string.sub(call('GET', idem) or '', 1, #id) == id then
			call('DEL', idem)
		end
	end
	call('ZREM', T .. END_INDEX[job.state], id)
	call('UNLINK', key, T .. ':D:' .. id, T .. ':L:' .. id)
	call('HDEL', S, id)
	return true
end

-- The same, and after the limit what to do: replay or delete. {cursor, how many were done, how many have a unique key that is
-- another's now}
local function dead_act(keys, args)
	enter(keys, args)
	local act, limit, done, skipped = args[12] == 'delete' and delete_job or replay_job, tonumber(args[11]), 0, 0
	local cursor = walk_dead(args, function(id, key, job)
		if act(id, key, job) then
			done = done + 1
		else
			skipped = skipped + 1
		end
		return done == limit
	end)
	flush_lanes()
	leave()
	return { cursor, done, skipped }
end

register('dead_list', dead_list, 'no-writes')
register('dead_act', dead_act, 'allow-oom')

end
