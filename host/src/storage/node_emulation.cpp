// SPDX-License-Identifier: Apache-2.0
// What a driver lacks, made of what it has: expiries in the `$` meta, conditions under a lock, ranges, depth, meta in
// listings, clear by removing.
//
// Where expiries or conditions are emulated every write of a key holds its stripe, so that what is read first is still
// so when the write follows. Reads hold nothing: an expired value is removed under the stripe, after another look.
#include <algorithm>
#include <cstring>

#include "storage/call.hpp"
#include "storage/clock.hpp"
#include "storage/key.hpp"
#include "storage/key_page.hpp"
#include "storage/node.hpp"
#include "storage/node_host.hpp"
#include "storage/node_sweep.hpp"
#include "storage/sidecar.hpp"

namespace omnistore {
namespace {

constexpr omnistore_get_request whole_value{sizeof(omnistore_get_request), 0, 0, UINT64_MAX};
constexpr omnistore_remove_request plain_remove{sizeof(omnistore_remove_request), 0, OMNISTORE_ALWAYS, 0, {nullptr, 0}};

/// Takes a value into a string.
class TextSink : public omnistore_sink {
public:
  explicit TextSink(std::string &text) : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_}, text_(text) {}

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *, void **buffer) {
    static_cast<TextSink *>(sink)->text_.clear();
    if (buffer) *buffer = nullptr;
    return OMNISTORE_OK;
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data, std::uint64_t size) {
    static_cast<TextSink *>(sink)->text_.append(static_cast<const char *>(data), size);
    return OMNISTORE_OK;
  }
  std::string &text_;
};

/// Keeps what a stat gives.
class MetaSink : public omnistore_sink {
public:
  MetaSink() : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_} {}
  const std::string &etag() const { return etag_; }
  /// Its views are of this object.
  omnistore_meta meta() const {
    omnistore_meta meta = meta_;
    meta.etag = bytes(etag_);
    meta.user = bytes(user_);
    return meta;
  }

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
    auto &self = *static_cast<MetaSink *>(sink);
    std::memcpy(&self.meta_, meta, std::min<std::size_t>(meta->size, sizeof self.meta_));
    self.meta_.size = sizeof self.meta_;
    self.etag_ = view(self.meta_.etag);
    self.user_ = view(self.meta_.user);
    if (buffer) *buffer = nullptr;
    return OMNISTORE_OK;
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *, const void *, std::uint64_t) { return OMNISTORE_OK; }
  omnistore_meta meta_{};
  std::string etag_, user_;
};

/// Hands a whole value on as the range that was asked for, with the expiry that the host keeps.
class PatchSink : public omnistore_sink {
public:
  PatchSink(omnistore_sink *inner, const omnistore_get_request &wanted, std::int64_t expiry, bool cuts)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_}, inner_(inner), expiry_(expiry), cuts_(cuts),
        skip_(cuts ? wanted.offset : 0), left_(cuts ? wanted.length : UINT64_MAX) {}

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
    auto &self = *static_cast<PatchSink *>(sink);
    omnistore_meta patched{};
    std::memcpy(&patched, meta, std::min<std::size_t>(meta->size, sizeof patched));
    patched.size = sizeof patched;
    if (self.expiry_ != 0) patched.expiry = self.expiry_;
    if (!self.cuts_) return self.inner_->begin(self.inner_, &patched, buffer);
    // The driver writes all of it, so the room for the part is not for it.
    if (buffer) *buffer = nullptr;
    return self.inner_->begin(self.inner_, &patched, nullptr);
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data, std::uint64_t size) {
    auto &self = *static_cast<PatchSink *>(sink);
    if (!self.cuts_) return self.inner_->write(self.inner_, data, size);
    const std::uint64_t skipped = std::min(self.skip_, size);
    self.skip_ -= skipped;
    const std::uint64_t given = std::min(self.left_, size - skipped);
    if (given == 0) return OMNISTORE_OK;
    self.left_ -= given;
    return self.inner_->write(self.inner_, static_cast<const char *>(data) + skipped, given);
  }

  omnistore_sink *inner_;
  std::int64_t expiry_;
  bool cuts_;
  std::uint64_t skip_, left_;
};

/// Emits a key with the meta that a stat gives.
class EmitSink : public omnistore_sink {
public:
  EmitSink(omnistore_page *page, std::string_view key)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_}, page_(page), key_(key) {}

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
    auto &self = *static_cast<EmitSink *>(sink);
    if (buffer) *buffer = nullptr;
    return self.page_->emit(self.page_, bytes(self.key_), meta);
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *, const void *, std::uint64_t) { return OMNISTORE_OK; }
  omnistore_page *page_;
  std::string_view key_;
};

/// Takes a streamed value whole, for a driver that cannot take a source.
omnistore_status collect(omnistore_call *call, const omnistore_set_request &request, std::uint64_t most,
                         std::string &value) {
  if (most == 0) most = 256 * 1024 * 1024;
  constexpr std::size_t piece = 256 * 1024;
  for (;;) {
    const std::size_t had = value.size();
    value.resize(had + piece);
    std::uint64_t read = 0;
    const omnistore_status status = request.source->read(request.source, value.data() + had, piece, &read);
    value.resize(had + static_cast<std::size_t>(read));
    if (status != OMNISTORE_OK) return status;
    if (read == 0) break;
    if (value.size() > most)
      return fail(call, OMNISTORE_TOO_LARGE,
                  "this driver takes no streams, and the host holds at most " + std::to_string(most) + " bytes for it");
  }
  if (request.source_size != OMNISTORE_UNKNOWN_SIZE && value.size() != request.source_size)
    return fail(call, OMNISTORE_INVALID,
                "the stream gave " + std::to_string(value.size()) + " bytes of " + std::to_string(request.source_size));
  return OMNISTORE_OK;
}

} // namespace

Node::Stripe Node::stripe(std::string_view key) {
  if (key.ends_with('$')) key.remove_suffix(1); // a key and its meta have one stripe
  return Stripe((*stripes_)[std::hash<std::string_view>()(key) % stripes_->size()]);
}

bool Node::native_condition(std::uint32_t condition) const {
  switch (condition) {
  case OMNISTORE_ALWAYS:
    return true;
  case OMNISTORE_IF_ABSENT:
    return native_.capabilities & OMNISTORE_CAN_IF_ABSENT;
  case OMNISTORE_IF_PRESENT:
    return native_.capabilities & OMNISTORE_CAN_IF_PRESENT;
  case OMNISTORE_IF_MATCH:
    return native_.capabilities & OMNISTORE_CAN_IF_MATCH;
  default:
    return false;
  }
}

// -------------------------------------------------------------------------------------------------------------
// expiries

bool Node::keeps_expiry_of(std::string_view key) const {
  return emulates_ttl_ && may_expire_.load(std::memory_order_acquire) && !key.ends_with('$');
}

omnistore_status Node::read_sidecar(omnistore_call *call, std::string_view key, std::string &text) {
  const std::string sidecar = std::string(key) + '$';
  TextSink sink(text);
  text.clear();
  const omnistore_status status = driver_get(call, bytes(sidecar), whole_value, &sink);
  if (status == OMNISTORE_NOT_FOUND) text.clear();
  return status == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : status;
}

omnistore_status Node::write_sidecar(omnistore_call *call, std::string_view key, const std::string &old,
                                     std::int64_t expiry) {
  const std::string sidecar = std::string(key) + '$';
  const std::string text = with_expiry(old, expiry);
  if (text == old) return OMNISTORE_OK;
  if (expiry != 0) {
    may_expire_.store(true, std::memory_order_release);
    sweep_->note(key, expiry);
  }
  if (text.empty()) {
    const omnistore_status status = driver_remove(call, bytes(sidecar), plain_remove);
    return status == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : status;
  }
  omnistore_set_request request{};
  request.size = sizeof request;
  request.value = bytes(text);
  return driver_set(call, bytes(sidecar), request, nullptr);
}

omnistore_status Node::kept_expiry(omnistore_call *call, std::string_view key, std::int64_t &expiry) {
  std::string text;
  const omnistore_status status = read_sidecar(call, key, text);
  expiry = sidecar_expiry(text);
  return status;
}

/// The key's expiry; OMNISTORE_NOT_FOUND where it has passed, and then the key is removed.
omnistore_status Node::live_expiry(omnistore_call *call, std::string_view key, std::int64_t &expiry) {
  expiry = 0;
  if (!keeps_expiry_of(key)) return OMNISTORE_OK;
  if (const omnistore_status status = kept_expiry(call, key, expiry); status != OMNISTORE_OK) return status;
  if (expiry == 0 || expiry > now_ms()) return OMNISTORE_OK;
  remove_expired(call, key);
  return OMNISTORE_NOT_FOUND;
}

void Node::remove_expired(omnistore_call *call, std::string_view key) {
  const auto lock = stripe(key);
  std::int64_t expiry = 0;
  if (kept_expiry(call, key, expiry) != OMNISTORE_OK) return;
  if (expiry == 0 || expiry > now_ms()) return; // it was set again meanwhile
  // The value first: what is left behind by a failure is then still known to have expired.
  const omnistore_status removed = driver_remove(call, bytes(key), plain_remove);
  if (removed != OMNISTORE_OK && removed != OMNISTORE_NOT_FOUND) return;
  const std::string sidecar = std::string(key) + '$';
  driver_remove(call, bytes(sidecar), plain_remove);
  if (removed == OMNISTORE_OK)
    host_->announce({sizeof(omnistore_event), OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, 0, bytes(key), 0});
}

omnistore_status Node::emulated_touch(omnistore_call *call, omnistore_bytes key,
                                      const omnistore_touch_request &request) {
  const auto lock = stripe(view(key));
  std::string text;
  omnistore_status status = read_sidecar(call, view(key), text);
  if (status != OMNISTORE_OK) return status;
  const std::int64_t expiry = sidecar_expiry(text);
  if (expiry != 0 && expiry <= now_ms()) return OMNISTORE_NOT_FOUND;
  MetaSink ignored;
  status = driver_stat(call, key, 0, &ignored);
  return status == OMNISTORE_OK ? write_sidecar(call, view(key), text, request.expiry) : status;
}

// ---------------------------------------------------------------------------------------------------------------
// values

omnistore_status Node::emulated_get(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                                    omnistore_sink *sink, bool stat) {
  std::int64_t expiry = 0;
  if (const omnistore_status status = live_expiry(call, view(key), expiry); status != OMNISTORE_OK) return status;
  const bool whole = request.offset == 0 && request.length == UINT64_MAX;
  const bool cuts = !stat && !whole && !(native_.capabilities & OMNISTORE_CAN_RANGE);
  PatchSink patch(sink, request, expiry, cuts);
  omnistore_sink *target = cuts || expiry != 0 ? &patch : sink;
  if (stat) return driver_stat(call, key, request.flags, target);
  omnistore_get_request wanted = request;
  if (cuts) {
    wanted.offset = 0;
    wanted.length = UINT64_MAX;
  }
  return driver_get(call, key, wanted, target);
}

/// A look at the etag first. Where it is the same, the sink is begun with what the look gave.
omnistore_status Node::emulated_get_changed(omnistore_call *call, omnistore_bytes key,
                                            const omnistore_get_request &request, omnistore_bytes etag,
                                            omnistore_sink *sink, std::uint32_t &unchanged) {
  MetaSink seen;
  const omnistore_get_request look{sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX};
  const omnistore_status status = stat(call, key, look, &seen);
  if (status != OMNISTORE_OK) return status;
  if (seen.etag().empty() || seen.etag() != view(etag)) return get(call, key, request, sink);
  unchanged = 1;
  const omnistore_meta meta = seen.meta();
  return sink->begin(sink, &meta, nullptr);
}

omnistore_status Node::emulated_set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                                    omnistore_sink *result) {
  omnistore_set_request plain = request;
  std::string collected;
  if (request.source && !(native_.capabilities & OMNISTORE_CAN_STREAM)) {
    const omnistore_status status = collect(call, request, native_.max_value_size, collected);
    if (status != OMNISTORE_OK) return status;
    plain.source = nullptr;
    plain.value = bytes(collected);
  }
  if (!native_condition(request.condition)) {
    if (!stripes_ || native_.capabilities & OMNISTORE_SHARED)
      return fail(call, OMNISTORE_UNSUPPORTED,
                  "the driver keeps no such condition, and others than this host may write to its backend");
    plain.condition = OMNISTORE_ALWAYS;
  }
  if (!stripes_) return driver_set(call, key, plain, result);

  const auto lock = stripe(view(key));
  omnistore_status status = check_condition(call, view(key), request.condition, view(request.etag));
  if (status != OMNISTORE_OK) return status;
  if (!emulates_ttl_ || view(key).ends_with('$')) return driver_set(call, key, plain, result);

  plain.expiry = 0;
  std::string text;
  if ((request.expiry != 0 || keeps_expiry_of(view(key))) &&
      (status = read_sidecar(call, view(key), text)) != OMNISTORE_OK)
    return status;
  if (request.expiry != 0 && request.expiry <= now_ms()) {
    status = driver_remove(call, key, plain_remove);
    return status == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : status;
  }
  // An expiry is there before its value, and goes after it came without one: cut off in between, a value may end
  // early, and never lives for ever.
  if (request.expiry != 0 && (status = write_sidecar(call, view(key), text, request.expiry)) != OMNISTORE_OK)
    return status;
  status = driver_set(call, key, plain, result);
  if (status == OMNISTORE_OK && request.expiry == 0 && !text.empty()) status = write_sidecar(call, view(key), text, 0);
  return status;
}

omnistore_status Node::emulated_remove(omnistore_call *call, omnistore_bytes key,
                                       const omnistore_remove_request &request) {
  omnistore_remove_request plain = request;
  if (request.condition == OMNISTORE_IF_MATCH && !native_condition(request.condition)) {
    if (!stripes_ || native_.capabilities & OMNISTORE_SHARED)
      return fail(call, OMNISTORE_UNSUPPORTED,
                  "the driver keeps no such condition, and others than this host may write to its backend");
    plain.condition = OMNISTORE_ALWAYS;
  }
  if (!stripes_) return driver_remove(call, key, plain);
  const auto lock = stripe(view(key));
  const omnistore_status status = check_condition(call, view(key), request.condition, view(request.etag));
  if (status != OMNISTORE_OK) return status;
  if (keeps_expiry_of(view(key))) {
    std::string text;
    if (const omnistore_status read = read_sidecar(call, view(key), text); read != OMNISTORE_OK) return read;
    const std::int64_t expiry = sidecar_expiry(text);
    const omnistore_status removed = driver_remove(call, key, plain);
    if (expiry != 0 && removed == OMNISTORE_OK) {
      if (const omnistore_status wrote = write_sidecar(call, view(key), text, 0); wrote != OMNISTORE_OK) return wrote;
      if (expiry <= now_ms()) return OMNISTORE_NOT_FOUND;
    }
    return removed;
  }
  return driver_remove(call, key, plain);
}

/// Under the key's stripe. What the driver checks natively is left to it.
omnistore_status Node::check_condition(omnistore_call *call, std::string_view key, std::uint32_t condition,
                                       std::string_view etag) {
  if (condition == OMNISTORE_ALWAYS || (native_condition(condition) && !keeps_expiry_of(key))) return OMNISTORE_OK;
  std::string text;
  if (keeps_expiry_of(key))
    if (const omnistore_status status = read_sidecar(call, key, text); status != OMNISTORE_OK) return status;
  const std::int64_t expiry = sidecar_expiry(text);
  MetaSink found;
  omnistore_status status = driver_stat(call, bytes(key), OMNISTORE_GET_META, &found);
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
  const bool present = status == OMNISTORE_OK && (expiry == 0 || expiry > now_ms());
  switch (condition) {
  case OMNISTORE_IF_ABSENT:
    return present ? OMNISTORE_CONFLICT : OMNISTORE_OK;
  case OMNISTORE_IF_PRESENT:
    return present ? OMNISTORE_OK : OMNISTORE_CONFLICT;
  case OMNISTORE_IF_MATCH:
    if (present && found.etag().empty())
      return fail(call, OMNISTORE_UNSUPPORTED, "the driver gives no etags to compare");
    return present && found.etag() == etag ? OMNISTORE_OK : OMNISTORE_CONFLICT;
  default:
    return fail(call, OMNISTORE_INVALID, "unknown condition " + std::to_string(condition));
  }
}

// -------------------------------------------------------------------------------------------------- listings and
// clears

omnistore_status Node::emulated_list(omnistore_call *call, const omnistore_list_request &request,
                                     omnistore_page *page) {
  omnistore_list_request wanted = request;
  const bool cuts_depth = request.depth != OMNISTORE_ANY_DEPTH && !(native_.capabilities & OMNISTORE_CAN_DEPTH);
  const bool wants_meta = request.flags & OMNISTORE_LIST_META;
  if (cuts_depth) wanted.depth = OMNISTORE_ANY_DEPTH;
  wanted.flags &= ~OMNISTORE_LIST_META;

  KeyPage found;
  omnistore_status status = driver_list(call, wanted, &found);
  if (status != OMNISTORE_OK) return status;
  for (const std::string &key : found.keys) {
    if (cuts_depth && colons(std::string_view(key).substr(request.base.size)) > request.depth) continue;
    std::int64_t expiry = 0;
    status = live_expiry(call, key, expiry);
    if (status == OMNISTORE_NOT_FOUND) continue;
    if (status != OMNISTORE_OK) return status;
    if (!wants_meta) {
      status = page->emit(page, bytes(key), nullptr);
    } else {
      EmitSink emit(page, key);
      PatchSink patch(&emit, whole_value, expiry, false);
      status = driver_stat(call, bytes(key), OMNISTORE_GET_META, &patch);
      if (status == OMNISTORE_NOT_FOUND) status = OMNISTORE_OK; // removed since it was listed
    }
    if (status != OMNISTORE_OK) return status;
  }
  if (found.more) page->next(page, bytes(found.cursor));
  return OMNISTORE_OK;
}

omnistore_status Node::emulated_clear(omnistore_call *call, const omnistore_clear_request &request,
                                      omnistore_page *removed) {
  omnistore_list_request list{};
  list.size = sizeof list;
  list.base = request.base;
  list.depth = OMNISTORE_ANY_DEPTH;
  list.limit = 1000;
  CursorCheck cursors;
  for (KeyPage found;;) {
    omnistore_status status = driver_list(call, list, &found);
    if (status != OMNISTORE_OK) return status;
    for (const std::string &key : found.keys) {
      {
        Stripe lock;
        if (stripes_) lock = stripe(key);
        status = driver_remove(call, bytes(key), plain_remove);
      }
      if (status == OMNISTORE_OK && removed) status = removed->emit(removed, bytes(key), nullptr);
      if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
    }
    if (!found.more) return OMNISTORE_OK;
    if (cursors.repeats(found.cursor)) return fail(call, OMNISTORE_INTERNAL, endless_listing);
    const std::string cursor = std::move(found.cursor);
    found = KeyPage();
    found.cursor = cursor; // the request points to it
    list.cursor = bytes(found.cursor);
  }
}

} // namespace omnistore
