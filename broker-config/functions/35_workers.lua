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

-- offset: {next offset or -1, {name, taken for alive until, running, command or '', "<heard> <report>" or ''} ...}
local function list(keys, args)
	enter(keys, args)
	local offset, bytes, out = tonumber(args[5]), 0, {}
	local z = call('ZRANGE', T .. ':W', '(' .. now_text, '+inf', 'BYSCORE', 'LIMIT', offset, BATCH, 'WITHSCORES')
	for i = 1, #z, 2 do
		local report = call('HGET', T .. ':ws', z[i]) or ''
		local command = call('HGET', T .. ':n', 'c:' .. z[i]) or ''
		out[#out + 1] = { z[i], z[i + 1], call('ZCARD', T .. ':l:' .. z[i]), command, report }
		bytes = bytes + #report
		if bytes > LIST_BYTES then
			break
		end
	end
	return { #out * 2 == #z and #out < BATCH and -1 or offset + #out, out }
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
