-- mend_flow: what a job waits for. T:D says what is left of it, field D of the record what it was at first (78_flow.lua).
--
-- What T:D says is true as long as it is there: each of its entries is taken away once. When it is gone, those that field D names are all waited
-- for again, and asked how they stand: one that ended tells it once more, one that has vanished counts as one that does not exist.

-- What is left in T:D: how many have not ended well, the words of field D about these, and bytes of results.
function mend.waits_in(deps)
	local h, w = call('HGETALL', deps), { left = 0, bytes = 0, words = {} }
	for i = 1, #h, 2 do
		local sort, rest = string.match(h[i], '^([?!=])(.*)$')
		if sort == '=' then
			w.bytes = w.bytes + #h[i + 1]
		elseif sort then
			w.left = w.left + 1
			w.words[w.left] = rest .. h[i + 1]
		end
	end
	w.empty = w.left == 0 and w.bytes == 0
	return w
end

-- T:D is gone.
function mend.wait_anew(id, key, job)
	local deps, n = T .. ':D:' .. id, 0
	for to, mark in string.gmatch(call('HGET', key, 'D') or '', '([^%s=:]+)([=:]%S+)') do
		call('HSET', deps, '?' .. to, mark)
		n = n + 1
	end
	if n == 0 then
		return 'nothing says what it waited for: cancel it, and hand its flow in again'
	end
	call('HSET', deps, '#', n, '*', n, 'b', '0')
	if job.state >= SUCCEEDED then
		call('PEXPIRE', deps, math.max(1, mend.lifetime(key, job)))
	end
	flow.ask(id)
	flush_lanes()
	return 1
end

-- Its three numbers. Returns how many were wrong.
function mend.wait_numbers(key, deps, w)
	local h, changed = call('HMGET', deps, '#', '*', 'b'), 0
	local function is(name, value)
		changed = changed + 1
		call('HSET', deps, name, value)
	end
	if tonumber(h[1]) ~= w.left then
		is('#', w.left)
	end
	if not tonumber(h[2]) then
		is('*', select(2, string.gsub(call('HGET', key, 'D'), '%S+', '')))
	end
	if not tonumber(h[3]) then
		is('b', w.bytes)
	end
	return changed
end

function mend.flow(id)
	local key, deps = J .. id, T .. ':D:' .. id
	local job, there = read(key), call('EXISTS', deps) == 1
	local waits = job and has_flag(job, 'D')
	if not job or not (there or waits) then
		return 0
	elseif job.state == SUCCEEDED then
		return call('UNLINK', deps)
	elseif not there then
		return mend.wait_anew(id, key, job)
	end
	local w, changed = mend.waits_in(deps), 0
	if not waits and w.empty then
		return call('UNLINK', deps)
	elseif not waits then
		changed = 1
		set_flag(job, 'D')
		keep(key, job, 'D', table.concat(w.words, ' '))
	end
	changed = changed + mend.wait_numbers(key, deps, w)
	if job.state == WAITING and w.left == 0 then
		changed = 1
		flow.release(id, key, job)
		flush_lanes()
	end
	return changed
end

mend.MENDS.flow = mend.flow
