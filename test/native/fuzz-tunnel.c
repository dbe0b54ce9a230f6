/*
 * Random superframes of tunnels, mutated, segmented by netdev-tunnel.c in an arena of exactly the size that a Nic has:
 * built with the address sanitizer, which ends the program at the first byte outside. Prints how many were taken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/native/frames/offload.h"
#include "../../src/native/nic/receive.h"

#define FRAMES 256
#define ARENA (4 * SLOT_BYTES)

static uint32_t state;

static uint32_t below(uint32_t bound) {
  state = state * 1664525 + 1013904223;
  return (uint32_t)((uint64_t)state * bound >> 32);
}

/* Ethernet, IPv4 or IPv6, UDP or GRE or nothing, and an inner IPv4 or IPv6 packet. Returns the inner L4's offset. */
static uint32_t build(uint8_t *frame, uint32_t length, uint8_t *type) {
  bool v6 = below(2), inner6 = below(2), udp = below(4) == 0;
  uint32_t outer = v6 ? 40 : 20, kind = below(3), between = kind == 0 ? 8 + 8 + 14 : kind == 1 ? 4 : 0;
  uint32_t l3 = 14 + outer + between, l4 = l3 + (inner6 ? 40 : 20);
  uint8_t protocol = kind == 0 ? 17 : kind == 1 ? 47 : inner6 ? 41 : 4;
  for (uint32_t i = 0; i < length; i++) frame[i] = (uint8_t)below(256);
  if (length < l4 + 60) return l4;
  ot_put_word(frame + 12, v6 ? 0x86dd : 0x0800);
  uint8_t *ip[2] = {frame + 14, frame + l3};
  for (int i = 0; i < 2; i++) {
    bool six = i ? inner6 : v6;
    uint32_t total = length - (uint32_t)(ip[i] - frame);
    memset(ip[i], 0, six ? 40 : 20);
    ip[i][0] = six ? 0x60 : 0x45;
    ot_put_word(ip[i] + (six ? 4 : 2), six ? total - 40 : total);
    ip[i][six ? 6 : 9] = i ? (udp ? 17 : 6) : protocol;
  }
  if (kind == 1) memset(frame + 14 + outer, 0, 4);
  frame[l4 + 12] = (uint8_t)((5 + below(4)) << 4);
  *type = udp ? VNET_GSO_UDP_L4 : inner6 ? VNET_GSO_TCPV6 : VNET_GSO_TCPV4;
  return l4;
}

static bool run(struct ot_nic *nic) {
  struct ot_vnet header = {.flags = VNET_NEEDS_CSUM,
                           .gso_size = (uint16_t)(below(8) ? 500 + below(1500) : below(65536))};
  uint32_t length = below(8) ? 1000 + below(64000) : below(2000);
  size_t offset = after(0);
  uint32_t start = build(nic->arena + offset, length, &header.gso_type);
  for (uint32_t i = below(4) ? 0 : 1 + below(8); i > 0 && length; i--)
    nic->arena[offset + below(length < 150 ? length : 150)] = (uint8_t)below(256);
  if (!below(16)) start = below(65536);
  if (!below(16)) header.gso_type = (uint8_t)below(256);
  nic->frames = below(FRAMES);
  nic->owed = below(FRAMES - nic->frames);
  nic->spill = after(offset + SLOT_BYTES);
  uint32_t frames = nic->frames;
  if (!ot_tunnel_superframe(&header, nic->arena + offset, length, start)) return false;
  bool taken = ot_tunnel_split(nic, 0, &header, offset, length, start);
  if (nic->frames + nic->owed > FRAMES || (!taken && nic->frames != frames)) abort();
  return taken;
}

int main(int count, char **words) {
  struct ot_nic *nic = calloc(1, sizeof *nic);
  unsigned long rounds = count > 2 ? strtoul(words[2], NULL, 10) : 1000, taken = 0;
  state = count > 1 ? (uint32_t)strtoul(words[1], NULL, 10) : 1;
  nic->arena = malloc(ARENA);
  nic->arena_bytes = ARENA;
  nic->rx = calloc(FRAMES * RX_STRIDE, sizeof *nic->rx);
  nic->max_frames = FRAMES;
  memset(nic->arena, 0, ARENA);
  for (unsigned long i = 0; i < rounds; i++) taken += run(nic);
  printf("%lu of %lu\n", taken, rounds);
  free(nic->arena);
  free(nic->rx);
  free(nic);
  return 0;
}
