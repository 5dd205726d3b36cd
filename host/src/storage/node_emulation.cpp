// SPDX-License-Identifier: Apache-2.0
// What a driver lacks, made of what it has: expiries and user meta in the sidecar `key$`, conditions under a lock,
// ranges, depth, meta in listings, clear by removing.
//
// If expiries or conditions are emulated, every write of a key holds its stripe, so that what is read first is still
// so when the write follows. The same holds for each write that may change a sidecar. Reads hold nothing: an expired
// value is removed under the stripe, after another look.
//
// User meta names the state of the value that it belongs to (sidecar.hpp). It is written after the value, and shown
// only for a value in that state. If the driver gives no etags, the meta of the old value is removed before the new
// value is set, since mtime and size may be equal.
#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <optional>

#include "base/clock.hpp"
#include "storage/call.hpp"
#include "storage/key.hpp"
#include "storage/key_page.hpp"
#include "storage/node.hpp"
#include "storage/node_guarded.hpp"
#include "storage/node_host.hpp"
#include "storage/node_sweep.hpp"
#include "storage/sidecar.hpp"

namespace omnistore {
namespace {

constexpr omnistore_get_request whole_value{sizeof(omnistore_get_request), 0, 0, UINT64_MAX};

/// Takes a value into a string.
class TextSink : public omnistore_sink {
public:
  explicit TextSink(std::string &text)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, nullptr}, text_(text) {}

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
  MetaSink() : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, nullptr} {}
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

/// Hands a whole value on as the range that was asked for, with what the host keeps of it.
class PatchSink : public omnistore_sink {
public:
  PatchSink(omnistore_sink *inner, const omnistore_get_request &wanted, const Sidecar &sidecar, bool cuts,
            bool adds_user = false)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, nullptr}, inner_(inner), wanted_(wanted),
        sidecar_(sidecar), cuts_(cuts), adds_user_(adds_user), skip_(cuts ? wanted.offset : 0),
        left_(cuts ? wanted.length : UINT64_MAX) {}

  /// Refuses a value that the user meta does not belong to, so that both can be read again.
  void insist() { insists_ = true; }
  bool refused() const { return refused_; }

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
    auto &self = *static_cast<PatchSink *>(sink);
    omnistore_meta patched{};
    std::memcpy(&patched, meta, std::min<std::size_t>(meta->size, sizeof patched));
    patched.size = sizeof patched;
    if (self.sidecar_.expiry != 0) patched.expiry = self.sidecar_.expiry;
    if (self.adds_user_) {
      patched.flags |= OMNISTORE_META_USER;
      if (self.sidecar_.of.empty() || self.sidecar_.of == state_of(patched))
        patched.user = bytes(self.sidecar_.user);
      else if (self.insists_)
        return self.refused_ = true, OMNISTORE_CONFLICT;
      if (!(self.wanted_.flags & OMNISTORE_GET_META)) patched.etag = {nullptr, 0};
    }
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
  const omnistore_get_request &wanted_;
  const Sidecar &sidecar_;
  const bool cuts_, adds_user_;
  bool insists_ = false, refused_ = false;
  std::uint64_t skip_, left_;
};

/// Keeps the state of a value that was set, and gives its meta on.
class StateSink : public omnistore_sink {
public:
  explicit StateSink(omnistore_sink *outer)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, nullptr}, outer_(outer) {}
  /// Empty: the driver did not tell it.
  const std::string &state() const { return state_; }

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
    auto &self = *static_cast<StateSink *>(sink);
    if (buffer) *buffer = nullptr;
    self.state_ = state_of(*meta);
    return self.outer_ ? self.outer_->begin(self.outer_, meta, nullptr) : OMNISTORE_OK;
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *, const void *, std::uint64_t) { return OMNISTORE_OK; }
  omnistore_sink *outer_;
  std::string state_;
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

/// Not held: the call's time was up before.
Node::Stripe Node::stripe(omnistore_call *call, std::string_view key) {
  if (key.ends_with('$')) key.remove_suffix(1); // a key and its meta have one stripe
  return lock_in_time((*stripes_)[std::hash<std::string_view>()(key) % stripes_->size()], call);
}

/// Those of a batch, each once, in the order of their places: two batches do not wait for each other in a circle.
/// False: the call's time was up before all were held.
bool Node::stripes(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count, std::vector<Stripe> &locks) {
  std::uint64_t wanted = 0;
  static_assert(std::tuple_size_v<std::remove_reference_t<decltype(*stripes_)>> == 64);
  for (std::uint32_t i = 0; i < count; ++i)
    wanted |= std::uint64_t{1} << std::hash<std::string_view>()(view(keys[i])) % 64;
  for (std::size_t i = 0; i < stripes_->size(); ++i)
    if (wanted >> i & 1 && !locks.emplace_back(lock_in_time((*stripes_)[i], call))) return false;
  return true;
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

/// Whether the host may hold user meta for the key. A key that ends in `$` is a layer's own and has none.
bool Node::keeps_user_of(std::string_view key) const {
  return emulates_meta_ && may_have_user_.load(std::memory_order_acquire) && !key.ends_with('$');
}

omnistore_status Node::read_sidecar(omnistore_call *call, std::string_view key, Sidecar &sidecar) {
  sidecar = {};
  if (key.size() >= longest_key_) return OMNISTORE_OK; // there can be none
  const std::string name = std::string(key) + '$';
  std::string text;
  TextSink sink(text);
  const omnistore_status status = driver_get(call, bytes(name), whole_value, &sink);
  if (status == OMNISTORE_OK) sidecar = Sidecar::parse(std::move(text));
  return status == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : status;
}

/// `native_expiry`: when the driver itself is to drop it; 0: never.
omnistore_status Node::write_sidecar(omnistore_call *call, std::string_view key, const Sidecar &sidecar,
                                     std::int64_t native_expiry) {
  const std::string text = sidecar.text();
  if (text.empty()) return remove_sidecar(call, key);
  if (sidecar.expiry != 0) {
    may_expire_.store(true, std::memory_order_release);
    sweep_->note(key, sidecar.expiry);
  }
  if (!sidecar.user.empty()) may_have_user_.store(true, std::memory_order_release);
  const std::string name = std::string(key) + '$';
  omnistore_set_request request{};
  request.size = sizeof request;
  request.value = bytes(text);
  request.expiry = native_expiry;
  return driver_set(call, bytes(name), request, nullptr);
}

omnistore_status Node::remove_sidecar(omnistore_call *call, std::string_view key) {
  if (key.size() >= longest_key_) return OMNISTORE_OK;
  const std::string name = std::string(key) + '$';
  const omnistore_status status = driver_remove(call, bytes(name), plain_remove);
  return status == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : status;
}

std::vector<std::string> Node::sidecars_of(const omnistore_bytes *keys, std::uint32_t count) const {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < count; ++i)
    if (!view(keys[i]).ends_with('$') && keys[i].size < longest_key_) names.push_back(std::string(view(keys[i])) + '$');
  return names;
}

/// Those of a batch, in as few calls as the driver takes. Under the stripes of the keys.
omnistore_status Node::remove_sidecars(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count) {
  const std::vector<std::string> names = sidecars_of(keys, count);
  std::vector<omnistore_bytes> views;
  for (const std::string &name : names) views.push_back(bytes(name));
  const std::size_t most = native_.max_batch == 0 ? views.size() : native_.max_batch;
  for (std::size_t from = 0; from < views.size();) {
    std::vector<omnistore_status> statuses(std::min(most, views.size() - from), OMNISTORE_INTERNAL);
    const std::vector<const omnistore_remove_request *> requests(statuses.size(), &plain_remove);
    omnistore_status status = OMNISTORE_OK;
    if (driver_->table.remove_many)
      status = guarded(call, "remove_many", [&] {
        return driver_->table.remove_many(self_, call, views.data() + from, static_cast<std::uint32_t>(statuses.size()),
                                          requests.data(), statuses.data());
      });
    else
      for (std::size_t i = 0; i < statuses.size(); ++i)
        statuses[i] = driver_remove(call, views[from + i], plain_remove);
    if (status != OMNISTORE_OK) return status;
    for (const omnistore_status each : statuses)
      if (each != OMNISTORE_OK && each != OMNISTORE_NOT_FOUND) return each;
    from += statuses.size();
  }
  return OMNISTORE_OK;
}

omnistore_status Node::kept_expiry(omnistore_call *call, std::string_view key, std::int64_t &expiry) {
  Sidecar sidecar;
  const omnistore_status status = read_sidecar(call, key, sidecar);
  expiry = sidecar.expiry;
  return status;
}

/// The key's sidecar; OMNISTORE_NOT_FOUND if its expiry has passed, and then the key is removed.
omnistore_status Node::live_sidecar(omnistore_call *call, std::string_view key, Sidecar &sidecar) {
  if (const omnistore_status status = read_sidecar(call, key, sidecar); status != OMNISTORE_OK) return status;
  if (!emulates_ttl_) sidecar.expiry = 0; // the driver keeps its own
  if (sidecar.expiry == 0 || sidecar.expiry > now_ms()) return OMNISTORE_OK;
  remove_expired(call, key);
  return OMNISTORE_NOT_FOUND;
}

void Node::remove_expired(omnistore_call *call, std::string_view key) {
  const auto lock = stripe(call, key);
  std::int64_t expiry = 0;
  if (!lock || kept_expiry(call, key, expiry) != OMNISTORE_OK) return;
  if (expiry == 0 || expiry > now_ms()) return; // it was set again meanwhile
  // The value first: what is left behind by a failure is then still known to have expired.
  const omnistore_status removed = driver_remove(call, bytes(key), plain_remove);
  if (removed != OMNISTORE_OK && removed != OMNISTORE_NOT_FOUND) return;
  remove_sidecar(call, key);
  if (removed == OMNISTORE_OK)
    host_->announce({sizeof(omnistore_event), OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, 0, bytes(key), 0});
}

/// Removes the sidecar of a value that the driver removed by itself.
void Node::remove_orphan(omnistore_call *call, std::string_view key) {
  const auto lock = stripe(call, key);
  MetaSink ignored;
  if (lock && driver_stat(call, bytes(key), 0, &ignored) == OMNISTORE_NOT_FOUND) remove_sidecar(call, key);
}

omnistore_status Node::emulated_touch(omnistore_call *call, omnistore_bytes key,
                                      const omnistore_touch_request &request) {
  const bool expiry_here = request.flags & OMNISTORE_TOUCH_EXPIRY && emulates_ttl_;
  const bool user_here = request.flags & OMNISTORE_TOUCH_USER && emulates_meta_;
  if (user_here && view(key).ends_with('$'))
    return fail(call, OMNISTORE_INVALID, "a key that ends in '$' has no user meta");
  const auto lock = stripe(call, view(key));
  if (!lock) return OMNISTORE_UNAVAILABLE;
  Sidecar sidecar;
  omnistore_status status = read_sidecar(call, view(key), sidecar);
  if (status != OMNISTORE_OK) return status;
  if (!emulates_ttl_) sidecar.expiry = 0;
  if (sidecar.expiry != 0 && sidecar.expiry <= now_ms()) return OMNISTORE_NOT_FOUND;
  MetaSink found;
  status = driver_stat(call, key, OMNISTORE_GET_META, &found);
  if (status != OMNISTORE_OK) return status;
  const std::string state = state_of(found.meta());
  if (!sidecar.of.empty() && sidecar.of != state) sidecar.user.clear(); // of an older value
  const Sidecar before = sidecar;
  if (expiry_here) sidecar.expiry = request.expiry;
  if (user_here) {
    sidecar.user = view(request.user);
    sidecar.of = state;
  }
  std::int64_t native_expiry = found.meta().expiry;
  LaterSteps rest_call(call);
  bool touched = false;
  const std::uint32_t natively = (expiry_here ? 0 : request.flags & OMNISTORE_TOUCH_EXPIRY) |
                                 (user_here ? 0 : request.flags & OMNISTORE_TOUCH_USER);
  if (natively != 0) {
    if (!driver_->table.touch) return OMNISTORE_UNSUPPORTED;
    omnistore_touch_request rest = request;
    rest.flags = natively;
    rest.expiry = rounded_expiry(request.expiry);
    status = guarded(call, "touch", [&] { return driver_->table.touch(self_, call, key, &rest); });
    if (status != OMNISTORE_OK) return status;
    touched = true;
    if (natively & OMNISTORE_TOUCH_EXPIRY) native_expiry = rest.expiry;
    // The driver may tell another state of a value that it touched.
    if (!sidecar.user.empty()) {
      status = driver_stat(&rest_call, key, OMNISTORE_GET_META, &found);
      if (status != OMNISTORE_OK) return status;
      sidecar.of = state_of(found.meta());
    }
  }
  if (sidecar.text().empty() && before.text().empty()) return OMNISTORE_OK;
  return write_sidecar(touched ? &rest_call : call, view(key), sidecar, emulates_ttl_ ? 0 : native_expiry);
}

// ---------------------------------------------------------------------------------------------------------------
// values

omnistore_status Node::emulated_get(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                                    omnistore_sink *sink, bool stat) {
  const bool whole = request.offset == 0 && request.length == UINT64_MAX;
  const bool cuts = !stat && !whole && !(native_.capabilities & OMNISTORE_CAN_RANGE);
  const bool adds_user = request.flags & OMNISTORE_GET_USER && emulates_meta_;
  omnistore_get_request wanted = request;
  if (adds_user) wanted.flags = (wanted.flags & ~OMNISTORE_GET_USER) | OMNISTORE_GET_META;
  if (cuts) {
    wanted.offset = 0;
    wanted.length = UINT64_MAX;
  }
  for (int tries = 3;; --tries) {
    Sidecar sidecar;
    if (keeps_expiry_of(view(key)) || (adds_user && keeps_user_of(view(key))))
      if (const omnistore_status status = live_sidecar(call, view(key), sidecar); status != OMNISTORE_OK) return status;
    PatchSink patch(sink, request, sidecar, cuts, adds_user);
    if (tries > 1) patch.insist();
    omnistore_sink *target = cuts || adds_user || sidecar.expiry != 0 ? &patch : sink;
    const omnistore_status status =
        stat ? driver_stat(call, key, wanted.flags, target) : driver_get(call, key, wanted, target);
    if (!patch.refused()) return status; // else the value or its meta was replaced between the two
  }
}

/// Of a driver with get_many: the sidecars in one call, the values in another.
omnistore_status Node::get_many_with_user(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                          const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                                          omnistore_status *statuses) {
  std::vector<Sidecar> sidecars(count);
  std::vector<std::pair<std::uint32_t, omnistore_status>> unreadable; // each fails its own item only
  if (may_have_user_.load(std::memory_order_acquire)) {
    std::vector<std::string> names, texts(count);
    std::vector<omnistore_bytes> views;
    std::deque<TextSink> taken;
    std::vector<omnistore_sink *> into;
    std::vector<std::uint32_t> places;
    names.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!(requests[i]->flags & OMNISTORE_GET_USER) || view(keys[i]).ends_with('$') || keys[i].size >= longest_key_)
        continue;
      views.push_back(bytes(names.emplace_back(std::string(view(keys[i])) + '$')));
      into.push_back(&taken.emplace_back(texts[i]));
      places.push_back(i);
    }
    std::vector<omnistore_status> read(views.size(), OMNISTORE_INTERNAL);
    const std::vector<const omnistore_get_request *> whole(views.size(), &whole_value);
    const omnistore_status status = views.empty() ? OMNISTORE_OK : guarded(call, "get_many", [&] {
      return driver_->table.get_many(self_, call, views.data(), static_cast<std::uint32_t>(views.size()), whole.data(),
                                     into.data(), read.data());
    });
    if (status != OMNISTORE_OK) return status;
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (read[i] == OMNISTORE_OK)
        sidecars[places[i]] = Sidecar::parse(std::move(texts[places[i]]));
      else if (read[i] != OMNISTORE_NOT_FOUND)
        unreadable.emplace_back(places[i], read[i]);
    }
  }
  std::deque<omnistore_get_request> wanted;
  std::vector<const omnistore_get_request *> wants;
  std::deque<PatchSink> patches;
  std::vector<omnistore_sink *> targets;
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool adds_user = requests[i]->flags & OMNISTORE_GET_USER;
    omnistore_get_request &want = wanted.emplace_back(*requests[i]);
    if (adds_user) want.flags = (want.flags & ~OMNISTORE_GET_USER) | OMNISTORE_GET_META;
    wants.push_back(&want);
    sidecars[i].expiry = 0; // the driver keeps its own
    targets.push_back(&patches.emplace_back(sinks[i], *requests[i], sidecars[i], false, adds_user));
  }
  const omnistore_status status = guarded(call, "get_many", [&] {
    return driver_->table.get_many(self_, call, keys, count, wants.data(), targets.data(), statuses);
  });
  if (status != OMNISTORE_OK) return status;
  for (const auto &[item, reason] : unreadable)
    if (statuses[item] == OMNISTORE_OK) statuses[item] = reason;
  return status;
}

/// A look at the etag first. Where it is the same, the sink is begun with what the look gave.
omnistore_status Node::emulated_get_changed(omnistore_call *call, omnistore_bytes key,
                                            const omnistore_get_request &request, omnistore_bytes etag,
                                            omnistore_sink *sink, std::uint32_t &unchanged) {
  MetaSink seen;
  const omnistore_get_request look{sizeof look, request.flags | OMNISTORE_GET_META, 0, UINT64_MAX};
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

  if (plain.source && !locks_writes_) return streamed_set(call, key, plain, result);
  const auto lock = stripe(call, view(key));
  if (!lock) return OMNISTORE_UNAVAILABLE;
  const omnistore_status status = check_condition(call, view(key), request.condition, view(request.etag));
  if (status != OMNISTORE_OK) return status;
  if (view(key).ends_with('$')) return driver_set(call, key, plain, result); // a layer's own
  if (emulates_ttl_) plain.expiry = 0;
  return set_with_sidecar(call, key, plain, emulates_ttl_ ? request.expiry : 0, result);
}

/// Under the key's stripe. `expiry`: the one that the host keeps.
omnistore_status Node::set_with_sidecar(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                                        std::int64_t expiry, omnistore_sink *result) {
  omnistore_status status = OMNISTORE_OK;
  Sidecar old;
  if ((expiry != 0 || keeps_expiry_of(view(key)) || keeps_user_of(view(key))) &&
      (status = read_sidecar(call, view(key), old)) != OMNISTORE_OK)
    return status;
  if (!emulates_ttl_) old.expiry = 0;
  if (expiry != 0 && expiry <= now_ms()) {
    status = driver_remove(call, key, plain_remove);
    LaterSteps rest(call);
    if (status == OMNISTORE_OK || status == OMNISTORE_NOT_FOUND) status = remove_sidecar(&rest, view(key));
    return status;
  }
  omnistore_set_request plain = request;
  if (emulates_meta_) plain.user = {nullptr, 0};
  Sidecar next{expiry, {}, emulates_meta_ ? std::string(view(request.user)) : std::string()};

  // An expiry is there before its value, and goes after it came without one: cut off in between, a value may end
  // early, and never lives for ever.
  const bool keeps_old = native_.capabilities & OMNISTORE_CAN_ETAG;
  Sidecar between = old;
  if (expiry != 0) between.expiry = expiry;
  if (!keeps_old) between.user.clear();
  if ((expiry != 0 || between.user != old.user) &&
      (status = write_sidecar(call, view(key), between, plain.expiry)) != OMNISTORE_OK)
    return status;
  StateSink stored(result);
  LaterSteps rest(call);
  const bool touched = expiry != 0 || between.user != old.user; // the sidecar of a value that may stay
  status = driver_set(touched ? &rest : call, key, plain, next.user.empty() ? result : &stored);
  if (status != OMNISTORE_OK) {
    if (between.user != old.user) write_sidecar(call, view(key), old, 0); // the old value stands
    return status;
  }
  if (!next.user.empty() && (next.of = stored.state()).empty()) {
    MetaSink found;
    status = driver_stat(&rest, key, OMNISTORE_GET_META, &found);
    if (status == OMNISTORE_OK) next.of = state_of(found.meta());
  }
  if (next.user.empty() && between.user.empty() && between.expiry == expiry) return OMNISTORE_OK;
  return write_sidecar(&rest, view(key), next, plain.expiry);
}

/// Of a driver that takes a source, and whose user meta the host keeps. The source may be slow: the stripe is held only
/// for the meta, which is written if the value is still the one that was set here.
omnistore_status Node::streamed_set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                                    omnistore_sink *result) {
  omnistore_set_request plain = request;
  plain.user = {nullptr, 0};
  omnistore_status status = OMNISTORE_OK;
  StateSink stored(result);
  if ((status = driver_set(call, key, plain, &stored)) != OMNISTORE_OK) return status;
  LaterSteps rest(call);
  const auto lock = stripe(&rest, view(key));
  if (!lock) return OMNISTORE_UNAVAILABLE;
  MetaSink found;
  status = driver_stat(&rest, key, OMNISTORE_GET_META, &found);
  if (status == OMNISTORE_NOT_FOUND) return OMNISTORE_OK; // removed since
  if (status != OMNISTORE_OK) return status;
  const std::string state = state_of(found.meta());
  if (!stored.state().empty() && stored.state() != state) return OMNISTORE_OK; // replaced since
  return write_sidecar(&rest, view(key), {0, state, std::string(view(request.user))}, plain.expiry);
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
  const auto lock = stripe(call, view(key));
  if (!lock) return OMNISTORE_UNAVAILABLE;
  const omnistore_status status = check_condition(call, view(key), request.condition, view(request.etag));
  if (status != OMNISTORE_OK) return status;
  const bool has_user = keeps_user_of(view(key)) && key.size < longest_key_;
  if (!keeps_expiry_of(view(key))) {
    if (!has_user) return driver_remove(call, key, plain);
    if (driver_->table.remove_many && plain.condition != OMNISTORE_IF_MATCH) {
      const std::string name = std::string(view(key)) + '$';
      const omnistore_bytes keys[] = {key, bytes(name)};
      const omnistore_remove_request *requests[] = {&plain, &plain};
      omnistore_status statuses[] = {OMNISTORE_INTERNAL, OMNISTORE_INTERNAL};
      const omnistore_status whole = guarded(
          call, "remove_many", [&] { return driver_->table.remove_many(self_, call, keys, 2, requests, statuses); });
      return whole == OMNISTORE_OK ? known_status(statuses[0], faults_) : whole;
    }
    const omnistore_status removed = driver_remove(call, key, plain);
    if (removed != OMNISTORE_OK && removed != OMNISTORE_NOT_FOUND) return removed;
    LaterSteps rest(call);
    const omnistore_status meta = remove_sidecar(&rest, view(key));
    return meta == OMNISTORE_OK ? removed : meta;
  }
  std::int64_t expiry = 0;
  if (const omnistore_status read = kept_expiry(call, view(key), expiry); read != OMNISTORE_OK) return read;
  const omnistore_status removed = driver_remove(call, key, plain);
  if (removed != OMNISTORE_OK && removed != OMNISTORE_NOT_FOUND) return removed;
  LaterSteps rest(call);
  if (expiry != 0 || has_user)
    if (const omnistore_status meta = remove_sidecar(&rest, view(key)); meta != OMNISTORE_OK) return meta;
  return expiry != 0 && expiry <= now_ms() ? OMNISTORE_NOT_FOUND : removed;
}

/// Under the key's stripe. What the driver checks natively is left to it.
omnistore_status Node::check_condition(omnistore_call *call, std::string_view key, std::uint32_t condition,
                                       std::string_view etag) {
  if (condition == OMNISTORE_ALWAYS || (native_condition(condition) && !keeps_expiry_of(key))) return OMNISTORE_OK;
  std::int64_t expiry = 0;
  if (keeps_expiry_of(key))
    if (const omnistore_status status = kept_expiry(call, key, expiry); status != OMNISTORE_OK) return status;
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

/// A listed key on its way to its meta.
struct Node::Listed {
  Listed(std::string_view name, std::int64_t kept) : key(name), expiry(kept) {}
  std::string_view key;
  std::int64_t expiry; ///< that the host keeps; 0: none
  MetaSink meta;
};

/// Emits keys with the meta that stats of them give, in as few requests as the driver has a way for.
omnistore_status Node::emit_with_meta(omnistore_call *call, std::deque<Listed> &listed, omnistore_page *page) {
  constexpr std::size_t at_once = 256; // bounds what is held, and how long a request may take
  static constexpr omnistore_get_request look{sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX};
  const std::vector<const omnistore_get_request *> looks(at_once, &look);
  for (std::size_t from = 0; from < listed.size(); from += at_once) {
    const std::size_t count = std::min(at_once, listed.size() - from);
    std::vector<omnistore_bytes> keys;
    std::vector<omnistore_sink *> sinks;
    std::vector<omnistore_status> statuses(count, OMNISTORE_INTERNAL);
    for (std::size_t i = from; i < from + count; ++i) {
      keys.push_back(bytes(listed[i].key));
      sinks.push_back(&listed[i].meta);
    }
    if (driver_->table.stat_many) {
      const omnistore_status status = driver_stat_many(call, keys.data(), static_cast<std::uint32_t>(count),
                                                       looks.data(), sinks.data(), statuses.data());
      if (status != OMNISTORE_OK) return status;
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (!driver_->table.stat_many) statuses[i] = driver_stat(call, keys[i], OMNISTORE_GET_META, sinks[i]);
      if (statuses[i] == OMNISTORE_NOT_FOUND) continue; // removed since it was listed
      if (statuses[i] != OMNISTORE_OK) return statuses[i];
      omnistore_meta meta = listed[from + i].meta.meta();
      if (listed[from + i].expiry != 0) meta.expiry = listed[from + i].expiry;
      if (const omnistore_status status = page->emit(page, keys[i], &meta); status != OMNISTORE_OK) return status;
    }
  }
  return OMNISTORE_OK;
}

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
  std::deque<Listed> listed;
  for (const std::string &key : found.keys) {
    if (cuts_depth && colons(std::string_view(key).substr(request.base.size)) > request.depth) continue;
    Sidecar sidecar;
    status = keeps_expiry_of(key) ? live_sidecar(call, key, sidecar) : OMNISTORE_OK;
    if (status == OMNISTORE_NOT_FOUND) continue;
    if (status != OMNISTORE_OK) return status;
    if (wants_meta)
      listed.emplace_back(key, sidecar.expiry);
    else if ((status = page->emit(page, bytes(key), nullptr)) != OMNISTORE_OK)
      return status;
  }
  if ((status = emit_with_meta(call, listed, page)) != OMNISTORE_OK) return status;
  for (const KeyPage::Skip &skip : found.skipped) {
    if (!OMNISTORE_HAS(omnistore_page, page, skip) || !page->skip) break;
    status = page->skip(page, bytes(skip.base), skip.status, bytes(skip.message));
    if (status != OMNISTORE_OK) return status;
  }
  if (found.more) page->next(page, bytes(found.cursor));
  return OMNISTORE_OK;
}

omnistore_status Node::emulated_clear(omnistore_call *outer, const omnistore_clear_request &request,
                                      omnistore_page *removed) {
  LaterSteps partly(outer);
  omnistore_call *call = &partly;
  omnistore_list_request list{};
  list.size = sizeof list;
  list.base = request.base;
  list.depth = OMNISTORE_ANY_DEPTH;
  list.limit = 1000;
  CursorCheck cursors;
  std::optional<KeyPage::Skip> skipped; // the first; what can be removed is removed nevertheless
  for (KeyPage found;;) {
    omnistore_status status = driver_list(call, list, &found);
    if (status != OMNISTORE_OK) return status;
    if (!skipped && !found.skipped.empty()) skipped = std::move(found.skipped.front());
    for (const std::string &key : found.keys) {
      {
        Stripe lock;
        if (call->remaining(call) == 0) return fail(call, late(call), "the time was up when a part was cleared");
        if (stripes_ && !(lock = stripe(call, key))) return OMNISTORE_UNAVAILABLE;
        status = driver_remove(call, bytes(key), plain_remove);
      }
      if (status == OMNISTORE_OK && removed) status = removed->emit(removed, bytes(key), nullptr);
      if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
    }
    if (!found.more) return skipped ? fail(call, skipped->status, skipped->message) : OMNISTORE_OK;
    if (cursors.repeats(found.cursor)) return fail(call, OMNISTORE_INTERNAL, endless_listing);
    const std::string cursor = std::move(found.cursor);
    found = KeyPage();
    found.cursor = cursor; // the request points to it
    list.cursor = bytes(found.cursor);
  }
}

} // namespace omnistore
