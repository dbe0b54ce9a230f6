/* Noting a failure. */
#include "fault.h"

#include <stdarg.h>
#include <stdio.h>

int ot_fail(struct ot_fault *fault, int number, const char *syscall, const char *format, ...) {
  va_list arguments;
  fault->number = number;
  fault->syscall = syscall;
  va_start(arguments, format);
  vsnprintf(fault->step, sizeof fault->step, format, arguments);
  va_end(arguments);
  return -1;
}
