// SPDX-License-Identifier: Apache-2.0
// The layer `encrypt`: stores values encrypted by libsodium's secretstream. README.md describes the stored form.
#include <algorithm>
#include <memory>

#include <sodium.h>

#include <omnistore/driver.hpp>
#include <omnistore/transform.hpp>
#include <omnistore_schema.h>

#include "keys.hpp"

namespace encrypt {

using omnistore::Call;
using omnistore::Failure;
using omnistore::Requests;

namespace {

constexpr std::string_view magic{"\xF5OMNIE\x01\0", 8};
constexpr std::size_t name_size = magic.size() + Keys::longest_id; // the part of the header that names the key
constexpr std::size_t head_size = name_size + crypto_secretstream_xchacha20poly1305_HEADERBYTES;
constexpr std::size_t chunk = 65'536, seal = crypto_secretstream_xchacha20poly1305_ABYTES;

unsigned char *raw(char *bytes) { return reinterpret_cast<unsigned char *>(bytes); }
const unsigned char *raw(const char *bytes) { return reinterpret_cast<const unsigned char *>(bytes); }

/// Returns the stored size of a value of this size.
std::uint64_t stored_size_of(std::uint64_t size) {
  if (size > UINT64_MAX / 2) return OMNISTORE_UNKNOWN_SIZE;
  return head_size + size + seal * std::max<std::uint64_t>(1, (size + chunk - 1) / chunk);
}
/// Returns the size of a value with this stored size; OMNISTORE_UNKNOWN_SIZE if no value has it.
std::uint64_t size_of(std::uint64_t stored) {
  if (stored == OMNISTORE_UNKNOWN_SIZE || stored < head_size + seal) return OMNISTORE_UNKNOWN_SIZE;
  const std::uint64_t body = stored - head_size, chunks = (body + chunk + seal - 1) / (chunk + seal);
  return body < chunks * seal ? OMNISTORE_UNKNOWN_SIZE : body - chunks * seal;
}

/// Returns the associated data: the stored form, the id of the key, and the value's name.
std::string bound_to(std::string_view name_of_key, std::string_view key) {
  return std::string(name_of_key) + std::string(key);
}

/// Encrypts one value, chunk by chunk.
class Sealer {
public:
  Sealer(const Keys &keys, std::string_view key) {
    head_ = magic;
    head_ += keys.writing_id();
    head_.resize(name_size, '\0');
    bound_ = bound_to(head_, key);
    head_.resize(head_size);
    crypto_secretstream_xchacha20poly1305_init_push(&state_, raw(head_.data() + name_size),
                                                    keys.writing().bytes.data());
  }
  Sealer(const Sealer &) = delete;
  Sealer &operator=(const Sealer &) = delete;
  ~Sealer() { sodium_memzero(&state_, sizeof state_); }
  const std::string &head() const { return head_; }
  void add(std::string &out, std::string_view plain, bool last) {
    const std::size_t before = out.size();
    out.resize(before + plain.size() + seal);
    crypto_secretstream_xchacha20poly1305_push(
        &state_, raw(out.data() + before), nullptr, raw(plain.data()), plain.size(), raw(bound_.data()), bound_.size(),
        last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
  }

private:
  crypto_secretstream_xchacha20poly1305_state state_;
  std::string head_, bound_;
};

class Encoder final : public omnistore::EncodingSource {
public:
  Encoder(omnistore_source &from, std::uint64_t expected, const Keys &keys, std::string_view key)
      : EncodingSource(from, expected), sealer_(keys, key) {
    if (expected != OMNISTORE_UNKNOWN_SIZE) stored_size = stored_size_of(expected);
  }

private:
  /// A chunk is sealed when it is known if another one follows.
  omnistore_status produce(std::string &out) override {
    if (done_) return OMNISTORE_OK;
    if (first_) {
      out = sealer_.head();
      if (const omnistore_status status = take(next_, chunk); status != OMNISTORE_OK) return status;
      first_ = false;
    }
    std::string now = std::move(next_);
    next_.clear();
    if (const omnistore_status status = take(next_, chunk); status != OMNISTORE_OK) return status;
    done_ = next_.empty();
    sealer_.add(out, now, done_);
    return OMNISTORE_OK;
  }
  Sealer sealer_;
  std::string next_;
  bool first_ = true, done_ = false;
};

class Decoder final : public omnistore::DecodingSink {
public:
  Decoder(omnistore_sink &to, const Keys &keys, std::string_view key) : DecodingSink(to), keys_(keys), key_(key) {}
  ~Decoder() override { sodium_memzero(&state_, sizeof state_); }

private:
  omnistore_status feed(std::string_view bytes) override {
    while (!bytes.empty()) {
      const std::size_t wanted = opened_ ? chunk + seal : head_size;
      const std::size_t some = std::min(bytes.size(), wanted - gathered_.size());
      gathered_ += bytes.substr(0, some);
      bytes.remove_prefix(some);
      if (gathered_.size() < wanted) break;
      if (const omnistore_status status = opened_ ? open_chunk() : open_head(); status != OMNISTORE_OK) return status;
    }
    return OMNISTORE_OK;
  }
  omnistore_status end() override {
    if (!opened_) return corrupt("it is not encrypted, or was cut off");
    if (!gathered_.empty())
      if (const omnistore_status status = open_chunk(); status != OMNISTORE_OK) return status;
    return final_ ? OMNISTORE_OK : corrupt("it was cut off");
  }

  omnistore_status open_head() {
    const std::string_view head = gathered_;
    if (!head.starts_with(magic)) return corrupt("it is not encrypted, or in a form that this version does not know");
    const std::string_view padded = head.substr(magic.size(), Keys::longest_id);
    const std::string_view id = padded.substr(0, padded.find('\0'));
    const SecretKey *secret = keys_.find(id);
    if (!secret) return corrupt("it is encrypted with the key " + printable(id) + ", which is not among the keys");
    id_ = id;
    bound_ = bound_to(head.substr(0, name_size), key_);
    if (crypto_secretstream_xchacha20poly1305_init_pull(&state_, raw(head.data() + name_size), secret->bytes.data()) !=
        0)
      return corrupt("its header cannot be read");
    opened_ = true;
    gathered_.clear();
    return OMNISTORE_OK;
  }
  omnistore_status open_chunk() {
    if (final_) return corrupt("something follows its end");
    if (gathered_.size() < seal) return corrupt("it was cut off");
    plain_.resize(gathered_.size() - seal);
    unsigned char tag = 0;
    if (crypto_secretstream_xchacha20poly1305_pull(&state_, raw(plain_.data()), nullptr, &tag, raw(gathered_.data()),
                                                   gathered_.size(), raw(bound_.data()), bound_.size()) != 0)
      return corrupt("the key " + id_ +
                     " does not fit: the key is another one of that id, or the value was altered, cut off or stored "
                     "under another name");
    final_ = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    gathered_.clear();
    if (!begun_) { // nothing is given before it is authenticated
      begun_ = true;
      if (const omnistore_status status = start(size_of(stored_size())); status != OMNISTORE_OK) return status;
    }
    return give_on(plain_);
  }
  static std::string printable(std::string_view id) {
    std::string text(id);
    for (char &c : text)
      if (c < ' ' || c > '~') c = '?';
    return text;
  }

  const Keys &keys_;
  const std::string key_;
  crypto_secretstream_xchacha20poly1305_state state_{};
  std::string gathered_, plain_, bound_, id_;
  bool opened_ = false, begun_ = false, final_ = false;
};

/// Passes a listing on, with the sizes that the values had before they were encrypted.
struct ResizedPage : omnistore_page {
  omnistore_page &to;
  explicit ResizedPage(omnistore_page &page) noexcept
      : omnistore_page{sizeof(omnistore_page), 0, &emit_, &next_, &skip_}, to(page) {}
  static omnistore_status OMNISTORE_CALL emit_(omnistore_page *page, omnistore_bytes key,
                                               const omnistore_meta *meta) noexcept {
    omnistore_page &next = static_cast<ResizedPage *>(page)->to;
    if (!meta) return next.emit(&next, key, nullptr);
    omnistore_meta mine = omnistore::whole(*meta);
    mine.value_size = size_of(mine.value_size);
    return next.emit(&next, key, &mine);
  }
  static void OMNISTORE_CALL next_(omnistore_page *page, omnistore_bytes cursor) noexcept {
    omnistore_page &next = static_cast<ResizedPage *>(page)->to;
    next.next(&next, cursor);
  }
  static omnistore_status OMNISTORE_CALL skip_(omnistore_page *page, omnistore_bytes base, omnistore_status status,
                                               omnistore_bytes message) noexcept {
    return omnistore::skip(static_cast<ResizedPage *>(page)->to, omnistore::as_view(base), status,
                           omnistore::as_view(message));
  }
};

} // namespace

class Encrypt : public omnistore::Transform<Encrypt> {
public:
  /// It does not claim CAN_META, so the host keeps user meta in values of its own, which are encrypted as all are.
  Encrypt(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
          std::span<const omnistore_store *const> children)
      : Transform(children[0], traits, ~std::uint64_t{OMNISTORE_CAN_META}), keys_(ready(host), options) {
    if (child().has("compress"))
      throw Failure(
          OMNISTORE_INVALID,
          "encrypt stands above compress, and encrypted values do not compress: let compress stand above encrypt");
    if (traits.max_value_size != 0) {
      const std::uint64_t largest = size_of(traits.max_value_size);
      if (largest == OMNISTORE_UNKNOWN_SIZE || largest == 0)
        throw Failure(OMNISTORE_INVALID, "the values of the store below have no room for what encryption adds");
      traits.max_value_size = largest;
    }
  }
  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
    problems.check([&] { Keys::check(options); });
  }

  std::string encode(std::string_view key, std::string_view value) {
    Sealer sealer(keys_, key);
    std::string stored = sealer.head();
    stored.reserve(static_cast<std::size_t>(stored_size_of(value.size())));
    do {
      const std::string_view some = value.substr(0, chunk);
      value.remove_prefix(some.size());
      sealer.add(stored, some, value.empty());
    } while (!value.empty());
    return stored;
  }
  std::unique_ptr<omnistore::EncodingSource> encoder(std::string_view key, omnistore_source &from, std::uint64_t size) {
    return std::make_unique<Encoder>(from, size, keys_, key);
  }
  std::unique_ptr<omnistore::DecodingSink> decoder(std::string_view key, omnistore_sink &to) {
    return std::make_unique<Decoder>(to, keys_, key);
  }

  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    omnistore::ResizedSink resized(sink, &size_of);
    return child().stat(call, key, request, resized);
  }
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys, Requests<omnistore_get_request> requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses) {
    std::deque<omnistore::ResizedSink> resized;
    std::vector<omnistore_sink *> pointers;
    for (std::size_t i = 0; i < keys.size(); ++i) pointers.push_back(&resized.emplace_back(*sinks[i], &size_of));
    return child().stat_many(call, keys, requests.raw(), pointers.data(), statuses);
  }
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page) {
    ResizedPage resized(page);
    return Transform::list(call, request, resized);
  }

private:
  static const omnistore_host &ready(const omnistore_host &host) {
    if (sodium_init() < 0) throw Failure(OMNISTORE_INTERNAL, "libsodium cannot start: there is no randomness");
    return host;
  }
  const Keys keys_;
};

constexpr omnistore_driver table = omnistore::driver<Encrypt>(
    "encrypt", "1.0.0", "Stores values encrypted", OMNISTORE_OPTIONS_SCHEMA, omnistore::forward_traits, 1, 1);

} // namespace encrypt

OMNISTORE_PLUGIN_THAT_UNLOADS(encrypt::table)
