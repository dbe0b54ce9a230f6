/* Instructions of a BPF program, one after the other: an assembler's words. */
#ifndef OVERTAP_FLOWS_TEXT_H
#define OVERTAP_FLOWS_TEXT_H

#include <linux/bpf.h>
#include <stdint.h>

#define TEXT 1024
#define JUMPS 160

/* SKB to SHARED survive a call; FRAME is the end of the stack. */
enum { R0, R1, R2, R3, R4, R5, SKB, NOTE, ROW, SHARED, FRAME };

struct text {
  struct bpf_insn at[TEXT];
  int exits[JUMPS]; /* jumps to the common end, to be aimed */
  int count, exit_count;
};

/* Returns the instruction's index, so that a jump can be aimed later. */
static inline int emit(struct text *text, int code, int to, int from, int offset, int value) {
  if (text->count == TEXT) return TEXT - 1; /* the kernel rejects a program without an exit */
  text->at[text->count] = (struct bpf_insn){.code = (uint8_t)code,
                                            .dst_reg = (uint8_t)to & 0xf,
                                            .src_reg = (uint8_t)from & 0xf,
                                            .off = (int16_t)offset,
                                            .imm = value};
  return text->count++;
}

/* The jump leads to the next instruction. */
static inline void aim(struct text *text, int jump) { text->at[jump].off = (int16_t)(text->count - jump - 1); }
static inline int jump(struct text *text) { return emit(text, BPF_JMP | BPF_JA, 0, 0, 0, 0); }
static inline int jump_if(struct text *text, int comparison, int left, int value) {
  return emit(text, BPF_JMP | comparison | BPF_K, left, 0, 0, value);
}
static inline int jump_if_reg(struct text *text, int comparison, int left, int right) {
  return emit(text, BPF_JMP | comparison | BPF_X, left, right, 0, 0);
}
/* The jump leads to the common end. */
static inline void leave(struct text *text, int jump) {
  if (text->exit_count < JUMPS) text->exits[text->exit_count++] = jump;
  else text->count = TEXT; /* the kernel rejects it */
}
static inline void leave_if(struct text *text, int comparison, int left, int value) {
  leave(text, jump_if(text, comparison, left, value));
}
static inline void leave_if_reg(struct text *text, int comparison, int left, int right) {
  leave(text, jump_if_reg(text, comparison, left, right));
}
/* Aims the jumps that leave at the next instruction. */
static inline void land(struct text *text) {
  for (int i = 0; i < text->exit_count; i++) aim(text, text->exits[i]);
}
static inline void move(struct text *text, int to, int from) {
  emit(text, BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}
static inline void set(struct text *text, int to, int value) {
  emit(text, BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}
static inline void alu(struct text *text, int operation, int to, int value) {
  emit(text, BPF_ALU64 | operation | BPF_K, to, 0, 0, value);
}
static inline void add(struct text *text, int to, int from) { emit(text, BPF_ALU64 | BPF_ADD | BPF_X, to, from, 0, 0); }
static inline void move_sum(struct text *text, int to, int from, int more) {
  move(text, to, from);
  alu(text, BPF_ADD, to, more);
}
static inline void call(struct text *text, int helper) { emit(text, BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
static inline void load(struct text *text, int size, int to, int from, int at) {
  emit(text, BPF_LDX | size | BPF_MEM, to, from, at, 0);
}
static inline void store(struct text *text, int size, int to, int at, int from) {
  emit(text, BPF_STX | size | BPF_MEM, to, from, at, 0);
}
static inline void put(struct text *text, int size, int to, int at, int value) {
  emit(text, BPF_ST | size | BPF_MEM, to, 0, at, value);
}
/* Two instructions: a map, or with BPF_PSEUDO_MAP_VALUE its memory. */
static inline void take_map(struct text *text, int to, int kind, int map) {
  emit(text, BPF_LD | BPF_DW | BPF_IMM, to, kind, 0, map);
  emit(text, 0, 0, 0, 0, 0);
}
static inline void end(struct text *text, int result) {
  set(text, R0, result);
  emit(text, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

#endif
