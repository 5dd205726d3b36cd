// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include <boost/json/object.hpp>
#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/input.hpp"
#include "cli/output.hpp"
#include "cli/stores.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {
namespace {

constexpr std::size_t held_value = 1024 * 1024; // a longer one goes piece by piece

/// An input that counts its bytes. It begins with those that were read before.
class Counted : public Source {
public:
  Counted(Input &input, std::string_view begun) : input_(input), begun_(begun) {}

  std::size_t read(char *into, std::size_t capacity) override {
    std::size_t size = std::min(capacity, begun_.size());
    std::memcpy(into, begun_.data(), size);
    begun_.remove_prefix(size);
    if (size == 0) size = input_.read(into, capacity);
    given_ += size;
    return size;
  }
  std::uint64_t given() const { return given_; }

private:
  Input &input_;
  std::string_view begun_;
  std::uint64_t given_ = 0;
};

/// Returns the first MiB of an input; if it is shorter, that is all of it.
std::string begin_of(Input &input) {
  std::string text(held_value, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const std::size_t got = input.read(text.data() + size, text.size() - size);
    if (got == 0) break;
    size += got;
  }
  text.resize(size);
  return text;
}

[[noreturn]] void refused(const Set &options) {
  const std::string what = "set " + options.key + ": ";
  if (options.condition.kind == Condition::Kind::if_absent)
    throw Failure(Status::conflict, what + "the key exists already, and --if-absent was given",
                  "leave --if-absent out to replace it");
  if (options.condition.kind == Condition::Kind::if_present)
    throw Failure(Status::conflict, what + "there is no such key, and --if-present was given",
                  "leave --if-present out to make it");
  throw Failure(Status::conflict, what + "its etag is not " + options.condition.etag,
                "`omnistore meta KEY` gives the etag that it has now");
}

/// Stores the input, and sets `size` to the number of its bytes.
Stored store_input(Storage &storage, const Set &options, const SetOptions &how, std::uint64_t &size) {
  if (options.file.empty() && is_terminal(STDIN_FILENO))
    throw Failure(Status::invalid, "set " + options.key + ": there is no value",
                  "give one after the key, in a file with -f FILE, or through a pipe; -f - reads the terminal");
  Input input(options.file.empty() ? "-" : options.file);
  const std::uint64_t whole = input.left();
  const std::string begun = begin_of(input);
  size = begun.size();
  if (begun.size() < held_value) return storage.set(options.key, begun, limited(how), true);
  Counted source(input, begun);
  const Stored stored = storage.set(options.key, source, whole, limited(how), true);
  size = source.given();
  return stored;
}

/// Stores many keys and values, a batch at a time. Failures go to standard error.
class SetMany {
public:
  SetMany(const Global &global, Storage &storage) : global_(global), storage_(storage) {}

  void add(SetItem &&item) {
    const bool is_long = item.value.size() > held_value;
    if (is_long) flush();
    bytes_ += item.value.size();
    items_.push_back(std::move(item));
    if (is_long || items_.size() == batch_size || bytes_ > 4 * held_value) flush();
  }
  void flush() {
    if (items_.empty()) return;
    const std::vector<Outcome> outcomes =
        items_.size() == 1 ? alone(items_[0]) : storage_.set_many(items_, limited(CallOptions()));
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (outcomes[i].status == Status::ok) {
        if (global_.json)
          out_.json(boost::json::object{{"key", Key(items_[i].key).view()}, {"size", items_[i].value.size()}});
        continue;
      }
      const int failed = report(global_, Error(outcomes[i].status, outcomes[i].message));
      if (code_ == 0) code_ = failed;
    }
    out_.flush();
    items_.clear();
    bytes_ = 0;
  }
  int code() const { return code_; }

private:
  std::vector<Outcome> alone(const SetItem &item) {
    try {
      storage_.set(item.key, item.value, limited(item.options));
      return {{}};
    } catch (const Error &error) {
      return {{error.status(), error.what()}};
    }
  }

  const Global &global_;
  Storage &storage_;
  Output out_;
  std::vector<SetItem> items_;
  std::uint64_t bytes_ = 0;
  int code_ = 0;
};

int set_many(const Global &global, const Set &options) {
  if (!options.key.empty() || options.condition.kind != Condition::Kind::always)
    throw Failure(Status::invalid, "set: --from has the keys, and takes no condition",
                  "leave KEY, VALUE and --if-... out");
  const Stores stores(global);
  SetMany many(global, *stores);
  Lines lines(options.from);
  for (SetItem item; lines.next_item(item);) {
    if (!item.options.ttl) item.options.ttl = options.ttl;
    many.add(std::move(item));
  }
  many.flush();
  return many.code();
}

} // namespace

int run(const Global &global, const Set &options) {
  if (!options.from.empty()) return set_many(global, options);
  if (options.key.empty()) throw Failure(Status::invalid, "set: there is no key", "name one, or use --from FILE");
  SetOptions how;
  how.ttl = options.ttl;
  how.condition = options.condition;
  const Stores stores(global);
  std::uint64_t size = options.value ? options.value->size() : 0;
  const Stored stored = options.value ? stores->set(options.key, *options.value, limited(how), true)
                                      : store_input(*stores, options, how, size);
  if (!stored.stored) refused(options);
  if (global.json) {
    Output out;
    boost::json::object result{{"key", Key(options.key).view()}, {"size", size}, {"etag", nullptr}};
    if (!stored.etag.empty()) result["etag"] = stored.etag;
    out.json(result);
    out.flush();
  }
  return 0;
}

} // namespace omnistore::cli
