-- flow: jobs that wait for jobs, of any queue, and the word that passes between them.
--
-- A job with flag D waits for others. T:D:<id> says for which, by their full ids, and keeps what they gave as long as the record lives:
--   #         how many have not ended well yet; * how many there are; b bytes of results; @ when it was last asked whether they exist
--   ?<id>     one that has not ended: "=name", or ":name" when its result is not wanted
--   !<id>     one that ended badly, the same
--   =<name>   the result of one that ended well
-- A job with flag S is waited for. Field S is "<policy> <root>{><id>}", what becomes of those who wait when it ends badly: f they fail,
-- i they go on without its result, r<left>/<n> it is run again first. '<' before an id instead of '>': that one waits no longer.
--
-- An entry ?<id> is taken away once, by whoever comes first, in the same call that counts # down: so a word said twice, or after a crash
-- again, is heard once, and the call in which # becomes 0 is the only one that makes the job ready.
--
-- Who stands in the same shard is told in the same call. Word for others, and what is too much for one call, goes to T:ob, a zset by the
-- time from which it may be taken: "<number> <act> <to> <from> <a>". It is taken (not before 2 s again), told to the other shard, then
-- dropped; whoever serves the queue may do it.

do
local OUTBOX, OUTBOX_MARKER = ':ob', ':om'
local CARRY = 2000 -- a word that was taken and not dropped may be taken again after this
local ORPHAN = 60000 -- whether what a job waits for exists is asked so often
local INPUT_BYTES = 256 * 1024 -- of results passed on to one job; one that does not fit is passed on as a reference
local GONE, IGNORED = '-', 'i' -- what can be told of a job instead of its state
local ACTS = {}

local function me(id)
	return opt.prefix .. id
end

local function deps_key(id)
	return T .. ':D:' .. id
end

-- later: ms from now before which it is not taken; nil: at once.
local function post(act, to, from, a, later)
	local number = string.format('%012.0f', call('HINCRBY', T .. ':n', 'ob', 1))
	call('ZADD', T .. OUTBOX, now + (later or 0), table.concat({ number, act, to, from, a }, ' '))
	if not later then
		call('ZADD', T .. OUTBOX_MARKER, '0', '1')
	end
end

-- How many may be told in this call yet.
local function left()
	if flow.deltas ~= deltas then
		flow.deltas, flow.left, flow.todo, flow.busy = deltas, BATCH, {}, false
	end
	return flow.left
end

-- Tell `to` something, now when it is here and this call has not done enough yet. What that leads to is done one after the other, not
-- in each other, so that a chain of any length fits.
local function send(act, to, from, a, b)
	if left() == 0 or string.sub(to, 1, -21) ~= opt.prefix then
		return post(act, to, from, a)
	end
	flow.left = flow.left - 1
	flow.todo[#flow.todo + 1] = { act, string.sub(to, -20), from, a, b }
	if flow.busy then
		return
	end
	flow.busy = true
	local at = 1
	while flow.todo[at] do
		local t = flow.todo[at]
		ACTS[t[1]](t[2], t[3], t[4], t[5])
		at = at + 1
	end
	flow.todo, flow.busy = {}, false
end

-- ---- waiting ---------------------------------------------------------------------------------------------------------

-- A new job that waits: how many names and marks follow, and they.
function flow.start(id, args, first)
	local n = tonumber(args[first])
	call('HSET', deps_key(id), '#', n / 2, '*', n / 2, 'b', '0', unpack(args, first + 1, first + n))
	return first + n + 1
end

-- What the jobs that it waited for gave, as T:D has it, and how many bytes that is.
function flow.inputs(id)
	return call('HGETALL', deps_key(id)), tonumber(call('HGET', deps_key(id), 'b') or 0)
end

local function progress_text(done, all)
	return string.format('{"done":%d,"total":%d,"unit":"jobs"}', done, all)
end

local function show_waiting(id, key, job, left)
	local all = tonumber(call('HGET', deps_key(id), '*'))
	save(key, job, 'n', progress_text(all - left, all))
end

-- How many it waited for stays as the progress of a root; another begins anew with its own.
local function release_waiting(id, key, job)
	local h = call('HMGET', key, 'k', 'y')
	line_up(id, key, job, h[1], h[2])
	timeline.note(key, job, 'released')
	if has_flag(job, 'S') then
		call('HDEL', key, 'n')
		move(key, job, READY)
	else
		local all = call('HGET', deps_key(id), '*')
		move(key, job, READY, 'n', progress_text(all, all))
	end
	call('ZREM', T .. ':h', id)
end

flow.release = release_waiting

local WORDS = { [FAILED] = 'failed', [CANCELLED] = 'was cancelled', [DEAD] = 'is dead', [GONE] = 'does not exist' }
local CODES = { [CANCELLED] = 'cancelled', [GONE] = 'not_found' }

-- Why a job fails that waited: "<code> job <id> (<name>) failed: <its error>".
local function reason(from, name, state, error)
	local code, text = string.match(error, '^(%S+) (.*)$')
	local why = 'job ' .. from .. ' (' .. name .. ') ' .. WORDS[state]
	if code and not CODES[state] then
		why = why .. ': ' .. text
	end
	if #why > 380 then
		why = string.gsub(string.sub(why, 1, 380), '[\192-\255]?[\128-\191]*$', '') -- not within a character
	end
	return (CODES[state] or code or 'internal') .. ' ' .. why
end

local function ended_badly(id, key, job, from, mark, state, error)
	local deps = deps_key(id)
	if call('HDEL', deps, '?' .. from) == 0 then
		return
	end
	call('HSET', deps, '!' .. from, mark)
	if job.state == WAITING then
		call('ZREM', T .. ':h', id)
		finish(id, key, job, FAILED, 'E', reason(from, string.sub(mark, 2), state, error))
	end
end

-- The entry is taken away last: where a number is none, the word is to be heard again.
local function ended_well(id, key, job, from, mark, result)
	local deps = deps_key(id)
	if string.sub(mark, 1, 1) == '=' then
		if call('HINCRBY', deps, 'b', #result) > INPUT_BYTES then
			call('HINCRBY', deps, 'b', -#result)
			result = string.format('{"job":"%s","result_url":"/api/jobs/%s/result"}', from, from)
		end
		call('HSET', deps, mark, result)
	end
	local left = call('HINCRBY', deps, '#', -1)
	call('HDEL', deps, '?' .. from, '!' .. from)
	if job.state == WAITING and left == 0 then
		release_waiting(id, key, job)
	elseif job.state == WAITING then
		show_waiting(id, key, job, left)
	end
end

-- d: the job `from`, which this one waits for, has ended; or GONE, or IGNORED: badly, and that does not matter to who waits.
function ACTS.d(id, from, state, body)
	local key, h = T .. ':j:' .. id, call('HMGET', deps_key(id), '?' .. from, '!' .. from)
	local job, mark = read(key), h[1] or h[2]
	if not job or not mark then
		return
	end
	if state == SUCCEEDED then
		ended_well(id, key, job, from, mark, body)
	elseif state == IGNORED and job.state < SUCCEEDED then
		ended_well(id, key, job, from, mark, 'null')
	else
		ended_badly(id, key, job, from, mark, state == IGNORED and CANCELLED or state, body)
	end
end

-- ---- being waited for ------------------------------------------------------------------------------------------------

-- What is told of a job that ended: its result, or its error.
local function body_of(id, state)
	if state == GONE or state == IGNORED then
		return ''
	end
	local body = call('HGET', T .. ':j:' .. id, state == SUCCEEDED and 'R' or 'E')
	if state == SUCCEEDED and body and #body > INPUT_BYTES then
		return string.format('{"job":"%s","result_url":"/api/jobs/%s/result"}', me(id), me(id))
	end
	return body or (state == SUCCEEDED and 'null' or '')
end

local function told_of(policy, state)
	return state ~= SUCCEEDED and string.sub(policy, 1, 1) == 'i' and IGNORED or state
end

-- Tell all who wait, from the offset in field S on.
local function tell(id, state, offset)
	local policy, all = string.match(call('HGET', T .. ':j:' .. id, 'S'), '^(%S+) (.*)$')
	local told, n = told_of(policy, state), 0
	local body = body_of(id, told)
	for at, to in string.gmatch(string.sub(all, offset + 1), '()[<>]([^<>]+)') do
		n = n + 1
		if n > BATCH then
			return post('n', me(id), me(id), state .. ':' .. (offset + at - 1))
		end
		send('d', to, me(id), told, body)
	end
end

-- n: go on telling. Not if it was run again meanwhile.
function ACTS.n(id, _, a)
	local state, offset = string.match(a, '^(%d):(%d+)$')
	if present_state(id) == state then
		tell(id, state, tonumber(offset))
	end
end

-- Before a job ends badly: is it to be run again instead? Then it is tried again later, its errors and crashes forgotten.
function flow.again(id, key, job, to, ...)
	if job.state ~= RUNNING or (to ~= FAILED and to ~= DEAD) or has_flag(job, 'c') then
		return false
	end
	local field = call('HGET', key, 'S')
	local left, n, rest = string.match(field, '^r(%d+)/(%d+)( .*)$')
	if not left or left == '0' then
		return false
	end
	local due = now + backoff(plan_of(key), n - left + 1, 1)
	clear_flags(job, 'aQ')
	timeline.note(key, job, 'error', string.format('ended badly; its flow runs it again in %.1f s', (due - now) / 1000))
	move(key, job, RETRYING, 'd', due, 'S', 'r' .. string.format('%d', left - 1) .. '/' .. n .. rest, ...)
	call('HDEL', key, 'a')
	call('ZADD', T .. ':d', due, id)
	return true
end

-- A scan of those it waits for, a stretch at a time: what is not done now goes on as `act`.
local function each_dep(id, cursor, act, visit)
	local r = call('HSCAN', deps_key(id), cursor, 'COUNT', BATCH)
	for i = 1, #r[2], 2 do
		local sort, name = string.match(r[2][i], '^([?!])(.+)$')
		if sort then
			visit(sort, name, r[2][i + 1])
		end
	end
	if r[1] ~= '0' then
		post(act, me(id), me(id), r[1])
	end
end

-- This word to each of those that it waits for still.
local function each_awaited(id, cursor, act, word)
	each_dep(id, cursor, act, function(sort, to)
		if sort == '?' then
			send(word, to, me(id), '-')
		end
	end)
end

-- u: a job that waited was cancelled: those it waited for are told.
function ACTS.u(id, _, cursor)
	each_awaited(id, cursor, 'u', 'x')
end

-- Where in a field S does this one stand? nil: nowhere.
local function place_in(field, waiter)
	local at = string.find(field, '>' .. waiter, 1, true) or string.find(field, '<' .. waiter, 1, true)
	local after = at and string.sub(field, at + #waiter + 1, at + #waiter + 1)
	return at and (after == '' or after == '<' or after == '>') and at or nil
end

local function mark_waiter(key, job, waiter, mark)
	local field = call('HGET', key, 'S')
	local at = place_in(field, waiter)
	if at and string.sub(field, at, at) ~= mark then
		field = string.sub(field, 1, at - 1) .. mark .. string.sub(field, at + 1)
		keep(key, job, 'S', field)
	end
	return field
end

-- x: a job that waited for this one waits no longer. Who is waited for by nobody but the root, or whose root it was, is cancelled.
function ACTS.x(id, waiter)
	local key = T .. ':j:' .. id
	local job = read(key)
	if not job or job.state >= SUCCEEDED or not has_flag(job, 'S') then
		return
	end
	local field = mark_waiter(key, job, waiter, '<')
	local root = string.match(field, '^%S+ ([^<>]+)')
	local others = string.gsub(field, '>' .. string.gsub(root, '%-', '%%-'), '', 1)
	if waiter == root or not string.find(others, '>', 1, true) then
		cancel_job(id)
	end
end

-- After a job has ended, for any reason; `was` its state before.
function flow.ended(id, job, to, was, ttl)
	if has_flag(job, 'D') then
		if to == SUCCEEDED then
			call('UNLINK', deps_key(id))
		else
			call('PEXPIRE', deps_key(id), ttl) -- whoever replays it wants its inputs
		end
		if to == CANCELLED and was == WAITING then
			send('u', me(id), me(id), '0')
		end
	end
	if has_flag(job, 'S') then
		tell(id, to, 0)
	end
end

-- ---- running again ---------------------------------------------------------------------------------------------------

-- A job is replayed: has it to wait again, because what it waited for ended badly or not at all?
function flow.waits(id)
	return tonumber(call('HGET', deps_key(id), '#') or 0) > 0
end

function flow.replayed(id, key, job)
	if has_flag(job, 'S') then
		local field = call('HGET', key, 'S')
		call('HSET', key, 'S', (string.gsub(field, '^r%d+/(%d+)', 'r%1/%1')))
	end
	if has_flag(job, 'D') then
		call('PERSIST', deps_key(id))
		if job.state == WAITING then
			send('v', me(id), me(id), '0')
		end
	end
	flow.keep_key(id, key, job)
end

-- v: a job waits again: those it waits for are told, and run again if they ended badly.
function ACTS.v(id, _, cursor)
	local deps = deps_key(id)
	each_dep(id, cursor, 'v', function(sort, to, mark)
		if sort == '!' then
			call('HDEL', deps, '!' .. to)
			call('HSET', deps, '?' .. to, mark)
		end
		send('r', to, me(id), '-')
	end)
end

-- Tell one who waits how a job stands, if it has ended or is not there.
local function answer(id, job, waiter)
	if not job then
		send('d', waiter, me(id), GONE, '')
	elseif job.state >= SUCCEEDED then
		local told = has_flag(job, 'S') and told_of(call('HGET', T .. ':j:' .. id, 'S'), job.state) or job.state -- it may have lost S
		send('d', waiter, me(id), told, body_of(id, told))
	end
end

-- r: a job waits for this one again.
function ACTS.r(id, waiter)
	local key = T .. ':j:' .. id
	local job = read(key)
	if job and has_flag(job, 'S') then
		mark_waiter(key, job, waiter, '>')
	end
	if not job or not END_INDEX[job.state] or not replay_job(id, key, job) then
		answer(id, job, waiter)
	end
end

-- p: a job has waited for this one for long: is it there?
function ACTS.p(id, waiter)
	answer(id, read(T .. ':j:' .. id), waiter)
end

-- ---- keys in shard 0 ------------------------------------------------------------------------------------------------

-- Shard 0 keeps the idempotency keys of all shards (76_shards.lua), at first no longer than a usual job needs. A job that lives longer, or
-- whose record will, has it told how long.
function flow.keep_key(id, key, job)
	local queue, shard = string.match(opt.prefix, '^(.*%-)(%d+)$')
	if shard == '0' or not has_flag(job, 'i') then
		return
	end
	local ttl = call('PTTL', key)
	if job.state < SUCCEEDED then
		ttl = KEY_BACKSTOP + math.max(0, (call('HGET', key, 'd') or 0) - now)
	end
	post('k', queue .. '0' .. id, me(id), string.format('%.0f', ttl))
end

-- The key with the fingerprint before it, as long as both are the job's. nil: they are not.
function flow.key_of(id)
	local name = call('HGET', J .. id, 'i')
	local holder, print = string.match(name and call('GET', T .. ':i:' .. name) or '', '^(%S+) (.*)$')
	return holder == id and string.format('%.0f ', #print) .. print .. name or nil
end

-- k: in shard 0: a job of another shard keeps its key for so long from now.
function ACTS.k(_, from, ttl, text)
	local n, rest = string.match(text, '^(%d+) (.*)$')
	local print, name = string.sub(rest, 1, n), T .. ':i:' .. string.sub(rest, n + 1)
	local value = call('GET', name)
	if not value then
		call('SET', name, from .. ' ' .. print, 'PX', ttl)
	elseif string.match(value, '^%S+') == from then
		call('PEXPIRE', name, ttl, 'GT')
	end
end

-- ---- schedules that stand still -------------------------------------------------------------------------------------

-- Word between shards that is about no job.
function flow.shard(number)
	return string.match(opt.prefix, '^.*%-') .. number .. string.rep('0', TAIL)
end

-- One that sleeps here since it was copied from shard `from` is asked about, when whoever moved it has had his time: does it tick there yet?
function cron.ask_later(name, move, from)
	post('s', flow.shard(from), me(string.rep('0', TAIL)), move .. ':' .. name, cron.LOCK)
end

-- A word's "<move>:<name>"; nil: it does not sleep here since that move.
function cron.sleeper(a)
	local move, name = string.match(a, '^(%d+):(.+)$')
	local h = call('HMGET', T .. ':cj:' .. name, 'N', 'M')
	return h[1] == move and h[2] and name or nil
end

-- s: does this schedule tick here? If it sleeps here, too, somebody has to look.
function ACTS.s(id, from, a)
	local h = call('HMGET', T .. ':cj:' .. string.match(a, ':(.+)$'), 'd', 'M')
	if not h[2] then
		send(h[1] and 'h' or 'w', from, me(id), a)
	end
end

-- An act upon one that still sleeps here.
function cron.on_sleeper(act)
	return function(_, _, a)
		local name = cron.sleeper(a)
		if name then
			act(name)
		end
	end
end

-- h: it ticks where it was copied from, and is not to be woken here. w: it has left there, so that it ticks here.
ACTS.h, ACTS.w = cron.on_sleeper(cron.forget), cron.on_sleeper(cron.rouse)

-- ---- orphans ---------------------------------------------------------------------------------------------------------

-- Ask after what a job waits for, a stretch at a time, once a minute from its second minute on.
local function probe(id)
	local deps, created = deps_key(id), call('HGET', T .. ':j:' .. id, 'c')
	local last, cursor = string.match(call('HGET', deps, '@') or '0 0', '^(%d+) (%d+)$')
	if not created or now - created < ORPHAN or (cursor == '0' and now - last < ORPHAN) then
		return
	end
	local r = call('HSCAN', deps, cursor, 'COUNT', 64)
	for i = 1, #r[2], 2 do
		if string.sub(r[2][i], 1, 1) == '?' then
			send('p', string.sub(r[2][i], 2), me(id), '-')
		end
	end
	if call('EXISTS', deps) == 1 then
		call('HSET', deps, '@', now_text .. ' ' .. r[1])
	end
end

-- q: all that a job waits for are asked now, at whatever age and state of it.
function ACTS.q(id, _, cursor)
	each_awaited(id, cursor, 'q', 'p')
end

function flow.ask(id)
	send('q', me(id), me(id), '0')
end

-- Walk through T:h a stretch at a time, for ever.
function flow.keep_house()
	local from = tonumber(call('HGET', T .. ':n', 'fp') or 0)
	local ids = call('ZRANGE', T .. ':h', from, from + 15)
	for _, id in ipairs(ids) do
		local job = read(T .. ':j:' .. id)
		if job and job.state == WAITING and has_flag(job, 'D') then
			probe(id)
		end
	end
	if #ids > 0 or from > 0 then
		set('fp', #ids < 16 and 0 or from + 16)
		flush_lanes()
	end
end

-- ---- carrying word ---------------------------------------------------------------------------------------------------

-- What goes along with a word. nil: it is not so any more, and nobody is to hear it.
local function body_to_carry(act, from, a)
	if act == 'k' then
		return flow.key_of(string.sub(from, -TAIL))
	elseif act == 's' then
		return cron.sleeper(a) and ''
	end
	if act ~= 'd' or a == GONE then
		return ''
	end
	local id = string.sub(from, -20)
	local state = present_state(id)
	if state and state ~= a and not (a == IGNORED and END_INDEX[state]) then
		return nil
	end
	return body_of(id, a)
end

-- How many at most: {text, act, to, from, a, b} each, for 2 s those of the caller
local function mail_take(keys, args)
	enter(keys, args)
	local out, bytes = {}, 0
	for _, text in ipairs(call('ZRANGE', T .. OUTBOX, '-inf', now_text, 'BYSCORE', 'LIMIT', '0', args[5])) do
		local act, to, from, a = string.match(text, '^%d+ (%a) (%S+) (%S+) (%S+)$')
		local body = body_to_carry(act, from, a)
		if not body then
			call('ZREM', T .. OUTBOX, text)
		elseif bytes < CLAIM_BYTES then
			bytes = bytes + #body
			call('ZADD', T .. OUTBOX, now + CARRY, text)
			out[#out + 1] = { text, act, to, from, a, body }
		end
	end
	return out
end

-- act, to, from, a, b each. 1, or {why, number (from 0) of each that met a damaged record}: the others are told all the same, and what they
-- moved stands in its lanes.
local function mail_tell(keys, args)
	enter(keys, args)
	local failed = {}
	for i = 5, math.min(#args, 4 + BATCH * 5), 5 do
		if ACTS[args[i]] then
			flow.left = math.max(left(), 1) -- each is heard in this call: what goes along with it is not known here later
			local ok, why = pcall(send, args[i], args[i + 1], args[i + 2], args[i + 3], args[i + 4])
			if not ok then
				flow.todo, flow.busy = {}, false
				failed[1] = failed[1] or type(why) == 'table' and why.err or why
				failed[#failed + 1] = (i - 5) / 5
			end
		end
	end
	flush_lanes()
	leave()
	return failed[1] and failed or 1
end

-- the texts that were told; returns how many are left
local function mail_drop(keys, args)
	enter(keys, args)
	if args[5] then
		call('ZREM', T .. OUTBOX, unpack(args, 5, math.min(#args, 4 + BATCH)))
	end
	return call('ZCARD', T .. OUTBOX)
end

-- Cancel a flow by its root, which may have ended: what has not ended yet is cancelled.
local function flow_cancel(keys, args)
	enter(keys, args)
	local id = args[5]
	local job = read(T .. ':j:' .. id)
	local reply
	if job and job.state >= SUCCEEDED and has_flag(job, 'D') then
		send('u', me(id), me(id), '0')
		reply = { 1, tonumber(job.state) }
	else
		reply = cancel_job(id)
	end
	flush_lanes()
	leave()
	return reply
end

-- Ids: of those that are there, {id, '0', field, value ...} of what a flow shows: no params, no result.
local function flow_look(keys, args)
	enter(keys, args)
	local out, fields, last = {}, { 'k', 'c', 'd', 'y', 'a', 'm', 'b', 'w', 'e', 'n', 'E', 'D' }, math.min(#args, 4 + BATCH)
	local all = states.of(args, 5, last)
	for i = 5, last do
		local h, s = call('HMGET', J .. args[i], unpack(fields)), all[i - 4] or states.old(args[i])
		local record = { args[i], '0', 's', s }
		for k = 1, #fields do
			if h[k] then
				record[#record + 1] = fields[k]
				record[#record + 1] = h[k]
			end
		end
		if s and h[1] then
			out[#out + 1] = record
		end
	end
	return out
end

register('flow_look', flow_look, 'no-writes')
register('mail_take', mail_take, 'allow-oom')
register('mail_tell', mail_tell, 'allow-oom')
register('mail_drop', mail_drop, 'allow-oom')
register('flow_cancel', flow_cancel, 'allow-oom')

end

