-- odd: what no call of ours leaves behind: keys of another type than belongs there, and records that make no sense. Whatever meets one of
-- them fails, and with it all else that its call was to do, so that the doctor names them, and 88_mend.lua mends them first.

local odd = {}

-- ---- keys ------------------------------------------------------------------------------------------------------------

odd.WHOLE = { a = 'list', e = 'list', d = 'zset', h = 'zset', x = 'zset', f = 'zset', k = 'zset', o = 'zset', W = 'zset', qd = 'zset',
	s = 'hash', cr = 'zset', ob = 'zset', om = 'zset', n = 'hash', ws = 'hash', rs = 'hash', cc = 'hash', wt = 'hash', load = 'string', hw = 'string',
	ev = 'stream' }
odd.PARTED = { j = 'hash', D = 'hash', cj = 'hash', r = 'list', L = 'list', l = 'zset', g = 'zset', m = 'zset', q = 'zset', w = 'string',
	i = 'string', u = 'string', b = 'string', cl = 'string' }

-- Is it "<kind>" or "<kind>/<version>"?
function odd.is_kind(k)
	local kind, slash, version = string.match(k or '', '^([%l%d._]+)(/?)(%d*)$')
	return kind and #kind <= 23 and (slash == '' or (#version <= 10 and string.find(version, '^[1-9]'))) and true or false
end

-- The type that belongs to a key of this name; false: there can be no such key; nil: it is not one that is known here.
function odd.type_of(name)
	local kind, rest = string.match(name, '^(%a+):(.*)$')
	if not kind then
		return odd.WHOLE[name]
	end
	local of_job = kind == 'j' or kind == 'D' or kind == 'L'
	if of_job and not (#rest == TAIL and string.find(rest, '^%w+$')) then
		return false
	elseif kind == 'r' and not odd.is_kind(string.match(rest, '^([^:!]*)!?:%d')) then
		return false
	end
	return odd.PARTED[kind]
end

-- Each fails on a key of another type.
odd.PROBE = { hash = 'HLEN', list = 'LLEN', zset = 'ZCARD', string = 'GET', stream = 'XLEN' }

-- What the key should be and is not: a type, or 'none'; nil: it is what it should be, or is not there. A lock that nobody lets go must end
-- by itself.
function odd.stray(name)
	local wanted, key = odd.type_of(name), T .. ':' .. name
	if not wanted then
		return wanted == false and call('EXISTS', key) == 1 and 'none' or nil
	end
	local answer = redis.pcall(odd.PROBE[wanted], key)
	if type(answer) == 'table' and answer.err then
		return wanted
	end
	local lock = name == 'hw' or string.sub(name, 1, 3) == 'cl:'
	return lock and call('PTTL', key) == -1 and 'string that ends by itself' or nil
end

-- ---- records ---------------------------------------------------------------------------------------------------------

odd.FIELDS = { 's', 'k', 'y', 'o', 'l', 'r', 'c', 'd', 'b', 'w', 'e', 'z', 'm', 'a', 'h', 'i', 't', 'u', 'x', 'S', 'D', 'T', 'E', 'P', 'g' }
odd.FLAGGED = { 'a', 'h', 'i', 'l', 'r', 't', 'u', 'x', 'S', 'D', 'T' } -- the flag of this name says that the field is there
odd.STATES = { '^[0-8]%a*%.[1-9]%d*%.?%d*%.?%d*$', '^[0-8]%a*%.[1-9]%d*%.%d+%.?%d* %d+ .' }
odd.NO_FLAG = '^DHLOQSTacghilqrtuvwx' -- within brackets: what is none of all flags
odd.FORM = { y = '^%d', o = '^[%da-j]+$', l = '^%d+ .', r = '^%d+ [1-9]%d* %d+ .', c = '^%d+$', d = '^%d+$', b = '^%d+', e = '^%d+$',
	z = '^%S* %d+ ', m = '^%d+ %d+ %d+ %d+ ?%d*$', a = '^%d+ %d+$', x = '^%d+$', T = '^%d+ %d+$', E = '^%S* ', S = '^[fir]%d*/?%d* [^<>]+[<>]' }
odd.LONGEST = { i = 199, u = 223, t = 63, P = 47, g = 199 } -- what does not fit into struct job

function odd.is_state(s)
	return s and (string.find(s, odd.STATES[1]) or string.find(s, odd.STATES[2])) and true or false
end

-- Its fields by their names, and its state as s; those that it has not are nil or false. barque2 had the state among the fields.
function odd.fields(key)
	local values, h = call('HMGET', key, unpack(odd.FIELDS)), {}
	for i, name in ipairs(odd.FIELDS) do
		h[name] = values[i]
	end
	local s = redis.pcall('HGET', S, string.sub(key, #J + 1))
	if type(s) == 'string' then
		h.s = s
	else
		h.is_old = h.s and true or nil
	end
	return h
end

-- Of what its state or a flag needs, what it has not: the name of a field, or nil.
function odd.missing(job, h)
	if not h.c then
		return 'c'
	elseif job.state == RUNNING and job.worker == '' and not (h.b and timeline.worker(h.b, h.w)) then
		return 'b'
	elseif job.state >= SUCCEEDED and job.ended == '' and not h.e then
		return 'e'
	elseif (job.state == SCHEDULED or job.state == RETRYING) and not h.d then
		return 'd'
	end
	return has_flag(job, 'q') and not string.find(h.z or '', '^[cr]%l+ %d+ .') and 'z' or nil
end

-- A flag and its field, of which one is there without the other: the name, or nil.
function odd.alone(job, h)
	for _, name in ipairs(odd.FLAGGED) do
		if has_flag(job, name) ~= (h[name] and true or false) then
			return name
		end
	end
	return nil
end

-- Does a lane stand twice among those that hold a ghost?
function odd.is_twice(o)
	for i = 1, #o do
		if string.find(o, string.sub(o, i, i), i + 1, true) then
			return true
		end
	end
	return false
end

-- A field that says what it cannot: its name, or nil.
function odd.malformed(h)
	for name, form in pairs(odd.FORM) do
		if h[name] and not string.find(h[name], form) then
			return name
		end
	end
	for name, longest in pairs(odd.LONGEST) do
		if h[name] and #h[name] > longest then
			return name
		end
	end
	return h.o and odd.is_twice(h.o) and 'o' or nil
end

-- What makes no sense in a record, to follow its id in a sentence; nil: nothing.
function odd.record(h)
	if not odd.is_state(h.s) then
		return 'has no state'
	elseif not odd.is_kind(h.k) then
		return 'has no kind'
	end
	local job, name = parse(h.s), odd.malformed(h)
	if string.find(job.flags, '[' .. odd.NO_FLAG .. ']') then
		return 'has a flag that nobody knows'
	elseif name then
		return 'has a field ' .. name .. ' that makes no sense'
	end
	name = odd.missing(job, h)
	if name then
		return 'has no field ' .. name .. ', which its state needs'
	end
	name = has_flag(job, 'g') ~= (h.o and true or false) and 'o' or odd.alone(job, h)
	return name and 'and its field ' .. name .. ' do not agree whether that is there' or nil
end
