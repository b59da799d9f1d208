-- weights: the share of a lane, and what stands in the lanes.

-- lane, weight; 1 is usual and not kept
function limits.weight_set(keys, args)
	enter(keys, args)
	if args[6] == '1' then
		call('HDEL', T .. ':wt', args[5])
	else
		call('HSET', T .. ':wt', args[5], args[6])
	end
	set('nw', call('HLEN', T .. ':wt'))
	leave()
	return 1
end

-- The routes that ever had a job here, in the order of their names.
function limits.weights_routes()
	local h, routes = call('HGETALL', T .. ':n'), {}
	for i = 1, #h, 2 do
		routes[#routes + 1] = string.match(h[i], '^r:(.+)$')
	end
	table.sort(routes)
	return routes
end

-- lane: {weight, how many are ready there}
function limits.weight_get(keys, args)
	enter(keys, args)
	local ready = 0
	for _, route in ipairs(limits.weights_routes()) do
		for class = 0, 9 do
			ready = ready + call('LLEN', T .. ':r:' .. route .. ':' .. class .. args[5])
		end
	end
	return { tonumber(call('HGET', T .. ':wt', args[5]) or 1), ready }
end

function limits.weights_add_lanes(route, lanes, out)
	for i = 1, #lanes, 2 do
		local ready = call('LLEN', T .. ':r:' .. route .. ':' .. lanes[i])
		local key = string.sub(lanes[i], 2)
		if ready > 0 then
			out[#out + 1] = { key, tonumber(call('HGET', T .. ':wt', key) or 1), route, tonumber(string.sub(lanes[i], 1, 1)), ready }
		end
	end
end

function limits.weights_add_weights(h, out)
	for i = 1, #h, 2 do
		out[#out + 1] = { h[i], tonumber(h[i + 1]) }
	end
end

-- cursor: {next cursor, lanes}. First the lanes of each route that hold something, {key, weight, route, priority, ready}; then the weights
-- that were set, {key, weight}. A cursor is <route>:<place in its ring>, or :<place among the weights>. While lanes come and go a lane may
-- come twice; one that stays is not left out.
function limits.weights_list(keys, args)
	enter(keys, args)
	local from, place, out = string.match(args[5], '^([^:]*):(%d+)$')
	out = {}
	local routes = limits.weights_routes()
	for i, route in ipairs(from == '' and {} or routes) do
		if not from or route >= from then
			local page = call('ZSCAN', T .. ':g:' .. route, route == from and place or '0', 'COUNT', BATCH)
			limits.weights_add_lanes(route, page[2], out)
			if page[1] ~= '0' then
				return { route .. ':' .. page[1], out }
			end
			if #out >= BATCH then
				return { (routes[i + 1] or '') .. ':0', out }
			end
		end
	end
	local page = call('HSCAN', T .. ':wt', from == '' and place or '0', 'COUNT', BATCH)
	limits.weights_add_weights(page[2], out)
	return { page[1] ~= '0' and ':' .. page[1] or '', out }
end

register('weight_set', limits.weight_set, 'allow-oom')
register('weight_get', limits.weight_get, 'no-writes')
register('lanes', limits.weights_list, 'no-writes')
