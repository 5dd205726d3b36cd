// SPDX-License-Identifier: Apache-2.0
// The ranges of a view: listings that are read page by page.
#include <omnistore/ranges.hpp>

#include <algorithm>
#include <exception>
#include <future>
#include <optional>

#include <omnistore/view.hpp>

#include "storage/contract.hpp"
#include "storage/key_space.hpp"

namespace omnistore {

// --------------------------------------------------------------------------------------------------------------- keys

/// The pages of a listing.
class KeyRange::Pages {
public:
  Pages(const KeySpace &storage, std::string_view in, std::string_view base, std::uint32_t depth)
      : storage_(storage), in_(in), base_(base) {
    options_.depth = depth;
  }

  const std::string *key() const { return at_ < page_.items.size() ? &page_.items[at_].key : nullptr; }
  void start() {
    if (!started_) read();
  }
  void step() {
    if (++at_ >= page_.items.size()) read();
  }
  std::vector<std::string> all() {
    if (!started_) return storage_.keys(in_, base_, options_.depth);
    std::vector<std::string> keys;
    for (; key(); step()) keys.push_back(std::move(page_.items[at_].key));
    return keys;
  }

private:
  /// The next page that has a key; an empty one at the end.
  void read() {
    at_ = 0;
    do {
      const bool ended = started_ && page_.cursor.empty();
      started_ = true;
      if (ended) {
        page_ = Page();
        if (skipped_) throw Error(skipped_->status, skipped_->message);
        return;
      }
      options_.cursor = std::move(page_.cursor);
      page_ = storage_.list(in_, base_, options_);
      if (!skipped_ && !page_.skipped.empty()) skipped_ = std::move(page_.skipped.front());
      if (cursors_.repeats(page_.cursor)) throw Error(Status::internal, "list " + base_ + ": " + endless_listing);
    } while (page_.items.empty());
  }

  const KeySpace &storage_;
  const std::string in_, base_;
  ListOptions options_;
  CursorCheck cursors_;
  bool started_ = false;
  std::optional<Skipped> skipped_; ///< the first
  Page page_;
  std::size_t at_ = 0;
};

KeyRange::KeyRange(std::unique_ptr<Pages> pages) : pages_(std::move(pages)) {}
KeyRange::KeyRange(KeyRange &&) noexcept = default;
KeyRange::~KeyRange() = default;
KeyRange::iterator KeyRange::begin() { return pages_->start(), iterator(this); }
std::vector<std::string> KeyRange::all() { return pages_->all(); }
const std::string *KeyRange::key() const { return pages_->key(); }
void KeyRange::step() { pages_->step(); }

// ------------------------------------------------------------------------------------------------------------ entries

/// The entries of a listing, batch by batch.
class EntryRange::Batches {
public:
  Batches(const KeySpace &storage, std::string_view in, std::string_view base, const EntriesOptions &options)
      : storage_(storage), in_(in), keys_(storage, in, base, options.depth),
        batch_size_(std::max<std::size_t>(options.batch, 1)), reads_ahead_(storage.spans_blocking(in, base)) {}
  ~Batches() {
    if (next_.valid()) next_.wait();
  }

  const Item *item() const { return at_ < batch_.size() ? &batch_[at_] : nullptr; }
  void start() {
    if (std::exchange(started_, true)) return;
    keys_.start();
    read();
  }
  void step() {
    if (++at_ >= batch_.size()) read();
  }

private:
  using Batch = std::vector<Item>;

  /// The next batch that has an entry; an empty one at the end.
  void read() {
    at_ = 0;
    do {
      std::optional<Batch> batch;
      if (next_.valid()) {
        batch = next_.get();
      } else {
        batch = load();
      }
      batch_.clear();
      if (!batch) return;
      batch_ = std::move(*batch);
      if (reads_ahead_) next_ = std::async(std::launch::async, [this] { return load(); });
    } while (batch_.empty());
  }

  /// The keys of a batch with their values; nullopt at the end. On this thread, or ahead on another, never both.
  std::optional<Batch> load() {
    if (failed_) std::rethrow_exception(failed_);
    std::vector<std::string> keys;
    try {
      for (; keys.size() < batch_size_ && keys_.key(); keys_.step()) keys.push_back(*keys_.key());
    } catch (const Error &) { // the entries before it come first
      failed_ = std::current_exception();
      if (keys.empty()) throw;
    }
    if (keys.empty()) return std::nullopt;
    GetOptions options;
    options.meta = true;
    std::vector<EntryOutcome> outcomes = storage_.get_many(in_, keys, options);
    Batch batch;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (outcomes[i].status == Status::not_found) continue;
      if (outcomes[i].status != Status::ok) throw Error(outcomes[i].status, outcomes[i].message);
      batch.push_back({std::move(keys[i]), std::move(outcomes[i].entry)});
    }
    return batch;
  }

  const KeySpace &storage_;
  const std::string in_;
  KeyRange::Pages keys_;
  const std::size_t batch_size_;
  const bool reads_ahead_; ///< a store may wait
  bool started_ = false;
  std::exception_ptr failed_; ///< of a key after the last batch
  Batch batch_;
  std::size_t at_ = 0;
  std::future<std::optional<Batch>> next_;
};

EntryRange::EntryRange(std::unique_ptr<Batches> batches) : batches_(std::move(batches)) {}
EntryRange::EntryRange(EntryRange &&) noexcept = default;
EntryRange::~EntryRange() = default;
EntryRange::iterator EntryRange::begin() { return batches_->start(), iterator(this); }
const EntryRange::Item *EntryRange::item() const { return batches_->item(); }
void EntryRange::step() { batches_->step(); }

KeyRange View::keys(std::string_view base, std::uint32_t depth) const {
  return KeyRange(std::make_unique<KeyRange::Pages>(space(), base_, base, depth));
}
EntryRange View::entries(std::string_view base, const EntriesOptions &options) const {
  return EntryRange(std::make_unique<EntryRange::Batches>(space(), base_, base, options));
}

} // namespace omnistore
