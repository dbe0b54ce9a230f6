/*
 * From the remote to the TAP. UDP_GRO gives a train as one datagram; consecutive segments of one TCP flow in it are
 * written as one superframe, after their checksums were verified, so that the guest need not.
 */
#include "floor.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define BATCH_RECEIVES 16
#define MERGE_SEGMENTS 64
#define MERGE_BYTES 65535
#define ACK 0x10
#define PSH 0x08

static uint8_t datagrams[65536];

/* Segments that wait to be written as one frame: the headers are the first one's. */
static struct {
  struct iovec vectors[MERGE_SEGMENTS + 2];
  size_t count, headers, size, bytes;
  uint32_t next;
  bool closed;
  const uint8_t *first;
  uint8_t copy[128];
} merge;

static void write_frame(struct floor_state *state, const struct virtio_net_hdr *vnet, size_t vectors) {
  merge.vectors[0] = (struct iovec){.iov_base = (void *)vnet, .iov_len = VNET_BYTES};
  state->counters.tap_writes++;
  if (writev(state->tap, merge.vectors, (int)vectors) < 0) state->counters.write_errors++;
}

static void write_one(struct floor_state *state, const uint8_t *frame, size_t length) {
  static const struct virtio_net_hdr plain;
  merge.vectors[1] = (struct iovec){.iov_base = (void *)frame, .iov_len = length};
  write_frame(state, &plain, 2);
}

static void flush(struct floor_state *state) {
  size_t count = merge.count;
  merge.count = 0;
  if (count == 0) return;
  if (count == 1) {
    write_one(state, merge.first, merge.headers + merge.bytes);
    return;
  }
  uint8_t *ip = merge.copy + ETHERNET_BYTES, *tcp = merge.copy + TCP_AT;
  size_t segment = merge.headers - TCP_AT + merge.bytes;
  put16(ip + 2, (uint16_t)(IPV4_BYTES + segment));
  finish_ipv4(ip);
  /* The kernel completes the checksum, or leaves it open to whoever reads: the field holds the pseudo-header's sum. */
  uint16_t check = fold(sum_pseudo(ip, IPPROTO_TCP, segment));
  memcpy(tcp + 16, &check, 2);
  struct virtio_net_hdr vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                .hdr_len = (uint16_t)merge.headers,
                                .gso_size = (uint16_t)merge.size,
                                .csum_start = TCP_AT,
                                .csum_offset = 16};
  merge.vectors[1] = (struct iovec){.iov_base = merge.copy, .iov_len = merge.headers};
  state->counters.merged_writes++;
  write_frame(state, &vnet, count + 2);
}

/* @return the length of the headers of a TCP segment that may be merged, 0 of any other frame */
static size_t mergeable(const uint8_t *frame, size_t length) {
  if (length < TCP_AT + 20 || get16(frame + 12) != 0x0800 || frame[ETHERNET_BYTES] != 0x45) return 0;
  const uint8_t *ip = frame + ETHERNET_BYTES, *tcp = frame + TCP_AT;
  if (ip[9] != IPPROTO_TCP || get16(ip + 2) != length - ETHERNET_BYTES || get16(ip + 6) & 0x3fff) return 0;
  size_t headers = TCP_AT + (size_t)(tcp[12] >> 4) * 4;
  if (headers < TCP_AT + 20 || length <= headers || (tcp[13] & ~PSH) != ACK) return 0;
  uint64_t sum = sum_pseudo(ip, IPPROTO_TCP, length - TCP_AT) + sum_bytes(tcp, length - TCP_AT);
  return fold(sum) == 0xffff && fold(sum_bytes(ip, IPV4_BYTES)) == 0xffff ? headers : 0;
}

/* Whether a segment follows: all headers are equal but length, ID, checksums, sequence number and PSH. */
static bool follows(const uint8_t *frame, size_t headers, size_t payload) {
  if (merge.count == 0 || merge.closed || merge.count == MERGE_SEGMENTS || headers != merge.headers) return false;
  if (payload > merge.size || merge.headers + merge.bytes + payload > MERGE_BYTES) return false;
  const uint8_t *a = merge.copy, *b = frame, *ta = a + TCP_AT, *tb = b + TCP_AT;
  return get32(tb + 4) == merge.next && memcmp(a, b, ETHERNET_BYTES + 2) == 0 &&
         memcmp(a + ETHERNET_BYTES + 6, b + ETHERNET_BYTES + 6, 4) == 0 &&
         memcmp(a + ETHERNET_BYTES + 12, b + ETHERNET_BYTES + 12, 8) == 0 && memcmp(ta, tb, 4) == 0 &&
         memcmp(ta + 8, tb + 8, 5) == 0 && memcmp(ta + 14, tb + 14, 2) == 0 &&
         memcmp(ta + 18, tb + 18, headers - TCP_AT - 18) == 0;
}

static void take_segment(const uint8_t *frame, size_t headers, size_t payload) {
  if (merge.count == 0) {
    merge.first = frame;
    merge.headers = headers;
    merge.size = payload;
    merge.bytes = 0;
    merge.next = get32(frame + TCP_AT + 4);
    memcpy(merge.copy, frame, headers);
  }
  merge.vectors[2 + merge.count++] = (struct iovec){.iov_base = (void *)(frame + headers), .iov_len = payload};
  merge.bytes += payload;
  merge.next += (uint32_t)payload;
  merge.copy[TCP_AT + 13] |= frame[TCP_AT + 13] & PSH;
  merge.closed = payload < merge.size || frame[TCP_AT + 13] & PSH;
}

static void take_datagram(struct floor_state *state, const uint8_t *bytes, size_t length) {
  if (length < VXLAN_BYTES + ETHERNET_BYTES || !(bytes[0] & 0x08) || get32(bytes + 4) >> 8 != state->vni) {
    state->counters.foreign++;
    return;
  }
  state->counters.received_datagrams++;
  state->counters.received_bytes += length;
  const uint8_t *frame = bytes + VXLAN_BYTES;
  length -= VXLAN_BYTES;
  size_t headers = mergeable(frame, length);
  if (headers == 0) {
    flush(state);
    write_one(state, frame, length);
    return;
  }
  if (!follows(frame, headers, length - headers)) flush(state);
  take_segment(frame, headers, length - headers);
}

/* @return the size of the segments of a received datagram, 0 if it is a single one */
static size_t segment_size(struct msghdr *message) {
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != IPPROTO_UDP || header->cmsg_type != UDP_GRO) continue;
    int size;
    memcpy(&size, CMSG_DATA(header), sizeof size);
    return size > 0 ? (size_t)size : 0;
  }
  return 0;
}

void floor_receive(struct floor_state *state) {
  for (int receives = 0; receives < BATCH_RECEIVES; receives++) {
    uint8_t control[64] __attribute__((aligned(8)));
    struct iovec vector = {.iov_base = datagrams, .iov_len = sizeof datagrams};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(state->receiver, &message, 0);
    if (length < 0) break;
    size_t size = segment_size(&message), total = (size_t)length;
    state->counters.receives++;
    if (size == 0 || size > total) size = total;
    else if (size < total) state->counters.coalesced++;
    for (size_t at = 0; at < total; at += size)
      take_datagram(state, datagrams + at, total - at < size ? total - at : size);
    /* The buffer is used again. */
    flush(state);
  }
}
