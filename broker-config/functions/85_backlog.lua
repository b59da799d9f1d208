-- backlog: how much stands before the workers, in jobs and in seconds.

do -- nobody else uses these names, and a text may have 200 of them

local backlog = {}
backlog.LANES = 256 -- looked at in one call
backlog.IDS = 4 -- of each lane, since the first ones may be ghosts

-- When the first job of a lane that is really ready became so for the first time, as far as its record tells; nil: none was found.
function backlog.head(route, lane)
	for _, id in ipairs(call('LRANGE', T .. ':r:' .. route .. ':' .. lane, 0, backlog.IDS - 1)) do
		local s = call('HGET', S, id) or states.old(id)
		if s and string.sub(s, 1, 1) == READY then
			local h = call('HMGET', J .. id, 'd', 'c')
			return tonumber(h[1] or h[2])
		end
	end
	return nil
end

-- Of the lanes that stand first in the rings: when the oldest ready job became ready; 0: none is.
function backlog.oldest()
	local h, oldest, left = call('HGETALL', T .. ':n'), nil, backlog.LANES
	for i = 1, #h, 2 do
		local route = string.match(h[i], '^r:(.+)$')
		local lanes = route and tonumber(h[i + 1]) > 0 and left > 0 and call('ZRANGE', T .. ':g:' .. route, 0, left - 1) or {}
		for _, lane in ipairs(lanes) do
			local since = backlog.head(route, lane)
			if since and (not oldest or since < oldest) then
				oldest = since
			end
		end
		left = left - #lanes
	end
	return oldest or 0
end

-- {now, ready, running, oldest ready since, jobs ended per second times a million, when that was measured, retries, crashes, leases taken back}
function backlog.read(keys, args)
	enter(keys, args)
	local h = call('HMGET', T .. ':n', 'r', 'run', 'hr', 'mt', 'ret', 'crs', 'rec')
	local ready = tonumber(h[1] or 0)
	return { now, ready, tonumber(h[2] or 0), ready > 0 and backlog.oldest() or 0, math.floor(tonumber(h[3] or 0) * 1000000), tonumber(h[4] or 0),
		tonumber(h[5] or 0), tonumber(h[6] or 0), tonumber(h[7] or 0) }
end

register('backlog', backlog.read, 'no-writes')

end
