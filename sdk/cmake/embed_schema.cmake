# SPDX-License-Identifier: Apache-2.0
# cmake -DSCHEMA=options.schema.json -DHEADER=omnistore_schema.h -P embed_schema.cmake
# Checks that SCHEMA is one JSON object and writes it into HEADER as a string literal.
file(READ ${SCHEMA} text)

# Read as the one item of an array, so that what follows the object is an error too.
string(JSON count ERROR_VARIABLE problem LENGTH "[${text}]")
if(problem)
  message(FATAL_ERROR "${SCHEMA}: it is not JSON: ${problem}")
endif()
string(JSON kind ERROR_VARIABLE problem TYPE "[${text}]" 0)
if(NOT count EQUAL 1 OR NOT kind STREQUAL "OBJECT")
  message(FATAL_ERROR "${SCHEMA}: a schema of options is one JSON object")
endif()

string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "?" "\\?" text "${text}") # no trigraphs
string(REPLACE "\t" "\\t" text "${text}")
string(REPLACE "\r" "" text "${text}")
string(REGEX REPLACE "\n+$" "" text "${text}")
string(REPLACE "\n" "\\n\" \\\n  \"" text "${text}")
file(WRITE ${HEADER} "#define OMNISTORE_OPTIONS_SCHEMA \\\n  \"${text}\"\n")
