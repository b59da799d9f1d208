-- leases: how long a worker has a job, and taking back what it forgot or left behind when it died.
--
-- A worker claims short jobs ahead: most of what it holds waits behind others, and is no more to blame for its death than what it never
-- had. So the end of a lease also says whether the job is known to have started: it is an even number of ms then, and an odd one while it is
-- only held. What is lost while it is only held goes back uncounted: from then on it is suspect (flag H), and whoever takes it says that
-- it is about to start before it does (ACKS.S), so that its next loss says whose fault it was.

leases.LOOK = 100

-- The score of a lease that ends at this time.
function leases.till(at, held)
	return text_of(at - at % 2 + (held and 1 or 0))
end

-- These are about to start.
function leases.start(worker, ids, lease)
	local z, till = {}, leases.till(now + lease)
	for _, id in ipairs(ids) do
		z[#z + 1] = till
		z[#z + 1] = id
	end
	if z[1] then
		call('ZADD', K['l:'] .. worker, 'XX', unpack(z))
	end
end

-- Whether it ran is not known, so that what it may have used of a rate stays used.
function leases.lost_unstarted(id, key, job, why)
	why = why .. ', and nothing says that it had begun'
	set_flag(job, 'H')
	remarks.say(id, job, 'given back: ' .. why)
	give_back(id, key, job, why)
end

-- z: ids and scores in turn. From the last to the first, since each goes to the front of its lane.
local function reap_leases(worker, z, why)
	local ids = {}
	for i = #z - 1, 1, -2 do
		local id = z[i]
		local key = J .. id
		local job = read(key)
		if job and job.state == RUNNING then
			(tonumber(z[i + 1]) % 2 == 1 and leases.lost_unstarted or crash)(id, key, job, why)
		end
		ids[#ids + 1] = id
	end
	drop_leases(worker, ids)
	if #ids > 0 then
		count('rec', #ids)
	end
	return #ids
end

-- A worker that lives reaps its own forgotten leases; one that was not heard for ALIVE loses all of its own to whoever comes first.
-- silence_end: see keep_time().
local function reap_own(worker, lease, silence_end)
	if now >= silence_end + lease then
		local z = call('ZRANGE', K['l:'] .. worker, '-inf', now_text, 'BYSCORE', 'LIMIT', '0', '256', 'WITHSCORES')
		reap_leases(worker, z, 'its lease ended')
	end
end

-- last: when somebody looked for dead workers, which is often enough every 100 ms. Returns when to look again, if one was found: it may have
-- held more, and another may have died with it.
local function reap_dead(worker, silence_end, last)
	if now < silence_end + GRACE or (last and now - tonumber(last) < leases.LOOK) then
		return
	end
	set('rt', now_text)
	local dead = call('ZRANGE', K.W, '-inf', now_text, 'BYSCORE', 'LIMIT', '0', '1')[1]
	if not dead or dead == worker then
		return
	end
	local z = call('ZRANGE', K['l:'] .. dead, 0, BATCH - 1, 'WITHSCORES')
	if reap_leases(dead, z, 'its worker died') < BATCH then
		call('ZREM', K.W, dead)
		workers.forget(dead)
	end
	return now + leases.LOOK
end

-- When nobody at all was heard for a while, the server was away (a restart, a failover): then no worker is dead because of it, and
-- everybody gets time to be heard again. Returns the end of the last such silence.
local function keep_time(last, silence_end)
	set('t', now_text)
	if last and now - tonumber(last) > SILENCE then
		set('ge', now_text)
		return now
	end
	return tonumber(silence_end or 0)
end

