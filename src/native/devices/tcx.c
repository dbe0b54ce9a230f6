/*
 * Loads BPF classifiers and links them to devices. Owns the program of two instructions that drops what a device
 * receives: packet sockets see a frame before it (__netif_receive_skb_core in the kernel), the host's stack behind it
 * does not.
 */
#include "tcx.h"

#include <errno.h>
#include <linux/pkt_cls.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Constants that older kernel headers lack. */
#define LINK_CREATE 28
#define TCX_INGRESS 46 /* Linux 6.6 */
#define BEFORE (1u << 3)

/* Of loading a program. */
#define MOST_TRIES 10

struct link_create {
  uint32_t program, device, type, flags;
  uint8_t rest[64]; /* the fields behind are zero */
};

int ot_bpf(int command, void *attributes, size_t size) { return (int)syscall(SYS_bpf, command, attributes, size); }

int ot_bpf_load(int type, const struct bpf_insn *text, int count, const char *name, const char *what,
                struct ot_fault *fault) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = (uint32_t)type;
  attributes.insns = (uintptr_t)text;
  attributes.insn_cnt = (uint32_t)count;
  /* Some helpers require a GPL-compatible licence. */
  attributes.license = (uintptr_t)"Dual MIT/GPL";
  strncpy(attributes.prog_name, name, sizeof attributes.prog_name - 1);
  int fd, tries = 0;
  /* The verifier gives up with EAGAIN when a signal is pending, or work of a ring that was closed (nic/uring.c). */
  do fd = ot_bpf(BPF_PROG_LOAD, &attributes, sizeof attributes);
  while (fd < 0 && errno == EAGAIN && ++tries < MOST_TRIES);
  return fd < 0 ? ot_fail(fault, errno, "bpf", "loading the program of %s", what) : fd;
}

int ot_tcx_load(const struct bpf_insn *text, int count, const char *name, const char *what, struct ot_fault *fault) {
  return ot_bpf_load(BPF_PROG_TYPE_SCHED_CLS, text, count, name, what, fault);
}

int ot_tcx_link(int program, int device, const char *what, struct ot_fault *fault) {
  struct link_create attributes = {
      .program = (uint32_t)program, .device = (uint32_t)device, .type = TCX_INGRESS, .flags = BEFORE};
  int fd = ot_bpf(LINK_CREATE, &attributes, sizeof attributes);
  return fd < 0 ? ot_fail(fault, errno, "bpf", "linking a program to %s", what) : fd;
}

int ot_tcx_attach(const struct bpf_insn *text, int count, const char *name, const char *what, int device,
                  const char *where, struct ot_fault *fault) {
  int program = ot_tcx_load(text, count, name, what, fault);
  if (program < 0 || !device) return program;
  int link = ot_tcx_link(program, device, where, fault);
  close(program);
  return link;
}

int ot_tcx_silence(int device, struct ot_fault *fault) {
  static const struct bpf_insn text[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_SHOT},
      {.code = BPF_JMP | BPF_EXIT},
  };
  return ot_tcx_attach(text, 2, "overtap_silence", "a silenced interface", device, "a silenced interface", fault);
}
