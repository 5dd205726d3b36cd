// SPDX-License-Identifier: Apache-2.0
// The layer `compress`: stores values compressed by zstd. README.md describes the stored form.
#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include <zstd.h>

#include <omnistore/driver.hpp>
#include <omnistore/transform.hpp>
#include <omnistore_schema.h>

namespace {

using omnistore::as_view;
using omnistore::Call;
using omnistore::Failure;
using omnistore::Requests;

constexpr std::string_view magic = "\xF5OMNIZ\x01";
constexpr std::size_t head_size = 16;
constexpr std::size_t piece = 128 * 1024;

std::string head_of(char kind, std::uint64_t size) {
  std::string head(magic);
  head += kind;
  for (int i = 0; i < 8; ++i) head += static_cast<char>(size >> (8 * i) & 0xff);
  return head;
}
std::uint64_t size_in(std::string_view head) {
  std::uint64_t size = 0;
  for (std::size_t i = 8; i-- > 0;) size = size << 8 | static_cast<unsigned char>(head[8 + i]);
  return size;
}
bool has_head(std::string_view stored) { return stored.size() >= head_size && stored.starts_with(magic); }

/// A pool of zstd's contexts, which are large and can be used again. Thread-safe.
template <class Context, Context *(*make)(), std::size_t (*drop)(Context *)>
class Pool {
public:
  ~Pool() {
    for (Context *each : free_) drop(each);
  }
  struct Back {
    Pool *pool = nullptr;
    void operator()(Context *context) const noexcept {
      const std::lock_guard guard(pool->mutex_);
      if (pool->free_.size() < 4)
        pool->free_.push_back(context); // the constructor has reserved the room
      else
        drop(context);
    }
  };
  using Lease = std::unique_ptr<Context, Back>;
  /// Returns a context. The pointer gives it back to the pool.
  Lease take() {
    Context *context = nullptr;
    {
      const std::lock_guard guard(mutex_);
      if (!free_.empty()) {
        context = free_.back();
        free_.pop_back();
      }
    }
    if (!context) context = make();
    if (!context) throw std::bad_alloc();
    return Lease(context, Back{this});
  }
  Pool() { free_.reserve(4); }
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;

private:
  std::mutex mutex_;
  std::vector<Context *> free_;
};
using Compressors = Pool<ZSTD_CCtx, &ZSTD_createCCtx, &ZSTD_freeCCtx>;
using Decompressors = Pool<ZSTD_DCtx, &ZSTD_createDCtx, &ZSTD_freeDCtx>;

void prepare(ZSTD_CCtx *context, int level) {
  ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
}

class Decoder final : public omnistore::DecodingSink {
public:
  Decoder(omnistore_sink &to, Decompressors &pool) : DecodingSink(to), pool_(pool) {}

private:
  enum class State { head, plain, zstd };

  omnistore_status feed(std::string_view bytes) override {
    if (state_ == State::head) {
      const std::size_t some = std::min(bytes.size(), head_size - head_.size());
      head_ += bytes.substr(0, some);
      bytes.remove_prefix(some);
      if (!head_.starts_with(magic.substr(0, head_.size()))) return begin_as_it_is(bytes);
      if (head_.size() < head_size) return OMNISTORE_OK;
      if (const omnistore_status status = begin(); status != OMNISTORE_OK) return status;
    }
    return state_ == State::plain ? count(bytes) : inflate(bytes);
  }
  omnistore_status end() override {
    if (state_ == State::head) return begin_as_it_is({});
    if (state_ == State::zstd && !whole_) return corrupt("its compressed form ends early");
    if (size_ != OMNISTORE_UNKNOWN_SIZE && given_ != size_)
      return corrupt("it has " + std::to_string(given_) + " bytes, and was stored with " + std::to_string(size_));
    return OMNISTORE_OK;
  }

  /// A value without a header.
  omnistore_status begin_as_it_is(std::string_view rest) {
    state_ = State::plain;
    size_ = stored_size();
    if (const omnistore_status status = start(size_); status != OMNISTORE_OK) return status;
    if (const omnistore_status status = count(head_); status != OMNISTORE_OK) return status;
    return count(rest);
  }
  omnistore_status begin() {
    size_ = size_in(head_);
    const char kind = head_[magic.size()];
    if (kind != 'z' && kind != 's') return corrupt("it is stored in a form that this version does not know");
    state_ = kind == 's' ? State::plain : State::zstd;
    if (state_ == State::zstd) {
      context_ = pool_.take();
      ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_and_parameters);
      out_.resize(piece);
    }
    return start(size_);
  }
  omnistore_status count(std::string_view bytes) {
    given_ += bytes.size();
    if (size_ != OMNISTORE_UNKNOWN_SIZE && given_ > size_) return corrupt("it is longer than its header says");
    return give_on(bytes);
  }
  omnistore_status inflate(std::string_view bytes) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (bool full = false; in.pos < in.size || full;) {
      if (whole_) return corrupt("something follows its compressed form");
      ZSTD_outBuffer out{out_.data(), out_.size(), 0};
      const std::size_t left = ZSTD_decompressStream(context_.get(), &out, &in);
      if (ZSTD_isError(left)) return corrupt(std::string("it cannot be decompressed: ") + ZSTD_getErrorName(left));
      whole_ = left == 0;
      full = !whole_ && out.pos == out.size;
      if (const omnistore_status status = count({out_.data(), out.pos}); status != OMNISTORE_OK) return status;
    }
    return OMNISTORE_OK;
  }

  Decompressors &pool_;
  State state_ = State::head;
  std::string head_, out_;
  std::uint64_t size_ = OMNISTORE_UNKNOWN_SIZE, given_ = 0;
  bool whole_ = false;
  Decompressors::Lease context_;
};

class Encoder final : public omnistore::EncodingSource {
public:
  Encoder(omnistore_source &from, std::uint64_t expected, Compressors &pool, int level, std::uint64_t threshold)
      : EncodingSource(from, expected), size_(expected), threshold_(threshold), context_(pool.take()) {
    prepare(context_.get(), level);
    if (expected != OMNISTORE_UNKNOWN_SIZE) ZSTD_CCtx_setPledgedSrcSize(context_.get(), expected);
  }

private:
  omnistore_status produce(std::string &out) override {
    if (done_) return OMNISTORE_OK;
    in_.clear();
    if (!begun_) { // read enough to know if the value is small
      const std::uint64_t least = std::max<std::uint64_t>(threshold_, magic.size());
      if (const omnistore_status status = take(in_, static_cast<std::size_t>(least)); status != OMNISTORE_OK)
        return status;
      begun_ = true;
      if (ended() || size_ == in_.size()) {
        if (!ended())
          if (const omnistore_status status = take(in_, 1); status != OMNISTORE_OK) return status;
        done_ = true;
        if (in_.starts_with(magic)) out = head_of('s', in_.size());
        out += in_;
        return OMNISTORE_OK;
      }
      out = head_of('z', size_);
    } else if (const omnistore_status status = take(in_, piece); status != OMNISTORE_OK) {
      return status;
    }
    return deflate(out);
  }
  omnistore_status deflate(std::string &out) {
    ZSTD_inBuffer in{in_.data(), in_.size(), 0};
    const ZSTD_EndDirective what = ended() ? ZSTD_e_end : ZSTD_e_flush; // so that each call produces bytes
    for (std::size_t left = 1; left != 0;) {
      const std::size_t before = out.size();
      out.resize(before + piece);
      ZSTD_outBuffer to{out.data() + before, piece, 0};
      left = ZSTD_compressStream2(context_.get(), &to, &in, what);
      out.resize(before + to.pos);
      if (ZSTD_isError(left)) return OMNISTORE_INTERNAL;
    }
    done_ = ended();
    return OMNISTORE_OK;
  }

  const std::uint64_t size_, threshold_;
  std::string in_;
  bool begun_ = false, done_ = false;
  Compressors::Lease context_;
};

/// Stores a value's meta and its first bytes, and then stops the store.
struct HeadSink : omnistore::ValueSink {
  HeadSink() { write = &write_; }
  bool whole_head() const { return bytes.size() >= head_size; }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data, std::uint64_t count) noexcept {
    auto &self = *static_cast<HeadSink *>(sink);
    return omnistore::sdk::without_exceptions([&] {
      self.bytes += as_view({data, std::min<std::uint64_t>(count, head_size - self.bytes.size())});
      return self.whole_head() ? OMNISTORE_CANCELLED : OMNISTORE_OK;
    });
  }
};

class Compress : public omnistore::Transform<Compress> {
public:
  Compress(const omnistore_host &, const omnistore::Options &options, omnistore_traits &traits,
           std::span<const omnistore_store *const> children)
      : Transform(children[0], traits, ~std::uint64_t{OMNISTORE_CAN_LIST_META}),
        level_(static_cast<int>(options.integer("level", 3))),
        threshold_(static_cast<std::uint64_t>(options.integer("threshold", 256))) {
    if (child().has("compress"))
      throw Failure(OMNISTORE_INVALID, "compress stands above compress already: what is compressed does not become "
                                       "smaller, so take one of them away");
    if (traits.max_value_size > head_size) traits.max_value_size -= head_size;
  }

  std::string encode(std::string_view, std::string_view value) {
    std::string stored;
    if (value.size() >= threshold_ && value.size() > head_size) {
      const auto context = compressors_.take();
      prepare(context.get(), level_);
      stored = head_of('z', value.size());
      stored.resize(head_size + ZSTD_compressBound(value.size()));
      const std::size_t size = ZSTD_compress2(context.get(), stored.data() + head_size, stored.size() - head_size,
                                              value.data(), value.size());
      if (ZSTD_isError(size)) throw Failure(OMNISTORE_INTERNAL, ZSTD_getErrorName(size), omnistore::nothing_done);
      stored.resize(head_size + size);
      if (stored.size() < value.size()) return stored;
    }
    stored = value.starts_with(magic) ? head_of('s', value.size()) : std::string();
    stored += value;
    return stored;
  }
  std::unique_ptr<omnistore::EncodingSource> encoder(std::string_view, omnistore_source &from, std::uint64_t size) {
    return std::make_unique<Encoder>(from, size, compressors_, level_, threshold_);
  }
  std::unique_ptr<omnistore::DecodingSink> decoder(std::string_view, omnistore_sink &to) {
    return std::make_unique<Decoder>(to, decompressors_);
  }

  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    HeadSink head;
    omnistore::FailureBuffer kept(call);
    const omnistore_status status = child().get(kept, key, head_request(request), head);
    if (!is_head(status, head)) {
      kept.pass_on_all();
      return status;
    }
    return give_meta(call, key, request, head, sink);
  }
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys, Requests<omnistore_get_request> requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses) {
    std::vector<omnistore_get_request> mine;
    std::vector<const omnistore_get_request *> pointers;
    std::deque<HeadSink> heads(keys.size());
    std::vector<omnistore_sink *> into;
    mine.reserve(keys.size()); // so that the pointers stay valid
    for (std::size_t i = 0; i < keys.size(); ++i) {
      pointers.push_back(&mine.emplace_back(head_request(requests[i])));
      into.push_back(&heads[i]);
    }
    omnistore::FailureBuffer kept(call);
    const omnistore_status status = child().get_many(kept, keys, pointers.data(), into.data(), statuses);
    if (status != OMNISTORE_OK) {
      kept.pass_on_all();
      return status;
    }
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
      if (is_head(statuses[i], heads[i])) {
        omnistore::FailureBuffer of_one(call);
        statuses[i] = give_meta(of_one, as_view(keys[i]), requests[i], heads[i], *sinks[i]);
        if (statuses[i] == OMNISTORE_OK) continue;
        const auto said = of_one.of(0);
        call.fail(i, statuses[i], said.message, said.details);
      } else if (statuses[i] != OMNISTORE_NOT_FOUND) {
        const auto said = kept.of(i);
        call.fail(i, statuses[i], said.message, said.details);
      }
    }
    return OMNISTORE_OK;
  }

private:
  /// Returns the request for a value's head. If the store cannot read a part, it requests the whole value.
  omnistore_get_request head_request(const omnistore_get_request &request) const {
    omnistore_get_request mine = request;
    if (child().can(OMNISTORE_CAN_RANGE)) mine.length = head_size;
    return mine;
  }
  static bool is_head(omnistore_status status, const HeadSink &head) {
    return status == OMNISTORE_OK || (status == OMNISTORE_CANCELLED && head.whole_head());
  }
  /// Gives the meta of a value whose head was read.
  omnistore_status give_meta(Call call, std::string_view key, const omnistore_get_request &request, HeadSink &head,
                             omnistore_sink &sink) const {
    const bool no_user = request.flags & OMNISTORE_GET_USER && !(head.flags & OMNISTORE_META_USER);
    const bool no_etag = request.flags & OMNISTORE_GET_META && head.etag.empty() && child().can(OMNISTORE_CAN_ETAG);
    if (no_user || no_etag) { // a get may omit them, as redis omits the etag if it reads a part
      omnistore::ValueSink all;
      if (const omnistore_status status = child().stat(call, key, request, all); status != OMNISTORE_OK) return status;
      head.user = all.user;
      head.etag = all.etag;
      head.flags = all.flags;
    }
    if (has_head(head.bytes)) head.value_size = size_in(head.bytes);
    return omnistore::give(sink, head.meta());
  }

  const int level_;
  const std::uint64_t threshold_;
  Compressors compressors_;
  Decompressors decompressors_;
};

} // namespace

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<Compress>("compress", "1.0.0", "Stores values compressed by zstd",
                                                          OMNISTORE_OPTIONS_SCHEMA, omnistore::forward_traits, 1, 1))
