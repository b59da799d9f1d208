-- budget: shared rate budgets with cost.

do -- nobody else uses these names, and a text may have 200 of them

-- A budget is a hash with a tag of its own: s start of the window, u used in it, x stopped until.
local function budget_of(keys, window)
	call = redis.call
	local t = call('TIME')
	now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
	local start = now - now % window
	local h = call('HMGET', keys[1], 's', 'u', 'x')
	return { start = start, used = tonumber(h[1] or -1) == start and tonumber(h[2] or 0) or 0, stop = tonumber(h[3] or 0) }
end

local function keep_budget(key, b, window)
	call('HSET', key, 's', b.start, 'u', b.used, 'x', b.stop)
	call('PEXPIRE', key, math.max(2 * window, b.stop - now + 1000))
end

-- cost, limit, window: {1, 0} taken, {0, wait_ms} not now
local function budget_take(keys, args)
	local cost, limit, window = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
	local b = budget_of(keys, window)
	if b.stop > now then
		return { 0, b.stop - now }
	end
	if b.used + cost > limit then
		return { 0, b.start + window - now }
	end
	b.used = b.used + cost
	keep_budget(keys[1], b, window)
	return { 1, 0 }
end

-- used, window, stop_ms: raises what was counted and the stop, never lowers either
local function budget_correct(keys, args)
	local window = tonumber(args[2])
	local b = budget_of(keys, window)
	b.used = math.max(b.used, tonumber(args[1]))
	b.stop = math.max(b.stop, tonumber(args[3]) > 0 and now + tonumber(args[3]) or 0)
	keep_budget(keys[1], b, window)
	return 1
end

register('budget_take', budget_take, 'allow-oom')
register('budget_correct', budget_correct, 'allow-oom')

end
