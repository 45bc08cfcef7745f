-- Orders for wrk: each request is a new order, made of a line of a file and a unique key.
--
--     wrk -t2 -c64 -d20s --latency -s load.lua http://127.0.0.1:8080 -- PATH FILE MEMBER PREFIX [PAUSE_MS]
--
-- PATH is the intake's path without the key. FILE has orders as NDJSON. MEMBER is the member with an order's key, or "-" if the name is the
-- key. Every key begins with PREFIX. A connection pauses for PAUSE_MS on average between an answer and its next order. At the end, the script
-- prints a line of JSON.

local threads = {}

function setup(thread)
  thread:set("id", #threads)
  table.insert(threads, thread)
end

function init(args)
  path, prefix, pause = args[1], args[4], tonumber(args[5] or "0")
  bodies, count, sent = {}, 0, 0
  statuses = {}
  for line in io.lines(args[2]) do
    if args[3] == "-" then
      table.insert(bodies, { line })
    else
      local before, after = line:match('^(.-"' .. args[3] .. '"%s*:%s*")[^"]*(.*)$')
      table.insert(bodies, { before, after })
    end
  end
  headers = { ["content-type"] = "application/json" }
end

function delay()
  -- Spread the pauses, so that the connections do not send in lockstep.
  return pause == 0 and 0 or math.random(0, 2 * pause)
end

function request()
  sent = sent + 1
  local key = string.format("%s-%d-%d", prefix, id, sent)
  local body = bodies[sent % #bodies + 1]
  local text = body[2] and (body[1] .. key .. body[2]) or body[1]
  return wrk.format("PUT", path .. "/" .. key, headers, text)
end

function response(status)
  statuses[status] = (statuses[status] or 0) + 1
  counted = ""
  for code, number in pairs(statuses) do
    counted = counted .. code .. "=" .. number .. " "
  end
end

function done(summary, latency)
  local all = {}
  for _, thread in ipairs(threads) do
    for code, number in (thread:get("counted") or ""):gmatch("(%d+)=(%d+)") do
      all[code] = (all[code] or 0) + tonumber(number)
    end
  end
  local parts = {}
  for code, number in pairs(all) do
    table.insert(parts, string.format('"%s":%d', code, number))
  end
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '{"seconds":%.3f,"requests":%d,"statuses":{%s},"errors":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\n',
    summary.duration / 1e6, summary.requests, table.concat(parts, ","), errors,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
