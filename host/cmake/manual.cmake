# SPDX-License-Identifier: Apache-2.0
# cmake -DPROGRAM=omnistore -DPAGE=omnistore-test-driver.1 -P manual.cmake
# Writes the help of `omnistore test-driver` as a manual page.
execute_process(COMMAND ${PROGRAM} test-driver --help OUTPUT_VARIABLE help COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\\" "\\e" help "${help}")
string(REPLACE "-" "\\-" help "${help}")
string(REGEX REPLACE "(^|\n)([.'])" "\\1\\\\&\\2" help "${help}")
file(WRITE ${PAGE} ".TH OMNISTORE\\-TEST\\-DRIVER 1\n.SH NAME\nomnistore\\-test\\-driver \\- "
  "try every rule of the contract on a driver plugin\n.SH DESCRIPTION\n.nf\n${help}.fi\n")
