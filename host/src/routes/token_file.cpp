// SPDX-License-Identifier: Apache-2.0
#include "routes/token_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <sodium.h>
#include <sys/stat.h>

#include <omnistore/error.hpp>

#include "base/ascii.hpp"
#include "base/clock.hpp"
#include "base/printable.hpp"
#include "storage/key.hpp"

namespace omnistore::routes {

namespace json = boost::json;

namespace {

constexpr std::size_t longest_name = 64, longest_value = 512;
constexpr std::size_t secret_size = 32;

[[noreturn]] void refuse(const std::string &why) { throw Error(Status::invalid, why); }

/// A name goes into a token, a log line and a listing.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= longest_name && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

void check_name(const std::string &name) {
  if (!is_name(name))
    refuse("the name of a token has 1 to 64 letters, digits, '-' and '_', and this is \"" + base::printable(name) +
           "\"");
}

/// Parses "2027-01-31T00:00:00Z" or "2027-01-31", the begin of that day. UTC.
std::int64_t parse_time(const std::string &text) {
  std::tm parts{};
  const char *end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (!end || *end) {
    parts = {};
    end = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
  }
  if (!end || *end) refuse("expires: expected a time such as 2027-01-31T00:00:00Z or a date");
  return std::int64_t{::timegm(&parts)} * 1000;
}

std::string time_text(std::int64_t milliseconds) {
  const std::time_t seconds = milliseconds / 1000;
  std::tm parts{};
  char text[32];
  ::gmtime_r(&seconds, &parts);
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string text_of(const json::value &value, const char *field) {
  if (const json::string *text = value.if_string()) return {text->data(), text->size()};
  refuse(std::string(field) + ": expected a text");
}

void start_sodium() {
  if (sodium_init() < 0) throw Error(Status::unavailable, "libsodium cannot start: there is no randomness");
}

std::array<unsigned char, 32> random_key() {
  start_sodium();
  std::array<unsigned char, 32> key;
  randombytes_buf(key.data(), key.size());
  return key;
}

} // namespace

Token parse_token(std::string_view line) {
  boost::system::error_code broken;
  const json::value parsed = json::parse({line.data(), line.size()}, broken);
  const json::object *fields = broken ? nullptr : parsed.if_object();
  if (!fields) refuse("expected a JSON object such as {\"name\": \"ci\", \"hash\": \"$argon2id$...\"}");
  Token token;
  for (const auto &[key, value] : *fields) {
    const std::string_view name(key.data(), key.size());
    if (name == "name") {
      token.name = text_of(value, "name");
    } else if (name == "hash") {
      token.hash = text_of(value, "hash");
    } else if (name == "expires") {
      token.expires = parse_time(text_of(value, "expires"));
    } else if (name == "write") {
      if (!value.is_bool()) refuse("write: expected true or false");
      token.write = value.get_bool();
    } else if (name == "bases") {
      if (!value.is_array()) refuse("bases: expected a list of texts");
      for (const json::value &base : value.get_array()) token.bases.push_back(normal_base(text_of(base, "bases")));
    } else {
      refuse("there is no field of this name: name, hash, write, bases and expires are known");
    }
  }
  check_name(token.name);
  if (!token.hash.starts_with("$argon2id$") || token.hash.size() >= crypto_pwhash_STRBYTES)
    refuse("hash: expected one that `omnistore token` has made, which begins with $argon2id$");
  return token;
}

std::string token_line(const Token &token) {
  json::object line{{"name", token.name}, {"hash", token.hash}, {"write", token.write}};
  if (!token.bases.empty()) line["bases"] = json::array(token.bases.begin(), token.bases.end());
  if (token.expires) line["expires"] = time_text(*token.expires);
  return json::serialize(line);
}

std::string new_token_value(const std::string &name) {
  start_sodium();
  check_name(name);
  unsigned char secret[secret_size];
  randombytes_buf(secret, sizeof secret);
  char text[sodium_base64_ENCODED_LEN(secret_size, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
  sodium_bin2base64(text, sizeof text, secret, sizeof secret, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  return name + "." + text;
}

std::string hash_token(const std::string &value) {
  const std::size_t dot = value.find('.');
  check_name(value.substr(0, dot));
  if (dot == value.npos || value.size() - dot <= 16 || value.size() > longest_value)
    refuse("a token is NAME.SECRET, with a secret of at least 16 characters");
  start_sodium();
  char hash[crypto_pwhash_STRBYTES];
  if (crypto_pwhash_str_alg(hash, value.data(), value.size(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                            crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13) != 0)
    throw Error(Status::unavailable, "there is no memory for the hash of a token");
  return hash;
}

TokenFile::TokenFile(const std::string &path, std::string field)
    : field_(std::move(field)), key_(random_key()), tokens_(load(path)) {}

TokenFile::~TokenFile() { stop(); }

void TokenFile::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  waiting_.clear();
}

TokenFile::Table TokenFile::load(const std::string &path) const {
  const std::string place = field_ + ".tokenFile: " + base::printable(path);
  std::ifstream in(path);
  struct stat info {};
  if (!in || ::stat(path.c_str(), &info) != 0) throw Error(Status::invalid, place + ": " + std::strerror(errno));
  // Whoever can write the file can make a token.
  if ((info.st_mode & 0022) != 0)
    throw Error(Status::invalid, place + ": others than its owner can write it; chmod go-w makes it safe");
  Table tokens;
  unsigned number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const std::string_view text = base::trimmed(line);
    if (text.empty() || text.starts_with('#')) continue;
    const std::string at = place + ", line " + std::to_string(number) + ": ";
    try {
      auto token = std::make_shared<const Token>(parse_token(text));
      if (!tokens.emplace(token->name, token).second) refuse("there is another token " + token->name + " before");
    } catch (const Error &error) {
      throw Error(Status::invalid, at + error.what());
    }
  }
  return tokens;
}

void TokenFile::reload(const std::string &path) {
  Table fresh = load(path);
  const std::lock_guard lock(mutex_);
  // A value that was checked stays checked as long as the line has the same hash.
  std::erase_if(right_, [&](const auto &checked) {
    const auto now = fresh.find(checked.second->name);
    return now == fresh.end() || now->second->hash != checked.second->hash;
  });
  for (auto &[digest, token] : right_) token = fresh.find(token->name)->second;
  wrong_.clear();
  tokens_ = std::move(fresh);
}

TokenFile::Digest TokenFile::digest_of(std::string_view value) const {
  Digest digest;
  crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char *>(value.data()), value.size(),
                     key_.data(), key_.size());
  return digest;
}

std::shared_ptr<const Token> TokenFile::named_by(std::string_view value) const {
  if (value.size() > longest_value) return nullptr;
  const auto found = tokens_.find(value.substr(0, value.find('.')));
  if (found == tokens_.end()) return nullptr;
  return found->second->expires && *found->second->expires <= now_ms() ? nullptr : found->second;
}

TokenFile::Known TokenFile::find(std::string_view value, std::shared_ptr<const Token> &found) const {
  const Digest digest = digest_of(value);
  const std::lock_guard lock(mutex_);
  const auto token = named_by(value);
  if (!token) return Known::wrong;
  if (const auto checked = right_.find(digest); checked != right_.end()) {
    found = checked->second;
    return Known::right;
  }
  return std::find(wrong_.begin(), wrong_.end(), digest) == wrong_.end() ? Known::unchecked : Known::wrong;
}

bool TokenFile::check(std::string value, std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= most_waiting) return false;
    try {
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    } catch (const std::system_error &) { // the system's limit on threads is reached
      return false;
    }
    waiting_.emplace_back(std::move(value), std::move(done));
  }
  wake_.notify_one();
  return true;
}

void TokenFile::check_now(const std::string &value) {
  std::shared_ptr<const Token> token;
  if (find(value, token) != Known::unchecked) return; // another one has checked it
  const Digest digest = digest_of(value);
  {
    const std::lock_guard lock(mutex_);
    token = named_by(value);
  }
  const bool is_right = token && crypto_pwhash_str_verify(token->hash.c_str(), value.data(), value.size()) == 0;
  const std::lock_guard lock(mutex_);
  if (!is_right) {
    if (wrong_.size() == most_wrong) wrong_.pop_front();
    wrong_.push_back(digest);
  } else if (const auto now = tokens_.find(token->name); now != tokens_.end() && now->second->hash == token->hash) {
    right_[digest] = now->second;
  }
}

void TokenFile::run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    auto [value, done] = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    check_now(value);
    done();
  }
}

std::size_t TokenFile::size() const {
  const std::lock_guard lock(mutex_);
  return tokens_.size();
}

} // namespace omnistore::routes
