-- timeline: what was unusual in the life of a job, in its field h (flag h): lines "<ms> <event>[ <detail>]", oldest first.
--
-- What is usual is not written, and so costs nothing: whoever reads knows from the job's times when it was made, due, begun and ended.
-- shared/job/timeline.h puts both together and names the events.

local timeline = {}
timeline.LINES, timeline.BYTES = 50, 8192
timeline.HEAD = 10 -- so many of the first lines are kept for good
timeline.DETAIL = 300

-- One line of it: no line breaks, and cut between characters.
function timeline.clean(text)
	if #text > timeline.DETAIL then
		text = string.gsub(string.sub(text, 1, timeline.DETAIL), '[\192-\255][\128-\191]*$', '')
	end
	return (string.gsub(text, '%c', ' '))
end

-- What is too long loses lines from behind the first ones, and says how many: "<ms of the last> dropped <n>".
function timeline.shorten(text)
	local lines, bytes, dropped, at = {}, #text, 0, '0'
	for line in string.gmatch(text, '[^\n]+') do
		lines[#lines + 1] = line
	end
	if #lines <= timeline.LINES and bytes <= timeline.BYTES then
		return text
	end
	local spot = timeline.HEAD + 1
	local before = string.match(lines[spot] or '', '^%d+ dropped (%d+)$')
	if before then
		dropped = tonumber(before)
		table.remove(lines, spot)
	end
	while #lines > spot and (#lines >= timeline.LINES - 5 or bytes > timeline.BYTES * 0.75) do
		local line = table.remove(lines, spot)
		at, bytes, dropped = string.match(line, '^%d+'), bytes - #line - 1, dropped + 1
	end
	table.insert(lines, spot, at .. ' dropped ' .. string.format('%.0f', dropped))
	return table.concat(lines, '\n') .. '\n'
end

function timeline.line(at, event, detail)
	return at .. ' ' .. event .. (detail and detail ~= '' and ' ' .. timeline.clean(detail) or '') .. '\n'
end

-- b, w: fields of a record. w is only in those that barque2 has written, where b is the time alone; nil or false: nobody claimed it.
function timeline.worker(b, w)
	return b and string.match(b, ' (.*)$') or w
end

function timeline.claimed(b, w)
	return timeline.line(string.match(b, '^%d+'), 'claimed', timeline.worker(b, w))
end

-- To be called before the move(), save() or keep() that writes the record: the flag rides on it. The first line about a job that runs
-- is preceded by when it was claimed, since those times will be overwritten; later claims write their own.
function timeline.note(key, job, event, detail)
	states.spell_out(key, job)
	local h = call('HMGET', key, 'h', 'b', 'w')
	local text = h[1] or ''
	if job.state == RUNNING and not has_flag(job, 'h') then
		text = timeline.claimed(h[2], h[3])
	end
	set_flag(job, 'h')
	call('HSET', key, 'h', timeline.shorten(text .. timeline.line(now_text, event, detail)))
end

timeline.ENDS = { [SUCCEEDED] = 'succeeded', [FAILED] = 'failed', [CANCELLED] = 'cancelled', [DEAD] = 'dead' }

-- A job that has ended begins anew, and its times with it: write down what they were.
function timeline.note_anew(key, job, event)
	states.spell_out(key, job)
	local h = call('HMGET', key, 'h', 'b', 'w', 'e', 'E')
	local text = h[1] or ''
	if h[2] and not has_flag(job, 'h') then
		text = timeline.claimed(h[2], h[3])
	end
	text = text .. timeline.line(h[4] or now_text, timeline.ENDS[job.state], h[5])
	set_flag(job, 'h')
	call('HSET', key, 'h', timeline.shorten(text .. timeline.line(now_text, event)))
end
