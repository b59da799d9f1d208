-- changes: every change of state, for those who listen: T:ev, a stream with one entry for each call, "<state digit><id><kind>" of each job
-- that it moved. Written only while somebody listens, which costs nobody anything else: who listens says until when in field ev of T:n
-- (es: since when nothing is missing), and step, renew and submit read that field along with others.

changes.ENTRIES = 32 -- in one answer
changes.KEPT, changes.TRIMMED = 1000, 200
changes.LISTENS = 10000 -- a listener is taken to listen for so long
changes.LIVES = '300000'
changes.LAST = '18446744073709551615' -- the last number that an entry of one ms can have

-- For those calls that did not read the field: once, when something moves.
function changes.note(key, state, kind)
	if changes.on == nil then
		changes.look(call('HGET', T .. ':n', 'ev'))
	end
	if changes.on then
		local list = changes.list
		list[#list + 1] = state .. string.sub(key, #T + 4) .. (kind or kind_of(call('HGET', key, 'k')))
	end
end

-- Let the oldest go, whole milliseconds of them, and move es on: who stands before it has missed something.
function changes.trim()
	local oldest = call('XRANGE', T .. ':ev', '-', '+', 'COUNT', changes.TRIMMED)
	local upto = tonumber(string.match(oldest[#oldest][1], '^%d+')) + 1
	call('XTRIM', T .. ':ev', 'MINID', '=', string.format('%.0f-0', upto))
	if upto > tonumber(call('HGET', T .. ':n', 'es') or 0) then
		call('HSET', T .. ':n', 'es', string.format('%.0f', upto))
	end
end

-- At the end of a call.
function changes.write()
	call('XADD', T .. ':ev', '*', 'c', table.concat(changes.list, ' '))
	call('PEXPIRE', T .. ':ev', changes.LIVES)
	if call('XLEN', T .. ':ev') >= changes.KEPT + changes.TRIMMED then
		changes.trim()
	end
end

-- From now on changes are written; from the first answer on none is missing. The second, in shard 0: how many shards there are.
function changes.listen()
	local h = call('HMGET', T .. ':n', 'ev', 'es', 'sh')
	local on, since = tonumber(h[1] or 0), tonumber(h[2] or 0)
	if on <= now then
		since = now
		call('HSET', T .. ':n', 'es', now_text)
	end
	if on < now + changes.LISTENS / 2 then
		call('HSET', T .. ':n', 'ev', string.format('%.0f', now + changes.LISTENS))
		call('PEXPIRE', T .. ':ev', changes.LIVES) -- nothing may have changed for long: what is missing must be said by es
	end
	return since, tonumber(h[3] or 1)
end

function changes.place_before(ms)
	return string.format('%.0f-', ms - 1) .. changes.LAST
end

-- after ('' from the first that is whole): {now, since, gap, after, shards, id, changes, ...}. gap: 1: something before `since` was missed, and
-- reading goes on from there.
function changes.read(keys, args)
	enter(keys, args)
	local since, n = changes.listen()
	local after, gap = args[5], 0
	if after == '' or tonumber(string.match(after, '^%d+')) < since - 1 then
		gap = after == '' and 0 or 1
		after = changes.place_before(since)
	end
	local entries = call('XRANGE', T .. ':ev', '(' .. after, '+', 'COUNT', changes.ENTRIES)
	local out = { now, since, gap, after, n }
	for _, entry in ipairs(entries) do
		out[#out + 1] = entry[1]
		out[#out + 1] = entry[2][2]
	end
	return out
end

-- For each id its revision, 0 for one that is not there.
function changes.revisions(keys, args)
	enter(keys, args)
	local out = {}
	for i = 5, math.min(#args, 4 + BATCH) do
		local job = read(T .. ':j:' .. args[i])
		out[i - 4] = job and tonumber(job.rev) or 0
	end
	return out
end

register('changes', changes.read, 'allow-oom')
register('revisions', changes.revisions, 'no-writes')
