// SPDX-License-Identifier: Apache-2.0
#include <boost/json/serialize.hpp>
#include <sodium/randombytes.h>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/printable.hpp"
#include "config/formats.hpp"
#include "config/names.hpp"
#include "jobs/dump_lines.hpp"

namespace omnistore::jobs {
namespace {

namespace json = boost::json;

/// Adds bytes as text, or as base64 if they are not UTF-8.
void add_bytes(json::object &line, std::string_view bytes, const char *as_text = "value",
               const char *as_base64 = "base64") {
  if (config::valid_utf8(bytes)) {
    line[as_text] = bytes;
    return;
  }
  line[as_base64] = base::to_base64(bytes);
}

void add_meta(json::object &line, const StoredValue &value) {
  if (value.mtime != 0) line["mtime"] = value.mtime;
  if (value.expiry != 0) line["expiry"] = value.expiry;
  if (!value.user.empty()) add_bytes(line, value.user, "meta", "meta64");
}

/// A dump on a terminal acts on it in no way, since nothing in it is unseen.
std::string text_of(const json::object &line) { return base::printable_json(json::serialize(line)); }

} // namespace

void DumpSum::add_line(std::string_view line) {
  ++lines;
  digest.add(line);
}

DumpWriter::DumpWriter(std::function<void(std::string_view)> out, DumpSum begun) : out_(std::move(out)), sum_(begun) {}

void DumpWriter::put(std::string_view lines, std::uint64_t count) {
  sum_.lines += count;
  sum_.digest.add(lines);
  out_(lines);
}

void DumpWriter::put(const json::object &line) { put(text_of(line) + "\n", 1); }

std::string DumpWriter::header(std::string_view base, bool handshake) {
  char random[dump_id_bytes];
  randombytes_buf(random, sizeof random);
  std::string id = base::to_hex({random, sizeof random});
  json::object line{
      {"omnistore", "dump"}, {"version", 1}, {"id", id}, {"created", config::shown_moment(now_ms())}, {"base", base}};
  if (handshake) line["handshake"] = true;
  const std::lock_guard lock(mutex_);
  put(line);
  return id;
}

void DumpWriter::handshake(const char *step, std::string_view message) {
  json::object line{{"handshake", step}};
  if (!message.empty()) line["message"] = message;
  const std::lock_guard lock(mutex_);
  put(line);
}

void DumpWriter::entries(std::span<const std::string_view> keys, std::span<const StoredValue *const> values) {
  std::string text;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const StoredValue &value = *values[i];
    json::object line{{"key", keys[i]}};
    add_bytes(line, value.bytes);
    line["size"] = value.bytes.size();
    add_meta(line, value);
    line["sha256"] = digest_of(value.bytes);
    text += text_of(line);
    text += '\n';
    bytes += value.bytes.size();
  }
  const std::lock_guard lock(mutex_);
  sum_.entries += keys.size();
  sum_.bytes += bytes;
  put(text, keys.size());
}

void DumpWriter::checkpoint(std::string_view cursor) {
  const std::lock_guard lock(mutex_);
  put({{"checkpoint", cursor}});
}

void DumpWriter::finish() {
  const std::lock_guard lock(mutex_);
  out_(json::serialize(json::object{
           {"entries", sum_.entries}, {"bytes", sum_.bytes}, {"lines", sum_.lines}, {"sha256", sum_.digest.hex()}}) +
       "\n");
}

DumpWriter::Long::Long(DumpWriter &dump, std::string_view key, const StoredValue &known)
    : dump_(dump), lock_(dump.mutex_), key_(key) {
  json::object line{{"key", key}, {"long", true}};
  add_meta(line, known);
  dump_.put(line);
}

void DumpWriter::Long::add(std::string_view bytes) {
  digest_.add(bytes);
  size_ += bytes.size();
  buffer_ += bytes;
  std::size_t at = 0;
  for (; buffer_.size() - at >= dump_part; at += dump_part) part(std::string_view(buffer_).substr(at, dump_part));
  buffer_.erase(0, at);
}

void DumpWriter::Long::part(std::string_view bytes) {
  json::object line{{"part", parts_++}};
  add_bytes(line, bytes);
  dump_.put(line);
}

void DumpWriter::Long::end() {
  if (!buffer_.empty()) part(buffer_);
  dump_.put({{"end", key_}, {"parts", parts_}, {"size", size_}, {"sha256", digest_.hex()}});
  ++dump_.sum_.entries;
  dump_.sum_.bytes += size_;
}

} // namespace omnistore::jobs
