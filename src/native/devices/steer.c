/*
 * Which queue of a TAP, and so which engine, gets a frame of the guest. The kernel chooses by a hash until something is
 * written to the flow, and then the queue that wrote it: a flow changes its engine at its first answer, and frames that
 * wait in the queue before are overtaken. This program chooses by addresses and ports alone, so a flow never changes.
 * Owns its instructions.
 *
 * Fragments have no ports: those of a datagram are chosen by its addresses, all alike.
 */
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../overtap.h"
#include "tcx.h"

#ifndef TUNSETSTEERINGEBPF
#define TUNSETSTEERINGEBPF _IOR('T', 224, int)
#endif

#define TEXT 160
#define ETHERNET_TYPE 12
#define ETHERNET 14
#define TAGGED 18
#define TCP 6
#define UDP 17
/* Odd, with well mixed bits: 2^32 divided by the golden ratio. */
#define GOLDEN ((int)0x9e3779b1)

/* Registers: RESULT of a load and of the program; FRAME has to be R6 for loads. */
enum {
  RESULT = BPF_REG_0,
  GIVEN = BPF_REG_1,
  FRAME = BPF_REG_6,
  HEADER = BPF_REG_7,
  HASH = BPF_REG_8,
  HIGH = BPF_REG_9
};

struct program {
  struct bpf_insn text[TEXT];
  int count;
};

static int emit(struct program *program, int code, int to, int from, int value) {
  if (program->count == TEXT) return TEXT - 1; /* the kernel rejects a program without an exit */
  program->text[program->count] = (struct bpf_insn){
      .code = (uint8_t)code, .dst_reg = (uint8_t)to & 0xf, .src_reg = (uint8_t)from & 0xf, .imm = value};
  return program->count++;
}

/* The jump leads to the next instruction. */
static void aim(struct program *program, int jump) { program->text[jump].off = (int16_t)(program->count - jump - 1); }

static int jump_if(struct program *program, int comparison, int value) {
  return emit(program, BPF_JMP | comparison | BPF_K, RESULT, 0, value);
}

static int jump(struct program *program) { return emit(program, BPF_JMP | BPF_JA, 0, 0, 0); }

/* A load beyond the end of the frame ends the program with 0. */
static void load(struct program *program, int size, int at) { emit(program, BPF_LD | size | BPF_ABS, 0, 0, at); }

static void load_behind(struct program *program, int size, int at) {
  emit(program, BPF_LD | size | BPF_IND, 0, HEADER, at);
}

static void alu(struct program *program, int operation, int to, int value) {
  emit(program, BPF_ALU64 | operation | BPF_K, to, 0, value);
}

static void mix(struct program *program) {
  emit(program, BPF_ALU64 | BPF_XOR | BPF_X, HASH, RESULT, 0);
  alu(program, BPF_MUL, HASH, GOLDEN);
  emit(program, BPF_ALU64 | BPF_MOV | BPF_X, HIGH, HASH, 0);
  alu(program, BPF_RSH, HIGH, 32);
  emit(program, BPF_ALU64 | BPF_XOR | BPF_X, HASH, HIGH, 0);
}

/* Of an IPv4 packet. Returns the jump to the ports; `end` gets the jumps past them. */
static int mix_ipv4(struct program *program, int *end) {
  for (int at = 12; at <= 16; at += 4) {
    load_behind(program, BPF_W, at);
    mix(program);
  }
  load_behind(program, BPF_H, 6);
  alu(program, BPF_AND, RESULT, 0x3fff);
  end[0] = jump_if(program, BPF_JNE, 0);
  load_behind(program, BPF_B, 9);
  int tcp = jump_if(program, BPF_JEQ, TCP);
  end[1] = jump_if(program, BPF_JNE, UDP);
  aim(program, tcp);
  load_behind(program, BPF_B, 0);
  alu(program, BPF_AND, RESULT, 0xf);
  alu(program, BPF_LSH, RESULT, 2);
  emit(program, BPF_ALU64 | BPF_ADD | BPF_X, HEADER, RESULT, 0);
  return jump(program);
}

/* Of an IPv6 packet, without extension headers. */
static int mix_ipv6(struct program *program, int *end) {
  for (int at = 8; at < 40; at += 4) {
    load_behind(program, BPF_W, at);
    mix(program);
  }
  load_behind(program, BPF_B, 6);
  alu(program, BPF_ADD, HEADER, 40);
  int tcp = jump_if(program, BPF_JEQ, TCP);
  end[0] = jump_if(program, BPF_JNE, UDP);
  aim(program, tcp);
  return jump(program);
}

static void mix_macs(struct program *program) {
  for (int at = 0; at < ETHERNET_TYPE; at += 4) {
    load(program, BPF_W, at);
    mix(program);
  }
}

/* RESULT becomes the EtherType, HEADER the place behind it. */
static void find_header(struct program *program) {
  alu(program, BPF_MOV, HEADER, ETHERNET);
  load(program, BPF_H, ETHERNET_TYPE);
  int customer = jump_if(program, BPF_JEQ, 0x8100);
  int untagged = jump_if(program, BPF_JNE, 0x88a8);
  aim(program, customer);
  alu(program, BPF_MOV, HEADER, TAGGED);
  load(program, BPF_H, TAGGED - 2);
  aim(program, untagged);
}

static void write_program(struct program *program, bool layer3) {
  int ends[4], ports[2], jumps[2], count = 0;
  emit(program, BPF_ALU64 | BPF_MOV | BPF_X, FRAME, GIVEN, 0);
  alu(program, BPF_MOV, HASH, 0);
  if (layer3) {
    alu(program, BPF_MOV, HEADER, 0);
    load(program, BPF_B, 0);
    alu(program, BPF_RSH, RESULT, 4);
  } else {
    find_header(program);
  }
  jumps[0] = jump_if(program, BPF_JEQ, layer3 ? 4 : 0x0800);
  jumps[1] = jump_if(program, BPF_JEQ, layer3 ? 6 : 0x86dd);
  if (!layer3) mix_macs(program);
  ends[count++] = jump(program);
  aim(program, jumps[0]);
  ports[0] = mix_ipv4(program, ends + count);
  count += 2;
  aim(program, jumps[1]);
  ports[1] = mix_ipv6(program, ends + count);
  count += 1;
  aim(program, ports[0]);
  aim(program, ports[1]);
  load_behind(program, BPF_W, 0);
  mix(program);
  for (int i = 0; i < count; i++) aim(program, ends[i]);
  /* The kernel takes this modulo the number of queues. */
  emit(program, BPF_ALU64 | BPF_MOV | BPF_X, RESULT, HASH, 0);
  emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

static int load_program(bool layer3) {
  struct program program = {.count = 0};
  union bpf_attr attributes;
  write_program(&program, layer3);
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = (uintptr_t)program.text;
  attributes.insn_cnt = (uint32_t)program.count;
  attributes.license = (uintptr_t)"Dual MIT/GPL";
  strcpy(attributes.prog_name, "overtap_steer");
  return ot_bpf(BPF_PROG_LOAD, &attributes, sizeof attributes);
}

void ot_tap_steer(const struct ot_tap_options *options, struct ot_tap *tap) {
  if (options->queues < 2) return;
  int program = load_program(options->layer3);
  tap->is_steered = program >= 0 && ioctl(tap->fd, TUNSETSTEERINGEBPF, &program) == 0;
  if (program >= 0) close(program); /* the TAP has it */
}
