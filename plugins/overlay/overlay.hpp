// SPDX-License-Identifier: Apache-2.0
// The class of the layer `overlay`. Each of its parts has a folder: reading/, writing/, listing/ and watching/.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <omnistore/driver.hpp>

#include "layer/layers.hpp"
#include "listing/merge.hpp"
#include "reading/reader.hpp"
#include "watching/events.hpp"
#include "writing/batch_writer.hpp"
#include "writing/clearer.hpp"
#include "writing/conditions.hpp"
#include "writing/writer.hpp"

namespace overlay {

/// The store. Thread-safe.
class Overlay {
public:
  Overlay(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
          std::span<const omnistore_store *const> children, Call call);
  static void validate(const omnistore::Options &options, std::uint32_t layers, omnistore::Problems &problems) {
    Layers::validate(options, layers, problems);
  }

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    return reader_.get(call, key, request, sink);
  }
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    return reader_.stat(call, key, request, sink);
  }
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page); // listing/listing.cpp
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    return writer_.set(call, key, request, result);
  }
  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request) {
    return writer_.remove(call, key, request);
  }
  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request) {
    return writer_.touch(call, key, request);
  }
  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    return clearer_.clear(call, request, removed);
  }
  omnistore_status watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch) {
    return events_.watch(call, request, watcher, watch);
  }
  void unwatch(void *watch) { events_.unwatch(watch); }
  std::string stats(Call call);

  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses) {
    return reader_.get_many(call, keys, requests, sinks, statuses);
  }
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys,
                             omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses) {
    return reader_.stat_many(call, keys, requests, sinks, statuses);
  }
  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    return batches_.set_many(call, keys, requests, results, statuses);
  }
  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses) {
    return batches_.remove_many(call, keys, requests, statuses);
  }

private:
  void state_traits(omnistore_traits &traits);

  Layers layers_;
  Reader reader_{layers_};
  Conditions conditions_{layers_, reader_};
  Writer writer_{layers_, reader_, conditions_};
  BatchWriter batches_{layers_, reader_, writer_};
  Clearer clearer_{layers_, reader_};
  PausedListings paused_;
  Events events_{layers_, reader_}; ///< the last member, since its task uses the others
};

} // namespace overlay
