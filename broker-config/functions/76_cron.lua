-- cron, second part: the calls that change and show schedules, and the one that makes a tick.

-- Is the lock over, for whoever holds it (0: none)?
function cron.is_late(until_ms)
	return tonumber(until_ms) > 0 and now > tonumber(until_ms)
end

-- It ticks next at `due`, or never ('inf').
function cron.stand(name, route, due)
	local first = cron.first()
	call('ZADD', T .. ':cr', due, name)
	cron.note_first()
	-- Who waits must learn when it is due earlier than all others.
	if due ~= 'inf' and (not first or tonumber(due) < first) then
		call('ZADD', T .. ':m:' .. route, '0', '1')
	end
end

-- name, the revision that it must have ('' any, '0' none), spec, timing, route, next tick ('inf': it is paused or never ticks), until when.
-- {1, revision} done, {-3, revision} it has another one, or is on its way here, {-4, 0} there are too many. A schedule whose timing stays keeps its next tick, so that saying
-- the same twice loses none; and then nothing changes.
function cron.put(keys, args)
	enter(keys, args)
	local name, rev, spec, timing, route, due = args[5], args[6], args[7], args[8], args[9], args[10]
	local key = T .. ':cj:' .. name
	local old = call('HMGET', key, 'v', 'S', 'x', 'd', 'M')
	if cron.is_late(args[11]) or old[5] then
		return { -3, tonumber(old[1] or 0) }
	end
	if rev ~= '' and rev ~= (old[1] or '0') then
		return { -3, tonumber(old[1] or 0) }
	end
	if not old[1] and call('ZCARD', T .. ':cr') >= cron.MOST then
		return { -4, 0 }
	end
	if old[3] == timing and due ~= 'inf' and string.find(old[4] or '', '^%d+$') and #old[4] < 16 then
		due = old[4]
	end
	if old[2] == spec and old[4] == due then
		return { 1, tonumber(old[1]) }
	end
	local next_rev = (tonumber(old[1] or 0) or 0) + 1
	call('HSET', key, 'v', next_rev, 'S', spec, 'x', timing, 'k', route, 'd', due, 'u', now_text)
	call('HSETNX', key, 'c', now_text)
	call('HDEL', key, 'e')
	cron.stand(name, route, due)
	return { 1, next_rev }
end

-- name, the revision that it must have ('' any), the next tick at which it must stand, since it was copied to another shard ('': it is
-- deleted), until when: {1, 0} done, {0, 0} there is none, {-3, revision}
function cron.drop(keys, args)
	enter(keys, args)
	local key = T .. ':cj:' .. args[5]
	local h = call('HMGET', key, 'v', 'd', 'M')
	if not h[1] then
		return { 0, 0 }
	end
	local moved = args[7] ~= ''
	if (args[6] ~= '' and args[6] ~= h[1]) or (moved and (args[7] ~= h[2] or h[3])) or cron.is_late(args[8]) then
		return { -3, tonumber(h[1]) }
	end
	call('DEL', key)
	call('ZREM', T .. ':cr', args[5])
	cron.note_first()
	return { 1, 0 }
end

-- In shard 0: name, who. Until when he may make, move or delete it; 0: another one does. The other half of the lock's time is for clocks of
-- servers that differ.
function cron.lock(keys, args)
	enter(keys, args)
	if not call('SET', T .. ':cl:' .. args[5], args[6], 'NX', 'PX', cron.LOCK) then
		return 0
	end
	return now + cron.LOCK / 2
end

function cron.unlock(keys, args)
	enter(keys, args)
	local key = T .. ':cl:' .. args[5]
	return call('GET', key) == args[6] and call('DEL', key) or 0
end

-- name, until when, the shard that it leaves, fields and values as there: it stands here, asleep. 1; 0: too late, or one of this name ticks
-- here.
function cron.take_in(keys, args)
	enter(keys, args)
	local key = T .. ':cj:' .. args[5]
	local old = call('HMGET', key, 'v', 'M')
	if cron.is_late(args[6]) or (old[1] and not old[2]) then
		return 0
	end
	local move = string.format('%.0f', now_us)
	call('DEL', key)
	call('HSET', key, unpack(args, 8))
	local h = call('HMGET', key, 'd', 'j')
	call('HSET', key, 'M', h[1] or 'inf', 'd', 'inf', 'N', move)
	if h[2] and #h[2] == TAIL then
		call('HSET', key, 'j', string.match(opt.prefix, '^.*%-') .. args[7] .. h[2])
	end
	call('ZADD', T .. ':cr', 'inf', args[5])
	cron.note_first()
	cron.ask_later(args[5], move, args[7])
	return 1
end

-- It sleeps here: it ticks from now on, or does not stand here any more.
function cron.rouse(name)
	local key = T .. ':cj:' .. name
	local h = call('HMGET', key, 'M', 'k')
	call('HSET', key, 'd', h[1])
	call('HDEL', key, 'M', 'N')
	cron.stand(name, h[2] or '', h[1])
end

function cron.forget(name)
	call('DEL', T .. ':cj:' .. name)
	call('ZREM', T .. ':cr', name)
end

-- name, until when, 'wake': it has left the other shard and ticks here; 'forget': it did not come here. 1; 0: too late, or it is not asleep.
function cron.wake(keys, args)
	enter(keys, args)
	if not call('HGET', T .. ':cj:' .. args[5], 'M') or cron.is_late(args[6]) then
		return 0
	end
	if args[7] == 'forget' then
		cron.forget(args[5])
	else
		cron.rouse(args[5])
	end
	return 1
end

-- name: {now, field, value ...}; {now} alone: there is none
function cron.show(keys, args)
	enter(keys, args)
	local out = call('HGETALL', T .. ':cj:' .. args[5])
	table.insert(out, 1, now_text)
	return out
end

-- All names.
function cron.names(keys, args)
	enter(keys, args)
	return call('ZRANGE', T .. ':cr', 0, cron.MOST - 1)
end

-- Submit n jobs from args[at] on, or only step over them. Returns where they end, how many were made, how many not because a job with
-- their unique key lives, and the last id.
function cron.submit(args, at, n, wanted, ids)
	local made, other, last_id = 0, 0, ''
	for _ = 1, n do
		local item, last = read_item(args, at), at + 11 + tonumber(args[at + 11])
		if wanted then
			local outcome, id = submit_one(item, args, at + 12, last, true, { jobs = 1, bytes = math.huge, lane = 0, lanes = {} })
			made, other = made + (outcome == NEW and 1 or 0), other + (outcome == NEW and 0 or 1)
			last_id = outcome == NEW and item.id or id
			if outcome == NEW then
				ids[#ids + 1] = item.id
			end
		end
		at = last + 1
	end
	return at, made, other, last_id
end

-- One schedule: name, the tick it must stand at ('': any, and it stays there), the next tick, the last one made, how many were
-- passed over, what is wrong ('' nothing), number of jobs, jobs as in submit. Returns where the next begins, and {outcome, jobs made, jobs not made,
-- last id}; outcome 1 done, 0 it stands elsewhere or is gone, -1 the queue is full.
function cron.tick(args, at, room, ids)
	local name, expected, next_tick, tick, missed, wrong, n = unpack(args, at, at + 6)
	local key = T .. ':cj:' .. name
	local h = call('HMGET', key, 'd', 'e')
	local due, was_wrong = h[1], h[2]
	local ours = due and (expected == '' or due == expected)
	local fits = tonumber(n) <= room
	local after, made, other, id = cron.submit(args, at + 7, tonumber(n), ours and fits, ids)
	if not ours then
		return after, { 0, 0, 0, '' }
	end
	if not fits then
		call('HSET', key, 'e', 'the queue is full: the tick waits until there is room')
		return after, { -1, 0, 0, '' }
	end
	if expected ~= '' then
		call('HSET', key, 'd', next_tick)
		call('ZADD', T .. ':cr', next_tick, name)
	end
	if tick ~= '0' then
		call('HSET', key, 't', tick)
	end
	if id ~= '' then
		call('HSET', key, 'j', id)
	end
	if wrong ~= '' then
		call('HSET', key, 'e', wrong)
	elseif was_wrong then
		call('HDEL', key, 'e')
	end
	for field, by in pairs({ f = made, m = tonumber(missed), o = other }) do
		if by > 0 then
			call('HINCRBY', key, field, by)
		end
	end
	return after, { 1, made, other, id }
end

-- max_length, number of schedules, schedules. {ms until the next tick or -1, an answer for each}
function cron.fire(keys, args)
	enter(keys, args)
	local room, at, ids, out, earliest = tonumber(args[5]) - waiting_count(), 7, {}, { 0 }, 0
	for i = 1, math.min(tonumber(args[6]), cron.OFFERS) do
		local before = #ids
		at, out[i + 1] = cron.tick(args, at, room, ids)
		room = room - (#ids - before)
		if out[i + 1][1] == -1 then
			earliest = now + cron.FULL
		end
	end
	flush_lanes()
	if #ids > 0 then
		call('RPUSH', T .. ':a', unpack(ids))
		sweep.after(#ids)
	end
	out[1] = from_now(cron.note_first(earliest))
	leave()
	return out
end

register('cron_put', cron.put)
register('cron_drop', cron.drop, 'allow-oom')
register('cron_lock', cron.lock, 'allow-oom')
register('cron_unlock', cron.unlock, 'allow-oom')
register('cron_take_in', cron.take_in)
register('cron_wake', cron.wake)
register('cron_show', cron.show, 'no-writes')
register('cron_names', cron.names, 'no-writes')
register('cron_fire', cron.fire)
