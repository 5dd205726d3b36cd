// SPDX-License-Identifier: Apache-2.0
#include "listing/merge.hpp"

#include <algorithm>
#include <cstdio>

#include "records/keys.hpp"

namespace overlay {

using omnistore::Failure;

namespace {

constexpr std::size_t number_digits = 16;
/// The keys that are stored of a layer with another order. They are cut when there are twice as many.
constexpr std::size_t window_size = 200'000;
constexpr std::size_t max_paused = 16;
constexpr std::chrono::seconds longest_pause(10);

bool in_order(const Layer &layer) { return layer.store.child.traits().order >= OMNISTORE_ORDER_KEYS; }

/// A base or a bound as the layers know it. Keys that are moved stay in their order.
std::string in_layer(const std::string &base) {
  std::string moved;
  return std::string(layer_key(base, moved));
}

bool by_key(const LayerKeys::Item &a, const LayerKeys::Item &b) { return a.key < b.key; }

// A cursor has, for each layer, one byte that says if its listing has ended, begins again or continues at a cursor of
// its own, then the length and text of that cursor. At its end is the last key.
constexpr char has_ended = 'e', from_start = 'a', at_cursor = 'c';

[[noreturn]] void refuse_cursor() { throw Failure(OMNISTORE_INVALID, "the cursor is not one of this store"); }

std::string_view take_part(std::string_view &text, std::size_t size) {
  if (text.size() < size) refuse_cursor();
  const std::string_view part = text.substr(0, size);
  text.remove_prefix(size);
  return part;
}

} // namespace

// ----------------------------------------------------------------------------------------------------------- a layer

LayerKeys::LayerKeys(const Layer &layer, const Query &query, std::string after, std::string cursor, bool ended)
    : layer_(layer), base_(in_layer(query.base)), start_(in_layer(query.start)), end_(in_layer(query.end)),
      depth_(query.depth), wants_meta_(query.meta),
      wants_sizes_(layer.may_mark && !(layer.lowest && layer.marks.known(base_))), wants_folders_(query.folders),
      from_start_(after.empty() && depth_ == OMNISTORE_ANY_DEPTH && start_.empty() && end_.empty()),
      after_(std::move(after)), next_cursor_(std::move(cursor)), ended_(ended) {}

void LayerKeys::end() {
  ended_ = true;
  at_ = items_.size();
}

omnistore_status LayerKeys::fill(Call call, std::uint32_t ahead) {
  while (!head() && !ended_) {
    items_.clear();
    at_ = 0;
    const omnistore_status status = in_order(layer_) ? read_page(call, ahead) : read_window(call);
    if (status != OMNISTORE_OK) return status;
  }
  return OMNISTORE_OK;
}

void LayerKeys::keep(std::string_view key, const omnistore_meta *given) {
  if (!to_user_key(key) || key <= after_) return;
  Item item{std::string(key), false, nullptr};
  if (wants_meta_ && given) {
    item.meta = std::make_unique<MetaCopy>();
    item.meta->take(*given, layer_.index);
  }
  if (wants_sizes_ && !key.ends_with(':')) {
    const std::uint64_t size = given ? given->value_size : OMNISTORE_UNKNOWN_SIZE;
    item.may_be_marker = size == removed_marker.size() || size == OMNISTORE_UNKNOWN_SIZE;
    if (item.may_be_marker && layer_.lowest) layer_.marks.put(key, true);
  } else if (layer_.lowest) {
    item.may_be_marker = layer_.marks.has(key);
  }
  items_.push_back(std::move(item));
}

omnistore_status LayerKeys::read_page(Call call, std::uint32_t limit) {
  omnistore_list_request request{};
  request.size = sizeof request;
  request.flags =
      (wants_meta_ || wants_sizes_ ? OMNISTORE_LIST_META : 0) | (wants_folders_ ? OMNISTORE_LIST_FOLDERS : 0);
  request.base = as_bytes(base_);
  request.start = as_bytes(start_);
  request.end = as_bytes(end_);
  request.depth = depth_;
  request.limit = limit;
  request.cursor = as_bytes(next_cursor_);
  omnistore::PageSink page([&](std::string_view key, const omnistore_meta *meta) -> omnistore_status {
    keep(key, meta);
    return OMNISTORE_OK;
  });
  const omnistore_status status = layer_.store.child.list(call, request, page);
  if (status != OMNISTORE_OK) return status;
  for (omnistore::Skip &skip : page.skipped) {
    whole_ = false;
    std::string_view base = skip.base;
    if (!to_user_key(base)) continue;
    skip.base.erase(0, skip.base.size() - base.size());
    skip.message = layer_.name() + ": " + skip.message;
    skipped_.push_back(std::move(skip));
  }
  page_cursor_ = std::move(next_cursor_);
  next_cursor_ = std::move(page.cursor);
  ended_ = next_cursor_.empty();
  if (ended_ && whole_ && wants_sizes_ && from_start_ && layer_.lowest) layer_.marks.looked_at(base_);
  return OMNISTORE_OK;
}

/// Reads the whole listing, and stores its smallest keys after the last one.
omnistore_status LayerKeys::read_window(Call call) {
  bool cut = false;
  do {
    const std::size_t had = items_.size();
    // A store in no order may go through all keys for each page with folders.
    const std::uint32_t limit = wants_folders_ ? window_size : 1000;
    if (const omnistore_status status = read_page(call, limit); status != OMNISTORE_OK) return status;
    if (items_.size() > had && items_.size() >= 2 * window_size) cut_window(), cut = true;
    if (call.remaining() == 0) return call.fail(call.late(), "the deadline passed during a listing");
  } while (!ended_);
  std::sort(items_.begin(), items_.end(), by_key);
  const auto same = [](const Item &a, const Item &b) { return a.key == b.key; };
  items_.erase(std::unique(items_.begin(), items_.end(), same), items_.end());
  if (items_.size() > window_size) cut_window(), cut = true, std::sort(items_.begin(), items_.end(), by_key);
  ended_ = !cut;
  page_cursor_.clear();
  next_cursor_.clear();
  return OMNISTORE_OK;
}

void LayerKeys::cut_window() {
  std::nth_element(items_.begin(), items_.begin() + window_size, items_.end(), by_key);
  items_.resize(window_size);
}

// -------------------------------------------------------------------------------------------------------- all layers

Merge::Merge(std::deque<Layer> &layers, Query query, std::string_view cursor)
    : layers_(layers), query_(std::move(query)), records_(layers.size()) {
  if (cursor.empty()) {
    for (const Layer &layer : layers_)
      streams_.emplace_back(layer, query_, "", "", layer.proven); // copies have no keys of their own
    return;
  }
  std::vector<std::pair<char, std::string_view>> parts;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const char kind = take_part(cursor, 1)[0];
    std::string_view own;
    if (kind == at_cursor) {
      const std::string_view size = take_part(cursor, 2);
      own = take_part(cursor, static_cast<unsigned char>(size[0]) << 8 | static_cast<unsigned char>(size[1]));
    } else if (kind != has_ended && kind != from_start) {
      refuse_cursor();
    }
    parts.emplace_back(kind, own);
  }
  item_.key = cursor;
  if (!cursor.starts_with(query_.base)) throw Failure(OMNISTORE_INVALID, "the cursor belongs to another base");
  for (std::size_t i = 0; i < layers_.size(); ++i)
    streams_.emplace_back(layers_[i], query_, item_.key, std::string(parts[i].second), parts[i].first == has_ended);
}

std::string Merge::cursor() const {
  std::size_t size = number_digits + item_.key.size() + streams_.size();
  std::string text;
  for (const LayerKeys &stream : streams_) {
    const std::string &own = stream.cursor();
    if (stream.ended()) {
      text += has_ended;
    } else if (own.empty() || size + own.size() + 2 > PausedListings::longest_cursor) {
      text += from_start;
    } else {
      size += own.size() + 2;
      text += at_cursor;
      text += static_cast<char>(own.size() >> 8);
      text += static_cast<char>(own.size() & 0xff);
      text += own;
    }
  }
  return text += item_.key;
}

bool Merge::ended() const {
  return std::all_of(streams_.begin(), streams_.end(), [](const LayerKeys &stream) { return stream.ended(); });
}

/// Returns OK if the listing continues without a layer that failed. Such a listing claims that keys are absent, so only
/// `skip` allows it.
omnistore_status Merge::failed(std::uint32_t layer, omnistore_status status) {
  if (query_.on_error != OnError::skip || !is_failure(status)) return status;
  streams_[layer].end();
  return OMNISTORE_OK;
}

omnistore_status Merge::fill(Call call, std::uint32_t ahead) {
  for (Layer &layer : layers_) {
    LayerCall on(call, layer);
    omnistore_status status = on.with_reason(streams_[layer.index].fill(on, ahead));
    for (omnistore::Skip &skip : streams_[layer.index].take_skipped())
      skipped_.emplace_back(layer.index, std::move(skip));
    if (status == OMNISTORE_OK && layer.records.direct() && !records_[layer.index]) {
      auto records = std::make_unique<RecordSet>();
      std::string moved;
      status = on.with_reason(layer.records.read(on, layer_key(query_.base, moved), *records));
      if (status == OMNISTORE_OK) records_[layer.index] = std::move(records);
    }
    if (status == OMNISTORE_OK) continue;
    if (status = failed(layer.index, status); status != OMNISTORE_OK) return status;
    if (call.remaining() == 0) return call.fail(call.late(), "the deadline passed during a listing");
  }
  return OMNISTORE_OK;
}

/// Sets `is` if every key of a folder, whose highest layer is `layer`, is hidden. If records above may hide keys, it
/// lists the folder until it finds a key.
omnistore_status Merge::hidden_folder(Call call, const std::string &folder, std::uint32_t layer, bool &is) {
  const auto hides = [](const Layer &above) { return above.records.may_hide(); };
  is = layers_[layer].may_mark || std::any_of(layers_.begin(), layers_.begin() + layer, hides);
  if (!is) return OMNISTORE_OK;
  constexpr std::uint32_t few = 10;
  Merge inner(layers_, {folder, OMNISTORE_ANY_DEPTH, false, query_.on_error}, {});
  const Item *item = nullptr;
  const omnistore_status status = inner.next(call, few, item);
  is = !item && inner.skipped_.empty(); // what cannot be read may hold a key
  return status;
}

/// Sets `is` if a key, whose highest layer is `layer`, is hidden.
omnistore_status Merge::hidden(Call call, std::string_view key, const LayerKeys::Item &item, std::uint32_t layer,
                               bool &is) {
  if (item.key.ends_with(':')) return hidden_folder(call, item.key, layer, is);
  is = false;
  std::string moved;
  key = layer_key(key, moved);
  for (std::uint32_t above = 0; above < layer && !is; ++above) {
    if (records_[above]) {
      is = records_[above]->hides(key);
    } else if (!layers_[above].records.direct()) {
      LayerCall on(call, layers_[above]);
      const omnistore_status status = on.with_reason(layers_[above].records.hides(on, key, is));
      if (status != OMNISTORE_OK && failed(above, status) != OMNISTORE_OK) return status;
    }
  }
  if (is || !item.may_be_marker) return OMNISTORE_OK;
  LayerCall on(call, layers_[layer]);
  const omnistore_status status = on.with_reason(has_marker(on, layers_[layer], key, is));
  if (status == OMNISTORE_NOT_FOUND) return OMNISTORE_OK; // it was removed after it was listed
  if (status == OMNISTORE_OK && !is && layers_[layer].lowest) layers_[layer].marks.put(key, false);
  return status == OMNISTORE_OK ? status : failed(layer, status);
}

omnistore_status Merge::next(Call call, std::uint32_t ahead, const Item *&next) {
  next = nullptr;
  for (;;) {
    if (const omnistore_status status = fill(call, ahead); status != OMNISTORE_OK) return status;
    const std::string *least = nullptr;
    std::uint32_t layer = 0;
    for (std::uint32_t i = 0; i < streams_.size(); ++i) {
      const LayerKeys::Item *head = streams_[i].head();
      if (head && (!least || head->key < *least)) least = &head->key, layer = i;
    }
    if (!least) return OMNISTORE_OK;
    LayerKeys::Item item = streams_[layer].take();
    for (std::uint32_t i = layer + 1; i < streams_.size(); ++i)
      if (const LayerKeys::Item *head = streams_[i].head(); head && head->key == item.key) streams_[i].take();
    bool is_hidden = false;
    const omnistore_status status = hidden(call, item.key, item, layer, is_hidden);
    if (status != OMNISTORE_OK) return status;
    item_ = {std::move(item.key), layer, std::move(item.meta)};
    if (is_hidden) continue;
    next = &item_;
    return OMNISTORE_OK;
  }
}

// ------------------------------------------------------------------------------------------------------------- runs

std::unique_ptr<Merge> PausedListings::resume(std::string_view cursor, const Query &query) {
  const std::lock_guard lock(mutex_);
  const auto run =
      std::find_if(paused_.begin(), paused_.end(), [&](const PausedListing &r) { return r.cursor == cursor; });
  if (run == paused_.end()) return nullptr;
  const bool fits = run->merge->query() == query && Clock::now() - run->kept < longest_pause;
  std::unique_ptr<Merge> taken = fits ? std::move(run->merge) : nullptr;
  paused_.erase(run);
  return taken;
}

std::string PausedListings::keep(std::unique_ptr<Merge> merge) {
  const std::string rest = merge->cursor();
  const std::lock_guard lock(mutex_);
  char number[number_digits + 1];
  std::snprintf(number, sizeof number, "%016llx", static_cast<unsigned long long>(next_++));
  const std::string cursor = std::string(number, number_digits).append(rest);
  paused_.push_back({cursor, Clock::now(), std::move(merge)});
  if (paused_.size() > max_paused) paused_.pop_front();
  return cursor;
}

std::string_view PausedListings::rest(std::string_view cursor) {
  take_part(cursor, number_digits);
  return cursor;
}

} // namespace overlay
