// SPDX-License-Identifier: Apache-2.0
// Etags, and what has to be decided where the value lies.
#pragma once

#include <string>
#include <string_view>

namespace redis {

/// A value's etag: its SHA-1 as 40 hexadecimal digits, which a script of the server can tell too.
std::string etag_of(std::string_view value);

/// A script of the server's, with the key as its KEYS[1].
struct Script {
  const char *text;
  std::string hash; ///< by which EVALSHA knows it

  explicit Script(const char *lua) : text(lua), hash(etag_of(lua)) {}
};

struct Scripts {
  /// ARGV: the etag, the new value, its expiry or 0. Gives 1, or 0 where the etag is not that of a live value.
  const Script set_if_match{R"(local value = redis.call('GET', KEYS[1])
if not value or redis.sha1hex(value) ~= ARGV[1] then return 0 end
if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3]) end
return 1)"};

  /// ARGV: the new value, its expiry or 0. Gives 1, or 0 where there is no value; an error where the key holds another
  /// type, which SET with XX would replace.
  const Script set_if_present{R"(redis.call('STRLEN', KEYS[1])
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if ARGV[2] == '0' then redis.call('SET', KEYS[1], ARGV[1])
else redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2]) end
return 1)"};

  /// ARGV: the expiry or 0. Gives 1, or 0 where there is no value; an error where the key holds another type.
  const Script touch{R"(redis.call('STRLEN', KEYS[1])
if ARGV[1] ~= '0' then return redis.call('PEXPIREAT', KEYS[1], ARGV[1]) end
redis.call('PERSIST', KEYS[1])
return redis.call('EXISTS', KEYS[1]))"};

  /// ARGV: the etag. Gives 1, or 0.
  const Script remove_if_match{R"(local value = redis.call('GET', KEYS[1])
if not value or redis.sha1hex(value) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1]))"};

  /// Gives size, expiry as PEXPIRETIME does, and etag; nil where there is no value.
  const Script stat{R"(local value = redis.call('GET', KEYS[1])
if not value then return false end
return {#value, redis.call('PEXPIRETIME', KEYS[1]), redis.sha1hex(value)})"};
};

} // namespace redis
