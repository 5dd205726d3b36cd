// SPDX-License-Identifier: Apache-2.0
// Etags, and the scripts that the server runs. A condition, or user meta, needs one atomic step in the server.
#pragma once

#include <string>
#include <string_view>

namespace redis {

/// Returns a value's etag: its SHA-1 as 40 hexadecimal digits, which a script can compute too.
std::string etag_of(std::string_view value);

/// A script that the server runs. KEYS[1] is the key of a value. If the value may have user meta, KEYS[2] is `key$`,
/// which holds the meta as unstorage has it, and KEYS[3] is `key$$`, the binding: the SHA-1 of the value and that of
/// the meta.
struct Script {
  const char *text;
  std::string hash; ///< the name of the script for EVALSHA

  explicit Script(const char *lua) : text(lua), hash(etag_of(lua)) {}
};

struct Scripts {
  /// ARGV: the condition (empty, NX, XX or '=' and an etag), the new value, its expiry or 0, its user meta or nothing.
  /// Returns 1, or 0 if the condition does not hold. With a condition, a key of another type is an error.
  const Script set{R"(local wanted = ARGV[1]
if wanted == 'NX' or wanted == 'XX' then
  redis.call('STRLEN', KEYS[1])
  if (redis.call('EXISTS', KEYS[1]) == 1) ~= (wanted == 'XX') then return 0 end
elseif wanted ~= '' then
  local value = redis.call('GET', KEYS[1])
  if not value or '=' .. redis.sha1hex(value) ~= wanted then return 0 end
end
local function put(key, text)
  if ARGV[3] == '0' then redis.call('SET', key, text)
  else redis.call('SET', key, text, 'PXAT', ARGV[3]) end
end
put(KEYS[1], ARGV[2])
if not KEYS[2] then return 1 end
if ARGV[4] == '' then
  redis.call('UNLINK', KEYS[2], KEYS[3])
else
  put(KEYS[2], ARGV[4])
  put(KEYS[3], redis.sha1hex(ARGV[2]) .. redis.sha1hex(ARGV[4]))
end
return 1)"};

  /// ARGV: the new expiry (0: never; empty: the old one), 1 if there is new user meta, the meta or nothing. Returns 1,
  /// or 0 if there is no value. A key of another type is an error.
  const Script touch{R"(redis.call('STRLEN', KEYS[1])
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local expiry = ARGV[1]
if expiry == '' then expiry = redis.call('PEXPIRETIME', KEYS[1]) end
if ARGV[2] == '1' then
  if ARGV[3] == '' then
    redis.call('UNLINK', KEYS[2], KEYS[3])
  else
    redis.call('SET', KEYS[2], ARGV[3])
    redis.call('SET', KEYS[3], redis.sha1hex(redis.call('GET', KEYS[1])) .. redis.sha1hex(ARGV[3]))
  end
end
for i = ARGV[1] == '' and 2 or 1, #KEYS do
  if tonumber(expiry) > 0 then redis.call('PEXPIREAT', KEYS[i], expiry)
  else redis.call('PERSIST', KEYS[i]) end
end
return 1)"};

  /// ARGV: the etag. Returns 1, or 0.
  const Script remove_if_match{R"(local value = redis.call('GET', KEYS[1])
if not value or redis.sha1hex(value) ~= ARGV[1] then return 0 end
if KEYS[2] then redis.call('UNLINK', KEYS[2], KEYS[3]) end
return redis.call('UNLINK', KEYS[1]))"};

  /// Removes user meta that has no value.
  const Script remove_orphan{R"(local is_string = type(redis.pcall('STRLEN', KEYS[1])) == 'number'
if is_string and redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
return redis.call('UNLINK', KEYS[2], KEYS[3]))"};

  /// ARGV: the largest user meta. Returns size, expiry as PEXPIRETIME does, etag and user meta (empty: none); nil if
  /// there is no value.
  const Script stat_with_user{R"(local value = redis.call('GET', KEYS[1])
if not value then return false end
local etag = redis.sha1hex(value)
local user = redis.pcall('GET', KEYS[2])
if type(user) ~= 'string' or #user > tonumber(ARGV[1]) then user = '' end
if user ~= '' then
  local binding = redis.pcall('GET', KEYS[3])
  if type(binding) == 'string' and string.sub(binding, 41) == redis.sha1hex(user)
    and string.sub(binding, 1, 40) ~= etag then user = '' end
end
return {#value, redis.call('PEXPIRETIME', KEYS[1]), etag, user})"};

  /// Returns size, expiry as PEXPIRETIME does, and etag; nil if there is no value.
  const Script stat{R"(local value = redis.call('GET', KEYS[1])
if not value then return false end
return {#value, redis.call('PEXPIRETIME', KEYS[1]), redis.sha1hex(value)})"};
};

} // namespace redis
