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

-- In shard 0: idempotency key, full id that is to have it, fingerprint, ms to keep it, full id to take it from ('': none). Returns the full
-- id and the fingerprint that hold it.
--
-- T:i of shard 0 says whose a key is in all shards: by the digits of a job that stands here, else by the whole id. So whoever submits here
-- without having asked, because he knows of one shard only, meets it too, and it holds while the number of shards changes. A job of
-- this shard notes it by itself when it comes, and keeps it as long as its record is kept.
function shards.reserve(keys, args)
	enter(keys, args)
	local key, id = T .. ':i:' .. args[5], args[6]
	local holder, fingerprint = string.match(call('GET', key) or '', '^(%S+) (.*)$')
	if holder and #holder > TAIL and holder ~= args[9] then
		call('PEXPIRE', key, args[8])
		return { holder, fingerprint }
	end
	if holder and #holder == TAIL and present_state(holder) then
		return { opt.prefix .. holder, fingerprint }
	end
	if string.sub(id, 1, -1 - TAIL) == opt.prefix then
		call('DEL', key)
	else
		call('SET', key, id .. ' ' .. args[7], 'PX', args[8])
	end
	return { id, args[7] }
end

register('shards', shards.number, 'allow-oom')
register('reserve', shards.reserve)
