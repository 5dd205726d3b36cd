// SPDX-License-Identifier: Apache-2.0
#include "kit.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.hpp"
#include "call_memory.hpp"
#include "progress.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

using Clock = std::chrono::steady_clock;

progress::Board *board = nullptr; // the board of this process, if it runs a test

/// Records the meaning of the fault, and dies of the signal.
void on_fault(int signal, siginfo_t *info, void *) {
  if (board && (signal == SIGSEGV || signal == SIGBUS))
    explain_fault(info->si_addr, board->verdict, sizeof board->verdict);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void watch_for_faults() {
  static char stack[64 * 1024];
  stack_t other{};
  other.ss_sp = stack;
  other.ss_size = sizeof stack;
  sigaltstack(&other, nullptr);
  struct sigaction action {};
  action.sa_sigaction = &on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int signal : {SIGSEGV, SIGBUS}) sigaction(signal, &action, nullptr);
}

Result try_here(const Subject &subject, const Rule &rule, const std::string &id, const std::string &folder,
                std::uint64_t seed, bool longer) {
  Result result;
  result.rule = &rule;
  try {
    Bench bench(subject, id, folder, seed, longer);
    if (bench.driver().traits && bench.driver().traits->capabilities & OMNISTORE_READS_ONLY &&
        !(rule.needs & for_readers))
      throw Skipped("it takes no writes");
    if (!(rule.needs & for_readers) && bench.driver().traits &&
        bench.driver().traits->keeps == OMNISTORE_KEEPS_NO_VALUE)
      throw Skipped("it keeps no value");
    if (const std::uint64_t needs = rule.needs & ~for_readers; needs && !bench.store().can(needs))
      throw Skipped("it does not claim that it can");
    rule.test(bench);
    bench.tidy();
    bench.close();
    result.outcome = Outcome::kept;
  } catch (const Broken &broken) {
    result.reason = broken.what();
  } catch (const Skipped &skipped) {
    result.outcome = Outcome::skipped;
    result.reason = skipped.what();
  } catch (const std::exception &e) {
    result.reason = std::string("an exception crossed the border: ") + e.what();
  } catch (...) {
    result.reason = "an exception crossed the border";
  }
  return result;
}

/// The process of a test, seen from its parent.
struct Running {
  const Rule *rule;
  pid_t process;
  int results; // the descriptor from which its verdict is read
  std::string text{};
  Clock::time_point started, ends, last;
  unsigned calls = 0; // the number of calls when `ends` was last extended
  progress::Board *board;
  std::string folder;
};

/// The folder of a test. The destructor removes it.
std::string make_folder() {
  const char *base = std::getenv("TMPDIR");
  std::string name = std::string(base && *base ? base : "/tmp") + "/omnistore-kit-XXXXXX";
  if (!mkdtemp(name.data()))
    throw NothingToTest("no temporary folder can be made: " + name + ": " + std::strerror(errno));
  return name;
}

void remove_folder(const std::string &folder) {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

std::string word(std::uint64_t seed, std::size_t rule) {
  return std::to_string(getpid()) + "-" + std::to_string(seed % 1000000) + "-" + std::to_string(rule);
}

Running start(const Subject &subject, const How &how, const Rule &rule, std::size_t number) {
  Running running{};
  running.rule = &rule;
  running.folder = make_folder();
  running.board = static_cast<progress::Board *>(
      mmap(nullptr, sizeof(progress::Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  int ends[2];
  if (running.board == MAP_FAILED || pipe2(ends, O_CLOEXEC) != 0)
    throw NothingToTest("a test's process cannot be started");
  running.started = Clock::now();
  running.ends = running.started + how.limit;
  running.last = running.started + how.limit * (how.longer ? 60 : 12);
  std::fflush(nullptr);
  running.process = fork();
  if (running.process < 0)
    throw NothingToTest(std::string("a test's process cannot be started: ") + std::strerror(errno));
  if (running.process == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    close(ends[0]);
    // The report does not include the driver's output.
    if (const int null = open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0) {
      dup2(null, STDIN_FILENO);
      dup2(null, STDOUT_FILENO);
      if (!std::getenv("OMNISTORE_KIT_SHOW")) dup2(null, STDERR_FILENO);
      close(null);
    }
    board = running.board;
    progress::use(board);
    watch_for_faults();
    const Result result = try_here(subject, rule, word(how.seed, number), running.folder, how.seed, how.longer);
    const std::string verdict = std::to_string(static_cast<int>(result.outcome)) + " " + result.reason;
    for (std::size_t at = 0; at < verdict.size();) {
      const ssize_t wrote = write(ends[1], verdict.data() + at, verdict.size() - at);
      if (wrote < 0) break;
      at += static_cast<std::size_t>(wrote);
    }
    _exit(0);
  }
  setpgid(running.process, running.process);
  close(ends[1]);
  running.results = ends[0];
  return running;
}

/// Reads the messages of the test until it ends or its time is over.
Result finish(Running &running, bool in_time) {
  Result result;
  result.rule = running.rule;
  int status = 0;
  if (!in_time) kill(-running.process, SIGKILL);
  while (waitpid(running.process, &status, 0) < 0 && errno == EINTR) {
  }
  kill(-running.process, SIGKILL); // kills its children too
  result.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - running.started);
  const std::string doing(running.board->doing, strnlen(running.board->doing, sizeof running.board->doing));
  const std::string verdict(running.board->verdict, strnlen(running.board->verdict, sizeof running.board->verdict));
  const std::string where = doing.empty() ? "" : "; the last call was " + doing;
  if (!in_time) {
    result.outcome = Outcome::hung;
    result.reason = "it was not done after " + std::to_string(result.took.count()) + " ms" + where;
  } else if (WIFSIGNALED(status)) {
    result.outcome = Outcome::crashed;
    result.reason = (verdict.empty() ? std::string(strsignal(WTERMSIG(status))) : verdict) + where;
  } else if (running.text.empty()) {
    result.outcome = Outcome::ended;
    result.reason = "the driver ended the process with exit code " + std::to_string(WEXITSTATUS(status)) + where;
  } else {
    result.outcome = static_cast<Outcome>(running.text[0] - '0');
    result.reason = running.text.substr(2);
  }
  ::close(running.results);
  munmap(running.board, sizeof(progress::Board));
  remove_folder(running.folder);
  return result;
}

std::vector<const Rule *> chosen(const How &how) {
  std::vector<const Rule *> rules;
  for (const Rule *each : all_rules())
    if (how.only.empty() || std::find(how.only.begin(), how.only.end(), each->name) != how.only.end())
      rules.push_back(each);
  for (const std::string &name : how.only)
    if (std::none_of(rules.begin(), rules.end(), [&](const Rule *rule) { return rule->name == name; }))
      throw NothingToTest("there is no rule " + name);
  return rules;
}

} // namespace

const std::vector<const Rule *> &all_rules() {
  static const std::vector<const Rule *> all = [] {
    std::vector<const Rule *> rules;
    for (const auto &group :
         {plugin_rules(), opening_rules(), value_rules(), key_rules(), sink_rules(), meta_rules(), ttl_rules(),
          condition_rules(), listing_rules(), part_rules(), batch_rules(), watch_rules(), thread_rules(), call_rules(),
          extension_rules(), border_rules(), kill_rules(), model_rules()})
      for (const Rule &each : group) rules.push_back(&each);
    return rules;
  }();
  return all;
}

std::vector<Result> try_rules(const Subject &subject, const How &how,
                              const std::function<void(const Result &)> &on_result) {
  const std::vector<const Rule *> rules = chosen(how);
  if (access(subject.file.c_str(), R_OK) != 0) throw NothingToTest(subject.file + ": " + std::strerror(errno));
  if (how.here) {
    if (rules.size() != 1) throw NothingToTest("a debugger sees one rule at a time: name it");
    const std::string folder = make_folder();
    const Result result = try_here(subject, *rules[0], word(how.seed, 0), folder, how.seed, how.longer);
    remove_folder(folder);
    if (on_result) on_result(result);
    return {result};
  }
  std::map<const Rule *, Result> results;
  std::deque<const Rule *> waiting(rules.begin(), rules.end());
  std::vector<Running> running;
  while (!waiting.empty() || !running.empty()) {
    while (!waiting.empty() && running.size() < std::max(1u, how.jobs)) {
      running.push_back(start(subject, how, *waiting.front(), rules.size() - waiting.size()));
      waiting.pop_front();
    }
    std::vector<pollfd> ready;
    Clock::time_point next = Clock::now() + std::chrono::hours(1);
    for (const Running &each : running) {
      ready.push_back({each.results, POLLIN, 0});
      next = std::min(next, each.ends);
    }
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    poll(ready.data(), ready.size(), static_cast<int>(std::max<std::int64_t>(0, wait)));
    for (std::size_t i = running.size(); i-- > 0;) {
      Running &each = running[i];
      bool over = false;
      if (ready[i].revents) {
        char text[4096];
        const ssize_t read = ::read(each.results, text, sizeof text);
        if (read > 0) each.text.append(text, static_cast<std::size_t>(read));
        over = read == 0;
      }
      // A test hangs if no call ends. If it makes further calls, it is only slow.
      const unsigned calls = __atomic_load_n(&each.board->calls, __ATOMIC_RELAXED);
      const Clock::time_point now = Clock::now();
      if (now >= each.ends && now < each.last && calls != each.calls) {
        each.calls = calls;
        each.ends = std::min(now + how.limit, each.last);
      }
      const bool late = !over && now >= each.ends;
      if (!over && !late) continue;
      const Result result = finish(each, over);
      results[each.rule] = result;
      if (on_result) on_result(result);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  std::vector<Result> ordered;
  for (const Rule *each : rules) ordered.push_back(results.at(each));
  return ordered;
}

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
  case Outcome::kept:
    return "kept";
  case Outcome::broken:
    return "broken";
  case Outcome::crashed:
    return "crashed";
  case Outcome::hung:
    return "hung";
  case Outcome::ended:
    return "ended";
  case Outcome::skipped:
    return "skipped";
  }
  return "broken";
}

std::string junit(const Subject &subject, const std::vector<Result> &results) {
  const auto escaped = [](std::string_view text) {
    std::string out;
    for (const char c : text) {
      switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t' ? '?' : c;
      }
    }
    return out;
  };
  std::size_t broken = 0, skipped = 0;
  for (const Result &each : results) {
    skipped += each.outcome == Outcome::skipped;
    broken += each.outcome != Outcome::skipped && each.outcome != Outcome::kept;
  }
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"" + escaped(subject.file) +
                    "\" tests=\"" + std::to_string(results.size()) + "\" failures=\"" + std::to_string(broken) +
                    "\" skipped=\"" + std::to_string(skipped) + "\">\n";
  for (const Result &each : results) {
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.3f", static_cast<double>(each.took.count()) / 1000);
    xml += "  <testcase name=\"" + escaped(each.rule->name) + "\" time=\"" + seconds + "\"";
    if (each.outcome == Outcome::kept)
      xml += "/>\n";
    else if (each.outcome == Outcome::skipped)
      xml += "><skipped message=\"" + escaped(each.reason) + "\"/></testcase>\n";
    else
      xml += "><failure type=\"" + std::string(name_of(each.outcome)) + "\" message=\"" + escaped(each.reason) + "\">" +
             escaped(each.rule->says) + "</failure></testcase>\n";
  }
  return xml + "</testsuite>\n";
}

} // namespace omnistore::kit
