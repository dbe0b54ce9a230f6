/* Failures of set-up verbs. A binding throws them as an Error with `code` and `syscall`. */
#ifndef OVERTAP_FAULT_H
#define OVERTAP_FAULT_H

struct ot_fault {
  int number;
  const char *syscall;
  char step[320];
};

/* Notes a failure. Returns -1, so that it can be the operand of a return. */
int ot_fail(struct ot_fault *fault, int number, const char *syscall, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
