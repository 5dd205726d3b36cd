// SPDX-License-Identifier: Apache-2.0
#include <boost/json/serialize.hpp>
#include <sodium/randombytes.h>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "config/formats.hpp"
#include "config/names.hpp"
#include "jobs/dump_lines.hpp"

namespace omnistore::jobs {
namespace {

namespace json = boost::json;

/// As text, or as base64 if it is no UTF-8.
void add_bytes(json::object &line, std::string_view bytes, const char *as_text = "value",
               const char *as_base64 = "base64") {
  if (config::valid_utf8(bytes)) {
    line[as_text] = bytes;
    return;
  }
  line[as_base64] = base::to_base64(bytes);
}

void add_known(json::object &line, const Taken &taken) {
  if (taken.mtime != 0) line["mtime"] = taken.mtime;
  if (taken.expiry != 0) line["expiry"] = taken.expiry;
  if (!taken.user.empty()) add_bytes(line, taken.user, "meta", "meta64");
}

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

void DumpWriter::put(const json::object &line) { put(json::serialize(line) + "\n", 1); }

void DumpWriter::header(std::string_view base) {
  char random[8];
  randombytes_buf(random, sizeof random);
  const std::string id = base::to_hex({random, sizeof random});
  const std::lock_guard lock(mutex_);
  put({{"omnistore", "dump"}, {"version", 1}, {"id", id}, {"created", config::shown_moment(now_ms())}, {"base", base}});
}

void DumpWriter::entries(std::span<const std::string_view> keys, std::span<const Taken *const> taken) {
  std::string text;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Taken &value = *taken[i];
    json::object line{{"key", keys[i]}};
    add_bytes(line, value.value);
    line["size"] = value.value.size();
    add_known(line, value);
    line["sha256"] = digest_of(value.value);
    text += json::serialize(line);
    text += '\n';
    bytes += value.value.size();
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

DumpWriter::Long::Long(DumpWriter &dump, std::string_view key, const Taken &known)
    : dump_(dump), lock_(dump.mutex_), key_(key) {
  json::object line{{"key", key}, {"long", true}};
  add_known(line, known);
  dump_.put(line);
}

void DumpWriter::Long::add(std::string_view bytes) {
  digest_.add(bytes);
  size_ += bytes.size();
  held_ += bytes;
  std::size_t at = 0;
  for (; held_.size() - at >= dump_part; at += dump_part) part(std::string_view(held_).substr(at, dump_part));
  held_.erase(0, at);
}

void DumpWriter::Long::part(std::string_view bytes) {
  json::object line{{"part", parts_++}};
  add_bytes(line, bytes);
  dump_.put(line);
}

void DumpWriter::Long::end() {
  if (!held_.empty()) part(held_);
  dump_.put({{"end", key_}, {"parts", parts_}, {"size", size_}, {"sha256", digest_.hex()}});
  ++dump_.sum_.entries;
  dump_.sum_.bytes += size_;
}

} // namespace omnistore::jobs
