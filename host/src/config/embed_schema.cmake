# SPDX-License-Identifier: Apache-2.0
# Puts the config's JSON Schema into the library, as omnistore::config::schema_text: what editors read and what the
# host checks by is one file.
set(schema ${CMAKE_SOURCE_DIR}/config/omnistore.schema.json)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${schema})
file(READ ${schema} text)
file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/config_schema_text.cpp CONTENT
"// Made from config/omnistore.schema.json by embed_schema.cmake.
namespace omnistore::config {
extern const char schema_text[];
const char schema_text[] = R\"omnistore(${text})omnistore\";
} // namespace omnistore::config
")
target_sources(omnistore PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/config_schema_text.cpp)
