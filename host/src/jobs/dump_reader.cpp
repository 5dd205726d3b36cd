// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "jobs/dump_lines.hpp"

#include "base/encoding.hpp"

namespace omnistore::jobs {
namespace {

namespace json = boost::json;

constexpr std::size_t longest_dump_line = 512 * 1024 * 1024;

/// The problem of a malformed line.
struct Malformed {
  std::string what;
};

std::string text_at(const json::object &fields, const char *name) {
  const json::value *value = fields.if_contains(name);
  if (!value || !value->is_string()) throw Malformed{std::string("it has no string \"") + name + "\""};
  return std::string(value->get_string());
}

/// Returns a number that is not negative, or nullopt if there is none.
std::optional<std::uint64_t> number_at(const json::object &fields, const char *name) {
  const json::value *value = fields.if_contains(name);
  if (!value) return std::nullopt;
  boost::system::error_code broken;
  const auto number = value->to_number<std::uint64_t>(broken);
  if (broken) throw Malformed{std::string("\"") + name + "\" is not a valid number"};
  return number;
}

std::string bytes_at(const json::object &fields, const char *as_text = "value", const char *as_base64 = "base64") {
  if (fields.contains(as_text)) return text_at(fields, as_text);
  if (!fields.contains(as_base64))
    throw Malformed{std::string("it has neither \"") + as_text + "\" nor \"" + as_base64 + "\""};
  std::optional<std::string> bytes = base::from_base64(text_at(fields, as_base64));
  if (!bytes) throw Malformed{"its base64 is not valid"};
  return std::move(*bytes);
}

void read_meta(const json::object &fields, StoredValue &value) {
  value.mtime = static_cast<std::int64_t>(number_at(fields, "mtime").value_or(0));
  value.expiry = static_cast<std::int64_t>(number_at(fields, "expiry").value_or(0));
  const json::value *user = fields.if_contains("meta");
  if (user && user->is_object()) // older dumps have an object
    value.user = json::serialize(*user);
  else if (user || fields.contains("meta64"))
    value.user = bytes_at(fields, "meta", "meta64");
}

json::object object_of(const std::string &line) {
  boost::system::error_code broken;
  json::value value = json::parse(line, broken);
  if (broken || !value.is_object()) throw Malformed{"it is not a JSON object"};
  return std::move(value.get_object());
}

} // namespace

DumpReader::DumpReader(Source &in, std::string name) : in_(in), name_(std::move(name)) {
  try {
    if (!read_line(line_)) throw Malformed{"it is empty"};
    first_ = line_;
    const json::object fields = object_of(line_);
    if (text_at(fields, "omnistore") != "dump") throw Malformed{"it is another kind of file"};
    const std::uint64_t version = number_at(fields, "version").value_or(0);
    if (version != 1)
      throw Error(Status::unsupported,
                  "dump " + name_ + ": its version is " + std::to_string(version) + ", but this program knows only 1");
    base_ = text_at(fields, "base");
    if (fields.contains("handshake")) {
      id_ = text_at(fields, "id");
      wants_handshake_ = id_.size() == 2 * dump_id_bytes && base::is_lower_hex(id_); // it becomes a part of a key
    }
  } catch (const Malformed &wrong) {
    throw Error(Status::corrupt, "dump " + name_ + ": it is not a dump: " + wrong.what);
  }
}

/// Reads a whole line without its newline. Returns false if there is none.
bool DumpReader::read_line(std::string &line) {
  if (!last_.empty()) sum_.add_line(last_);
  sum_.entries += std::exchange(entries_, 0);
  sum_.bytes += std::exchange(bytes_, 0);
  position_ += last_.size();
  last_.clear();
  std::size_t end = buffer_.find('\n', at_);
  while (end == buffer_.npos) {
    buffer_.erase(0, at_);
    at_ = 0;
    const std::size_t had = buffer_.size();
    if (had > longest_dump_line) throw Error(Status::too_large, place(number_ + 1) + ": it has more than 512 MiB");
    buffer_.resize(had + 256 * 1024);
    const std::size_t got = in_.read(buffer_.data() + had, buffer_.size() - had);
    buffer_.resize(had + got);
    if (number_ == 0 && at_ == 0 && buffer_.starts_with("\xEF\xBB\xBF")) { // a byte order mark, which editors add
      buffer_.erase(0, 3);
      position_ += 3;
      end = buffer_.find('\n');
      if (got != 0) continue;
    }
    if (got == 0) return false; // a line without a newline was cut off
    end = buffer_.find('\n', had);
  }
  last_.assign(buffer_, at_, end + 1 - at_);
  line.assign(last_, 0, last_.size() - 1);
  at_ = end + 1;
  ++number_;
  return true;
}

std::string DumpReader::settle_handshake() {
  Line line;
  while (next(line)) {
    if (line.kind != Line::Kind::handshake) {
      pending_ = std::move(line);
      break;
    }
    if (!line.problem.empty()) return line.problem;
  }
  return "";
}

bool DumpReader::next(Line &line) {
  if (pending_) {
    line = std::move(*pending_);
    pending_.reset();
    return true;
  }
  line = {};
  if (in_long_) skip_long();
  if (!read_line(line_)) return false;
  line.number = number_;
  try {
    const json::object fields = object_of(line_);
    if (fields.contains("key"))
      read_entry(fields, line);
    else if (fields.contains("checkpoint"))
      line.kind = Line::Kind::checkpoint, line.cursor = text_at(fields, "checkpoint");
    else if (fields.contains("entries"))
      read_end(fields, line);
    else if (fields.contains("handshake"))
      line.kind = Line::Kind::handshake, line.problem = fields.contains("message") ? text_at(fields, "message") : "";
    else if (fields.contains("part") || fields.contains("end"))
      throw Malformed{"the start of its long value is missing"};
  } catch (const Malformed &wrong) {
    line.kind = Line::Kind::damaged;
    line.problem = place(number_) + ": " + wrong.what;
  }
  return true;
}

void DumpReader::read_entry(const json::object &fields, Line &line) {
  line.key = text_at(fields, "key");
  read_meta(fields, line.value);
  if (fields.contains("long")) {
    line.kind = Line::Kind::long_entry;
    line.value.state = StoredValue::State::is_long;
    in_long_ = true;
    key_ = line.key;
    digest_ = {};
    parts_ = size_ = 0;
    return;
  }
  line.value.bytes = bytes_at(fields);
  line.value.size = line.value.bytes.size();
  line.value.state = StoredValue::State::loaded;
  if (digest_of(line.value.bytes) != text_at(fields, "sha256"))
    throw Malformed{"the checksum of key " + line.key + " is wrong"};
  if (number_at(fields, "size").value_or(line.value.size) != line.value.size)
    throw Malformed{"the size of key " + line.key + " is wrong"};
  line.kind = Line::Kind::entry;
  entries_ = 1;
  bytes_ = line.value.size;
}

void DumpReader::read_end(const json::object &fields, Line &line) const {
  line.is_last = true;
  const std::uint64_t lines = number_at(fields, "lines").value_or(0);
  if (lines != sum_.lines)
    throw Malformed{"there should be " + std::to_string(lines) + " lines before it, and there are " +
                    std::to_string(sum_.lines)};
  if (text_at(fields, "sha256") != sum_.digest.hex())
    throw Malformed{"the checksum of all lines before it is wrong: the dump was altered"};
  if (number_at(fields, "entries") != sum_.entries || number_at(fields, "bytes") != sum_.bytes)
    throw Malformed{"the number or size of the entries before it is wrong"};
  line.kind = Line::Kind::end;
}

bool DumpReader::part(std::string &bytes) {
  bytes.clear();
  const auto wrong = [&](const std::string &what) {
    in_long_ = false;
    throw Error(Status::corrupt, place(number_) + ": " + what);
  };
  if (!read_line(line_)) wrong("the value of key " + key_ + " was cut off after it");
  try {
    const json::object fields = object_of(line_);
    if (const std::optional<std::uint64_t> number = number_at(fields, "part")) {
      if (*number != parts_++) throw Malformed{"a part of key " + key_ + " is missing before it"};
      bytes = bytes_at(fields);
      digest_.add(bytes);
      size_ += bytes.size();
      return true;
    }
    if (text_at(fields, "end") != key_) throw Malformed{"it does not end key " + key_};
    if (number_at(fields, "parts") != parts_ || number_at(fields, "size") != size_)
      throw Malformed{"key " + key_ + " has the wrong number or size of parts"};
    if (text_at(fields, "sha256") != digest_.hex()) throw Malformed{"the checksum of key " + key_ + " is wrong"};
  } catch (const Malformed &problem) {
    wrong(problem.what);
  }
  in_long_ = false;
  entries_ = 1;
  bytes_ = size_;
  return false;
}

void DumpReader::skip_long() {
  try {
    std::string ignored;
    while (part(ignored)) {
    }
  } catch (const Error &) {
    // The checksum of the dump reports it, or the reader of the lines after it.
  }
}

} // namespace omnistore::jobs
