-- single: acts upon one job.

local function cancel(keys, args)
	enter(keys, args)
	local reply = cancel_job(args[5])
	flush_lanes()
	leave()
	return reply
end

-- Take the keys of an ended job again. False: the unique one is another's now.
local function take_keys(id, key, job)
	local unique = has_flag(job, 'u') and call('HGET', key, 'u')
	if unique and unique_holder({ unique = unique }) then
		return false
	end
	if unique then
		call('SET', T .. ':u:' .. unique, id, 'PX', KEY_BACKSTOP)
	end
	if has_flag(job, 'i') then
		call('PEXPIRE', T .. ':i:' .. call('HGET', key, 'i'), KEY_BACKSTOP)
	end
	return true
end

-- False: its unique key is another's now.
local function replay_job(id, key, job)
	if not take_keys(id, key, job) then
		return false
	end
	local h = call('HMGET', key, 'k', 'y')
	call('ZREM', T .. END_INDEX[job.state], id)
	timeline.note_anew(key, job, 'replayed')
	clear_flags(job, 'acQv')
	if has_flag(job, 'D') and job.state ~= DEAD and flow.waits(id) then -- a dead one has run, whatever it waited for
		call('ZADD', T .. ':h', now, id)
		move(key, job, WAITING)
	else
		line_up(id, key, job, h[1], h[2])
		move(key, job, READY)
	end
	call('PERSIST', key)
	if has_flag(job, 'L') then
		call('PERSIST', T .. ':L:' .. id)
	end
	call('HDEL', key, 'a', 'e', 'E', 'R', 'n', 'd')
	flow.replayed(id, key, job)
	return true
end

-- An act upon the job of an id: it returns what came of it, 1 when it was done, and the job's state.
local function on_job(act)
	return function(keys, args)
		enter(keys, args)
		local id = args[5]
		local key = J .. id
		local job = read(key)
		if not job then
			return { 0, 0 } -- no such job
		end
		local result, state = act(id, key, job, args)
		if result == 1 then
			flush_lanes()
			leave()
		end
		return { result, tonumber(state) }
	end
end

-- -1: not in an end state; -2: its unique key is another's now.
local function replay(id, key, job)
	local state = job.state
	if not END_INDEX[state] then
		return -1, state
	end
	if not replay_job(id, key, job) then
		return -2, state
	end
	return 1, READY
end

-- -1: it is not held.
local function release(id, key, job)
	if job.state ~= WAITING then
		return -1, job.state
	end
	local h = call('HMGET', key, 'k', 'y')
	line_up(id, key, job, h[1], h[2])
	timeline.note(key, job, 'released')
	move(key, job, READY)
	call('ZREM', T .. ':h', id)
	return 1, READY
end

-- priority, the revision that it must have ('' any). -1: it runs or has ended; -3: it has another revision.
local function prioritize(id, key, job, args)
	local priority = args[6]
	if args[7] ~= '' and args[7] ~= job.rev then
		return -3, job.state
	end
	if job.state == RUNNING or job.state >= SUCCEEDED then
		return -1, job.state
	end
	local h = call('HMGET', key, 'k', 'y')
	local from, lane = priority_of(h[2]), priority .. string.sub(h[2] or '5', 2)
	if from == priority then
		return 1, job.state
	end
	if has_flag(job, 'q') then
		call('ZADD', T .. ':q:' .. limits.place_of(key), 'XX', limits.score(priority), id)
	elseif job.state == READY then
		add_ghost(key, job, mark_of(job, h[2]))
		line_up(id, key, job, h[1], lane)
		count('r', -1) -- it was counted where it was
		count('r:' .. route_of(h[1], job), -1)
	end
	timeline.note(key, job, 'priority', from .. ' to ' .. priority)
	save(key, job, 'y', lane)
	return 1, job.state
end

-- Its end will be published.
local function watch(id, key, job)
	if job.state < SUCCEEDED and not has_flag(job, 'w') then
		set_flag(job, 'w')
		save(key, job)
	end
	return 1, job.state
end

register('cancel', cancel, 'allow-oom')
register('replay', on_job(replay), 'allow-oom')
register('release', on_job(release), 'allow-oom')
register('prioritize', on_job(prioritize), 'allow-oom')
register('watch', on_job(watch), 'allow-oom')

