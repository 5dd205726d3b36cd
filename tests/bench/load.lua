-- SPDX-License-Identifier: Apache-2.0
-- wrk -s load.lua URL -- METHOD COUNT SIZE: GETs or PUTs /bench/NNNNNN, COUNT of them in random order, and ends with
-- a line of JSON. The requests are put together beforehand, so that wrk has little to do between two of them.
local requests, at, count = {}, 0, 0

function init(args)
  count = tonumber(args[2])
  local body = args[1] == "PUT" and string.rep("v", tonumber(args[3])) or nil
  local headers = { Host = wrk.headers["Host"], ["Content-Type"] = body and "text/plain" or nil }
  for i = 1, count do
    requests[i] = wrk.format(args[1], string.format("/bench/%06d", i), headers, body)
  end
  for i = count, 2, -1 do
    local j = math.random(i)
    requests[i], requests[j] = requests[j], requests[i]
  end
end

function request()
  at = at % count + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\n{"operations":%d,"seconds":%.6f,"failed":%d,"p50":%.3f,"p99":%.3f}\n', summary.requests,
    summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
