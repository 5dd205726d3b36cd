// SPDX-License-Identifier: Apache-2.0
#include "storage/contract.hpp"

#include <cstring>

#include <omnistore/known.hpp>
#include <omnistore/listing.hpp>
#include <spdlog/spdlog.h>

#include "base/printable.hpp"
#include "storage/key.hpp"
#include "storage/sidecar_key.hpp"

namespace omnistore {
namespace {

constexpr std::size_t longest_etag = 64;

const char *text_of(Fault fault) {
  switch (fault) {
  case Fault::outside_base:
    return "gives keys outside the requested base; they are dropped";
  case Fault::outside_range:
    return "lists keys outside the requested range; they are dropped";
  case Fault::too_deep:
    return "lists keys below the requested depth; they are dropped";
  case Fault::beyond_limit:
    return "lists more keys than were requested; they are dropped";
  case Fault::repeated:
    return "lists a key twice in one page; the second is dropped";
  case Fault::no_key:
    return "gives keys that are not in normal form, not UTF-8 or too long; they are dropped";
  case Fault::not_ordered:
    return "says that it lists keys in order, and does not";
  case Fault::bad_etag:
    return "gives an etag that is not 1 to 64 bytes of printable ASCII without quotes; it is left out";
  case Fault::odd_event:
    return "announces an event of a kind that it cannot announce; it is dropped";
  case Fault::unknown_status:
    return "returns a status that this host does not know; it counts as internal";
  case Fault::wrong_value:
    return "breaks the rules for giving out a value; the operation fails";
  case Fault::bad_cursor:
    return "gives a cursor that leads nowhere; the listing fails";
  case Fault::slow:
    return "says that it never blocks, and a call took longer than 50 ms; from now on its calls run on the worker pool";
  }
  return "breaks its contract";
}

/// A text of any bytes, for a log line.
std::string shown(std::string_view text) {
  constexpr std::size_t most = 100;
  return base::printable(text.substr(0, most)) + (text.size() > most ? "..." : "");
}

bool good_etag(std::string_view etag) {
  return etag.size() <= longest_etag &&
         std::all_of(etag.begin(), etag.end(), [](char c) { return c > ' ' && c <= '~' && c != '"'; });
}

bool is_null(omnistore_bytes bytes) { return !bytes.data && bytes.size != 0; }

/// Meta as the host may use it: of the host's size, with an etag that can be sent. `room` keeps it if it differs.
const omnistore_meta *sound(const omnistore_meta *meta, omnistore_meta &room, Faults &faults) {
  const bool whole_size = meta->size == sizeof *meta;
  if (whole_size && meta->etag.size == 0 && meta->user.size == 0) return meta;
  if (whole_size && !is_null(meta->etag) && !is_null(meta->user) && good_etag(view(meta->etag))) return meta;
  room = {};
  std::memcpy(&room, meta, std::min<std::size_t>(meta->size, sizeof room));
  room.size = sizeof room;
  if (is_null(room.user)) room.user = {};
  if (is_null(room.etag) || !good_etag(view(room.etag))) {
    faults.add(Fault::bad_etag, is_null(room.etag) ? std::string_view() : view(room.etag));
    room.etag = {};
  }
  return &room;
}

/// Returns true if this can be a key of the store's: in normal form, or the meta of such a key.
bool is_key(omnistore_bytes bytes) {
  if (is_null(bytes) || bytes.size == 0 || bytes.size > OMNISTORE_MAX_KEY_SIZE + 1) return false;
  const std::string_view key = view(bytes);
  return is_normal(key) || (key.size() > 1 && is_sidecar(key) && is_normal(owner_of(key)));
}

} // namespace

void Faults::add(Fault fault, std::string_view detail) noexcept {
  count_.fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t bit = 1u << static_cast<unsigned>(fault);
  if (logged_.fetch_or(bit, std::memory_order_relaxed) & bit) return;
  without_exceptions([&] {
    spdlog::warn("{} ({}): the driver {}{} (this is logged once, and counted in omnistore_driver_faults_total)",
                 base::printable(mount_), driver_, text_of(fault),
                 detail.empty() ? std::string() : ": " + shown(detail));
  });
}

// --------------------------------------------------------------------------------------------------------------- sinks

omnistore_status OMNISTORE_CALL CheckedSink::begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                    void **buffer) noexcept {
  auto &self = *static_cast<CheckedSink *>(sink);
  if (buffer) *buffer = nullptr;
  if (self.begun_) return self.stop(Wrong::began_twice);
  if (!meta) return self.stop(Wrong::null);
  self.begun_ = true;
  omnistore_meta room;
  meta = sound(meta, room, self.faults_);
  self.expected_ = self.length_ == 0 ? 0
                   : meta->value_size == OMNISTORE_UNKNOWN_SIZE
                       ? OMNISTORE_UNKNOWN_SIZE
                       : std::min(self.length_, meta->value_size - std::min(self.offset_, meta->value_size));
  if (self.expected_ > most_bytes && self.expected_ != OMNISTORE_UNKNOWN_SIZE) return self.stop(Wrong::absurd);
  return self.host([&] { return self.inner_->begin(self.inner_, meta, buffer); });
}

omnistore_status OMNISTORE_CALL CheckedSink::write_(omnistore_sink *sink, const void *data,
                                                    std::uint64_t size) noexcept {
  auto &self = *static_cast<CheckedSink *>(sink);
  if (!self.begun_) return self.stop(Wrong::wrote_first);
  if (self.refused_ != OMNISTORE_OK) return self.refused_;
  if (size > self.expected_ - self.taken_) return self.stop(Wrong::too_many);
  if (!data && size != 0) return self.stop(Wrong::null);
  self.taken_ += size;
  return self.host([&] { return self.inner_->write(self.inner_, data, size); });
}

omnistore_status OMNISTORE_CALL CheckedSink::lend_(omnistore_sink *sink, const void *data, std::uint64_t size,
                                                   const omnistore_loan *loan) noexcept {
  auto &self = *static_cast<CheckedSink *>(sink);
  if (!self.begun_) return self.stop(Wrong::wrote_first);
  if (self.refused_ != OMNISTORE_OK) return self.refused_;
  if (!data || !loan || !OMNISTORE_HAS(omnistore_loan, loan, item) || !loan->release) return self.stop(Wrong::null);
  if (self.taken_ != 0 || size > self.expected_) return self.stop(Wrong::too_many);
  return self.host([&] {
    const omnistore_loan counted = self.loans_->count(*loan);
    const omnistore_status status = self.inner_->lend(self.inner_, data, size, &counted);
    if (status == OMNISTORE_OK) {
      self.taken_ = size;
    } else {
      Loans::uncount(counted);
    }
    return status;
  });
}

// --------------------------------------------------------------------------------------------------------------- loans

struct Loans::Lent {
  Loans *store;
  omnistore_loan loan;
};

void Loans::wait() {
  std::unique_lock lock(mutex_);
  back_.wait(lock, [this] { return out_ == 0; });
}

std::size_t Loans::out() const {
  const std::lock_guard lock(mutex_);
  return out_;
}

omnistore_loan Loans::count(const omnistore_loan &loan) {
  auto *lent = new Lent{this, loan};
  const std::lock_guard lock(mutex_);
  ++out_;
  return {sizeof(omnistore_loan), 0, release_, nullptr, lent};
}

void Loans::uncount(const omnistore_loan &counted) noexcept {
  const std::unique_ptr<Lent> lent(static_cast<Lent *>(counted.item));
  const std::lock_guard lock(lent->store->mutex_);
  if (--lent->store->out_ == 0) lent->store->back_.notify_all();
}

void OMNISTORE_CALL Loans::release_(void *, void *item) noexcept {
  const omnistore_loan &loan = static_cast<Lent *>(item)->loan;
  loan.release(loan.owner, loan.item);
  uncount({sizeof(omnistore_loan), 0, nullptr, nullptr, item});
}

omnistore_status CheckedSink::settle_rest(omnistore_status status, omnistore_call *call, std::uint32_t item,
                                          bool unchanged) const {
  const auto announced = [this] { return "the driver announced " + std::to_string(expected_) + " bytes and gave "; };
  const auto wrong = [&](omnistore_status instead, std::string_view message) {
    faults_.add(Fault::wrong_value, message);
    return fail(call, instead, message, item);
  };
  switch (wrong_) {
  case Wrong::nothing:
    break;
  case Wrong::began_twice:
    return wrong(OMNISTORE_INTERNAL, "the driver began to give the value twice");
  case Wrong::wrote_first:
    return wrong(OMNISTORE_INTERNAL, "the driver gave bytes before it announced the value");
  case Wrong::null:
    return wrong(OMNISTORE_INTERNAL, "the driver gave a null pointer for the value");
  case Wrong::too_many:
    return wrong(OMNISTORE_CORRUPT, announced() + "more");
  case Wrong::absurd:
    return wrong(OMNISTORE_TOO_LARGE,
                 "the driver announced " + std::to_string(expected_) + " bytes, more than any value has");
  case Wrong::no_memory:
    return fail(call, OMNISTORE_NO_SPACE,
                "the host has no memory for the value; the driver announced " +
                    (expected_ == OMNISTORE_UNKNOWN_SIZE ? "no size" : std::to_string(expected_) + " bytes"),
                item);
  }
  if (refused_ != OMNISTORE_OK) return status == OMNISTORE_OK || status == OMNISTORE_NOT_FOUND ? refused_ : status;
  if (status == OMNISTORE_NOT_FOUND)
    return wrong(OMNISTORE_INTERNAL, "the driver announced a value and then said that there is none");
  if (status != OMNISTORE_OK) return status;
  if (!begun_) return wrong(OMNISTORE_INTERNAL, "the driver returned ok and gave no value");
  if (unchanged && taken_ == 0) return OMNISTORE_OK;
  return wrong(OMNISTORE_CORRUPT, announced() + std::to_string(taken_));
}

// --------------------------------------------------------------------------------------------------------------- pages

bool CheckedPage::repeated(std::string_view key) {
  if (ordered_) {
    int order = last_.empty() ? 1 : key.compare(last_);
    if (request_->flags & OMNISTORE_LIST_REVERSE && !last_.empty()) order = -order;
    if (order == 0) return true;
    if (order < 0) {
      faults_.add(Fault::not_ordered, key);
      ordered_ = false; // from here on the page is looked at like any other
    }
    last_.assign(key);
    if (ordered_) return false;
  }
  return !hashes_.insert(std::hash<std::string_view>()(key)).second;
}

bool CheckedPage::wanted(std::string_view name) {
  if (!name.starts_with(base_)) return faults_.add(Fault::outside_base, name), false;
  if (!request_) return true;
  const std::string_view folder = folder_of(*request_, name);
  if (is_folder(name) ? folder != name : !folder.empty()) return faults_.add(Fault::too_deep, name), false;
  if (!in_range(*request_, name)) return faults_.add(Fault::outside_range, name), false;
  if (repeated(name)) return faults_.add(Fault::repeated, name), false;
  if (left_ == 0) return faults_.add(Fault::beyond_limit, name), false;
  --left_;
  return true;
}

omnistore_status OMNISTORE_CALL CheckedPage::emit_(omnistore_page *page, omnistore_bytes key,
                                                   const omnistore_meta *meta) noexcept {
  auto &self = *static_cast<CheckedPage *>(page);
  if (self.refused_ != OMNISTORE_OK) return self.refused_;
  const bool folder = !is_null(key) && self.is_folder(view(key));
  if (!is_key({key.data, key.size - folder})) {
    self.faults_.add(Fault::no_key, is_null(key) ? std::string_view() : view(key));
    return OMNISTORE_OK;
  }
  try {
    if (!self.wanted(view(key))) return OMNISTORE_OK;
    if (!self.inner_) return OMNISTORE_OK;
    omnistore_meta room;
    if (folder) meta = nullptr;
    if (meta) meta = sound(meta, room, self.faults_);
    return self.refused_ = self.inner_->emit(self.inner_, key, meta);
  } catch (const std::bad_alloc &) {
    self.wrong_ = Wrong::no_memory;
  } catch (...) {
  }
  return self.refused_ = OMNISTORE_INTERNAL;
}

void OMNISTORE_CALL CheckedPage::next_(omnistore_page *page, omnistore_bytes cursor) noexcept {
  auto &self = *static_cast<CheckedPage *>(page);
  if (is_null(cursor) || cursor.size == 0)
    self.wrong_ = Wrong::empty_cursor;
  else if (cursor.size > OMNISTORE_MAX_CURSOR_SIZE)
    self.wrong_ = Wrong::long_cursor;
  else if (view(cursor) == self.cursor_)
    self.wrong_ = Wrong::same_cursor;
  if (self.wrong_ != Wrong::nothing || !self.inner_) return;
  try {
    self.inner_->next(self.inner_, cursor);
  } catch (...) {
    self.wrong_ = Wrong::no_memory; // without the cursor the page would look like the last one
  }
}

/// A wrong base is replaced with the requested one, and a status that is no failure with io.
omnistore_status OMNISTORE_CALL CheckedPage::skip_(omnistore_page *page, omnistore_bytes base, omnistore_status status,
                                                   omnistore_bytes message) noexcept {
  auto &self = *static_cast<CheckedPage *>(page);
  if (self.refused_ != OMNISTORE_OK) return self.refused_;
  if (!self.inner_ || self.inner_->size < sizeof *self.inner_ || !self.inner_->skip) return OMNISTORE_OK;
  if (is_null(base) || !view(base).starts_with(self.base_)) base = bytes(self.base_);
  if (is_null(message)) message = {nullptr, 0};
  if (status == OMNISTORE_OK || status == OMNISTORE_NOT_FOUND) status = OMNISTORE_IO;
  try {
    return self.refused_ = self.inner_->skip(self.inner_, base, status, message);
  } catch (const std::bad_alloc &) {
    self.wrong_ = Wrong::no_memory;
  } catch (...) {
  }
  return self.refused_ = OMNISTORE_INTERNAL;
}

omnistore_status CheckedPage::settle(omnistore_status status, omnistore_call *call) const {
  if (wrong_ == Wrong::nothing) [[likely]]
    return status == OMNISTORE_OK ? refused_ : status;
  if (wrong_ == Wrong::no_memory) return fail(call, OMNISTORE_NO_SPACE, "the host has no memory for the listing");
  if (status != OMNISTORE_OK) return status;
  const char *message = wrong_ == Wrong::long_cursor ? "the driver gave a cursor of more than 8192 bytes"
                        : wrong_ == Wrong::same_cursor
                            ? "the driver gave the cursor that it was given: the listing would never end"
                            : "the driver gave an empty cursor: the listing would begin again";
  faults_.add(Fault::bad_cursor, message);
  return fail(call, OMNISTORE_INTERNAL, message);
}

// -------------------------------------------------------------------------------------------------------------- events

void OMNISTORE_CALL CheckedWatcher::event_(omnistore_watcher *watcher, const omnistore_event *event) noexcept {
  auto &self = *static_cast<CheckedWatcher *>(watcher);
  const Known known(*event);
  event = &*known;
  if (event->type != OMNISTORE_EVENT_RESYNC && event->type != OMNISTORE_EVENT_LIMITED) {
    if (event->type != OMNISTORE_EVENT_UPDATE && event->type != OMNISTORE_EVENT_REMOVE) return; // of a later minor
    if (!is_key(event->key))
      return self.faults_.add(Fault::no_key, is_null(event->key) ? std::string_view() : view(event->key));
    if (!view(event->key).starts_with(self.base_)) return self.faults_.add(Fault::outside_base, view(event->key));
  }
  without_exceptions([&] { self.inner_->event(self.inner_, event); });
}

bool sound_removal(const omnistore_event &event, Faults &faults) noexcept {
  if (event.type != OMNISTORE_EVENT_REMOVE ||
      (event.cause != OMNISTORE_CAUSE_EXPIRED && event.cause != OMNISTORE_CAUSE_EVICTED))
    return faults.add(Fault::odd_event), false;
  if (!is_key(event.key))
    return faults.add(Fault::no_key, is_null(event.key) ? std::string_view() : view(event.key)), false;
  return true;
}

} // namespace omnistore
