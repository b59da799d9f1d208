-- workers: what each says about itself, what it is told to do, and how it goes.
--
-- A dispatcher's step carries a report now and then, its own text, which stands in T:ws under its name; T:rs then says of each route when
-- a dispatcher last named it. A command to a worker is field c:<worker> of T:n, which every step of that worker reads. All of it goes
-- with the worker: when it says so, or when it is found dead.

local workers = {}

function workers.forget(worker)
	call('HDEL', T .. ':ws', worker)
	call('HDEL', T .. ':n', 'c:' .. worker)
end

-- word: 'hello', this process is new, and what was told to an earlier one of its name is not for it; 'here'; 'bye', see below.
-- Returns the command that is left.
function workers.hear(worker, routes, word, report, command)
	if word == 'bye' then
		return command
	end
	if word == 'hello' and command then
		call('HDEL', T .. ':n', 'c:' .. worker)
		command = false
	end
	call('HSET', T .. ':ws', worker, now_text .. ' ' .. report)
	local named = {}
	for _, route in ipairs(routes) do
		named[#named + 1] = route
		named[#named + 1] = now_text
	end
	call('HSET', T .. ':rs', unpack(named))
	return command
end

-- Its last step. What it left behind keeps it among those that may be found dead.
function workers.bye(worker)
	workers.forget(worker)
	if call('EXISTS', T .. ':l:' .. worker) == 0 then
		call('ZREM', T .. ':W', worker)
	end
end

-- ---- calls of clients ------------------------------------------------------------------------------------------------

-- A page of those that live, by the time until which they are taken for alive, that and how many of that same time were given before. Who is heard
-- meanwhile moves on behind: nobody is left out, but some come twice.
function workers.page(from, skip)
	if from <= now then
		from, skip = now + 1, 0
	end
	return call('ZRANGE', T .. ':W', string.format('%.0f', from), '+inf', 'BYSCORE', 'LIMIT', skip, BATCH, 'WITHSCORES')
end

-- Where the page after these n rows begins: at the last one's time again, or if all are of one time, behind them.
function workers.place_after(z, n, from, skip)
	local first, last = tonumber(z[2]), tonumber(z[n * 2])
	skip = first < last and 0 or first == from and skip + n or n
	return string.format('%.0f:%.0f', last, skip)
end

-- cursor ('' begins): {cursor of the next page ('' there is none), {name, taken for alive until, running, command or '',
-- "<heard> <report>" or ''} ...}
local function list(keys, args)
	enter(keys, args)
	local from, skip = string.match(args[5], '^(%d+):(%d+)$')
	from, skip = tonumber(from or 0), tonumber(skip or 0)
	local z, bytes, out = workers.page(from, skip), 0, {}
	for i = 1, #z, 2 do
		local report = call('HGET', T .. ':ws', z[i]) or ''
		local command = call('HGET', T .. ':n', 'c:' .. z[i]) or ''
		out[#out + 1] = { z[i], z[i + 1], call('ZCARD', T .. ':l:' .. z[i]), command, report }
		bytes = bytes + #report
		if bytes > LIST_BYTES then
			break
		end
	end
	local is_last = #out * 2 == #z and #out < BATCH
	return { is_last and '' or workers.place_after(z, #out, from, skip), out }
end

-- command ('resume' takes back what was told), worker: 1, or 0: no such worker lives
local function tell(keys, args)
	enter(keys, args)
	local command, worker = args[5], args[6]
	local alive = tonumber(call('ZSCORE', T .. ':W', worker) or 0)
	if alive <= now then
		return 0
	end
	if command == 'resume' then
		call('HDEL', T .. ':n', 'c:' .. worker)
	else
		call('HSET', T .. ':n', 'c:' .. worker, command)
	end
	return 1
end

-- {now, {route, ready, when a dispatcher named it last or 0} ...} of those where something is ready
local function routes(keys, args)
	enter(keys, args)
	local h, out = call('HGETALL', T .. ':n'), {}
	for i = 1, #h, 2 do
		local route = string.match(h[i], '^r:(.+)$')
		local ready = route and tonumber(h[i + 1]) or 0
		if ready > 0 then
			out[#out + 1] = { route, ready, tonumber(call('HGET', T .. ':rs', route) or 0) }
		end
	end
	return { now, out }
end

register('workers', list, 'no-writes')
register('worker_tell', tell, 'allow-oom')
register('routes', routes, 'no-writes')
