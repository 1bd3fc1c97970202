-- The token bucket as it is usually written: a hash for each key, the server's time in seconds.
local known = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local rate, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local passed = math.max(0, now - (tonumber(known[2]) or now))
local tokens = math.min(burst, (tonumber(known[1]) or burst) + passed * rate)
local admitted = tokens >= cost
if admitted then tokens = tokens - cost end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return admitted and 1 or 0
