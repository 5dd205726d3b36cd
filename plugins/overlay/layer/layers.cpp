// SPDX-License-Identifier: Apache-2.0
#include "layer/layers.hpp"

#include <algorithm>

namespace overlay {

using omnistore::Failure;

namespace {

OnError on_error_of(const std::string &name) {
  if (name == "skip") return OnError::skip;
  return name == "stale" ? OnError::stale : OnError::fail;
}

std::uint32_t checked_index(std::int64_t index, std::size_t count) {
  if (index >= 0 && static_cast<std::size_t>(index) < count) return static_cast<std::uint32_t>(index);
  throw Failure(OMNISTORE_INVALID, "option writeTo: " + std::to_string(index) + " is no layer; there are " +
                                       std::to_string(count) + ", 0 to " + std::to_string(count - 1));
}

std::vector<std::uint32_t> written_layers(const omnistore::Options &options, std::size_t count) {
  std::vector<std::uint32_t> layers;
  switch (options.kind("writeTo")) {
  case omnistore::Kind::string:
    if (options.string("writeTo") != "all")
      throw Failure(OMNISTORE_INVALID, "option writeTo: expected an index, a list of indexes or \"all\", found \"" +
                                           options.string("writeTo") + "\"");
    for (std::uint32_t i = 0; i < count; ++i) layers.push_back(i);
    return layers;
  case omnistore::Kind::array:
    for (const std::int64_t index : options.integers("writeTo")) layers.push_back(checked_index(index, count));
    break;
  default:
    layers.push_back(checked_index(options.integer("writeTo", 0), count));
  }
  std::sort(layers.begin(), layers.end());
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  if (layers.empty()) throw Failure(OMNISTORE_INVALID, "option writeTo: the list is empty; name at least one layer");
  return layers;
}

/// In a coherent overlay the last layer has all values, and the layers above it have nothing but copies of them.
void check_coherence(const omnistore::Options &options, std::uint32_t count) {
  if (!options.boolean("coherent", false)) return;
  if (!options.boolean("promote", false))
    throw Failure(OMNISTORE_INVALID, "option coherent: without promote there are no copies; set promote too");
  if (count < 2 || written_layers(options, count) != std::vector<std::uint32_t>{count - 1})
    throw Failure(OMNISTORE_INVALID, "option coherent: the layers above the last one may have nothing but copies; set "
                                     "writeTo to " +
                                         std::to_string(count == 0 ? 0 : count - 1) + ", the last layer");
}

} // namespace

void Layers::validate(const omnistore::Options &options, std::uint32_t count, omnistore::Problems &problems) {
  problems.check([&] { written_layers(options, count); });
  problems.check([&] { check_coherence(options, count); });
}

Layers::Layers(const omnistore_host &of, const omnistore::Options &options,
               std::span<const omnistore_store *const> children, Call call)
    : host(of), written(written_layers(options, children.size())), promotes(options.boolean("promote", false)),
      on_error(on_error_of(options.string("onLayerError", "fail"))),
      never_blocks(std::all_of(children.begin(), children.end(),
                               [](const omnistore_store *child) { return Child(child).can(OMNISTORE_NEVER_BLOCKS); })) {
  for (std::uint32_t i = 0; i < children.size(); ++i) {
    const Child child(children[i]);
    const bool is_written = std::binary_search(written.begin(), written.end(), i);
    const bool forgets = !child.can(OMNISTORE_SHARED) && child.traits().keeps == OMNISTORE_KEEPS_NOTHING;
    Records::Kind kind = Records::Kind::loaded;
    if (i + 1 == children.size() || (forgets && !is_written))
      kind = Records::Kind::none;
    else if (child.can(OMNISTORE_SHARED))
      kind = Records::Kind::direct;
    else if (forgets)
      kind = Records::Kind::memory;
    Layer &layer = all.emplace_back(children[i], i, kind);
    layer.written = is_written;
    layer.dropped = promotes && !is_written && layer.takes_writes() && i < written.back();
    layer.holds = !never_blocks && child.can(OMNISTORE_NEVER_BLOCKS);
    layer.may_mark = !forgets;
    layer.lowest = i + 1 == children.size();
  }
  for (Layer &layer : all)
    layer.records_in = layer.written && layer.index + 1 < count() && !all[layer.index + 1].written;
  if (!options.boolean("coherent", false)) return;
  check_coherence(options, count());
  for (Layer &layer : all) {
    layer.proven = !layer.lowest;
    // Every value in such a layer is a copy that this overlay has made.
    if (!layer.proven || (layer.dropped && !layer.may_mark)) continue;
    throw Failure(OMNISTORE_INVALID, "option coherent: " + layer.name() +
                                         " may have other values than copies; the layers above the last one must be "
                                         "of a driver whose values end with the host, such as memory");
  }
  coherence = std::make_unique<omnistore::CoherentWatch>(host, all.back().store.child, "last layer", call,
                                                         options.integer("maxLag", 5'000));
}

bool Layers::trusts(const Layer &layer, std::string_view key) const {
  if (!coherence->is_current()) {
    bypasses.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  return !copies.is_doubtful(key) && coherence->trusts(key, copies.ticket(key, layer.index));
}

/// Returns the text for a message that says which layers took a write that stopped at `place`; empty: none did.
std::string Layers::how_far(std::span<const std::uint32_t> order, std::size_t place) const {
  std::string text;
  for (std::size_t i = 0; i < order.size() && place > 0; ++i)
    text += (i == 0 ? "; took it: " : i == place ? "; did not: " : ", ") + all[order[i]].name();
  return text;
}

/// Removes the copies of a key in layers that are not in `writeTo`.
omnistore_status Layers::drop_copies(Call call, std::string_view key) {
  for (Layer &layer : all) {
    if (!layer.dropped) continue;
    LayerCall on(call, layer);
    const omnistore_status status = layer.store.remove(on, key, plain_remove);
    if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return on.with_reason(status);
  }
  return OMNISTORE_OK;
}

/// Called after a write failed; `changed` means that it may have changed the failing layer. Returns true if the values
/// that the copies were made from may have changed, so that the copies are doubtful now.
bool Layers::doubt_copies(Call call, std::string_view key, bool changed) {
  if (written.size() == 1 && !changed) return false;
  if (std::none_of(all.begin(), all.end(), [](const Layer &layer) { return layer.dropped; })) return true;
  if (copies.doubt(key)) return true;
  CapturingCall ignored(call);
  drop_copies(ignored, key); // there are too many doubtful keys
  return true;
}

/// Returns true if a layer outlives the host, so that its copies could hide for ever the values that a batch has
/// written below them, if the host were killed in between. Then each item is written by itself (write_and_drop_copies).
bool Layers::has_lasting_copies() const {
  return std::any_of(all.begin(), all.end(), [](const Layer &layer) { return layer.dropped && layer.may_mark; });
}

/// Locks the stripes of several keys, each once, always in the same order.
std::deque<WriteLock> Layers::writing(std::span<const std::string_view> keys) {
  std::vector<Stripe *> lanes;
  for (const std::string_view key : keys) lanes.push_back(&stripe(key));
  std::sort(lanes.begin(), lanes.end());
  lanes.erase(std::unique(lanes.begin(), lanes.end()), lanes.end());
  std::deque<WriteLock> held;
  for (Stripe *lane : lanes) held.emplace_back(*lane);
  return held;
}

} // namespace overlay
