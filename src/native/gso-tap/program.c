/*
 * The BPF program at the ingress of the GSO TAP (gso-tap.c): redirects written frames to the device that leads to their
 * outer destination, as the kernel's vxlan device would. Owns the program's instructions.
 *
 * A frame does not meet the host's forwarding settings or FORWARD rules, and keeps its TTL. The program runs in the
 * context of write(2), so the verdict is there when the call returns.
 *
 * 1. verdict: refused. 2. bpf_fib_lookup of the outer destination, with the longest packet's length. 3. Without a route
 * to another host, with a path MTU too small, or with another device or next hop than the writer expects: drop. 4.
 * verdict: taken; bpf_redirect_neigh to that device and next hop.
 *
 * The writer's expectation comes from the route of the host's own datagrams, which may differ from that of a received
 * frame.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gso-tap.h"
#include "../devices/tcx.h"

/* Constants that older kernel headers lack. */
#define MMAPABLE (1u << 10)
#define FIB_SKIP_NEIGHBOUR 4
#define REDIRECT_NEIGHBOUR 152

/* struct bpf_redir_neigh */
struct neighbour {
  uint32_t family;
  uint8_t address[16];
};

/* Registers; SKB and later ones survive a call. FRAME is the end of the stack. */
enum { R0, R1, R2, R3, R4, R5, SKB, SHARED, DATA, DEVICE, FRAME };

/* On the stack: struct bpf_fib_lookup (query and result), and the next hop. */
#define FIB (-(int)sizeof(struct bpf_fib_lookup))
#define FIB_AT(field) (FIB + (int)offsetof(struct bpf_fib_lookup, field))
#define NEXT_HOP (FIB - 24)

#define ETHERNET_AT(field) (int)offsetof(struct ot_gso_tap_ethernet, field)
#define SKB_AT(field) (int)offsetof(struct __sk_buff, field)
#define SHARED_AT(field) (int)offsetof(struct ot_gso_tap_shared, field)

#define TEXT 128
#define REFUSALS 16

struct program {
  struct bpf_insn text[TEXT];
  int refusals[REFUSALS]; /* jumps to the end, to be patched */
  int count, refused;
};

/* Returns the instruction's index, so that a jump can be patched later. */
static int emit(struct program *program, int code, int to, int from, int offset, int value) {
  if (program->count == TEXT) return TEXT - 1; /* the kernel rejects a program without an exit */
  program->text[program->count] = (struct bpf_insn){.code = (uint8_t)code,
                                                    .dst_reg = (uint8_t)to & 0xf,
                                                    .src_reg = (uint8_t)from & 0xf,
                                                    .off = (int16_t)offset,
                                                    .imm = value};
  return program->count++;
}

static void aim(struct program *program, int jump) { program->text[jump].off = (int16_t)(program->count - jump - 1); }
static void move(struct program *program, int to, int from) {
  emit(program, BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}
static void set(struct program *program, int to, int value) {
  emit(program, BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}
static void call(struct program *program, int helper) { emit(program, BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
static void load(struct program *program, int size, int to, int from, int at) {
  emit(program, BPF_LDX | size | BPF_MEM, to, from, at, 0);
}
static void put(struct program *program, int size, int to, int at, int value) {
  emit(program, BPF_ST | size | BPF_MEM, to, 0, at, value);
}

/* Jumps to the end, refused, when the comparison of left with right holds. */
static void refuse_if(struct program *program, int comparison, int left, int right) {
  int jump = emit(program, BPF_JMP | comparison | BPF_X, left, right, 0, 0);
  if (program->refused < REFUSALS) program->refusals[program->refused++] = jump;
}

static void move_sum(struct program *program, int to, int from, int more) {
  move(program, to, from);
  emit(program, BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, more);
}

/* Copies `words` 32-bit words of memory to the stack. */
static void copy(struct program *program, int size, int words, int to, int from, int at) {
  int step = size == BPF_B ? 1 : size == BPF_H ? 2 : 4;
  for (int i = 0; i < words; i++) {
    load(program, size, R1, from, at + i * step);
    emit(program, BPF_STX | size | BPF_MEM, FRAME, R1, to + i * step, 0);
  }
}

static int skip_source(struct program *program) {
  load(program, BPF_B, R1, DATA, ETHERNET_AT(open_source));
  return emit(program, BPF_JMP | BPF_JNE | BPF_K, R1, 0, 0, 0);
}

/* The part of the lookup that differs between IPv4 and IPv6. */
static void ask_ipv4(struct program *program) {
  put(program, BPF_B, FRAME, FIB_AT(family), AF_INET);
  copy(program, BPF_B, 1, FIB_AT(tos), DATA, OT_ETHERNET + 1);
  int open = skip_source(program);
  copy(program, BPF_W, 1, FIB_AT(ipv4_src), DATA, OT_ETHERNET + 12);
  aim(program, open);
  copy(program, BPF_W, 1, FIB_AT(ipv4_dst), DATA, OT_ETHERNET + 16);
  copy(program, BPF_H, 2, FIB_AT(sport), DATA, OT_ETHERNET + 20);
}

static void ask_ipv6(struct program *program) {
  put(program, BPF_B, FRAME, FIB_AT(family), AF_INET6);
  int open = skip_source(program);
  copy(program, BPF_W, 4, FIB_AT(ipv6_src), DATA, OT_ETHERNET + 8);
  aim(program, open);
  copy(program, BPF_W, 4, FIB_AT(ipv6_dst), DATA, OT_ETHERNET + 24);
  copy(program, BPF_H, 2, FIB_AT(sport), DATA, OT_ETHERNET + 40);
}

static void ask(struct program *program) {
  for (int at = FIB; at < 0; at += 8) put(program, BPF_DW, FRAME, at, 0);
  put(program, BPF_B, FRAME, FIB_AT(l4_protocol), OT_UDP_PROTOCOL);
  copy(program, BPF_H, 1, FIB_AT(tot_len), DATA, ETHERNET_AT(largest));
  copy(program, BPF_W, 1, FIB_AT(ifindex), SKB, SKB_AT(ifindex));
  load(program, BPF_H, R1, DATA, ETHERNET_AT(type));
  int ipv6 = emit(program, BPF_JMP | BPF_JEQ | BPF_K, R1, 0, 0, htons(0x86dd));
  ask_ipv4(program);
  int end = emit(program, BPF_JMP | BPF_JA, 0, 0, 0, 0);
  aim(program, ipv6);
  ask_ipv6(program);
  aim(program, end);
  move(program, R1, SKB);
  move_sum(program, R2, FRAME, FIB);
  set(program, R3, sizeof(struct bpf_fib_lookup));
  set(program, R4, FIB_SKIP_NEIGHBOUR);
  call(program, BPF_FUNC_fib_lookup);
}

/* Refuses unless device and next hop are the expected ones. */
static void compare(struct program *program) {
  load(program, BPF_W, R1, FRAME, FIB_AT(ifindex));
  refuse_if(program, BPF_JNE, R1, DEVICE);
  load(program, BPF_B, R1, FRAME, FIB_AT(family));
  load(program, BPF_W, R2, SHARED, SHARED_AT(hop_family));
  refuse_if(program, BPF_JNE, R1, R2);
  for (int i = 0; i < 16; i += 4) {
    load(program, BPF_W, R1, FRAME, FIB_AT(ipv6_dst) + i);
    load(program, BPF_W, R2, SHARED, SHARED_AT(hop) + i);
    refuse_if(program, BPF_JNE, R1, R2);
  }
}

static void redirect(struct program *program) {
  load(program, BPF_B, R1, FRAME, FIB_AT(family));
  emit(program, BPF_STX | BPF_W | BPF_MEM, FRAME, R1, NEXT_HOP, 0);
  copy(program, BPF_W, 4, NEXT_HOP + 4, FRAME, FIB_AT(ipv6_dst));
  put(program, BPF_W, SHARED, SHARED_AT(verdict), OT_VERDICT_TAKEN);
  move(program, R1, DEVICE);
  move_sum(program, R2, FRAME, NEXT_HOP);
  set(program, R3, sizeof(struct neighbour));
  set(program, R4, 0);
  call(program, REDIRECT_NEIGHBOUR);
  emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void write_program(struct program *program, int map) {
  move(program, SKB, R1);
  emit(program, BPF_LD | BPF_DW | BPF_IMM, SHARED, BPF_PSEUDO_MAP_VALUE, 0, map);
  emit(program, 0, 0, 0, 0, 0);
  put(program, BPF_W, SHARED, SHARED_AT(verdict), OT_VERDICT_REFUSED);
  load(program, BPF_W, DATA, SKB, SKB_AT(data));
  load(program, BPF_W, R1, SKB, SKB_AT(data_end));
  move_sum(program, R2, DATA, OT_ETHERNET + 40 + 4);
  refuse_if(program, BPF_JGT, R2, R1);
  load(program, BPF_W, DEVICE, DATA, ETHERNET_AT(device));
  ask(program);
  set(program, R1, BPF_FIB_LKUP_RET_SUCCESS);
  refuse_if(program, BPF_JNE, R0, R1);
  compare(program);
  redirect(program);
  for (int i = 0; i < program->refused; i++) aim(program, program->refusals[i]);
  set(program, R0, TC_ACT_SHOT);
  emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int make_map(struct ot_fault *fault) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = sizeof(struct ot_gso_tap_shared);
  attributes.max_entries = 1;
  attributes.map_flags = MMAPABLE;
  int fd = ot_bpf(BPF_MAP_CREATE, &attributes, sizeof attributes);
  return fd < 0 ? ot_fail(fault, errno, "bpf", "making a BPF map") : fd;
}

static int load_program(int map, struct ot_fault *fault) {
  struct program program = {.count = 0};
  write_program(&program, map);
  return ot_tcx_load(program.text, program.count, "overtap_tunnel", "the GSO TAP", fault);
}

int ot_gso_tap_program(int device, volatile struct ot_gso_tap_shared **shared, struct ot_fault *fault) {
  int link = -1, map = make_map(fault);
  if (map < 0) return -1;
  void *memory = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  int program = memory == MAP_FAILED ? ot_fail(fault, errno, "mmap", "sharing a BPF map") : load_program(map, fault);
  if (program >= 0) {
    link = ot_tcx_link(program, device, "the GSO TAP", fault);
    close(program);
  }
  close(map);
  if (link >= 0) *shared = memory;
  else if (memory != MAP_FAILED) ot_gso_tap_unmap(memory);
  return link;
}

void ot_gso_tap_unmap(volatile struct ot_gso_tap_shared *shared) {
  munmap((void *)shared, (size_t)sysconf(_SC_PAGESIZE));
}
