// SPDX-License-Identifier: Apache-2.0
// A driver for tests. The key says what it does:
//   free...    has the value "free"
//   hang...    puts a byte into the named pipe GATE.in, the value of the option `gate`, waits until the pipe
//              GATE is opened for writing, then has "released"
//   big...     has a value of 8 MiB
//   unsized... has a value whose size it does not know beforehand
//   breaks...  begins with a value and then fails
//   says...    fails, and says the key in its message and to the host's log
// A listing of the base "breaks:" fails on its second page. The option `reports` makes its stats and explain wait at
// the gate, the option `validates` the check of its options.
#include <atomic>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include <omnistore/driver.hpp>

namespace {

using omnistore::Call;

omnistore_bytes bytes(std::string_view text) { return {text.data(), text.size()}; }

omnistore_status give(omnistore_sink &sink, std::string_view text) {
  omnistore_meta meta{};
  meta.size = sizeof meta;
  meta.value_size = text.size();
  if (const omnistore_status status = sink.begin(&sink, &meta, nullptr); status != OMNISTORE_OK) return status;
  return sink.write(&sink, text.data(), text.size());
}

struct Gate {
  const omnistore_host &host;
  std::atomic<bool> is_sick{false};
  std::string pipe;
  bool reports;

  Gate(const omnistore_host &of, omnistore::Options options, omnistore_traits &)
      : host(of), pipe(options.string("gate", "")), reports(options.boolean("reports", false)) {}

  std::string stats(Call) {
    if (reports) wait();
    return R"({"counters": {"passed": 1}})";
  }
  std::string explain(Call, std::string_view) {
    if (reports) wait();
    return "{}";
  }
  static void validate(omnistore::Options options, std::uint32_t, omnistore::Problems &) {
    if (options.boolean("validates", false)) wait_at(options.string("gate", ""));
  }

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &, omnistore_sink &sink) {
    if (key.starts_with("free")) return give(sink, "free");
    if (key == "who") return give(sink, std::string(call.trace()) + "|" + std::string(call.identity()));
    if (key == "busy") return call.fail(OMNISTORE_UNAVAILABLE, "too much to do", {true, 2500});
    if (key.starts_with("hang")) {
      wait();
      return give(sink, "released");
    }
    if (key.starts_with("says")) {
      host.log(&host, OMNISTORE_LOG_WARN, bytes("asked for " + std::string(key)));
      return call.fail(OMNISTORE_IO, "cannot read " + std::string(key));
    }
    if (key.starts_with("big")) return give(sink, std::string(8 << 20, 'b'));
    omnistore_meta meta{};
    meta.size = sizeof meta;
    meta.value_size = key.starts_with("breaks") ? 100 : OMNISTORE_UNKNOWN_SIZE;
    if (!key.starts_with("breaks") && !key.starts_with("unsized")) return OMNISTORE_NOT_FOUND;
    sink.begin(&sink, &meta, nullptr);
    sink.write(&sink, "part one, ", 10);
    if (key.starts_with("breaks")) return call.fail(OMNISTORE_IO, "the disk is gone");
    return sink.write(&sink, "part two", 8);
  }

  omnistore_status set(Call, std::string_view key, const omnistore_set_request &, omnistore_sink *) {
    if (key.starts_with("hang")) wait();
    if (key == "sick") is_sick = true;
    return OMNISTORE_OK;
  }
  omnistore_status health(Call call) {
    return is_sick ? call.fail(OMNISTORE_UNAVAILABLE, "the backend is ill") : OMNISTORE_OK;
  }

  omnistore_status remove(Call, std::string_view, const omnistore_remove_request &) { return OMNISTORE_NOT_FOUND; }

  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page) {
    const std::string_view base(static_cast<const char *>(request.base.data), request.base.size);
    if (base != "breaks:") return OMNISTORE_OK;
    if (request.cursor.size != 0) return call.fail(OMNISTORE_UNAVAILABLE, "the backend went away");
    page.next(&page, bytes("more"));
    for (std::uint32_t i = 0; i < request.limit; ++i) page.emit(&page, bytes("breaks:" + std::to_string(i)), nullptr);
    return OMNISTORE_OK;
  }

  void wait() const { wait_at(pipe); }
  static void wait_at(const std::string &pipe) {
    if (const int told = ::open((pipe + ".in").c_str(), O_WRONLY | O_NONBLOCK); told >= 0) {
      [[maybe_unused]] const ssize_t count = ::write(told, "x", 1);
      ::close(told);
    }
    const int opened = ::open(pipe.c_str(), O_RDONLY);
    if (opened >= 0) ::close(opened);
  }
};

constexpr omnistore_traits gate_traits() {
  omnistore_traits traits{};
  traits.size = sizeof traits;
  traits.thread_model = OMNISTORE_PARALLEL;
  traits.keeps = OMNISTORE_KEEPS_NOTHING;
  return traits;
}

constexpr const char *schema = R"({"type": "object", "properties": {"gate": {"type": "string"},
  "reports": {"type": "boolean"}, "validates": {"type": "boolean"}}})";
constexpr omnistore_traits traits = gate_traits();

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Gate>("gate", "1.0.0", "Waits to be let go", schema, traits))
