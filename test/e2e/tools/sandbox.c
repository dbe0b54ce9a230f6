/*
 * Runs a program under the seccomp filter that systemd makes of a unit: SystemCallFilter, SystemCallErrorNumber=EPERM,
 * RestrictAddressFamilies, RestrictNamespaces, NoNewPrivileges. Generated from the unit file (service-sandbox.ts):
 * unit.h with ALLOWED_FAMILIES and ALLOWED_NAMESPACES, calls.h with the allowed calls.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unit.h"

#if defined __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define NAMESPACES                                                                                                     \
  (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define REFUSED NAMESPACES & ~(unsigned)(ALLOWED_NAMESPACES)

static struct sock_filter program[4096];
static unsigned short length;

static void add(unsigned short code, unsigned jt, unsigned jf, unsigned k) {
  program[length++] = (struct sock_filter){code, (unsigned char)jt, (unsigned char)jf, k};
}

static void load(unsigned offset) { add(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset); }
static void answer(unsigned action) { add(BPF_RET | BPF_K, 0, 0, action); }
/* The next instruction is skipped unless the word is `value`. */
static void when(unsigned value) { add(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value); }
/* Likewise, unless one of these bits is set. */
static void when_any(unsigned bits) { add(BPF_JMP | BPF_JSET | BPF_K, 0, 1, bits); }

static unsigned argument(int index) { return (unsigned)(offsetof(struct seccomp_data, args) + 8 * (unsigned)index); }

/* The instructions up to `mend` are those of one call. */
static unsigned short begin_call(unsigned number) {
  load(offsetof(struct seccomp_data, nr));
  add(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, number);
  return (unsigned short)(length - 1);
}

static void mend(unsigned short jump) { program[jump].jf = (unsigned char)(length - jump - 1); }

static void build(void) {
  static const unsigned calls[] = {
#define CALL(number) number,
#include "calls.h"
#undef CALL
  };
  static const unsigned families[] = {ALLOWED_FAMILIES};
  unsigned refuse = SECCOMP_RET_ERRNO | EPERM;
  load(offsetof(struct seccomp_data, arch));
  add(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCH);
  answer(refuse);

  unsigned short jump = begin_call(__NR_socket);
  load(argument(0));
  for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
    when(families[i]);
    answer(SECCOMP_RET_ALLOW);
  }
  answer(SECCOMP_RET_ERRNO | EAFNOSUPPORT);
  mend(jump);

  /* A namespace of no stated kind could be any. */
  jump = begin_call(__NR_setns);
  load(argument(1));
  when(0);
  answer(refuse);
  when_any(REFUSED);
  answer(refuse);
  mend(jump);
  jump = begin_call(__NR_unshare);
  load(argument(0));
  when_any(REFUSED);
  answer(refuse);
  mend(jump);
  jump = begin_call(__NR_clone);
  load(argument(0));
  when_any(REFUSED);
  answer(refuse);
  mend(jump);
  /* Its flags are in memory, out of the filter's sight: the C library falls back to clone. */
  jump = begin_call(__NR_clone3);
  answer(SECCOMP_RET_ERRNO | ENOSYS);
  mend(jump);

  load(offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    when(calls[i]);
    answer(SECCOMP_RET_ALLOW);
  }
  answer(refuse);
}

int main(int count, char **words) {
  if (count < 2) return fprintf(stderr, "usage: sandbox PROGRAM [ARGUMENT...]\n"), 2;
  build();
  struct sock_fprog filter = {length, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return perror("PR_SET_NO_NEW_PRIVS"), 1;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) return perror("PR_SET_SECCOMP"), 1;
  execv(words[1], words + 1);
  return perror(words[1]), 1;
}
