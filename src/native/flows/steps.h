/* Steps that the programs of flows.h share. */
#ifndef OVERTAP_FLOWS_STEPS_H
#define OVERTAP_FLOWS_STEPS_H

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "flows.h"
#include "text.h"

#define NEXT_PROGRAM (-1)
#ifndef BPF_ATOMIC
#define BPF_ATOMIC 0xc0
#endif
#ifndef BPF_FETCH
#define BPF_FETCH 1
#endif

#define ROW_AT(field) (int)offsetof(struct ot_flow_row, field)
#define SKB_AT(field) (int)offsetof(struct __sk_buff, field)
#define COUNT_AT(field) (int)(sizeof(struct ot_flow_shared) + offsetof(struct ot_flow_counts, field))

/* Leaves unless the stamps of the row are those of the table. */
static inline void compare_stamps(struct text *text, const struct ot_flow_maps *maps) {
  take_map(text, SHARED, BPF_PSEUDO_MAP_VALUE, maps->shared);
  load(text, BPF_W, R1, ROW, ROW_AT(stamp));
  load(text, BPF_W, R2, SHARED, (int)offsetof(struct ot_flow_shared, stamp));
  leave_if_reg(text, BPF_JNE, R1, R2);
  for (int i = 0; i < 2; i++) {
    load(text, BPF_W, R1, ROW, ROW_AT(place) + 4 * i);
    alu(text, BPF_AND, R1, OT_FLOW_STAMPS - 1);
    alu(text, BPF_LSH, R1, 2);
    add(text, R1, SHARED);
    load(text, BPF_W, R2, R1, (int)offsetof(struct ot_flow_shared, entries));
    load(text, BPF_W, R3, ROW, ROW_AT(entry) + 4 * i);
    leave_if_reg(text, BPF_JNE, R2, R3);
  }
}

/* The row becomes that of what a look-up has found, behind its key. */
static inline void take_row(struct text *text, int key) {
  leave_if(text, BPF_JEQ, R0, 0);
  move_sum(text, ROW, R0, key);
}

/* Leaves unless the key before the row is that on the stack: what was read of the row before is then true. Eight bytes
 * of the stack below the key are lost. */
static inline void compare_key(struct text *text, int at, int size) {
#ifndef __x86_64__
  /* Other processors may read in another order, but not across this. */
  set(text, R1, 0);
  put(text, BPF_DW, FRAME, at - 8, 0);
  emit(text, BPF_STX | BPF_ATOMIC | BPF_DW, FRAME, R1, at - 8, BPF_ADD | BPF_FETCH);
#endif
  for (int i = 0; i < size; i += 8) {
    load(text, BPF_DW, R1, ROW, i - size);
    load(text, BPF_DW, R2, FRAME, at + i);
    leave_if_reg(text, BPF_JNE, R1, R2);
  }
}

/* What is needed of the row of a flow out of a tunnel, on the stack below a place. */
#define LONGEST_BELOW(at) ((at) - 8)
#define OPERATION_BELOW(at) ((at) - 16)
#define TCI_BELOW(at) ((at) - 24)
#define OUT_BELOW(at) ((at) - 32)

/* Keeps it there, before the row may become another one. `key`: that of the frame, on the stack. */
static inline void keep_far_row(struct text *text, int key, int at) {
  int from[] = {ROW_AT(longest), ROW_AT(operation), ROW_AT(tci), ROW_AT(device)};
  int to[] = {LONGEST_BELOW(at), OPERATION_BELOW(at), TCI_BELOW(at), OUT_BELOW(at)};
  for (int i = 0; i < 4; i++) {
    load(text, BPF_W, R1, ROW, from[i]);
    store(text, BPF_W, FRAME, to[i], R1);
  }
  compare_key(text, key, offsetof(struct ot_flow_known_far, row));
}

/* Pushes a tag if the row says so, and sends the frame out. Returns the jump of one whose tag could not be pushed. */
static inline int send_out(struct text *text, int at) {
  load(text, BPF_W, R1, FRAME, OPERATION_BELOW(at));
  int keep = jump_if(text, BPF_JNE, R1, OT_FLOW_TAG_PUSH);
  move(text, R1, SKB);
  set(text, R2, htons(ETH_P_8021Q));
  load(text, BPF_W, R3, FRAME, TCI_BELOW(at));
  call(text, BPF_FUNC_skb_vlan_push);
  int failed = jump_if(text, BPF_JNE, R0, 0);
  aim(text, keep);
  load(text, BPF_W, R1, FRAME, OUT_BELOW(at));
  set(text, R2, 0);
  call(text, BPF_FUNC_redirect);
  emit(text, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  return failed;
}

/* SHARED moves to the counts of the slot in R1. */
static inline void find_counts(struct text *text, const struct ot_flow_maps *maps) {
  alu(text, BPF_AND, R1, (int)maps->slots - 1);
  alu(text, BPF_LSH, R1, 4);
  add(text, SHARED, R1);
}

static inline void count(struct text *text, int at, int value) {
  emit(text, BPF_STX | BPF_ATOMIC | BPF_W, SHARED, value, at, BPF_ADD);
}

#endif
