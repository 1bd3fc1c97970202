-- Decides a batch of asks for limits, at once, by this server's clock. The Rust model in core/limit/src/shared.rs
-- says what it has to answer; the test `the_script_answers_as_the_model_does` compares them.
--
-- KEYS[1]    the era: what is known here is known since then
-- KEYS[2…]   one key for each ask
-- ARGV[1]    the run id of the server that this connection leads to
-- ARGV[2]    '1': an era begins with nothing used; else with all used up
-- ARGV[3]    the quotas that are asked for, each once: kind and three numbers
-- ARGV[4]    one ask for each key, see script.rs
--
-- Numbers are doubles: whole up to 2^53. Time is counted in ticks of 1/16 microsecond since ORIGIN, which fit until
-- 2042. Numbers go in and out as struct's doubles, because tostring() keeps 14 digits. Refusals write nothing.
--
-- What costs is not the arithmetic but each command, each argument, each part of a reply and each call of a function:
-- all keys are read with one command, all asks are one argument, all answers one string, and buckets are decided
-- without math.*.

local call, pack, unpack_ = redis.call, struct.pack, struct.unpack
local floor, max, min, ceil, sub = math.floor, math.max, math.min, math.ceil, string.sub

-- 0: all or nothing. What comes with an ask is added to its mode.
local CHECK, PARTIAL = 1, 2
local REFUNDS, LENDS = 4, 8
local NOW, RELEASE, NEVER = -1, -2, -3
local BUCKET, WINDOW, LOG, FIXED, CONCURRENCY = 1, 2, 3, 4, 5
local PARTS, EPOCHS, LENT = 24, 137438953472, 8
-- A receipt for all that was ever spent.
local ALL = 9007199254740992
-- 2025-03-13 00:00 UTC: a border of weeks and of 30 days since 1970.
local ORIGIN = 1741824000
-- Keys stay for a second at least, so that those of short limits are not created and expired again and again.
local SECOND = 16000000

local time = call('TIME')
local now = max(0, (time[1] - ORIGIN) * 16000000 + time[2] * 16)

-- The era. Whatever was written in another one is of another run of the server, and may lack what came after it.
local keys = KEYS
-- Batches have fewer keys than Lua can unpack: 8000.
local values = call('MGET', unpack(keys))
local era, since, born = nil, nil, 0
local known = values[1]
if known and sub(known, 17) == ARGV[1] then
  era, since = unpack_('<dd', known)
else
  era = now
  -- Never the number of one before, whatever the clock did.
  if known and #known > 16 then era = max(now, unpack_('<d', known) + 1) end
  since = ARGV[2] == '1' and -1 or now
  born = 1
  call('SET', keys[1], pack('<dd', era, since) .. ARGV[1])
end

-- What is stored now; a key can be asked for more than once.
local held = {}
for i = 2, #keys do held[keys[i]] = values[i] end

-- Units of `cost` that are granted when `room` are free.
local function granted_of(cost, mode, room)
  if cost <= room then return cost end
  return mode == PARTIAL and room or 0
end

-- The last time that a key was to expire, and as text: mostly it is that of the next key too.
local expires, text

-- Stores a state until it says nothing any more, which is what its absence says: that all was used up when the era
-- began, for so long as that counts (`horizon`).
local function write(key, value, reset, horizon)
  local keep = reset
  if since >= 0 then keep = max(reset, since + horizon - now) end
  if keep <= 0 then
    call('DEL', key)
    held[key] = false
  else
    local at = ceil((now + max(keep, SECOND)) / 16000)
    if at ~= expires then expires, text = at, string.format('%.0f', at + ORIGIN * 1000) end
    -- Not PX, for which servers write the command anew.
    call('SET', key, value, 'PXAT', text)
    held[key] = value
  end
end

-- A state is stored as: kind, era, the length of parts (of windows, else 0), the numbers of the state.
local HEAD = 17

-- Kind, era, length of parts, and the first number if there is one. What somebody else wrote there is none of ours, and
-- so of another algorithm.
local function head(stored)
  if #stored >= HEAD + 8 then return unpack_('<Bddd', stored) end
  if #stored >= HEAD then return unpack_('<Bdd', stored) end
  return 0, era, 0
end

-- Each algorithm: `a`, `b` and `c` are its quota; `back`, `back_at` and `back_worth` a receipt (-1: none).

-- Buckets, which most limits are: the tick at which the bucket is full again; `a` is the ticks of a unit, `b` how far the
-- tick may be ahead, `c` how far for anybody. x - x % 1 is floor(x).
local function bucket(key, a, b, c, back, back_at, back_worth, cost, mode, retry_for, extra)
  local stored, tat, dirty = held[key], nil, false
  if stored then
    local of, then_, _, state = head(stored)
    if then_ == era and of == BUCKET then
      tat = state
    elseif then_ == era then
      -- A limit whose algorithm was changed begins anew, used up.
      tat, dirty, back, mode = now + c, true, -1, CHECK
    end
  end
  if not tat then tat = since < 0 and 0 or since + c end
  if back >= 0 then
    local worth = max(0, back_worth - max(0, now - back_at))
    if worth > 0 and tat > now then
      tat = max(now, tat - worth)
      dirty = true
    end
  end
  local base = tat
  if base > now + c then base = now + c end
  if base < now then base = now end
  local room, granted = b - (base - now), 0
  if room < 0 then room = 0 end
  if cost * a <= room then
    granted = cost
  elseif mode == PARTIAL then
    granted = room / a
    granted = granted - granted % 1
  end
  local spent = mode == CHECK and 0 or granted * a
  local after, lent = base + spent, 0
  if extra > 0 then
    lent = min(extra, floor(floor(max(0, b - (after - now)) / a) / LENT))
    after = after + lent * a
  end
  if after > base then
    tat = after
    dirty = true
  end
  room = b - (after - now)
  if room < 0 then room = 0 end
  local retry = NOW
  if granted ~= cost then
    local need = retry_for * a
    if need > room then retry = need > b and NEVER or need - room end
  end
  if dirty then write(key, pack('<Bddd', BUCKET, era, 0, tat), after - now, c) end
  local left = room / a
  return pack('<dddddddd', granted, left - left % 1, retry, after - now, granted > 0 and base - now or 0,
    spent > 0 and now or 0, spent, lent)
end

-- The others: `s` is the state of a key; who writes it makes `s.dirty`. decide() gives: granted, remaining, retry,
-- reset, at, spent.
local function others()
  local kinds = {}

  -- Pairs of part and units, oldest first; `a` is the limit, `b` the ticks of a part.
  kinds[WINDOW] = {
    blank = function() return {} end,
    used_up = function(a, b, at) return a > 0 and { floor(at / b), a } or {} end,
    refund = function(s, a, b, cost, at)
      for i = 1, #s, 2 do
        if s[i] == at then
          s[i + 1] = max(0, s[i + 1] - cost)
          s.dirty = true
          return
        end
      end
    end,
    decide = function(s, a, b, cost, mode)
      local length = #s
      local epoch = max(floor(now / b), length > 0 and s[length - 1] or 0)
      local kept, total = 0, 0
      for i = 1, length, 2 do
        local at, count = s[i], s[i + 1]
        if at + PARTS >= epoch and count > 0 then
          s[kept + 1], s[kept + 2] = at, count
          kept, total = kept + 2, total + count
        end
      end
      for i = length, kept + 1, -1 do s[i] = nil end
      local granted = granted_of(cost, mode, max(0, a - total))
      local retry = NOW
      if granted ~= cost then
        if cost > a then
          retry = NEVER
        else
          local left = total
          retry = 0
          for i = 1, kept, 2 do
            if left + cost <= a then break end
            left = max(0, left - s[i + 1])
            retry = max(0, (s[i] + PARTS + 1) * b - now)
          end
        end
      end
      local spent = mode == CHECK and 0 or granted
      if spent > 0 then
        if kept > 0 and s[kept - 1] == epoch then
          s[kept] = s[kept] + spent
        else
          s[kept + 1], s[kept + 2] = epoch, spent
          kept = kept + 2
        end
        s.dirty = true
      end
      local reset = kept > 0 and max(0, (s[kept - 1] + PARTS + 1) * b - now) or 0
      return granted, max(0, a - total - spent), retry, reset, epoch, spent
    end,
  }

  -- Pairs of tick and units, oldest first; `a` is the limit, `b` the ticks of the window.
  kinds[LOG] = {
    blank = function() return {} end,
    used_up = function(a, b, at) return a > 0 and { at, a } or {} end,
    refund = kinds[WINDOW].refund,
    decide = function(s, a, b, cost, mode)
      local length = #s
      local at = max(now, length > 0 and s[length - 1] or 0)
      local first = 1
      while first < length and (s[first] + b <= at or s[first + 1] == 0) do first = first + 2 end
      if first > 1 then
        local kept = 0
        for i = first, length do
          kept = kept + 1
          s[kept] = s[i]
        end
        for i = length, kept + 1, -1 do s[i] = nil end
        length = kept
      end
      local total = 0
      for i = 2, length, 2 do total = total + s[i] end
      local granted = granted_of(cost, mode, max(0, a - total))
      local retry = NOW
      if granted ~= cost then
        if cost > a then
          retry = NEVER
        else
          local left = total
          retry = 0
          for i = 1, length, 2 do
            left = left - s[i + 1]
            if left + cost <= a then
              retry = s[i] + b - at
              break
            end
          end
        end
      end
      local spent = mode == CHECK and 0 or granted
      if spent > 0 then
        if length > 0 and s[length - 1] == at then
          s[length] = s[length] + spent
        else
          s[length + 1], s[length + 2] = at, spent
          length = length + 2
        end
        s.dirty = true
      end
      local reset = length > 0 and s[length - 1] + b - at or 0
      return granted, max(0, a - total - spent), retry, reset, at, spent
    end,
  }

  -- Whether window `x` lies after window `y`, on the circle of windows.
  local function is_after(x, y)
    return x ~= y and (x - y) % EPOCHS < EPOCHS / 2
  end

  -- The window and what was taken in it; `a` is the limit, `b` the ticks of the window.
  kinds[FIXED] = {
    blank = function() return { 0, 0 } end,
    used_up = function(a, b, at) return a > 0 and { floor(at / b) % EPOCHS, a } or { 0, 0 } end,
    refund = function(s, a, b, cost, at)
      if cost > 0 and s[2] > 0 and s[1] == at and not is_after(floor(now / b) % EPOCHS, s[1]) then
        s[2] = max(0, s[2] - cost)
        -- It is known which window it was, so that a clock that goes back stays in it.
        s.dirty, s.keep = true, 2 * b
      end
    end,
    decide = function(s, a, b, cost, mode)
      local current = floor(now / b) % EPOCHS
      local epoch, count = s[1], s[2]
      if (count == 0 and epoch == 0) or is_after(current, epoch) then epoch, count = current, 0 end
      local granted = granted_of(cost, mode, max(0, a - count))
      local left = b - now % b
      local retry = NOW
      if granted ~= cost then retry = cost > a and NEVER or left end
      local spent = mode == CHECK and 0 or granted
      local after = count + spent
      if spent > 0 then
        s[1], s[2] = epoch, after
        s.dirty = true
      end
      return granted, max(0, a - after), retry, after == 0 and 0 or left, epoch, spent
    end,
  }

  -- What is in flight; `a` is the limit.
  kinds[CONCURRENCY] = {
    blank = function() return { 0 } end,
    used_up = function(a, b, at) return { a } end,
    refund = function(s, a, b, cost)
      s[1] = max(0, s[1] - cost)
      s.dirty = true
    end,
    decide = function(s, a, b, cost, mode)
      local granted = granted_of(cost, mode, max(0, a - s[1]))
      local retry = NOW
      if granted ~= cost then retry = cost > a and NEVER or RELEASE end
      local spent = mode == CHECK and 0 or granted
      if spent > 0 then
        s[1] = s[1] + spent
        s.dirty = true
      end
      return granted, max(0, a - s[1]), retry, 0, 0, spent
    end,
  }

  return kinds
end

local function read(key, algorithm, kind, a, b)
  local stored = held[key]
  if stored then
    local of, then_, width = head(stored)
    if then_ == era then
      if of ~= kind or width ~= ((kind == WINDOW or kind == FIXED) and b or 0) then
        -- A limit whose algorithm or length of window was changed begins anew, used up.
        local s = algorithm.used_up(a, b, now)
        s.dirty, s.changed = true, true
        return s
      end
      local s = {}
      for i = 1, (#stored - HEAD) / 8 do s[i] = unpack_('<d', stored, HEAD + 8 * i - 7) end
      return s
    end
  end
  if since < 0 then return algorithm.blank() end
  return algorithm.used_up(a, b, since)
end

local function other(algorithm, key, kind, a, b, back, back_at, cost, mode, retry_for, extra)
  local s = read(key, algorithm, kind, a, b)
  if s.changed then back, mode = -1, CHECK end
  if back >= ALL then
    local blank = algorithm.blank()
    blank.dirty = table.concat(blank, ' ') ~= table.concat(s, ' ')
    s = blank
  elseif back >= 0 then
    algorithm.refund(s, a, b, back, back_at)
  end
  local granted, remaining, _, _, at, spent = algorithm.decide(s, a, b, cost, mode)
  local plenty = min(extra, floor(remaining / LENT))
  local lent = plenty > 0 and algorithm.decide(s, a, b, plenty, PARTIAL) or 0
  local _, left, retry, reset = algorithm.decide(s, a, b, retry_for, CHECK)
  if granted == cost then retry = NOW end
  if s.dirty then
    local parts = { pack('<Bdd', kind, era, (kind == WINDOW or kind == FIXED) and b or 0) }
    for i = 1, #s do parts[i + 1] = pack('<d', s[i]) end
    local value = table.concat(parts)
    if kind == CONCURRENCY then
      call('SET', key, value)
      held[key] = value
    else
      write(key, value, max(reset, s.keep or 0), kind == WINDOW and (PARTS + 1) * b or b)
    end
  end
  return pack('<dddddddd', granted, left, retry, reset, 0, at, spent, lent)
end

local replies, kinds = { pack('<ddd', now, era, born) }, nil
local quotas, asks, at = ARGV[3], ARGV[4], 1
local last, kind, a, b, c
for i = 2, #keys do
  local mode, quota, cost, retry_for
  local back, back_at, back_worth, extra = -1, 0, 0, 0
  mode, quota, cost, retry_for, at = unpack_('<BHdd', asks, at)
  if mode >= LENDS then
    mode = mode - LENDS
    extra, at = unpack_('<d', asks, at)
  end
  if mode >= REFUNDS then
    local back_era
    mode = mode - REFUNDS
    back, back_at, back_worth, back_era, at = unpack_('<dddd', asks, at)
    -- What was spent in another era was spent by another clock: how much of it has come back is not known.
    if back_era ~= era and back < ALL then back = -1 end
  end
  if quota ~= last then
    last, kind, a, b, c = quota, unpack_('<dddd', quotas, quota * 32 + 1)
  end
  if kind == BUCKET then
    replies[i] = bucket(keys[i], a, b, c, back, back_at, back_worth, cost, mode, retry_for, extra)
  else
    kinds = kinds or others()
    replies[i] = other(kinds[kind], keys[i], kind, a, b, back, back_at, cost, mode, retry_for, extra)
  end
end
return table.concat(replies)
