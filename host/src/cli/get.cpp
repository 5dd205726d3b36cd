// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include <boost/json/object.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/input.hpp"
#include "cli/output.hpp"
#include "cli/target.hpp"
#include "cli/time_limit.hpp"
#include "config/names.hpp"
#include "report/describe.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {
namespace {

/// Passes a value on to a descriptor, piece by piece. What fails is kept and thrown by check(): no exception of ours
/// runs through a driver.
class Pipe : public Reader {
public:
  Pipe(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

  /// A layer whose first child fails half way begins again with its next: what went out cannot be taken back.
  char *begin(const Meta &) override {
    if (wrote_ && !failure_)
      failure_ = std::make_exception_ptr(
          Error(Status::io, "write " + name_ + ": the store failed half way and began again; try once more"));
    return nullptr;
  }
  void write(std::string_view bytes) override {
    if (failure_) return;
    wrote_ = wrote_ || !bytes.empty();
    try {
      write_all(descriptor_, bytes, name_);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  void check() const {
    if (failure_) std::rethrow_exception(failure_);
  }

private:
  int descriptor_;
  std::string name_;
  bool wrote_ = false;
  std::exception_ptr failure_;
};

/// A new file that takes its name when it is whole, so that a failure leaves an older one as it was. What is no
/// regular file, as /dev/null or a pipe, is written to as it is.
class NewFile {
public:
  explicit NewFile(const std::string &file) : file_(file), written_(file) {
    std::error_code ignored;
    const auto status = std::filesystem::status(file, ignored);
    replaces_ = !std::filesystem::exists(status) || std::filesystem::is_regular_file(status);
    if (replaces_) {
      written_ = std::filesystem::weakly_canonical(file).string() + ".part-XXXXXX";
      descriptor_ = ::mkostemp(written_.data(), O_CLOEXEC);
      if (descriptor_ >= 0) unfinished_.emplace(written_);
    } else {
      descriptor_ = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
    }
    if (descriptor_ < 0) throw Error(Status::io, "write " + file + ": " + std::strerror(errno));
  }
  ~NewFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (replaces_) ::unlink(written_.c_str());
  }
  NewFile(const NewFile &) = delete;
  NewFile &operator=(const NewFile &) = delete;

  int descriptor() const { return descriptor_; }
  void keep() {
    if (!replaces_) return;
    const std::string target = std::filesystem::weakly_canonical(file_).string();
    // It is its owner's alone, as a new value of `fs` is. One that is replaced keeps its mode.
    struct stat old;
    const mode_t mode = ::stat(target.c_str(), &old) == 0 ? old.st_mode & 0777 : 0600;
    if (::fchmod(descriptor_, mode) != 0 || ::rename(written_.c_str(), target.c_str()) != 0)
      throw Error(Status::io, "write " + file_ + ": " + std::strerror(errno));
    replaces_ = false;
    unfinished_.reset();
  }

private:
  std::string file_, written_;
  std::optional<UnfinishedFile> unfinished_;
  bool replaces_ = false;
  int descriptor_ = -1;
};

[[noreturn]] void missing(const std::string &key) { throw Error(Status::not_found, "get " + key + ": no such key"); }

void print_json(Output &out, const std::string &key, std::string &&value, Meta meta) {
  meta.size = value.size();
  boost::json::object result{{"key", Key(key).view()}};
  if (config::valid_utf8(value))
    result["value"] = std::move(value);
  else
    result["base64"] = base::to_base64(value);
  result["meta"] = report::describe(meta);
  out.json(result);
}

void get_json(Target &target, const std::string &key, const std::optional<http::ByteRange> &range, Output &out) {
  Kept whole;
  if (!target.read(key, whole, range)) missing(key);
  print_json(out, key, std::move(whole.value), whole.meta);
}

/// Many keys, a batch at a time: a JSON line each, in the order asked; what fails is told on standard error.
class GetMany {
public:
  GetMany(const Global &global, Target &target) : global_(global), target_(target) {}

  void add(const std::string &key) {
    keys_.push_back(key);
    if (keys_.size() == batch_size) flush();
  }
  void flush() {
    if (keys_.empty()) return;
    std::vector<EntryOutcome> outcomes = target_.get(keys_);
    for (std::size_t i = 0; i < keys_.size(); ++i) print(keys_[i], std::move(outcomes[i]));
    out_.flush();
    keys_.clear();
  }
  int code() const { return code_; }

private:
  void print(const std::string &key, EntryOutcome outcome) {
    try {
      if (outcome.status == Status::not_found) missing(key);
      if (outcome.status == Status::too_large) return get_json(target_, key, {}, out_); // for a batch, that is
      if (outcome.status != Status::ok) throw Error(outcome.status, outcome.message);
      print_json(out_, key, std::move(outcome.entry.value), std::move(outcome.entry.meta));
    } catch (const Error &error) {
      out_.flush();
      const int failed = report(global_, error);
      if (code_ == 0) code_ = failed;
    }
  }

  const Global &global_;
  Target &target_;
  Output out_;
  std::vector<std::string> keys_;
  int code_ = 0;
};

int get_many(const Global &global, const Get &options) {
  if (options.range || !options.output.empty())
    throw Failure(Status::invalid, "get: --range and --output are for one key", "get the keys one by one");
  const auto target = open_target(global);
  GetMany many(global, *target);
  for (const std::string &key : options.keys) many.add(key);
  if (!options.from.empty()) {
    Lines lines(options.from, options.null);
    for (std::string key; lines.next_key(key);) many.add(key);
  }
  many.flush();
  return many.code();
}

} // namespace

int run(const Global &global, const Get &options) {
  if (options.keys.empty() && options.from.empty())
    throw Failure(Status::invalid, "get: there is no key", "name one, or give a file of them with --from");
  if (options.many()) return get_many(global, options);
  const std::string &key = options.keys[0];
  const auto target = open_target(global);
  if (!options.output.empty()) {
    NewFile file(options.output);
    Pipe pipe(file.descriptor(), options.output);
    if (!target->read(key, pipe, options.range)) missing(key);
    pipe.check();
    file.keep();
  } else if (global.json) {
    Output out;
    get_json(*target, key, options.range, out);
    out.flush();
  } else {
    Pipe pipe(results(), "to standard output");
    if (!target->read(key, pipe, options.range)) missing(key);
    pipe.check();
  }
  return 0;
}

} // namespace omnistore::cli
