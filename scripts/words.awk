# SPDX-License-Identifier: Apache-2.0
# Finds phrases in comments and documents that are not plain English, and prints FILE:LINE, the advice and the text. It
# looks only for phrases that are almost always wrong; scripts/lint runs it.

function report(advice, text) {
  sub(/^[ \t]+/, "", text)
  printf "%s:%d: %s: %s\n", FILENAME, FNR, advice, text
}

function check(text,   t) {
  gsub(/`[^`]*`|"[^"]*"/, "", text)
  t = tolower(" " text " ")
  if (text ~ /(^[ \t*|0-9.-]*|[.!?] )(What|Whether|Who|Whom|Whose|Where|Of) [a-z]/ && text !~ /[?]/)
    report("a sentence needs a subject and a verb before What, Whether, Who, Where or Of", text)
  if (t ~ /[^a-z-]where[^a-z-]/ && t !~ / where to start|(place|folder|file|line|column|position|point|path|offset|address|room|say|show|find|know|see)s? where /)
    report("\"where\" is only a place; conditions use if or when", text)
  if (t ~ /[^a-z](tells?|told|telling)[^a-z]/ && t !~ /(tell|tells|told) [a-z ]*apart/)
    report("programs report, log, show or say; they do not tell", text)
  if (t ~ /[^a-z]behind[^a-z]/ && t !~ /(leave|left|fall|fell|lag|lagg|far)[a-z]* behind|behind (a|an|the|its) ([a-z]+ )?(proxy|proxies|server|nat|balancer)/ && text !~ /^behind[.,]/)
    report("\"after\" is the order; \"behind\" is a place", text)
  if (t ~ /[^a-z_.](asks?|asked|asking|answers?|answered|answering)[^a-z_.(]/ && t !~ /question/)
    report("the words are request and response, or call and result; programs do not ask or answer", text)
  if (t ~ /[^a-z](gives?|gave|giving) up[^a-z]/)
    report("say what happens: it fails, returns, stops or is dropped", text)
  if (t ~ /[^a-z](holds?|held|holding) up[^a-z]/ && t !~ /up to/)
    report("one thing delays another", text)
  if (t ~ /[^a-z](lets?|letting) (it|them|him|her) go[^a-z]/)
    report("say release", text)
  if (t ~ /[^a-z]call(s|ed|ing)? off[^a-z]/)
    report("calls and jobs are cancelled", text)
  if (t ~ /[^a-z]begun anew[^a-z]/)
    report("jobs restart", text)
  if (t ~ /[^a-z]in front[^a-z]/)
    report("\"before\" is the order; \"in front of\" is a place", text)
  if (t ~ /[^a-z](goes|go|going|went|gone) on[^a-z]/)
    report("jobs continue or resume; they do not go on", text)
  if (t ~ /, as (an?|those|that|one) [a-z]+( (does|do|is|has|may|can|keeps|gives))?[.,;:)]/ && t !~ /, as an? (whole|result|rule|last|list|string|number|text|plugin)[^a-z]/)
    report("examples use \"such as\" or \"like\"", text)
}

FNR == 1 { block = fenced = 0; markdown = FILENAME ~ /\.md$/; hash = FILENAME ~ /(\.txt|\.cmake|\.py)$/ }

hash { if (match($0, /(^|[ \t])#+ /)) check(substr($0, RSTART + RLENGTH)); next }

markdown {
  if (/^ *```/) fenced = !fenced
  else if (!fenced && !/^    /) check($0)
  next
}

block {
  text = $0
  if (match(text, /\*\//)) { block = 0; text = substr(text, 1, RSTART - 1) }
  sub(/^ *\*+ ?/, "", text)
  check(text)
  next
}

match($0, /TEST_CASE(_METHOD)?\([^"]*"[^"]*"/) {
  name = substr($0, RSTART, RLENGTH - 1)
  sub(/^[^"]*"/, "", name)
  check(name)
  if (name ~ /^([Ww]hat|[Ww]ho|[Ww]hoever|[Ww]here|[Ww]hether|[Oo]f) /) report("a test name says what holds", name)
  if (length(name) >= 100) report("a test name has less than 100 characters", name)
}

{
  code = $0
  gsub(/R"\([^)]*\)"|"([^"\\]|\\.)*"/, "", code)
}

match(code, /(^|[^:])\/\/[\/!]*<? ?/) { check(substr(code, RSTART + RLENGTH)); next }

match(code, /\/\*/) {
  text = substr(code, RSTART + 2)
  block = !match(text, /\*\//)
  if (!block) text = substr(text, 1, RSTART - 1)
  check(text)
}
