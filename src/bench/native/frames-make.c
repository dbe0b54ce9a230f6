/* The frames of a trial: UDP over IPv4 without a UDP checksum, whose IP identification is the number of the trial. */
#include "frames.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

static void put16(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static void finish_ip(uint8_t *ip) {
  uint32_t sum = 0;
  for (int i = 0; i < 20; i += 2) sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  put16(ip + 10, ~sum & 0xffff);
}

/* xorshift (Marsaglia): every run sends the same flows. */
static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

static void make_frame(const struct order *order, uint8_t *frame, int size, unsigned from_port, unsigned to_port) {
  uint8_t *ip = frame + 14, *udp = ip + 20;
  memset(frame, 0, MOST_FRAME);
  memcpy(frame, order->destination_mac, 6);
  memcpy(frame + 6, order->source_mac, 6);
  frame[12] = 8;
  ip[0] = 0x45;
  put16(ip + 2, (unsigned)size - 14);
  put16(ip + 4, (unsigned)order->trial);
  ip[8] = 64;
  ip[9] = 17;
  memcpy(ip + 12, order->source, 4);
  memcpy(ip + 16, order->destination, 4);
  finish_ip(ip);
  put16(udp, from_port);
  put16(udp + 2, to_port);
  put16(udp + 4, (unsigned)size - 34);
  memset(udp + 8, 0x55, (size_t)size - 42);
}

struct drawn draw_frames(const struct order *order) {
  uint32_t state = 0x9e3779b9;
  uint16_t ports[DRAWN][2];
  int flows = order->flows > DRAWN ? DRAWN : order->flows;
  for (int i = 0; i < flows; i++) {
    uint32_t drawn = flows == 1 ? 9000u << 16 | 9 : next_random(&state);
    /* Not 0, and not the ports of tunnels and tools. */
    ports[i][0] = (uint16_t)(flows == 1 ? drawn >> 16 : 10000 + (drawn >> 16) % 50000);
    ports[i][1] = (uint16_t)(flows == 1 ? drawn : 10000 + (drawn & 0xffff) % 50000);
  }
  /* A whole number of patterns of sizes. */
  struct drawn made = {.count = (flows == 1 ? 1 : DRAWN / order->size_count) * order->size_count};
  made.bytes = malloc((size_t)made.count * MOST_FRAME);
  made.sizes = malloc((size_t)made.count * sizeof *made.sizes);
  if (!made.bytes || !made.sizes) errx(1, "out of memory");
  for (int i = 0; i < made.count; i++) {
    uint16_t *flow = ports[flows == 1 ? 0 : next_random(&state) % (uint32_t)flows];
    made.sizes[i] = order->sizes[i % order->size_count];
    make_frame(order, made.bytes + (size_t)i * MOST_FRAME, made.sizes[i], flow[0], flow[1]);
  }
  return made;
}
