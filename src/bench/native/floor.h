/*
 * The floor: the least that has to be done to carry frames between one TAP and one VXLAN remote, as a yardstick for
 * switches. It decides nothing: no bridge, no FDB, no VLANs, one VNI, one remote.
 */
#ifndef OVERTAP_BENCH_FLOOR_H
#define OVERTAP_BENCH_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/virtio_net.h>

#define VNET_BYTES 10
#define VXLAN_BYTES 8
#define ETHERNET_BYTES 14
#define IPV4_BYTES 20
/* The first byte of the TCP header of a frame over IPv4 without options. */
#define TCP_AT (ETHERNET_BYTES + IPV4_BYTES)

/* Limits of one send with UDP_SEGMENT (udp(7)): 64 segments, and the payload of a UDP datagram over IPv4. */
#define TRAIN_DATAGRAMS 64
#define TRAIN_BYTES 65507

/* Counted for the proof of path: what the devices gave and took, and how much was carried at once. */
struct counters {
  uint64_t tap_frames, tap_bytes, tap_superframes;
  uint64_t sent_datagrams, sent_bytes, sends, trains, send_errors;
  uint64_t received_datagrams, received_bytes, receives, coalesced, foreign;
  uint64_t tap_writes, merged_writes, write_errors;
};

struct floor_state {
  int tap, sender, receiver;
  uint32_t vni;
  struct counters counters;
};

/* floor-send.c: takes what the TAP has, at most one batch. */
void floor_send(struct floor_state *state);
/* floor-receive.c: takes what the socket has, at most one batch. */
void floor_receive(struct floor_state *state);

/* floor-sum.c: Internet checksums (RFC 1071); sums are neither folded nor complemented. */
uint64_t sum_bytes(const uint8_t *bytes, size_t length);
/* The pseudo-header of TCP or UDP over IPv4. @param ip the IP header @param length of the segment */
uint64_t sum_pseudo(const uint8_t *ip, uint8_t protocol, size_t length);
uint16_t fold(uint64_t sum);
/* Writes the checksum of an IPv4 header without options. */
void finish_ipv4(uint8_t *ip);

static inline uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static inline uint32_t get32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}
static inline void put16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}
static inline void put32(uint8_t *at, uint32_t value) {
  put16(at, (uint16_t)(value >> 16));
  put16(at + 2, (uint16_t)value);
}

#endif
