-- redis.lua -- Redis' data types, as far as the function library uses them, with a clock that the test moves. Run by tests/lib/redis_sim.c.
--
-- What is here must behave as Redis does or fail loudly: an unknown command or option is an error, never a guess. command(words) takes one
-- command as a list of texts and returns its answer in RESP.

local db, expires, libraries, functions = {}, {}, {}, {}
local now_us = 1767225600000000 -- 2026-01-01; moved by SIM CLOCK and, a little, by each command
local calls = 0

local function fail(text, ...)
	error({ err = string.format(text, ...) }, 0)
end

local function now_ms()
	return math.floor(now_us / 1000)
end

-- ---- keys ---------------------------------------------------------------------------------------------------------------

local function get(key, kind)
	if expires[key] and expires[key] <= now_ms() then
		db[key], expires[key] = nil, nil
	end
	local v = db[key]
	if v and kind and v.kind ~= kind then
		fail('WRONGTYPE Operation against a key holding the wrong kind of value')
	end
	return v
end

local function make(key, kind)
	local v = get(key, kind)
	if not v then
		v = { kind = kind, n = 0 }
		if kind == 'string' then
			v.text = ''
		elseif kind == 'list' then
			v.first, v.last, v.items = 1, 0, {}
		elseif kind == 'zset' then
			v.scores, v.order = {}, {}
		elseif kind == 'stream' then
			v.entries, v.ms, v.seq = {}, 0, 0
		else
			v.fields = {}
		end
		db[key] = v
	end
	return v
end

-- Redis has no empty collections.
local function tidy(key, v)
	if v.n == 0 and v.kind ~= 'string' and v.kind ~= 'stream' then
		db[key], expires[key] = nil, nil
	end
end

local function number(text)
	local n = tonumber(text)
	if not n then
		fail('ERR value is not an integer or out of range')
	end
	return n
end

-- ---- zsets: scores by member, and an array in order ------------------------------------------------------------------------

local function before(a_score, a, b_score, b)
	return a_score < b_score or (a_score == b_score and a < b)
end

-- Where (score, member) stands or would stand.
local function place(z, score, member)
	local low, high = 1, z.n + 1
	while low < high do
		local middle = math.floor((low + high) / 2)
		local m = z.order[middle]
		if before(z.scores[m], m, score, member) then
			low = middle + 1
		else
			high = middle
		end
	end
	return low
end

local function zset_remove(z, member)
	local score = z.scores[member]
	if not score then
		return 0
	end
	table.remove(z.order, place(z, score, member))
	z.scores[member] = nil
	z.n = z.n - 1
	return 1
end

local function zset_put(z, score, member)
	zset_remove(z, member)
	table.insert(z.order, place(z, score, member), member)
	z.scores[member] = score
	z.n = z.n + 1
end

-- A bound of a range by score: value, exclusive.
local function bound(text)
	if text == '-inf' then
		return -math.huge, false
	elseif text == '+inf' or text == 'inf' then
		return math.huge, false
	elseif string.sub(text, 1, 1) == '(' then
		return number(string.sub(text, 2)), true
	end
	return number(text), false
end

-- First and last position within the bounds.
local function zset_span(z, low, high)
	local from, from_open = bound(low)
	local to, to_open = bound(high)
	local first, last = 1, z.n
	while first <= z.n and (z.scores[z.order[first]] < from or (from_open and z.scores[z.order[first]] == from)) do
		first = first + 1
	end
	while last >= first and (z.scores[z.order[last]] > to or (to_open and z.scores[z.order[last]] == to)) do
		last = last - 1
	end
	return first, last
end

local function score_text(score)
	return string.format('%.17g', score)
end

local function zset_out(z, first, last, step, with_scores)
	local out = {}
	for i = first, last, step do
		out[#out + 1] = z.order[i]
		if with_scores then
			out[#out + 1] = score_text(z.scores[z.order[i]])
		end
	end
	return out
end

local function span_of_ranks(n, first, last)
	first, last = number(first), number(last)
	first = first < 0 and math.max(0, n + first) or first
	last = last < 0 and n + last or last
	return first, math.min(last, n - 1)
end

-- ---- commands ------------------------------------------------------------------------------------------------------------

local C = {}

function C.TIME()
	return { string.format('%d', math.floor(now_us / 1000000)), string.format('%d', now_us % 1000000) }
end

function C.PING()
	return { ok = 'PONG' }
end

function C.EXISTS(a)
	local n = 0
	for i = 2, #a do
		n = n + (get(a[i]) and 1 or 0)
	end
	return n
end

function C.DEL(a)
	local n = 0
	for i = 2, #a do
		if get(a[i]) then
			db[a[i]], expires[a[i]] = nil, nil
			n = n + 1
		end
	end
	return n
end
C.UNLINK = C.DEL

function C.PEXPIRE(a)
	if not get(a[2]) then
		return 0
	end
	local had, at, word = expires[a[2]], now_ms() + number(a[3]), a[4] or ''
	if (word == 'NX' and had) or (word == 'GT' and not (had and at > had)) then
		return 0
	elseif word ~= '' and word ~= 'NX' and word ~= 'GT' then
		fail('the model knows no PEXPIRE with %s', word)
	end
	expires[a[2]] = at
	return 1
end

function C.PERSIST(a)
	local had = get(a[2]) and expires[a[2]]
	expires[a[2]] = nil
	return had and 1 or 0
end

function C.PTTL(a)
	if not get(a[2]) then
		return -2
	end
	return expires[a[2]] and expires[a[2]] - now_ms() or -1
end

function C.TYPE(a)
	local v = get(a[2])
	return { ok = v and v.kind or 'none' }
end

function C.SCAN(a)
	local prefix, out = nil, {}
	for i = 3, #a, 2 do
		if string.upper(a[i]) == 'MATCH' then
			prefix = string.match(a[i + 1], '^(.*)%*$') or fail('ERR this model knows patterns of the form PREFIX* only')
			prefix = string.gsub(prefix, '\\(.)', '%1')
		elseif string.upper(a[i]) ~= 'COUNT' then
			fail('ERR syntax error')
		end
	end
	for key in pairs(db) do
		if get(key) and (not prefix or string.sub(key, 1, #prefix) == prefix) then
			out[#out + 1] = key
		end
	end
	return { '0', out }
end

function C.GET(a)
	local v = get(a[2], 'string')
	return v and v.text or false
end

function C.SET(a)
	local nx, ttl, keep_old = false, nil, false
	local i = 4
	while i <= #a do
		local word = string.upper(a[i])
		if word == 'NX' then
			nx = true
		elseif word == 'GET' then
			keep_old = true
		elseif word == 'PX' then
			ttl, i = number(a[i + 1]), i + 1
		elseif word == 'EX' then
			ttl, i = number(a[i + 1]) * 1000, i + 1
		else
			fail('ERR syntax error')
		end
		i = i + 1
	end
	local old = get(a[2])
	if nx and old then
		return keep_old and old.text or false
	end
	db[a[2]], expires[a[2]] = nil, nil
	make(a[2], 'string').text = a[3]
	expires[a[2]] = ttl and now_ms() + ttl or nil
	if keep_old then
		return old and old.text or false
	end
	return { ok = 'OK' }
end

local function incr(key, by)
	local v = make(key, 'string')
	local n = number(v.text == '' and '0' or v.text) + by
	v.text = string.format('%.0f', n)
	return n
end

function C.INCRBY(a)
	return incr(a[2], number(a[3]))
end

function C.INCR(a)
	return incr(a[2], 1)
end

-- hashes

function C.HGET(a)
	local h = get(a[2], 'hash')
	return h and h.fields[a[3]] or false
end

function C.HMGET(a)
	local h, out = get(a[2], 'hash'), {}
	for i = 3, #a do
		out[i - 2] = h and h.fields[a[i]] or false
	end
	return out
end

function C.HSET(a)
	if #a % 2 ~= 0 or #a < 4 then
		fail("ERR wrong number of arguments for 'hset' command")
	end
	local h, new = make(a[2], 'hash'), 0
	for i = 3, #a, 2 do
		if not h.fields[a[i]] then
			new, h.n = new + 1, h.n + 1
		end
		h.fields[a[i]] = a[i + 1]
	end
	return new
end

function C.HSETNX(a)
	local h = make(a[2], 'hash')
	if h.fields[a[3]] then
		return 0
	end
	h.fields[a[3]], h.n = a[4], h.n + 1
	return 1
end

function C.HDEL(a)
	local h, n = get(a[2], 'hash'), 0
	for i = 3, h and #a or 0 do
		if h.fields[a[i]] then
			h.fields[a[i]], h.n, n = nil, h.n - 1, n + 1
		end
	end
	if h then
		tidy(a[2], h)
	end
	return n
end

function C.HINCRBY(a)
	local h = make(a[2], 'hash')
	local n = number(h.fields[a[3]] or '0') + number(a[4])
	if not h.fields[a[3]] then
		h.n = h.n + 1
	end
	h.fields[a[3]] = string.format('%.0f', n)
	return n
end

function C.HGETALL(a)
	local h, out = get(a[2], 'hash'), {}
	for field, value in pairs(h and h.fields or {}) do
		out[#out + 1] = field
		out[#out + 1] = value
	end
	return out
end

function C.HKEYS(a)
	local h, out = get(a[2], 'hash'), {}
	for field in pairs(h and h.fields or {}) do
		out[#out + 1] = field
	end
	return out
end

function C.HLEN(a)
	local h = get(a[2], 'hash')
	return h and h.n or 0
end

function C.HEXISTS(a)
	local h = get(a[2], 'hash')
	return h and h.fields[a[3]] and 1 or 0
end

function C.HSTRLEN(a)
	local h = get(a[2], 'hash')
	return h and h.fields[a[3]] and #h.fields[a[3]] or 0
end

-- Everything in one round: allowed, as COUNT is a hint.
function C.HSCAN(a)
	return { '0', C.HGETALL({ 'HGETALL', a[2] }) }
end

function C.ZSCAN(a)
	local z = get(a[2], 'zset')
	return { '0', z and zset_out(z, 1, z.n, 1, true) or {} }
end

-- sets

function C.SADD(a)
	local s, n = make(a[2], 'set'), 0
	for i = 3, #a do
		if not s.fields[a[i]] then
			s.fields[a[i]], s.n, n = true, s.n + 1, n + 1
		end
	end
	return n
end

function C.SREM(a)
	local s, n = get(a[2], 'set'), 0
	for i = 3, s and #a or 0 do
		if s.fields[a[i]] then
			s.fields[a[i]], s.n, n = nil, s.n - 1, n + 1
		end
	end
	if s then
		tidy(a[2], s)
	end
	return n
end

function C.SMEMBERS(a)
	local s, out = get(a[2], 'set'), {}
	for member in pairs(s and s.fields or {}) do
		out[#out + 1] = member
	end
	return out
end

function C.SCARD(a)
	local s = get(a[2], 'set')
	return s and s.n or 0
end

function C.SISMEMBER(a)
	local s = get(a[2], 'set')
	return s and s.fields[a[3]] and 1 or 0
end

-- lists

function C.RPUSH(a)
	local l = make(a[2], 'list')
	for i = 3, #a do
		l.last, l.n = l.last + 1, l.n + 1
		l.items[l.last] = a[i]
	end
	return l.n
end

function C.LPUSH(a)
	local l = make(a[2], 'list')
	for i = 3, #a do
		l.first, l.n = l.first - 1, l.n + 1
		l.items[l.first] = a[i]
	end
	return l.n
end

local function pop_first(l)
	local item = l.items[l.first]
	l.items[l.first] = nil
	l.first, l.n = l.first + 1, l.n - 1
	return item
end

function C.LPOP(a)
	local l = get(a[2], 'list')
	if not l then
		return false
	end
	local out = {}
	for i = 1, math.min(l.n, a[3] and number(a[3]) or 1) do
		out[i] = pop_first(l)
	end
	tidy(a[2], l)
	return a[3] and out or out[1]
end

function C.LLEN(a)
	local l = get(a[2], 'list')
	return l and l.n or 0
end

function C.LINDEX(a)
	local l = get(a[2], 'list')
	local i = number(a[3])
	return l and (i < 0 and l.items[l.last + 1 + i] or i >= 0 and l.items[l.first + i]) or false
end

function C.LRANGE(a)
	local l, out = get(a[2], 'list'), {}
	if l then
		local first, last = span_of_ranks(l.n, a[3], a[4])
		for i = first, last do
			out[#out + 1] = l.items[l.first + i]
		end
	end
	return out
end

function C.LTRIM(a)
	local l = get(a[2], 'list')
	if l then
		local kept = C.LRANGE(a)
		db[a[2]].n, l.first, l.last, l.items = #kept, 1, #kept, kept
		tidy(a[2], l)
	end
	return { ok = 'OK' }
end

function C.LREM(a)
	local l, kept, n = get(a[2], 'list'), {}, 0
	local limit = number(a[3]) == 0 and math.huge or number(a[3])
	for i = l and l.first or 1, l and l.last or 0 do
		if l.items[i] == a[4] and n < limit then
			n = n + 1
		else
			kept[#kept + 1] = l.items[i]
		end
	end
	if l then
		l.n, l.first, l.last, l.items = #kept, 1, #kept, kept
		tidy(a[2], l)
	end
	return n
end

-- zsets

function C.ZADD(a)
	local nx, xx, gt, lt, ch, i = false, false, false, false, false, 3
	while true do
		local word = string.upper(a[i])
		if word == 'NX' then nx = true
		elseif word == 'XX' then xx = true
		elseif word == 'GT' then gt = true
		elseif word == 'LT' then lt = true
		elseif word == 'CH' then ch = true
		else break end
		i = i + 1
	end
	if (#a - i) % 2 ~= 1 then
		fail('ERR syntax error')
	end
	local z, added, changed = make(a[2], 'zset'), 0, 0
	for k = i, #a, 2 do
		local score, member = number(a[k]), a[k + 1]
		local old = z.scores[member]
		local skip = (nx and old) or (xx and not old) or (gt and old and score <= old) or (lt and old and score >= old)
		if not skip then
			zset_put(z, score, member)
			added = added + (old and 0 or 1)
			changed = changed + (old == score and 0 or 1)
		end
	end
	tidy(a[2], z)
	return ch and changed or added
end

function C.ZINCRBY(a)
	local z = make(a[2], 'zset')
	local score = (z.scores[a[4]] or 0) + number(a[3])
	zset_put(z, score, a[4])
	return score_text(score)
end

function C.ZREM(a)
	local z, n = get(a[2], 'zset'), 0
	for i = 3, z and #a or 0 do
		n = n + zset_remove(z, a[i])
	end
	if z then
		tidy(a[2], z)
	end
	return n
end

function C.ZCARD(a)
	local z = get(a[2], 'zset')
	return z and z.n or 0
end

function C.ZSCORE(a)
	local z = get(a[2], 'zset')
	return z and z.scores[a[3]] and score_text(z.scores[a[3]]) or false
end

function C.ZMSCORE(a)
	local out = {}
	for i = 3, #a do
		out[i - 2] = C.ZSCORE({ 'ZSCORE', a[2], a[i] })
	end
	return out
end

function C.ZRANK(a)
	local z = get(a[2], 'zset')
	return z and z.scores[a[3]] and place(z, z.scores[a[3]], a[3]) - 1 or false
end

function C.ZCOUNT(a)
	local z = get(a[2], 'zset')
	if not z then
		return 0
	end
	local first, last = zset_span(z, a[3], a[4])
	return math.max(0, last - first + 1)
end

local function range_options(a, from)
	local o, i = { offset = 0, count = math.huge }, from
	while i <= #a do
		local word = string.upper(a[i])
		if word == 'LIMIT' then
			o.offset, o.count, i = number(a[i + 1]), number(a[i + 2]), i + 2
		elseif word == 'WITHSCORES' then
			o.scores = true
		elseif word == 'BYSCORE' then
			o.by_score = true
		elseif word == 'REV' then
			o.rev = true
		else
			fail('ERR syntax error')
		end
		i = i + 1
	end
	return o
end

local function ranged(z, o, first, last, step)
	if step > 0 then
		first = first + o.offset
		last = math.min(last, first + o.count - 1)
	else
		last = last - o.offset
		first = math.max(first, last - o.count + 1)
		first, last = last, first
	end
	return zset_out(z, first, last, step, o.scores)
end

function C.ZRANGE(a)
	local z, o = get(a[2], 'zset'), range_options(a, 5)
	if not z then
		return {}
	end
	if o.by_score then
		local low, high = a[3], a[4]
		if o.rev then
			low, high = high, low
		end
		local first, last = zset_span(z, low, high)
		return ranged(z, o, first, last, o.rev and -1 or 1)
	end
	local first, last = span_of_ranks(z.n, a[3], a[4])
	if o.rev then
		return zset_out(z, z.n - first, z.n - last, -1, o.scores)
	end
	return zset_out(z, first + 1, last + 1, 1, o.scores)
end

function C.ZREVRANGE(a)
	local words = { unpack(a) }
	words[#words + 1] = 'REV'
	return C.ZRANGE(words)
end

function C.ZRANGEBYSCORE(a)
	local words = { unpack(a) }
	words[#words + 1] = 'BYSCORE'
	return C.ZRANGE(words)
end

function C.ZPOPMIN(a)
	local z = get(a[2], 'zset')
	if not z then
		return {}
	end
	local out = zset_out(z, 1, math.min(z.n, a[3] and number(a[3]) or 1), 1, true)
	for i = 1, #out, 2 do
		zset_remove(z, out[i])
	end
	tidy(a[2], z)
	return out
end

-- Nothing blocks here: who would wait is told at once that its time is up.
function C.BZPOPMIN(a)
	for i = 2, #a - 1 do
		local out = C.ZPOPMIN({ 'ZPOPMIN', a[i] })
		if #out > 0 then
			return { a[i], out[1], out[2] }
		end
	end
	return false
end

-- streams

function C.XADD(a)
	local x, i, max = make(a[2], 'stream'), 3, nil
	if string.upper(a[i]) == 'MAXLEN' then
		i = i + 1
		if a[i] == '~' or a[i] == '=' then
			i = i + 1
		end
		max, i = number(a[i]), i + 1
	end
	if a[i] ~= '*' then
		fail('ERR this model makes ids itself')
	end
	if now_ms() > x.ms then
		x.ms, x.seq = now_ms(), 0
	else
		x.seq = x.seq + 1
	end
	local id = string.format('%.0f-%.0f', x.ms, x.seq)
	x.entries[#x.entries + 1] = { id = id, ms = x.ms, seq = x.seq, fields = { unpack(a, i + 1) } }
	x.n = x.n + 1
	while max and #x.entries > max do
		table.remove(x.entries, 1)
	end
	return id
end

function C.XLEN(a)
	local x = get(a[2], 'stream')
	return x and #x.entries or 0
end

function C.XTRIM(a)
	local x, n = get(a[2], 'stream'), 0
	local max = number(a[#a])
	while x and #x.entries > max do
		table.remove(x.entries, 1)
		n = n + 1
	end
	return n
end

local function stream_bound(text, low)
	local open = string.sub(text, 1, 1) == '('
	text = open and string.sub(text, 2) or text
	if text == '-' then
		return -1, -1, false
	elseif text == '+' then
		return math.huge, math.huge, false
	end
	local ms, seq = string.match(text, '^(%d+)%-?(%d*)$')
	return number(ms), seq ~= '' and number(seq) or (low and 0 or math.huge), open
end

local function stream_after(e, ms, seq, open)
	return e.ms > ms or (e.ms == ms and (e.seq > seq or (not open and e.seq == seq)))
end

local function stream_until(e, ms, seq, open)
	return e.ms < ms or (e.ms == ms and (e.seq < seq or (not open and e.seq == seq)))
end

function C.XRANGE(a)
	local x, out = get(a[2], 'stream'), {}
	local count = a[5] and string.upper(a[5]) == 'COUNT' and number(a[6]) or math.huge
	local from_ms, from_seq, from_open = stream_bound(a[3], true)
	local to_ms, to_seq, to_open = stream_bound(a[4], false)
	for _, e in ipairs(x and x.entries or {}) do
		if #out < count and stream_after(e, from_ms, from_seq, from_open) and stream_until(e, to_ms, to_seq, to_open) then
			out[#out + 1] = { e.id, e.fields }
		end
	end
	return out
end

function C.XREVRANGE(a)
	local all = C.XRANGE({ 'XRANGE', a[2], a[4], a[3] })
	local count = a[5] and number(a[6]) or #all
	local out = {}
	for i = #all, math.max(1, #all - count + 1), -1 do
		out[#out + 1] = all[i]
	end
	return out
end

-- the rest

function C.PUBLISH()
	return 0
end

function C.INFO()
	return 'used_memory:1\r\nmaxmemory:0\r\n'
end

function C.SELECT()
	return { ok = 'OK' }
end

-- ---- functions -------------------------------------------------------------------------------------------------------------

-- As Redis does with what a script gives it: whole numbers as such, others as %.17g.
local function words_of(...)
	local a = { ... }
	for i = 1, select('#', ...) do
		if type(a[i]) == 'number' then
			a[i] = string.format('%.17g', a[i])
		elseif type(a[i]) ~= 'string' then
			fail('ERR Lua redis lib command arguments must be strings or integers')
		end
	end
	return a
end

local redis = {}

local function run(words)
	local f = C[string.upper(words[1])]
	if not f then
		fail("ERR unknown command '%s'", words[1])
	end
	return f(words)
end

function redis.call(...)
	calls = calls + 1
	return run(words_of(...))
end

function redis.pcall(...)
	local ok, answer = pcall(redis.call, ...)
	return answer
end

function redis.error_reply(text)
	return { err = text }
end

function redis.status_reply(text)
	return { ok = text }
end

function redis.sha1hex()
	fail('ERR this model has no sha1hex')
end

local loading

function redis.register_function(f)
	loading[#loading + 1] = f
end

local function load_library(text)
	local name = string.match(text, '^#!lua name=([%w_]+)\n')
	if not name then
		fail('ERR Missing library metadata')
	end
	if libraries[name] then
		fail("ERR Library '%s' already exists", name)
	end
	local chunk, why = loadstring('\n' .. string.gsub(text, '^[^\n]*\n', '', 1), name)
	if not chunk then
		fail('ERR Error compiling function: %s', why)
	end
	loading = {}
	local env = { redis = redis, string = string, table = table, math = math, pairs = pairs, ipairs = ipairs, tonumber = tonumber,
		unpack = unpack, select = select, type = type, error = error, pcall = pcall, next = next, assert = assert,
		setmetatable = setmetatable, collectgarbage = collectgarbage, cjson = cjson }
	setfenv(chunk, setmetatable({}, { __index = function(_, k)
		local v = env[k]
		if v == nil then
			error("Script attempted to access nonexistent global variable '" .. k .. "'", 2)
		end
		return v
	end, __newindex = function()
		error('Attempt to modify a readonly table', 2)
	end }))
	chunk()
	-- While a library runs there is more than while it is loaded.
	env.tostring = tostring
	libraries[name] = text
	for _, f in ipairs(loading) do
		functions[f.function_name] = f.callback
	end
	return name
end

function C.FUNCTION(a)
	local what = string.upper(a[2])
	if what == 'LOAD' then
		return load_library(a[#a])
	elseif what == 'LIST' then
		local out = {}
		for name, text in pairs(libraries) do
			if #a < 4 or string.upper(a[3]) ~= 'LIBRARYNAME' or a[4] == name then
				out[#out + 1] = { 'library_name', name, 'engine', 'LUA', 'functions', {}, 'library_code', text }
			end
		end
		return out
	elseif what == 'FLUSH' then
		libraries, functions = {}, {}
		return { ok = 'OK' }
	end
	fail('ERR unknown subcommand')
end

function C.FCALL(a)
	local f = functions[a[2]]
	if not f then
		fail('ERR Function not found')
	end
	local n, keys, args = number(a[3]), {}, {}
	for i = 1, n do
		keys[i] = a[3 + i]
	end
	for i = 4 + n, #a do
		args[#args + 1] = a[i]
	end
	return f(keys, args)
end
C.FCALL_RO = C.FCALL

-- ---- the test's own --------------------------------------------------------------------------------------------------------

-- SIM CLOCK ms: time passes. SIM CALLS: how many commands the library has made so far.
function C.SIM(a)
	if a[2] == 'CLOCK' then
		now_us = now_us + number(a[3]) * 1000
		return { ok = 'OK' }
	elseif a[2] == 'CALLS' then
		return calls
	end
	fail('ERR unknown subcommand')
end

-- ---- RESP ---------------------------------------------------------------------------------------------------------------------

local function encode(v, out)
	local kind = type(v)
	if kind == 'string' then
		out[#out + 1] = '$' .. #v .. '\r\n' .. v .. '\r\n'
	elseif kind == 'number' then
		out[#out + 1] = string.format(':%.0f\r\n', v < 0 and math.ceil(v) or math.floor(v))
	elseif kind == 'boolean' or kind == 'nil' then
		out[#out + 1] = v and ':1\r\n' or '$-1\r\n'
	elseif v.err then
		out[#out + 1] = '-' .. v.err .. '\r\n'
	elseif v.ok then
		out[#out + 1] = '+' .. v.ok .. '\r\n'
	else
		out[#out + 1] = '*' .. #v .. '\r\n'
		for i = 1, #v do
			encode(v[i], out)
		end
	end
end

function command(words)
	local out = {}
	now_us = now_us + 7
	local ok, answer = pcall(run, words)
	if not ok and type(answer) ~= 'table' then
		answer = { err = 'ERR ' .. string.gsub(answer, '[\r\n]', ' ') }
	end
	encode(answer, out)
	return table.concat(out)
end
