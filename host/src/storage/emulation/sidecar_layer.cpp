// SPDX-License-Identifier: Apache-2.0
#include "storage/emulation/sidecar_layer.hpp"

#include <string>
#include <vector>

#include <omnistore/child.hpp>

#include "base/clock.hpp"
#include "storage/call.hpp"
#include "storage/emulation/sidecar_sink.hpp"
#include "storage/emulation/stripes.hpp"
#include "storage/sidecar_key.hpp"

namespace omnistore {
namespace {

bool may_outlive_a_run(const omnistore_traits &traits) {
  return traits.keeps < OMNISTORE_KEEPS_NO_VALUE || traits.keeps >= OMNISTORE_KEEPS_PROCESS;
}

bool has_passed(std::int64_t expiry) { return expiry != 0 && expiry <= now_ms(); }

/// Keeps the state of a value that was set, and passes its meta on if anybody wants it.
class StateSink final : public PassingSink {
public:
  StateSink(omnistore_sink *to, omnistore_sink &nobody) : PassingSink(to ? *to : nobody) {}
  /// Empty if the driver did not give it.
  std::string state;

private:
  omnistore_status on_begin(const omnistore_meta &meta, void **buffer) override {
    if (buffer) *buffer = nullptr;
    state = state_of(meta);
    return PassingSink::on_begin(meta, nullptr);
  }
};

} // namespace

SidecarLayer::SidecarLayer(Functions &stack, const omnistore_traits &traits, std::uint64_t longest_key,
                           Stripes &stripes, const omnistore_host &host)
    : below_(stack), sidecars_(stack, longest_key), stripes_(stripes), host_(host),
      writes_(!(traits.capabilities & OMNISTORE_READS_ONLY)),
      keeps_expiries_(writes_ && !(traits.capabilities & OMNISTORE_CAN_TTL)),
      keeps_user_(!(traits.capabilities & OMNISTORE_CAN_META)), has_etags_(traits.capabilities & OMNISTORE_CAN_ETAG),
      may_expire_(keeps_expiries_ && may_outlive_a_run(traits)),
      may_have_user_(keeps_user_ && (may_outlive_a_run(traits) || traits.capabilities & OMNISTORE_SHARED || !writes_)),
      sweep_(*this, below_, sidecars_, host) {
  stack.get.bind<&SidecarLayer::get>(*this);
  stack.stat.bind<&SidecarLayer::stat>(*this);
  stack.set.bind<&SidecarLayer::set>(*this);
  stack.remove.bind<&SidecarLayer::remove>(*this);
  stack.touch.bind<&SidecarLayer::touch>(*this);
  stack.get_changed.clear();
  if (keeps_expiries_) {
    stack.list.bind<&SidecarLayer::list>(*this);
    stack.get_many.clear();
    stack.stat_many.clear();
    stack.set_many.clear();
    stack.remove_many.clear();
    return;
  }
  if (stack.get_many) stack.get_many.bind<&SidecarLayer::get_many>(*this);
  if (stack.stat_many) stack.stat_many.bind<&SidecarLayer::stat_many>(*this);
  if (stack.set_many) stack.set_many.bind<&SidecarLayer::set_many>(*this);
  if (stack.remove_many) stack.remove_many.bind<&SidecarLayer::remove_many>(*this);
}

void SidecarLayer::start() {
  if (may_expire_) sweep_.scan();
}

bool SidecarLayer::may_expire(std::string_view key) const {
  return keeps_expiries_ && may_expire_.load(std::memory_order_acquire) && !is_sidecar(key);
}

bool SidecarLayer::may_have_user(std::string_view key) const {
  return keeps_user_ && may_have_user_.load(std::memory_order_acquire) && !is_sidecar(key);
}

void SidecarLayer::value_removed(std::string_view key) {
  if (writes_ && may_have_user(key)) sweep_.orphaned(key);
}

omnistore_status SidecarLayer::write(omnistore_call *call, std::string_view key, const Sidecar &sidecar,
                                     std::int64_t expiry) {
  if (sidecar.expiry != 0) {
    may_expire_.store(true, std::memory_order_release);
    sweep_.expires(key, sidecar.expiry);
  }
  if (!sidecar.user.empty()) may_have_user_.store(true, std::memory_order_release);
  return sidecars_.write(call, key, sidecar, expiry);
}

// ---------------------------------------------------------------------------------------------------------------
// ending

void SidecarLayer::remove_expired(omnistore_call *call, std::string_view key) {
  const auto lock = stripes_.lock(call, key);
  Sidecar sidecar;
  if (!lock || sidecars_.read(call, key, sidecar) != OMNISTORE_OK) return;
  if (!has_passed(sidecar.expiry)) return; // it was set again meanwhile
  // The value first: after a failure, a value that is left is still known to have expired.
  const omnistore_status removed = below_.remove(call, bytes(key), &plain_remove);
  if (removed != OMNISTORE_OK && removed != OMNISTORE_NOT_FOUND) return;
  sidecars_.remove(call, key);
  if (removed != OMNISTORE_OK) return;
  const omnistore_event event{sizeof event, OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, 0, bytes(key), 0};
  host_.event(&host_, &event);
}

void SidecarLayer::remove_orphan(omnistore_call *call, std::string_view key) {
  const auto lock = stripes_.lock(call, key);
  ValueSink ignored;
  if (lock && below_.stat(call, bytes(key), &whole_value, &ignored) == OMNISTORE_NOT_FOUND) sidecars_.remove(call, key);
}

/// Reads the key's sidecar. Returns OMNISTORE_NOT_FOUND if its expiry has passed; the value is removed then.
omnistore_status SidecarLayer::live(omnistore_call *call, std::string_view key, Sidecar &sidecar) {
  if (const omnistore_status status = sidecars_.read(call, key, sidecar); status != OMNISTORE_OK) return status;
  if (!keeps_expiries_) sidecar.expiry = 0; // the driver keeps its own
  if (!has_passed(sidecar.expiry)) return OMNISTORE_OK;
  remove_expired(call, key);
  return OMNISTORE_NOT_FOUND;
}

// ----------------------------------------------------------------------------------------------------------------
// reads

/// Reads a value, or its meta, with its sidecar. `ask(request, sink)` calls the driver.
template <class Ask>
omnistore_status SidecarLayer::read(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                                    omnistore_sink *sink, Ask ask) {
  const bool adds_user = request.flags & OMNISTORE_GET_USER && keeps_user_;
  if (!adds_user && !keeps_expiries_) return ask(&request, sink);
  omnistore_get_request plain = request;
  if (adds_user) plain.flags = (plain.flags & ~OMNISTORE_GET_USER) | OMNISTORE_GET_META;
  for (int tries = 3;; --tries) {
    Sidecar sidecar;
    if (may_expire(view(key)) || (adds_user && may_have_user(view(key))))
      if (const omnistore_status status = live(call, view(key), sidecar); status != OMNISTORE_OK) return status;
    if (!adds_user && sidecar.expiry == 0) return ask(&plain, sink);
    SidecarSink with_sidecar(*sink, request, sidecar, adds_user, tries > 1);
    const omnistore_status status = ask(&plain, &with_sidecar);
    // The value or its meta was replaced between the two reads: read again.
    if (!with_sidecar.is_of_another()) return status;
  }
}

omnistore_status SidecarLayer::get(omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                                   omnistore_sink *sink) {
  return read(call, key, *request, sink,
              [&](const omnistore_get_request *plain, omnistore_sink *to) { return below_.get(call, key, plain, to); });
}

omnistore_status SidecarLayer::stat(omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                                    omnistore_sink *sink) {
  return read(call, key, *request, sink, [&](const omnistore_get_request *plain, omnistore_sink *to) {
    return below_.stat(call, key, plain, to);
  });
}

/// For a driver that keeps no expiries: without the keys that have expired.
omnistore_status SidecarLayer::list(omnistore_call *call, const omnistore_list_request *request, omnistore_page *page) {
  if (!may_expire_.load(std::memory_order_acquire)) return below_.list(call, request, page);
  struct Listed {
    std::string key, etag, user;
    omnistore_meta meta;
  };
  const bool has_meta = request->flags & OMNISTORE_LIST_META;
  std::vector<Listed> listed; // the driver must be done before the reads of the sidecars
  PageSink found([&](std::string_view key, const omnistore_meta *meta) {
    const omnistore_meta known = has_meta && meta ? *meta : make_meta(OMNISTORE_UNKNOWN_SIZE);
    listed.push_back({std::string(key), std::string(as_view(known.etag)), std::string(as_view(known.user)), known});
    return OMNISTORE_OK;
  });
  omnistore_status status = below_.list(call, request, &found);
  if (status != OMNISTORE_OK) return status;
  for (Listed &each : listed) {
    Sidecar sidecar;
    const bool is_folder = each.key.ends_with(':');
    if (!is_folder && may_expire(each.key)) status = live(call, each.key, sidecar);
    if (status == OMNISTORE_NOT_FOUND) {
      status = OMNISTORE_OK;
      continue;
    }
    if (status != OMNISTORE_OK) return status;
    if (sidecar.expiry != 0) each.meta.expiry = sidecar.expiry;
    each.meta.etag = as_bytes(each.etag);
    each.meta.user = as_bytes(each.user);
    status = page->emit(page, as_bytes(each.key), has_meta && !is_folder ? &each.meta : nullptr);
    if (status != OMNISTORE_OK) return status;
  }
  if ((status = pass_on(found.skipped, *page)) != OMNISTORE_OK) return status;
  if (!found.cursor.empty()) page->next(page, as_bytes(found.cursor));
  return OMNISTORE_OK;
}

// ---------------------------------------------------------------------------------------------------------------
// writes

omnistore_status SidecarLayer::set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request *request,
                                   omnistore_sink *result) {
  if (is_sidecar(view(key)) || (!keeps_expiries_ && request->user.size == 0 && !may_have_user(view(key))))
    return below_.set(call, key, request, result);
  if (request->source && !keeps_expiries_) return set_stream(call, key, *request, result);
  const auto lock = stripes_.lock(call, view(key));
  if (!lock) return OMNISTORE_UNAVAILABLE;
  return set_with_sidecar(call, key, *request, keeps_expiries_ ? request->expiry : 0, result);
}

/// Under the key's lock. `expiry` is the one that the host keeps.
omnistore_status SidecarLayer::set_with_sidecar(omnistore_call *call, omnistore_bytes key,
                                                const omnistore_set_request &request, std::int64_t expiry,
                                                omnistore_sink *result) {
  omnistore_status status = OMNISTORE_OK;
  Sidecar old;
  if ((expiry != 0 || may_expire(view(key)) || may_have_user(view(key))) &&
      (status = sidecars_.read(call, view(key), old)) != OMNISTORE_OK)
    return status;
  if (!keeps_expiries_) old.expiry = 0;
  if (request.condition != OMNISTORE_ALWAYS && has_passed(old.expiry)) {
    // The driver's condition must not see a value that is over.
    remove_expired(call, view(key));
    old = {};
  }
  if (has_passed(expiry)) return set_expired(call, key, request);

  omnistore_set_request plain = request;
  if (keeps_expiries_) plain.expiry = 0;
  if (keeps_user_) plain.user = {nullptr, 0};
  Sidecar next{expiry, {}, keeps_user_ ? std::string(view(request.user)) : std::string()};
  Sidecar between = old; // while the value is replaced
  if (expiry != 0) between.expiry = expiry;
  if (!has_etags_) between.user.clear();
  const bool changed = expiry != 0 || between.user != old.user;
  if (changed && (status = write(call, view(key), between, plain.expiry)) != OMNISTORE_OK) return status;
  ValueSink nobody;
  StateSink stored(result, nobody);
  LaterStepCall rest{Call(call)};
  status = below_.set(changed ? &rest : call, key, &plain, next.user.empty() ? result : &stored);
  if (status != OMNISTORE_OK) {
    // The old value and its sidecar stay. If that is not known, the earlier expiry holds.
    if (between.user != old.user || (changed && !may_have_changed(status))) write(&rest, view(key), old, 0);
    return status;
  }
  if (!next.user.empty() && (next.of = stored.state).empty()) {
    ValueSink found;
    status = below_.stat(&rest, key, &whole_meta, &found);
    if (status == OMNISTORE_OK) next.of = state_of(found.meta());
  }
  if (next.user.empty() && between.user.empty() && between.expiry == expiry) return OMNISTORE_OK;
  return write(&rest, view(key), next, plain.expiry);
}

/// A set whose expiry has passed already: it removes the value if the condition holds.
omnistore_status SidecarLayer::set_expired(omnistore_call *call, omnistore_bytes key,
                                           const omnistore_set_request &request) {
  if (request.condition == OMNISTORE_IF_ABSENT) {
    ValueSink found;
    const omnistore_status status = below_.stat(call, key, &whole_value, &found);
    return status == OMNISTORE_OK ? OMNISTORE_CONFLICT : status == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : status;
  }
  const omnistore_remove_request remove{sizeof remove, 0, request.condition, 0, request.etag};
  const omnistore_status status = below_.remove(call, key, &remove);
  if (status == OMNISTORE_NOT_FOUND && request.condition == OMNISTORE_IF_PRESENT) return OMNISTORE_CONFLICT;
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
  LaterStepCall rest{Call(call)};
  return sidecars_.remove(&rest, view(key));
}

/// For a driver that takes streams and keeps expiries. The source may be slow: the lock is held only for the user meta,
/// which is written if the value is still the one that was set here.
omnistore_status SidecarLayer::set_stream(omnistore_call *call, omnistore_bytes key,
                                          const omnistore_set_request &request, omnistore_sink *result) {
  omnistore_set_request plain = request;
  plain.user = {nullptr, 0};
  ValueSink nobody;
  StateSink stored(result, nobody);
  omnistore_status status = below_.set(call, key, &plain, &stored);
  if (status != OMNISTORE_OK) return status;
  LaterStepCall rest{Call(call)};
  const auto lock = stripes_.lock(&rest, view(key));
  if (!lock) return OMNISTORE_UNAVAILABLE;
  ValueSink found;
  status = below_.stat(&rest, key, &whole_meta, &found);
  if (status == OMNISTORE_NOT_FOUND) return OMNISTORE_OK; // removed since
  if (status != OMNISTORE_OK) return status;
  const std::string state = state_of(found.meta());
  if (!stored.state.empty() && stored.state != state) return OMNISTORE_OK; // replaced since
  return write(&rest, view(key), {0, state, std::string(view(request.user))}, plain.expiry);
}

omnistore_status SidecarLayer::remove(omnistore_call *call, omnistore_bytes key,
                                      const omnistore_remove_request *request) {
  if (!keeps_expiries_ && !may_have_user(view(key))) return below_.remove(call, key, request);
  const auto lock = stripes_.lock(call, view(key));
  if (!lock) return OMNISTORE_UNAVAILABLE;
  const bool has_user = may_have_user(view(key)) && sidecars_.may_have(view(key));
  if (!may_expire(view(key)))
    return has_user ? remove_with_user(call, key, *request) : below_.remove(call, key, request);
  Sidecar sidecar;
  if (const omnistore_status read = sidecars_.read(call, view(key), sidecar); read != OMNISTORE_OK) return read;
  const bool over = has_passed(sidecar.expiry);
  const omnistore_status removed = below_.remove(call, key, over ? &plain_remove : request);
  if (removed != OMNISTORE_OK && removed != OMNISTORE_NOT_FOUND) return removed;
  LaterStepCall rest{Call(call)};
  if (sidecar.expiry != 0 || has_user)
    if (const omnistore_status status = sidecars_.remove(&rest, view(key)); status != OMNISTORE_OK) return status;
  if (over) return request->condition == OMNISTORE_IF_MATCH ? OMNISTORE_CONFLICT : OMNISTORE_NOT_FOUND;
  return removed;
}

/// Under the key's lock: a value that has no expiry, and may have user meta.
omnistore_status SidecarLayer::remove_with_user(omnistore_call *call, omnistore_bytes key,
                                                const omnistore_remove_request &request) {
  if (below_.remove_many && request.condition != OMNISTORE_IF_MATCH) {
    const std::string name = sidecar_of(view(key));
    const omnistore_bytes keys[] = {key, bytes(name)};
    const omnistore_remove_request *requests[] = {&request, &request};
    omnistore_status statuses[] = {OMNISTORE_INTERNAL, OMNISTORE_INTERNAL};
    const omnistore_status status = below_.remove_many(call, keys, 2, requests, statuses);
    return status == OMNISTORE_OK ? statuses[0] : status;
  }
  const omnistore_status removed = below_.remove(call, key, &request);
  if (removed != OMNISTORE_OK && removed != OMNISTORE_NOT_FOUND) return removed;
  LaterStepCall rest{Call(call)};
  const omnistore_status status = sidecars_.remove(&rest, view(key));
  return status == OMNISTORE_OK ? removed : status;
}

omnistore_status SidecarLayer::touch(omnistore_call *call, omnistore_bytes key,
                                     const omnistore_touch_request *request) {
  const bool expiry_here = request->flags & OMNISTORE_TOUCH_EXPIRY && keeps_expiries_;
  const bool user_here = request->flags & OMNISTORE_TOUCH_USER && keeps_user_;
  if (!keeps_expiries_ && !user_here && !may_have_user(view(key)))
    return below_.touch ? below_.touch(call, key, request) : OMNISTORE_UNSUPPORTED;
  if (user_here && is_sidecar(view(key)))
    return fail(call, OMNISTORE_INVALID, "a key that ends in '$' has no user meta");
  const auto lock = stripes_.lock(call, view(key));
  if (!lock) return OMNISTORE_UNAVAILABLE;
  Sidecar sidecar;
  omnistore_status status = sidecars_.read(call, view(key), sidecar);
  if (status != OMNISTORE_OK) return status;
  if (!keeps_expiries_) sidecar.expiry = 0;
  if (has_passed(sidecar.expiry)) return OMNISTORE_NOT_FOUND;
  ValueSink found;
  status = below_.stat(call, key, &whole_meta, &found);
  if (status != OMNISTORE_OK) return status;
  const std::string state = state_of(found.meta());
  if (!sidecar.of.empty() && sidecar.of != state) sidecar.user.clear(); // of an older value
  const Sidecar before = sidecar;
  if (expiry_here) sidecar.expiry = request->expiry;
  if (user_here) {
    sidecar.user = view(request->user);
    sidecar.of = state;
  }
  std::int64_t native_expiry = found.expiry;
  LaterStepCall rest{Call(call)};
  omnistore_touch_request native = *request;
  native.flags &= ~((expiry_here ? OMNISTORE_TOUCH_EXPIRY : 0u) | (user_here ? OMNISTORE_TOUCH_USER : 0u));
  if (native.flags != 0) {
    if (!below_.touch) return OMNISTORE_UNSUPPORTED;
    if ((status = below_.touch(call, key, &native)) != OMNISTORE_OK) return status;
    if (native.flags & OMNISTORE_TOUCH_EXPIRY) native_expiry = request->expiry;
    // The driver may give another state of a value that it touched.
    if (!sidecar.user.empty()) {
      ValueSink touched;
      if ((status = below_.stat(&rest, key, &whole_meta, &touched)) != OMNISTORE_OK) return status;
      sidecar.of = state_of(touched.meta());
    }
  }
  if (sidecar.text().empty() && before.text().empty()) return OMNISTORE_OK;
  return write(native.flags != 0 ? &rest : call, view(key), sidecar, keeps_expiries_ ? 0 : native_expiry);
}

} // namespace omnistore
