// SPDX-License-Identifier: Apache-2.0
// generate PROGRAM.c INCLUDES HEADER...: writes a C program that prints the contract of the headers, which lie in the
// folder INCLUDES, one line for each thing promised: every #define, typedef and function as it is written, every struct
// with its size, every field with its offset and size. It reads the items to print from the headers' own text, so that
// none can be forgotten.
#include <fstream>
#include <iostream>
#include <iterator>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

std::string read(const std::string &file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string one_line(const std::string &text) {
  std::istringstream words(text);
  std::string line, word;
  while (words >> word) line += (line.empty() ? "" : " ") + word;
  return line;
}

std::string without_comments(const std::string &text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.compare(at, 2, "/*") != 0) {
      out += text[at++];
      continue;
    }
    const std::size_t end = text.find("*/", at + 2);
    if (end == text.npos) throw std::runtime_error("a comment without an end");
    out += ' ';
    at = end + 2;
  }
  return out;
}

/// Text as a C string literal.
std::string literal(const std::string &text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string field_name(const std::string &declaration) {
  std::smatch match;
  if (std::regex_search(declaration, match, std::regex(R"(\(OMNISTORE_CALL \*(\w+)\)\()"))) return match[1];
  if (declaration.find(',') != declaration.npos) throw std::runtime_error("two fields in one: " + declaration);
  if (std::regex_search(declaration, match, std::regex(R"((\w+)$)"))) return match[1];
  throw std::runtime_error("no field's declaration: " + declaration);
}

/// Takes the directives out of `text`; the #defines' lines go to `out`.
std::string take_directives(const std::string &text, std::ostream &out) {
  std::istringstream lines(text);
  std::string line, rest;
  while (std::getline(lines, line)) {
    const std::string directive = one_line(line);
    if (directive.empty() || directive[0] != '#') {
      rest += line + '\n';
      continue;
    }
    if (directive.ends_with('\\')) throw std::runtime_error("a directive of more than a line: " + directive);
    if (directive.starts_with("#define ")) out << "  puts(" << literal(directive.substr(1)) << ");\n";
  }
  return rest;
}

void write_struct(const std::string &declaration, std::ostream &out) {
  const std::size_t open = declaration.find('{'), close = declaration.rfind('}');
  std::smatch match;
  if (!std::regex_search(declaration, match, std::regex(R"(struct (\w+) \{)"))) {
    throw std::runtime_error("not a struct with a name: " + declaration);
  }
  const std::string name = match[1];
  out << "  printf(\"struct " << name << " size %zu\\n\", sizeof(" << name << "));\n";
  std::istringstream fields(declaration.substr(open + 1, close - open - 1));
  std::string text;
  while (std::getline(fields, text, ';')) {
    const std::string field = one_line(text);
    if (field.empty()) continue;
    const std::string member = field_name(field);
    out << "  printf(\"field " << name << "." << member << " offset %zu size %zu: %s\\n\", offsetof(" << name << ", "
        << member << "), sizeof(((" << name << " *)0)->" << member << "), " << literal(field) << ");\n";
  }
}

std::vector<std::string> declarations(const std::string &text) {
  std::vector<std::string> out;
  std::string declaration;
  int depth = 0;
  for (const char c : text) {
    depth += (c == '{') - (c == '}');
    if (depth < 0)
      depth = 0, declaration.clear(); // the end of extern "C"
    else if (c == ';' && depth == 0)
      out.push_back(one_line(declaration)), declaration.clear();
    else
      declaration += c;
  }
  if (!one_line(declaration).empty()) throw std::runtime_error("not understood: " + one_line(declaration));
  return out;
}

void write_header(const std::string &text, std::ostream &out) {
  const std::string rest = take_directives(without_comments(text), out);
  for (const std::string &declaration : declarations(std::regex_replace(rest, std::regex(R"(extern "C" \{)"), ""))) {
    if (declaration.find('{') != declaration.npos)
      write_struct(declaration, out);
    else
      out << "  puts(" << literal(declaration) << ");\n";
  }
}

} // namespace

int main(int count, char **argv) {
  try {
    std::ofstream out(argv[1], std::ios::trunc);
    for (int i = 3; i < count; ++i) out << "#include <" << argv[i] << ">\n";
    out << "#include <stdio.h>\n\nint main(void) {\n";
    for (int i = 3; i < count; ++i) write_header(read(argv[2] + std::string("/") + argv[i]), out);
    out << "  return 0;\n}\n";
    return out.flush() ? 0 : 1;
  } catch (const std::exception &error) {
    std::cerr << argv[0] << ": " << error.what() << "\n";
    return 1;
  }
}
