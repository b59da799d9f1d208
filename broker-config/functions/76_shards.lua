-- shards: the parts of a queue, and what is known across them.

local shards = {
	FORGET = 10000, -- clients look so often at the least how many shards there are, twice over
	LINGER = 3600000, -- so long after the last of its jobs a list of ids vanishes in a shard that was let go
}

-- What stands in shard 0: sh so many are served (1 when it is not there), sp so many take new jobs (as many when it is not there), st when
-- somebody lowered their number or kept one last, sm for how many the schedules stand where they belong (0: they are to be looked at).
--
-- wanted (0: tell them), act: '' tell them, 'raise' no less than wanted, 'set' new jobs to just so many, 'settled' the schedules are spread
-- over so many, 'keep' serve so many, of which the last is about to hold jobs again; 'drop' serve no more than take new jobs, since the
-- others were found empty after `since` was told.
-- Returns both, how many were served before, what gates there are (1 paused, 2 it drains, 3 both), since: 0 when it is too early to let
-- go of any, and for how many the schedules are spread.
--
-- Whoever says 'keep' and then makes a job live has FORGET for it: before that nobody begins to look whether the shard is empty, and who had
-- begun before is refused, since `since` is another then.
function shards.number(keys, args)
	enter(keys, args)
	local wanted, act = tonumber(args[5]), args[6]
	local h = call('HMGET', T .. ':n', 'sh', 'sp', 'st', 'sm', 'p', 'dr')
	local before, since, settled = tonumber(h[1] or 1), h[3] or '0', tonumber(h[4] or 1)
	local serve, put = before, tonumber(h[2] or before)
	if (act == 'raise' or act == 'set') and wanted > put then
		put, serve, settled = wanted, math.max(serve, wanted), 0
	elseif act == 'set' and wanted < put then
		put, settled, since = wanted, 0, now_text
	elseif act == 'keep' and wanted > put then
		serve, since = math.max(serve, wanted), now_text
	elseif act == 'settled' and wanted == put then
		settled = put
	elseif act == 'drop' and wanted == put and args[7] == since then
		serve = put
	end
	if act ~= '' then
		call('HSET', T .. ':n', 'sh', serve, 'sp', put, 'st', since, 'sm', settled)
	end
	return { put, serve, before, (h[5] and 1 or 0) + (h[6] and 2 or 0), serve > put and now - since >= shards.FORGET and tonumber(since) or 0,
		settled }
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
		call('PEXPIRE', key, args[8], 'GT')
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

-- ---- letting go ------------------------------------------------------------------------------------------------------

-- Lists of ids, which nobody sweeps any more where no worker steps: they go by themselves, when the last of their jobs is gone for long.
shards.LISTS = { ':a', ':o', ':f', ':k' }

-- Where somebody steps, or is about to, they stay.
function sweep.stay()
	for _, list in ipairs(shards.LISTS) do
		call('PERSIST', T .. list)
	end
end

function shards.fade(list, ttl, ...)
	call('PEXPIRE', T .. list, string.format('%.0f', ttl + shards.LINGER), ...)
end

-- It has ended and vanishes by itself from now on: its state goes into its record (field s, where barque2 had it).
function shards.settle(id, key, job)
	if job then
		states.spell_out(key, job)
		call('HSET', key, 's', job.state .. job.flags .. '.' .. job.rev .. '.' .. job.fence)
	end
	call('HDEL', S, id)
end

-- Before this shard is let go of, where nobody sweeps any more: list ('a', 'o'), from: how many from its end were looked at (from there, since
-- those who still step here take ids from its front). Of the ids there, a batch, those that have ended vanish by themselves, and the list
-- after them. Returns how many were looked at.
function shards.let_go(keys, args)
	enter(keys, args)
	local list, from, longest = ':' .. args[5], tonumber(args[6]), 0
	local ids = call(list == ':a' and 'LRANGE' or 'ZRANGE', T .. list, -from - BATCH, -from - 1)
	for _, id in ipairs(ids) do
		local key = J .. id
		local job = read(key)
		if not job or job.state >= SUCCEEDED then
			shards.settle(id, key, job)
			longest = math.max(longest, call('PTTL', key))
		end
	end
	if from == 0 then
		shards.fade(list, longest)
		shards.fade(':f', opt.dead_ttl)
		shards.fade(':k', opt.result_ttl)
	else
		shards.fade(list, longest, 'GT')
	end
	return #ids
end

register('shards', shards.number, 'allow-oom')
register('let_go', shards.let_go, 'allow-oom')
register('reserve', shards.reserve)
