/*
 * A guest that means harm: frames as fast as the kernel takes them, through a packet socket with virtio-net headers,
 * until SIGTERM.
 *
 *   flood IFNAME DESTINATION SOURCE               frames of 60 bytes of the experimental EtherType
 *   flood IFNAME DESTINATION SOURCE SIZE LENGTH   TCP superframes of LENGTH bytes, in segments of SIZE
 *
 * Prints "flooding" with the first frame, and at the end how many the kernel has taken.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPERIMENTAL 0x88b5

static volatile sig_atomic_t over;
static uint8_t frame[65536];

static void end(int number) {
  (void)number;
  over = 1;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void read_mac(const char *text, uint8_t *mac) {
  unsigned byte[6];
  if (sscanf(text, "%x:%x:%x:%x:%x:%x", byte, byte + 1, byte + 2, byte + 3, byte + 4, byte + 5) != 6) exit(2);
  for (int i = 0; i < 6; i++) mac[i] = (uint8_t)byte[i];
}

static int open_at(const char *ifname) {
  /* Protocol 0: nothing is received, and each frame's own is looked at, or superframes would be dropped. */
  int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
  struct sockaddr_ll place = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(ifname)};
  if (fd < 0) fail("socket");
  if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) < 0) fail("PACKET_VNET_HDR");
  if (bind(fd, (struct sockaddr *)&place, sizeof place) < 0) fail("bind");
  return fd;
}

/* IPv4 and TCP headers that a superframe needs; sums are left to the device, or wrong: nobody looks at them. */
static void superframe(uint32_t length, uint32_t size, struct virtio_net_hdr *vnet) {
  uint16_t total = htons((uint16_t)(length - 14));
  const uint8_t ip[20] = {0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 198, 18, 0, 9, 198, 18, 0, 8};
  memcpy(frame + 14, ip, sizeof ip);
  memcpy(frame + 16, &total, 2);
  frame[12] = 8;
  frame[13] = 0;
  frame[14 + 20 + 12] = 0x50;
  frame[14 + 20 + 13] = 0x10;
  *vnet = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                  .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                  .hdr_len = 54,
                                  .gso_size = (uint16_t)size,
                                  .csum_start = 34,
                                  .csum_offset = 16};
}

int main(int count, char **words) {
  if (count != 4 && count != 6) return 2;
  struct virtio_net_hdr vnet = {0};
  uint32_t length = 60;
  uint64_t sent = 0;
  signal(SIGTERM, end);
  read_mac(words[2], frame);
  read_mac(words[3], frame + 6);
  frame[12] = EXPERIMENTAL >> 8;
  frame[13] = EXPERIMENTAL & 0xff;
  if (count == 6) superframe(length = (uint32_t)atoi(words[5]), (uint32_t)atoi(words[4]), &vnet);
  struct iovec parts[2] = {{.iov_base = &vnet, .iov_len = sizeof vnet}, {.iov_base = frame, .iov_len = length}};
  int fd = open_at(words[1]);
  while (!over) {
    if (writev(fd, parts, 2) < 0) {
      if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR) fail("writev");
      usleep(50);
    } else if (sent++ == 0) {
      puts("flooding");
      fflush(stdout);
    }
  }
  printf("%llu\n", (unsigned long long)sent);
  return 0;
}
