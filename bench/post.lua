-- wrk: posts the file named by the first argument after `--`; prints one line of JSON at the end, times in microseconds.

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Content-Type"] = "application/json"
  file:close()
end

function done(summary, latency, _)
  local errors = summary.errors
  local line = '{"requests": %d, "duration": %d, "p50": %d, "p99": %d, "not_ok": %d, "socket_errors": %d}\n'
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(line, summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), errors.status, broken))
end
