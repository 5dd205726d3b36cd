// SPDX-License-Identifier: Apache-2.0
#include "jobs/shared_keys.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>

#include <boost/json/parse.hpp>
#include <sys/stat.h>

#include "base/encoding.hpp"
#include "jobs/values.hpp"
#include "jobs/writer.hpp"

namespace omnistore::jobs {
namespace {

namespace json = boost::json;

using Names = std::set<std::string>;

constexpr std::string_view probe_start = "omnistore-probe-";
constexpr std::size_t probe_digits = 32;

std::string probe_name() {
  std::random_device random;
  std::string name(probe_start);
  for (std::size_t i = 0; i < probe_digits / 8; ++i) base::append_hex(name, random(), 8);
  return name;
}

constexpr std::string_view probe_text = "A probe of omnistore, which may be removed. It was written under ";

/// The keys that were written to look for them elsewhere. The destructor removes them. The value of each says where it
/// was written.
class Probes {
public:
  explicit Probes(Storage &storage, std::string name = probe_name()) : storage_(storage), name_(std::move(name)) {}
  ~Probes() {
    for (const std::string &base : bases_) remove(storage_, base + name_);
    for (const auto &[storage, key] : seen_) remove(*storage, key);
  }
  Probes(const Probes &) = delete;
  Probes &operator=(const Probes &) = delete;

  /// Writes a key under a base of the storage.
  void write(const std::string &base) {
    SetOptions how;
    how.caller = &background;
    how.ttl = std::chrono::minutes(1);
    bases_.push_back(base); // a write that fails may still have written
    try {
      storage_.set(base + name_, std::string(probe_text) + base, how);
    } catch (const Error &error) { // the destructor removes it
      if (error.status() != Status::unsupported) throw;
      how.ttl.reset();
      storage_.set(base + name_, std::string(probe_text) + base, how);
    }
  }
  /// Removes a copy of a key too, such as one in a cache.
  void seen(Storage &storage, const std::string &key) { seen_.emplace_back(&storage, key); }

  const std::string &name() const { return name_; }

private:
  static void remove(Storage &storage, const std::string &key) noexcept {
    try {
      storage.remove(key);
    } catch (const std::exception &) { // it expires
    }
  }

  Storage &storage_;
  const std::string name_;
  std::vector<std::string> bases_;
  std::vector<std::pair<Storage *, std::string>> seen_;
};

/// Returns the mountpoints below a base, relative to it, and the base itself.
void add_mounts_below(Names &into, const Endpoint &end) {
  into.insert("");
  for (const MountInfo &mount : end.storage->mounts()) {
    const std::string base = mount.mountpoint.empty() ? "" : mount.mountpoint + ":";
    if (base.starts_with(end.base)) into.insert(base.substr(end.base.size()));
  }
}

std::vector<std::string> segments_of(std::string_view text) {
  std::vector<std::string> segments;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(":/"), text.size());
    if (const std::string_view segment = text.substr(0, end); !segment.empty() && segment != "." && segment != "..")
      segments.emplace_back(segment);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return segments;
}

/// Returns every base that a place can have inside another store: the suffixes of its path.
void add_ends_of(Names &into, std::string_view path) {
  std::string base;
  std::vector<std::string> segments = segments_of(path);
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    base.insert(0, *segment + ":");
    if (base.size() > 1024) return;
    into.insert(base);
  }
}

/// Returns the bases, relative to its own, under which one end can have the keys that are written at `end`.
Names places_inside(const Endpoint &end) {
  Names names;
  add_ends_of(names, end.base);
  if (!end.places) return names;
  for (const std::string &place : *end.places) {
    // The mount's own name is not a part of the place inside its store, but its length is unknown here.
    std::string_view rest = end.base;
    for (;;) {
      add_ends_of(names, place + ":" + std::string(rest));
      if (rest.empty()) break;
      rest.remove_prefix(std::min(rest.find(':') + 1, rest.size()));
    }
  }
  return names;
}

/// Returns true if the stores of an end may lie anywhere in those of the other.
bool is_elsewhere(const Endpoint &end) {
  return !end.places || std::any_of(end.places->begin(), end.places->end(), [](const std::string &place) {
    return place.starts_with("http://") || place.starts_with("https://");
  });
}

/// Calls found(base of the write, base at which it is seen, key) for each key that exists, since nobody else makes such
/// a name. If a layer such as encrypt keeps the value in another form, the base of the write is unknown, and the first
/// one is assumed.
template <typename Found>
void resolve_probes(Storage &storage, const std::string &first_base, std::string_view name,
                    const std::vector<std::string> &keys, const Found &found) {
  const std::vector<EntryOutcome> outcomes = storage.get_many(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const EntryOutcome &outcome = outcomes[i];
    if (outcome.status == Status::unavailable || outcome.status == Status::timeout)
      throw Error(outcome.status, outcome.message);
    if (outcome.status != Status::ok && outcome.status != Status::corrupt) continue;
    const std::string &value = outcome.entry.value;
    const bool is_readable = outcome.status == Status::ok && value.starts_with(probe_text);
    found(is_readable ? value.substr(probe_text.size()) : first_base, keys[i].substr(0, keys[i].size() - name.size()),
          keys[i]);
  }
}

/// Calls found(keys) for the keys under a base, a page at a time, that end in the name of a probe.
template <typename Found>
void list_probes(const Endpoint &end, std::string_view name, const Found &found) {
  ListOptions how;
  how.caller = &background;
  how.limit = 8 * batch_keys;
  do {
    Page page = end.storage->list(end.base, how);
    std::vector<std::string> keys;
    for (Page::Item &item : page.items)
      if (item.key.ends_with(name)) keys.push_back(std::move(item.key));
    if (!keys.empty()) found(keys);
    how.cursor = std::move(page.cursor);
  } while (!how.cursor.empty());
}

/// Writes probes at one end and looks for them at the other.
class Search {
public:
  Search(const Endpoint &written, const Endpoint &seen, const Names &below)
      : written_(written), seen_(seen), probes_(*written.storage) {
    for (const std::string &base : below) {
      try {
        probes_.write(written.base + base);
      } catch (const Error &error) {
        if (base.empty()) failure_.status = error.status(), failure_.message = error.what();
      }
    }
  }

  /// Returns the failure of the probe directly under the base, or ok.
  const Outcome &failure() const { return failure_; }

  /// Calls found(base of the write, base at which it is seen) for each probe that is seen under one of the bases.
  template <typename Found>
  void look(const Names &bases, const Found &found) {
    std::vector<std::string> keys;
    for (const std::string &base : bases) keys.push_back(seen_.base + base + probes_.name());
    resolve_existing(keys, found);
  }
  /// The same for probes that are seen anywhere.
  template <typename Found>
  void look_everywhere(const Found &found) {
    list_probes(seen_, probes_.name(), [&](const std::vector<std::string> &keys) { resolve_existing(keys, found); });
  }

private:
  template <typename Found>
  void resolve_existing(const std::vector<std::string> &keys, const Found &found) {
    resolve_probes(*seen_.storage, written_.base, probes_.name(), keys,
                   [&](const std::string &as_written, const std::string &as_seen, const std::string &key) {
                     if (written_.storage == seen_.storage && as_written == as_seen) return;
                     probes_.seen(*seen_.storage, key);
                     found(as_written, as_seen);
                   });
  }

  const Endpoint &written_, &seen_;
  Probes probes_;
  Outcome failure_;
};

} // namespace

std::vector<SharedKeys> find_shared_keys(const std::string &verb, const Endpoint &from, const Endpoint &to, bool move) {
  Names below;
  add_mounts_below(below, from);
  add_mounts_below(below, to);
  Names in_source = places_inside(to), in_target = places_inside(from);
  in_source.insert(below.begin(), below.end());
  in_target.insert(below.begin(), below.end());

  Search at_target(to, from, below), at_source(from, to, below);
  const auto check = [&](const Outcome &failure, bool matters) {
    if (failure.status != Status::ok && matters)
      throw Error(failure.status, verb + ", checking if source and target share keys: " + failure.message);
  };
  const auto is_closed = [](Status status) { return status == Status::read_only || status == Status::denied; };
  check(at_target.failure(), ends_job(at_target.failure().status) && !is_closed(at_target.failure().status));

  std::vector<SharedKeys> shared;
  const auto add = [&](const std::string &source, const std::string &target) {
    const auto same = [&](const SharedKeys &each) { return each.source == source && each.target == target; };
    if (std::none_of(shared.begin(), shared.end(), same)) shared.push_back({source, target});
  };
  const auto add_seen_at_source = [&](const std::string &target, const std::string &source) { add(source, target); };
  at_target.look(in_source, add_seen_at_source);
  at_source.look(in_target, add);
  if (shared.empty() && (is_elsewhere(from) || is_elsewhere(to))) {
    at_target.look_everywhere(add_seen_at_source);
    at_source.look_everywhere(add);
  }
  check(at_source.failure(), move && shared.empty());
  return shared;
}

class RestoreProbes::Written : public Probes {
  using Probes::Probes;
};

RestoreProbes::RestoreProbes(const Endpoint &to, const std::string &dump_id, std::string_view dump_base)
    : written_(std::make_unique<Written>(*to.storage, restore_probe(dump_id))) {
  Names below;
  add_mounts_below(below, to);
  add_ends_of(below, dump_base);
  for (const std::string &base : below) {
    try {
      written_->write(to.base + base);
    } catch (const Error &) { // the restore itself reports what fails
    }
  }
}

RestoreProbes::~RestoreProbes() = default;

std::string restore_probe(const std::string &dump_id) { return std::string(probe_start) + dump_id; }

std::optional<SharedKeys> find_restore(const Endpoint &from, const std::string &dump_id) {
  const std::string name = restore_probe(dump_id);
  std::optional<SharedKeys> shared;
  const auto look = [&](const std::vector<std::string> &keys) {
    resolve_probes(*from.storage, "", name, keys,
                   [&](const std::string &as_written, const std::string &as_seen, const std::string &) {
                     if (!shared || as_seen.size() < shared->source.size()) shared = {as_seen, as_written};
                   });
  };
  Names below;
  add_mounts_below(below, from);
  std::vector<std::string> keys;
  for (const std::string &base : below) keys.push_back(from.base + base + name);
  look(keys);
  if (!shared) list_probes(from, name, look);
  return shared;
}

bool is_probe(std::string_view key) {
  const std::size_t segment = key.rfind(':') + 1; // 0 if there is one segment
  key.remove_prefix(segment);
  return key.size() == probe_start.size() + probe_digits && key.starts_with(probe_start) &&
         base::is_lower_hex(key.substr(probe_start.size()));
}

std::vector<std::string> keys_of_file(const Endpoint &end, const std::string &file) {
  std::error_code unknown;
  const std::string path =
      std::filesystem::weakly_canonical(std::filesystem::absolute(file, unknown), unknown).string();
  struct stat status;
  if (unknown || ::stat(path.c_str(), &status) != 0) return {};
  const std::int64_t mtime = status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1'000'000;
  Names below, names;
  add_mounts_below(below, end);
  add_ends_of(names, path);
  std::vector<std::string> keys;
  for (const std::string &start : below)
    for (const std::string &name : names) {
      const std::string key = end.base + start + name.substr(0, name.size() - 1);
      try {
        const std::optional<Meta> meta = end.storage->meta(key, {.caller = &background});
        constexpr std::int64_t second = 1000; // the precision of HTTP
        if (meta && meta->size == static_cast<std::uint64_t>(status.st_size) && std::abs(meta->mtime - mtime) < second)
          keys.push_back(key);
      } catch (const Error &) { // this name is not a valid key there
      }
    }
  return keys;
}

namespace {

/// Collects every text in a driver's options, unchanged and as a path without links.
void add_texts(std::vector<std::string> &into, const json::value &value, const std::filesystem::path &folder) {
  if (const json::object *object = value.if_object()) {
    for (const auto &[name, inner] : *object) add_texts(into, inner, folder);
  } else if (const json::array *array = value.if_array()) {
    for (const json::value &inner : *array) add_texts(into, inner, folder);
  } else if (const json::string *text = value.if_string()) {
    into.emplace_back(*text);
    if (text->find("://") != json::string::npos) return;
    for (const std::filesystem::path &start : {std::filesystem::path(), folder}) {
      std::error_code unknown;
      std::filesystem::path path = std::filesystem::weakly_canonical(start / std::string(*text), unknown);
      if (path.is_relative()) path = std::filesystem::absolute(path, unknown);
      if (!unknown) into.push_back(path.string());
    }
  }
}

void add_store(std::vector<std::string> &into, const StoreConfig &store, const std::filesystem::path &folder) {
  boost::system::error_code broken;
  const json::value options = json::parse(store.options, broken);
  if (!broken) add_texts(into, options, folder);
  for (const StoreConfig &child : store.children) add_store(into, child, folder);
}

} // namespace

std::vector<std::string> places_of(const Config &config, std::string_view base) {
  std::vector<std::string> places;
  const std::filesystem::path folder = std::filesystem::path(config.file).parent_path();
  for (const auto &[mountpoint, mount] : config.mounts) {
    const std::string start = mountpoint.empty() ? "" : mountpoint + ":";
    if (!base.starts_with(start) && !start.starts_with(base)) continue;
    std::vector<std::string> texts;
    add_store(texts, mount.store, folder);
    const std::string prefix = mount.prefix.value_or(config.prefix);
    if (texts.empty()) texts.emplace_back();
    for (const std::string &text : texts) places.push_back(prefix.empty() ? text : text + ":" + prefix);
  }
  return places;
}

} // namespace omnistore::jobs
