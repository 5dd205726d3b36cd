// SPDX-License-Identifier: Apache-2.0
// The commands of long work: copy, migrate, verify, dump and restore.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void add_end(CLI::App &command, JobEnd &end, const std::string &name, const std::string &what) {
  command.add_option("--" + name + "-config", end.config, "The config of the " + what + "; else the global one")
      ->type_name("FILE");
  command.add_option("--" + name + "-profile", end.profile, "Its profile")->type_name("NAME");
  command.add_option("--" + name + "-url", end.url, "The " + what + " is the host that runs there")->type_name("URL");
  command.add_option("--" + name + "-token", end.token, "What it wants to see; else --token")->type_name("TEXT");
}

void add_rewrite(CLI::App &command, Job &job) {
  command
      .add_option_function<std::vector<jobs::RewriteRule>>(
          "--rewrite",
          [&job](std::vector<jobs::RewriteRule> rules) {
            for (auto &[pattern, replacement] : rules) // words_of() put a character in front
              job.rewrite.emplace_back(pattern.substr(1), replacement.substr(1));
          },
          "Replace each match of a regular expression (Perl's) in the key behind its base; $1 is a group; may be "
          "given several times, one after the other")
      ->type_name("REGEX REPLACEMENT");
}

void add_conflicts(CLI::App &command, Job &job) {
  command
      .add_option_function<std::string>(
          "--on-conflict",
          [&job](const std::string &text) {
            if (text == "fail")
              job.on_conflict = jobs::OnConflict::fail;
            else if (text == "skip")
              job.on_conflict = jobs::OnConflict::skip;
            else if (text == "overwrite")
              job.on_conflict = jobs::OnConflict::overwrite;
            else
              throw CLI::ValidationError("--on-conflict: expected fail, skip or overwrite, found " + text);
          },
          "Where a key has another value at the target: fail (the default: nothing is lost), skip, overwrite")
      ->type_name("HOW");
}

void add_pace(CLI::App &command, Job &job) {
  command.add_option("--jobs", job.workers, "How many batches are under way at once; 4")
      ->type_name("N")
      ->check(CLI::Range(1, 64));
  command
      .add_option_function<std::string>(
          "--rate",
          [&job](const std::string &text) {
            std::int64_t bytes = 0;
            if (!config::parse_bytes(text, bytes) || bytes <= 0)
              throw CLI::ValidationError("--rate: expected bytes a second such as 10MiB, found " + text);
            job.bytes_a_second = static_cast<std::uint64_t>(bytes);
          },
          "At most so many bytes a second")
      ->type_name("BYTES");
  command.add_option("--rate-keys", job.keys_a_second, "At most so many keys a second")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

void add_count(CLI::App &command, Job &job) {
  command.add_flag("--count", job.count, "Count the source beside the work, for percent and the time that is left");
}

void add_start(CLI::App &command, Job &job) {
  command.add_flag("--dry-run", job.dry_run, "Say what would be done, and write nothing");
  auto *resume = command.add_flag("--resume", job.resume, "Go on where a run was cut off, or begin");
  command.add_flag("--restart", job.restart, "Forget what a run that was cut off has done")->excludes(resume);
}

void add_journal(CLI::App &command, Job &job) {
  add_start(command, job);
  command
      .add_option("--journal", job.journal, "Where it is written down what is done; else in ~/.local/state/omnistore")
      ->type_name("FILE");
}

void add_copying(CLI::App &command, Job &job) {
  command.add_flag("--verify", job.verify, "Read back what was written, and compare");
  add_conflicts(command, job);
  add_rewrite(command, job);
  add_pace(command, job);
  add_count(command, job);
  add_journal(command, job);
}

constexpr const char *about_copying = R"(
Values go with their expiry and the user's meta. A key that the target has with the same value is left
as it is. With another value it is a conflict: the job ends (fail, exit code 4), keeps the target's
(skip), or replaces it (overwrite).

While it works a journal keeps what is done. Ctrl-C finishes the batches under way; after it, a kill or
a failure, --resume goes on: nothing is copied twice, and nothing is left out.

If source and target share keys, as two mounts of one folder do, the job is refused before anything is
copied or removed, whatever lies between them. To find that out it writes a key with a random name at
both ends, looks for it at the other end, and removes it; --dry-run does so too. An end that is a host,
whose config is not known, is also listed once.

Two keys that a rewrite makes one are an error that names both, where they come within some 250
thousand keys of each other; further apart the second is a conflict with the first.
)";

void fill_copy(CLI::App &command, Line &line) {
  command.footer(std::string(about_copying) + R"(
Examples
  omnistore copy local shared
  omnistore copy session backup:session --on-conflict overwrite
  omnistore copy --to-config other.jsonc
  omnistore copy user --to-url http://127.0.0.1:7700 --rate 10MiB
  omnistore copy old new --rewrite '^user-(\d+)$' 'user:$1' --dry-run
  omnistore --json copy local shared --resume)");
  command.add_option("FROM", line.copy.from.base, "The base to copy; left out or /: everything");
  command.add_option_function<std::string>(
      "TO", [&line](const std::string &text) { line.copy.to.base = text, line.copy.to_is_named = true; },
      "The base to copy to; left out: as FROM");
  add_end(command, line.copy.from, "from", "source");
  add_end(command, line.copy.to, "to", "target");
  add_copying(command, line.copy);
}

void fill_migrate(CLI::App &command, Line &line) {
  command.footer(std::string(about_copying) + R"(
With --move each key is removed once its copy was read back and is as it should be, and only where its
value has not changed meanwhile; a value that has is copied again.

Examples
  omnistore migrate oldPrefix newPrefix:v2
  omnistore migrate oldPrefix newPrefix:v2 --move
  omnistore migrate user user --rewrite '^(\d+)$' 'id:$1' --move
  omnistore --url http://127.0.0.1:7700 migrate a b --dry-run)");
  command.add_option("OLD", line.migrate.from.base, "The base that the keys have")->required();
  command.add_option("NEW", line.migrate.to.base, "The base that they get")->required();
  command.add_flag("--move", line.migrate.move, "Remove each old key once its new one is there, and verified");
  add_copying(command, line.migrate);
}

void fill_verify(CLI::App &command, Line &line) {
  command.footer(R"(
Prints each difference, the kind and the key at the target: missing (there), extra (not at the source),
different (another value), meta (the same value with another expiry or meta of the user's; with --meta),
unreadable (one of the two cannot be read; standard error says why, and the others are compared all the same).
Exit code 0: all is the same; 1: it is not; 3 or 7: a part of one of the two cannot be listed.

Examples
  omnistore verify local shared
  omnistore verify user --to-url http://127.0.0.1:7700 --meta
  omnistore verify old new --rewrite '^user-(\d+)$' 'user:$1'
  omnistore --json verify local shared
      {"difference":"missing","from":"local:a","to":"shared:a"})");
  command.add_option("FROM", line.verify.from.base, "A base; left out or /: everything");
  command.add_option_function<std::string>(
      "TO", [&line](const std::string &text) { line.verify.to.base = text, line.verify.to_is_named = true; },
      "The one to compare it with; left out: as FROM");
  add_end(command, line.verify.from, "from", "source");
  add_end(command, line.verify.to, "to", "target");
  add_null(command, line.verify.null);
  command.add_flag("--meta", line.verify.meta, "Compare expiry and the user's meta as well");
  add_rewrite(command, line.verify);
  add_pace(command, line.verify);
  add_count(command, line.verify);
}

void fill_dump(CLI::App &command, Line &line) {
  command.footer(R"(
JSON Lines with checksums, which other programs can read: host/src/jobs/FORMAT.md says how. Values go
with their expiry and the user's meta. FILE has its name once it is whole; until then it is FILE.part.
A pipe into `omnistore restore` does not see whether both ends share keys: a dump whose keys are restored
below its own BASE would read its copies again, without an end. Use `copy`, which looks for that, or a file.

Examples
  omnistore dump -o all.jsonl
  omnistore dump user -o user.jsonl --resume
  omnistore dump user | gzip > user.jsonl.gz
  omnistore --url http://127.0.0.1:7700 dump --dry-run)");
  command.add_option("BASE", line.dump.from.base, "The base to dump; left out or /: everything");
  command
      .add_option("-o,--output", line.dump.file,
                  "The file, readable by its owner alone; left out or -: standard output")
      ->type_name("FILE");
  add_pace(command, line.dump);
  add_count(command, line.dump);
  add_start(command, line.dump);
}

void fill_restore(CLI::App &command, Line &line) {
  command.footer(R"(
Each entry is set only where its checksum is right. What is wrong with the dump is told, the rest is
set, and the exit code is 7. Entries that have expired are left out. Conflicts as with copy: a key
that has the same value is left as it is.

Examples
  omnistore restore user user.jsonl
  zcat user.jsonl.gz | omnistore restore
  omnistore restore other:base -f user.jsonl --on-conflict overwrite
  omnistore restore -f all.jsonl --dry-run)");
  command.add_option_function<std::string>(
      "BASE", [&line](const std::string &text) { line.restore.to.base = text, line.restore.to_is_named = true; },
      "The base to set them under; left out: as they were dumped; /: none");
  command.add_option("FILE,-f,--file", line.restore.file, "The dump; left out or -: standard input")->type_name("FILE");
  command.add_flag("--verify", line.restore.verify, "Read back what was written, and compare");
  add_conflicts(command, line.restore);
  add_rewrite(command, line.restore);
  add_pace(command, line.restore);
  add_journal(command, line.restore);
}

} // namespace

void add_jobs(CLI::App &app, Line &line) {
  add(app, line, line.copy, "copy", "Copy all keys under a base to another base, config or host", fill_copy);
  add(app, line, line.migrate, "migrate", "Give all keys under a base another base or form", fill_migrate);
  add(app, line, line.verify, "verify", "Compare all keys under two bases", fill_verify);
  add(app, line, line.dump, "dump", "Write all keys under a base to a file, or to standard output", fill_dump);
  add(app, line, line.restore, "restore", "Set all keys of a dump", fill_restore);
}

} // namespace omnistore::cli
