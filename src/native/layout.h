/*
 * Layouts and sizes shared with TypeScript: words of descriptors, commands and status. src/port/packet-io.ts has the
 * same names with the same values; test/native/layout.test.ts compares the two files.
 */
#ifndef OVERTAP_LAYOUT_H
#define OVERTAP_LAYOUT_H

#define KIND_FRAME 1
#define KIND_UDP 2

#define RX_STRIDE 16
#define RX_KIND 0
#define RX_INDEX 1
#define RX_OFFSET 2
#define RX_LENGTH 3
#define RX_VNET 4
#define RX_GSO 5
#define RX_CSUM 6
#define RX_TOS 7
#define RX_ADDRESS 8
#define RX_SOURCE_PORT 12
#define RX_SEGMENT 13
#define RX_TRAIN 14
#define RX_STRANGER 15

#define TX_STRIDE 16
#define TX_KIND 0
#define TX_INDEX 1
#define TX_OFFSET 2
#define TX_LENGTH 3
#define TX_TAG 4
#define TX_VNET 5
#define TX_GSO 6
#define TX_CSUM 7
#define TX_HEADER 8
#define TX_HEADER_LENGTH 9
#define TX_REMOTE 10
#define TX_TOS 11
#define TX_FRAGMENT_SHIFT 8
#define TX_LABEL_SHIFT 8
#define TX_LABELLED (-2147483648)
#define TX_STATUS 12
#define TX_COOKIE 13
#define TX_COOKIE2 14
#define TX_COOKIE3 15

#define TAG_KEEP 0
#define TAG_POP (1 << 16)
#define TAG_PUSH (2 << 16)
#define TAG_REPLACE (3 << 16)
#define TAG_SERVICE (1 << 18)

#define VNET_NEEDS_CSUM 1
#define VNET_GSO_NONE 0
#define VNET_GSO_TCPV4 1
#define VNET_GSO_TCPV6 4
#define VNET_GSO_UDP_L4 5
#define VNET_GSO_ECN 0x80

#define STATUS_WORDS 9
#define STATUS_NOW 0
#define STATUS_RUNG 1
#define STATUS_LOST_ERRNO 2
#define STATUS_LOST_KIND 3
#define STATUS_LOST_INDEX 4
#define STATUS_MORE 5
#define STATUS_LATCHED 6
#define STATUS_TUNNELLED 7
#define STATUS_SENDING 8
#define LATCHED_UDP_SEGMENT 1
#define LATCHED_TUNNEL_GSO 2
#define LATCHED_PACKET_RING 4
#define LATCHED_IO_URING 8

#define OFFLOAD_MISFIT 74

#define HEADROOM 64
#define LONGEST_FRAME 65599
#define LONGEST_STREAM_FRAME 65550

/*
 * Distance in the arena of two datagrams taken in by one call; holds the largest one. An odd number of cache lines:
 * with an even number all datagrams would fall into the same few cache sets.
 */
#define SLOT_BYTES (1065 * 64)
/* The most that one send with UDP_SEGMENT takes on every kernel. */
#define SEND_SEGMENTS 64
#define SEND_BYTES 65507
/* The virtio-net header of TAPs, without the field for merged buffers. */
#define VNET_HEADER_SIZE 10

#endif
