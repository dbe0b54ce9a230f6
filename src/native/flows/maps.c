/*
 * The maps of flows.h: rows, notes, and the memory that engines and programs share. Owns their sizes.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../devices/tcx.h"
#include "flows.h"

/* Constants that older kernel headers lack. */
#define MMAPABLE (1u << 10)

static int make_map(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags,
                    struct ot_fault *fault) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_type = type;
  attributes.key_size = key;
  attributes.value_size = value;
  attributes.max_entries = entries;
  attributes.map_flags = flags;
  int fd = ot_bpf(BPF_MAP_CREATE, &attributes, sizeof attributes);
  return fd < 0 ? ot_fail(fault, errno, "bpf", "making a BPF map") : fd;
}

static size_t shared_bytes(uint32_t slots) {
  return sizeof(struct ot_flow_shared) + slots * sizeof(struct ot_flow_counts);
}

/* A power of two, so that a program bounds a slot by a mask. */
static uint32_t slots_for(uint32_t engines) {
  uint32_t slots = OT_FLOW_SLOTS;
  while (slots < engines * OT_FLOW_SLOTS) slots *= 2;
  return slots;
}

int ot_flow_maps_open(uint32_t engines, struct ot_flow_maps *maps, struct ot_fault *fault) {
  *maps = (struct ot_flow_maps){
      .rows = -1, .notes = -1, .shared = -1, .far = -1, .outers = -1, .slots = slots_for(engines)};
  /* Twice as many rows as there are slots: one that another engine has replaced stays until its engine removes it. */
  maps->rows =
      make_map(BPF_MAP_TYPE_HASH, sizeof(struct ot_flow_key), sizeof(struct ot_flow_known), 2 * maps->slots, 0, fault);
  if (maps->rows >= 0) maps->notes = make_map(BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct ot_flow_note), 1, 0, fault);
  if (maps->notes >= 0)
    maps->shared = make_map(BPF_MAP_TYPE_ARRAY, 4, (uint32_t)shared_bytes(maps->slots), 1, MMAPABLE, fault);
  if (maps->shared >= 0)
    maps->far = make_map(BPF_MAP_TYPE_HASH, sizeof(struct ot_flow_far), sizeof(struct ot_flow_known_far),
                         2 * maps->slots, 0, fault);
  if (maps->far >= 0)
    maps->outers = make_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct ot_flow_outer), maps->slots, 0, fault);
  if (maps->outers >= 0) return 0;
  ot_flow_maps_close(maps);
  return -1;
}

void ot_flow_maps_close(struct ot_flow_maps *maps) {
  int fds[] = {maps->rows, maps->notes, maps->shared, maps->far, maps->outers};
  for (int i = 0; i < 5; i++)
    if (fds[i] >= 0) close(fds[i]);
}

static size_t mapped_bytes(uint32_t slots) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (shared_bytes(slots) + page - 1) / page * page;
}

struct ot_flow_shared *ot_flow_map(int shared, uint32_t slots, struct ot_fault *fault) {
  void *memory = mmap(NULL, mapped_bytes(slots), PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
  if (memory != MAP_FAILED) return memory;
  ot_fail(fault, errno, "mmap", "sharing a BPF map");
  return NULL;
}

void ot_flow_unmap(struct ot_flow_shared *shared, uint32_t slots) { munmap(shared, mapped_bytes(slots)); }

int ot_flow_set(int map, const void *key, const void *value) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_fd = (uint32_t)map;
  attributes.key = (uintptr_t)key;
  attributes.value = (uintptr_t)value;
  return ot_bpf(BPF_MAP_UPDATE_ELEM, &attributes, sizeof attributes) < 0 ? errno : 0;
}

int ot_flow_remove(int map, const void *key) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_fd = (uint32_t)map;
  attributes.key = (uintptr_t)key;
  return ot_bpf(BPF_MAP_DELETE_ELEM, &attributes, sizeof attributes) < 0 ? errno : 0;
}

/* A frame passes both programs within one read side of RCU (netif_receive_skb), and this waits for all of these. */
int ot_flow_settle(void) { return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0 ? errno : 0; }
