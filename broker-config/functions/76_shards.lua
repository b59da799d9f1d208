-- shards: the parts of a queue, and what is known across them.

local shards = { FORGET = 10000 } -- clients look so often at the least how many shards there are, twice over

-- What stands in shard 0: sh so many are served (1 when it is not there), sp so many take new jobs (as many when it is not there).
-- wanted (0: tell them), act: '' tell them, 'raise' no less than wanted, 'set' new jobs to just so many, 'drop' serve no more than that.
-- Returns both and whether the queue is paused.
function shards.number(keys, args)
	enter(keys, args)
	local wanted, act = tonumber(args[5]), args[6]
	local h = call('HMGET', T .. ':n', 'sh', 'sp', 'st', 'p')
	local serve = tonumber(h[1] or 1)
	local put = tonumber(h[2] or serve)
	if (act == 'raise' or act == 'set') and wanted > put then
		put, serve = wanted, math.max(serve, wanted)
		call('HSET', T .. ':n', 'sh', serve, 'sp', put)
	elseif act == 'set' and wanted < put then
		put = wanted
		call('HSET', T .. ':n', 'sh', serve, 'sp', put, 'st', now_text)
	elseif act == 'drop' and wanted == put and now - tonumber(h[3] or 0) >= shards.FORGET then
		serve = put
		call('HSET', T .. ':n', 'sh', serve)
	end
	return { put, serve, h[4] and 1 or 0 }
end

-- id, fingerprint, ms to keep it, an id to take it from ('': none). Returns the id and fingerprint that hold the key.
function shards.reserve(keys, args)
	local id, fingerprint = string.match(redis.call('GET', keys[1]) or '', '^(%S+) (.*)$')
	if id and id ~= args[4] then
		return { id, fingerprint }
	end
	redis.call('SET', keys[1], args[1] .. ' ' .. args[2], 'PX', args[3])
	return { args[1], args[2] }
end

register('shards', shards.number, 'allow-oom')
register('reserve', shards.reserve)
