-- remarks: what a job says while it runs, its log: T:L:<id>, a list of lines "<number> <ms> <j|q> <text>" (j: the job said it, q: the
-- queue, about it). Numbers go on from 1 however many lines were let go at the front. Flag L: the job has such a list; it lives as long
-- as the record.

local remarks = {}
remarks.KEPT = 1000
remarks.BYTES = 256 * 1024 -- in one answer

-- To be called before the move(), save() or keep() that writes the record: the flag rides on it. texts: "<ms> <j|q> <text>".
function remarks.add(id, job, texts)
	local list, last = T .. ':L:' .. id, 0
	if has_flag(job, 'L') then
		last = tonumber(string.match(call('LINDEX', list, -1) or '', '^(%d+) ') or 0)
	end
	for i = 1, #texts do
		texts[i] = string.format('%.0f ', last + i) .. texts[i]
	end
	if call('RPUSH', list, unpack(texts)) > remarks.KEPT then
		call('LTRIM', list, -remarks.KEPT, -1)
	end
	set_flag(job, 'L')
end

-- The queue's own word, among the lines of a job that says something itself; all else is told by its timeline.
function remarks.say(id, job, text)
	if has_flag(job, 'L') then
		remarks.add(id, job, { now_text .. ' q ' .. timeline.clean(text) })
	end
end

-- args[at] on: how many, then id, fence, age in ms and text of each; those of one job mostly stand together. What comes from somebody
-- who has lost the job is dropped.
function remarks.take(args, at)
	local n, i = tonumber(args[at]), 0
	at = at + 1
	while i < n do
		local id, fence, texts = args[at], args[at + 1], {}
		while i < n and args[at] == id and args[at + 1] == fence do
			texts[#texts + 1] = string.format('%.0f j ', now - tonumber(args[at + 2])) .. args[at + 3]
			i, at = i + 1, at + 4
		end
		local key = T .. ':j:' .. id
		local job = read(key)
		if job and job.state == RUNNING and job.fence == fence then
			local first = not has_flag(job, 'L')
			remarks.add(id, job, texts)
			if first then
				keep(key, job)
			end
		end
	end
end

-- The lines from this place of the list on, as many as fit.
function remarks.page(list, from, limit)
	local some, out, bytes = call('LRANGE', list, from, from + limit - 1), {}, 0
	for i, line in ipairs(some) do
		bytes = bytes + #line
		if bytes > remarks.BYTES then
			break
		end
		out[i] = line
	end
	return out
end

-- For each: id, number of the first line wanted (negative: so many from the end), limit. {state, revision, first kept, last, lines} each,
-- the first two 0 for a job that is not there.
function remarks.read(keys, args)
	enter(keys, args)
	local out, left = {}, BATCH
	for i = 5, #args, 3 do
		local list, job = T .. ':L:' .. args[i], read(T .. ':j:' .. args[i])
		local first = job and has_flag(job, 'L') and tonumber(string.match(call('LINDEX', list, 0) or '', '^(%d+) '))
		if not first then
			out[#out + 1] = { job and tonumber(job.state) or 0, job and tonumber(job.rev) or 0, 0, 0, {} }
		else
			local len = call('LLEN', list)
			local from, limit = tonumber(args[i + 1]), math.min(tonumber(args[i + 2]), left)
			from = from < 0 and math.max(len + from, 0) or math.max(from - first, 0)
			local lines = limit > 0 and from < len and remarks.page(list, from, limit) or {}
			left = left - #lines
			out[#out + 1] = { tonumber(job.state), tonumber(job.rev), first, first + len - 1, lines }
		end
	end
	return out
end

register('remarks', remarks.read, 'no-writes')
