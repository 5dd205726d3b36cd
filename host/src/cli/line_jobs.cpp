// SPDX-License-Identifier: Apache-2.0
// The commands of long work: copy, migrate, verify, dump and restore.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void add_end(CLI::App &command, JobEnd &end, const std::string &name, const std::string &what) {
  command.add_option("--" + name + "-config", end.config, "The config of the " + what + " (default: that of --config)")
      ->type_name("FILE");
  command.add_option("--" + name + "-profile", end.profile, "Its profile")->type_name("NAME");
  command.add_option("--" + name + "-url", end.url, "The " + what + " is the host that runs there")->type_name("URL");
  command.add_option("--" + name + "-token", end.token, "The token for that host (default: that of --token)")
      ->type_name("TEXT");
}

void add_rewrite(CLI::App &command, Job &job) {
  command
      .add_option_function<std::vector<jobs::RewriteRule>>(
          "--rewrite",
          [&job](std::vector<jobs::RewriteRule> rules) {
            for (auto &[pattern, replacement] : rules) // words_of() put a character before it
              job.rewrite.emplace_back(pattern.substr(1), replacement.substr(1));
          },
          "Replace each match of a regular expression (Perl's) in the key after its base; $1 is a group. If there "
          "are several, they apply one after the other")
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
          "If a key has another value at the target: fail (the default: nothing is lost), skip, overwrite")
      ->type_name("HOW");
}

void add_pace(CLI::App &command, Job &job) {
  command.add_option("--jobs", job.workers, "Run N batches at once (default: 4)")
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
          "Move at most so many bytes a second")
      ->type_name("BYTES");
  command.add_option("--rate-keys", job.keys_a_second, "Move at most N keys a second")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

void add_count(CLI::App &command, Job &job) {
  command.add_flag("--count", job.count, "Count the source during the work, to show percent and the time left");
}

void add_start(CLI::App &command, Job &job) {
  command.add_flag("--dry-run", job.dry_run, "Print what would be done, and write nothing");
  auto *resume = command.add_flag("--resume", job.resume, "Resume a run that was cut off, or begin");
  command.add_flag("--restart", job.restart, "Forget the progress of a run that was cut off")->excludes(resume);
}

void add_journal(CLI::App &command, Job &job) {
  add_start(command, job);
  command
      .add_option("--journal", job.journal, "The file that records the progress (default: in ~/.local/state/omnistore)")
      ->type_name("FILE");
}

void add_copying(CLI::App &command, Job &job) {
  command.add_flag("--verify", job.verify, "Read the written values back, and compare");
  add_conflicts(command, job);
  add_rewrite(command, job);
  add_pace(command, job);
  add_count(command, job);
  add_journal(command, job);
}

constexpr const char *about_copying = R"(
Values keep their expiry and the user's meta. If the target has a key with the same value, the job
leaves it. If it has another value, that is a conflict: the job ends (fail, exit code 4), keeps the
target's value (skip), or replaces it (overwrite).

A journal records the progress. Ctrl-C finishes the batches under way. After Ctrl-C, a kill or a
failure, --resume continues: nothing is copied twice, and nothing is left out.

If source and target share keys, as two mounts of one folder do, the job is refused before anything is
copied or removed, whatever lies between them. To find that out it writes a key with a random name at
both ends, looks for it at the other end, and removes it; --dry-run does so too. The config of a host
is not known, so a host is also listed once.

If a rewrite makes two keys one, and they come within some 250 thousand keys of each other, that is an
error that names both. If they are further apart, the second is a conflict with the first.
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
  command.add_option("FROM", line.copy.from.base, "The base to copy (default: everything, as /)");
  command.add_option_function<std::string>(
      "TO", [&line](const std::string &text) { line.copy.to.base = text, line.copy.to_is_named = true; },
      "The base to copy to (default: FROM)");
  add_end(command, line.copy.from, "from", "source");
  add_end(command, line.copy.to, "to", "target");
  add_copying(command, line.copy);
}

void fill_migrate(CLI::App &command, Line &line) {
  command.footer(std::string(about_copying) + R"(
With --move each key is removed after its copy was read back and is right, and only if its value has
not changed meanwhile; a value that has changed is copied again.

Examples
  omnistore migrate oldPrefix newPrefix:v2
  omnistore migrate oldPrefix newPrefix:v2 --move
  omnistore migrate user user --rewrite '^(\d+)$' 'id:$1' --move
  omnistore --url http://127.0.0.1:7700 migrate a b --dry-run)");
  command.add_option("OLD", line.migrate.from.base, "The base that the keys have")->required();
  command.add_option("NEW", line.migrate.to.base, "The base that they get")->required();
  command.add_flag("--move", line.migrate.move, "Remove each old key after its new one was verified");
  add_copying(command, line.migrate);
}

void fill_verify(CLI::App &command, Line &line) {
  command.footer(R"(
Prints each difference as its kind and the key at the target: missing (there), extra (not at the
source), different (another value), meta (the same value with another expiry or user meta; with --meta),
unreadable (one of the two cannot be read; standard error says why, and the comparison goes on). The
exit code is 0 if there is no difference, 1 if there is one, and 3 or 7 if a part of one of the two
cannot be listed.

Examples
  omnistore verify local shared
  omnistore verify user --to-url http://127.0.0.1:7700 --meta
  omnistore verify old new --rewrite '^user-(\d+)$' 'user:$1'
  omnistore --json verify local shared
      {"difference":"missing","from":"local:a","to":"shared:a"})");
  command.add_option("FROM", line.verify.from.base, "A base (default: everything, as /)");
  command.add_option_function<std::string>(
      "TO", [&line](const std::string &text) { line.verify.to.base = text, line.verify.to_is_named = true; },
      "The base to compare it with (default: FROM)");
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
Writes JSON Lines with checksums, which other programs can read: host/src/jobs/FORMAT.md describes
them. Values keep their expiry and the user's meta. FILE gets its name when it is whole; until then it
is FILE.part. A pipe into `omnistore restore` does not notice that both ends share keys: a dump whose
keys are restored below its own BASE would read its copies again, without an end. Use `copy`, which
checks that, or a file.

Examples
  omnistore dump -o all.jsonl
  omnistore dump user -o user.jsonl --resume
  omnistore dump user | gzip > user.jsonl.gz
  omnistore --url http://127.0.0.1:7700 dump --dry-run)");
  command.add_option("BASE", line.dump.from.base, "The base to dump (default: everything, as /)");
  command
      .add_option("-o,--output", line.dump.file,
                  "Write to a file, which only its owner can read (default: standard output, as -)")
      ->type_name("FILE");
  add_pace(command, line.dump);
  add_count(command, line.dump);
  add_start(command, line.dump);
}

void fill_restore(CLI::App &command, Line &line) {
  command.footer(R"(
Sets each entry whose checksum is right. If others are wrong, standard error says which, and the exit
code is 7. Entries that have expired are left out. Conflicts are those of copy: a key that has the same
value already is left.

Examples
  omnistore restore user user.jsonl
  zcat user.jsonl.gz | omnistore restore
  omnistore restore other:base -f user.jsonl --on-conflict overwrite
  omnistore restore -f all.jsonl --dry-run)");
  command.add_option_function<std::string>(
      "BASE", [&line](const std::string &text) { line.restore.to.base = text, line.restore.to_is_named = true; },
      "The base to set them under (default: that of the dump); / is none");
  command.add_option("FILE,-f,--file", line.restore.file, "The dump (default: standard input, as -)")
      ->type_name("FILE");
  command.add_flag("--verify", line.restore.verify, "Read the written values back, and compare");
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
