// Each runs in Redis as one step. KEYS: of every account, in id order, its lock and its queue.
// ARGV[1]: the token of a turn, "PROCESS:NUMBER"; ARGV[2]: how long a lock lasts, in milliseconds.

/** The channel on which a process learns that one of its turns has come. */
export function wakeChannel(processId: string): string {
  return `lock:wake:${processId}`;
}

/**
 * Gives a free lock to who has waited longest, and wakes it: "TOKEN LOCK" is its message. Who can't
 * be woken, since its process is gone, is passed over. Returns the new holder, or false.
 */
const HAND_OVER = `
local function hand_over(lock, queue)
  while true do
    local token = redis.call('lpop', queue)
    if not token then return false end
    local channel = 'lock:wake:' .. string.match(token, '^[^:]+')
    if token == ARGV[1] or redis.call('publish', channel, token .. ' ' .. lock) > 0 then
      redis.call('set', lock, token, 'PX', ARGV[2])
      return token
    end
  end
end`;

/**
 * Takes one lock after the other until one isn't free, and joins the queue of that one. Asking again
 * goes on where the turn was. Returns {0, 0}, or the account's number and how many milliseconds its
 * holder's lock lasts, unless it's handed over or renewed before. A lock without an end, which is
 * none of ours, gets one.
 */
export const ACQUIRE = `${HAND_OVER}
for i = 1, #KEYS, 2 do
  local lock, queue = KEYS[i], KEYS[i + 1]
  local holder = redis.call('get', lock) or hand_over(lock, queue)
  if not holder or holder == ARGV[1] then
    redis.call('set', lock, ARGV[1], 'PX', ARGV[2])
  else
    if not redis.call('lpos', queue, ARGV[1]) then redis.call('rpush', queue, ARGV[1]) end
    redis.call('pexpire', queue, 60000)
    local lasts = redis.call('pttl', lock)
    if lasts < 0 then
      lasts = tonumber(ARGV[2])
      redis.call('pexpire', lock, lasts)
    end
    return {(i + 1) / 2, lasts}
  end
end
return {0, 0}`;

/** Leaves all queues and frees those locks that the turn still has; returns how many it had. */
export const RELEASE = `${HAND_OVER}
local held = 0
for i = 1, #KEYS, 2 do
  local lock, queue = KEYS[i], KEYS[i + 1]
  redis.call('lrem', queue, 0, ARGV[1])
  if redis.call('get', lock) == ARGV[1] then
    held = held + 1
    redis.call('del', lock)
    hand_over(lock, queue)
  end
end
return held`;

/** Makes those locks last that the turn still has; returns how many. */
export const RENEW = `
local held = 0
for i = 1, #KEYS, 2 do
  if redis.call('get', KEYS[i]) == ARGV[1] then
    held = held + redis.call('pexpire', KEYS[i], ARGV[2])
  end
end
return held`;
