-- leases: taking back what a worker forgot or left behind when it died.

local function reap_leases(worker, ids, why)
	for _, id in ipairs(ids) do
		local key = J .. id
		local job = read(key)
		if job and job.state == RUNNING then
			crash(id, key, job, why)
		end
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
		local ids = call('ZRANGE', K['l:'] .. worker, '-inf', now_text, 'BYSCORE', 'LIMIT', '0', '256')
		reap_leases(worker, ids, 'its lease ended')
	end
end

-- last: when somebody looked for dead workers, which is often enough every 100 ms.
local function reap_dead(worker, silence_end, last)
	if now < silence_end + GRACE or (last and now - tonumber(last) < 100) then
		return
	end
	set('rt', now_text)
	local dead = call('ZRANGE', K.W, '-inf', now_text, 'BYSCORE', 'LIMIT', '0', '1')[1]
	if not dead or dead == worker then
		return
	end
	local ids = call('ZRANGE', K['l:'] .. dead, 0, BATCH - 1)
	if reap_leases(dead, ids, 'its worker died') < BATCH then
		call('ZREM', K.W, dead)
		workers.forget(dead)
	end
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

