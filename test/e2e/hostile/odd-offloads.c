/*
 * A guest that means harm: frames with random virtio-net headers through a packet socket, until SIGTERM.
 *
 *   odd-offloads IFNAME SOURCE RATE SECONDS    RATE in frames a second; ends by itself after so many seconds
 *
 * Prints "odd" at first, and at the end a line of JSON: frames that the kernel took, that it refused, and that found no
 * room. While there is no such NIC it waits for one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH 20

static volatile sig_atomic_t over;
static uint8_t frame[65536];

static void end(int number) {
  (void)number;
  over = 1;
}

static uint32_t below(uint32_t bound) { return (uint32_t)rand() % bound; }

/* IPv4 or IPv6, TCP or UDP, with lengths that are right more often than not. @returns bytes of the frame */
static uint32_t fill_frame(const uint8_t *source) {
  static const uint8_t targets[4][6] = {
      {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0xee, 1}, {1, 0, 0x5e, 1, 2, 3}};
  uint32_t length = below(3) == 0 ? 60 + below(1400) : 1500 + below(58000);
  int is6 = rand() & 1, is_udp = rand() & 1;
  memcpy(frame, targets[below(4)], 6);
  memcpy(frame + 6, source, 6);
  uint16_t type = htons(is6 ? 0x86dd : 0x0800);
  memcpy(frame + 12, &type, 2);
  uint8_t *ip = frame + 14;
  memset(ip, 0, 60);
  uint16_t rest = htons((uint16_t)(length - 14 - (is6 ? 40 : 0) - (below(8) == 0 ? below(40) : 0)));
  if (is6) {
    ip[0] = 0x60;
    memcpy(ip + 4, &rest, 2);
    ip[6] = is_udp ? 17 : 6;
    ip[7] = 64;
    ip[8] = ip[24] = 0xfe;
    ip[9] = ip[25] = 0x80;
  } else {
    ip[0] = below(8) == 0 ? 0x40 | (uint8_t)below(16) : 0x45;
    memcpy(ip + 2, &rest, 2);
    ip[8] = 64;
    ip[9] = is_udp ? 17 : 6;
    memcpy(ip + 12, (uint8_t[]){198, 18, 0, 9, 198, 18, 0, 2}, 8);
  }
  uint8_t *l4 = ip + (is6 ? 40 : 20);
  if (!is_udp) l4[12] = below(6) == 0 ? (uint8_t)(below(16) << 4) : 0x50;
  return length;
}

static struct virtio_net_hdr odd_header(void) {
  static const uint8_t kinds[] = {0, VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_UDP, VIRTIO_NET_HDR_GSO_TCPV6,
                                  5 /* UDP_L4 */};
  static const uint16_t sizes[] = {0, 1, 8, 16, 100, 536, 1000, 1380, 9000, 65535};
  static const uint16_t heads[] = {0, 14, 34, 42, 54, 62, 74, 128, 1500, 65535};
  return (struct virtio_net_hdr){.flags = rand() & 3 ? VIRTIO_NET_HDR_F_NEEDS_CSUM : (uint8_t)below(4),
                                 .gso_type = (uint8_t)(kinds[below(5)] | (below(8) == 0 ? VIRTIO_NET_HDR_GSO_ECN : 0)),
                                 .hdr_len = heads[below(10)],
                                 .gso_size = sizes[below(10)],
                                 .csum_start = rand() & 1 ? (rand() & 1 ? 34 : 54) : heads[below(10)],
                                 .csum_offset = rand() & 1 ? 16 : (uint16_t)(rand() & 1 ? 6 : below(70))};
}

static int open_at(const char *ifname) {
  int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
  struct sockaddr_ll place = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(ifname)};
  if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) < 0) exit(1);
  if (place.sll_ifindex != 0 && bind(fd, (struct sockaddr *)&place, sizeof place) == 0) return fd;
  close(fd);
  return -1;
}

int main(int count, char **words) {
  unsigned byte[6];
  uint8_t source[6];
  unsigned long taken = 0, refused = 0, no_room = 0;
  if (count != 5) return 2;
  if (sscanf(words[2], "%x:%x:%x:%x:%x:%x", byte, byte + 1, byte + 2, byte + 3, byte + 4, byte + 5) != 6) return 2;
  for (int i = 0; i < 6; i++) source[i] = (uint8_t)byte[i];
  signal(SIGTERM, end);
  signal(SIGALRM, end);
  alarm((unsigned)atoi(words[4]));
  srand(4789);
  puts("odd");
  fflush(stdout);
  int fd = -1;
  while (!over) {
    for (int i = 0; i < BATCH && !over; i++) {
      if (fd < 0 && (fd = open_at(words[1])) < 0) break;
      struct virtio_net_hdr vnet = odd_header();
      struct iovec parts[2] = {{.iov_base = &vnet, .iov_len = sizeof vnet},
                               {.iov_base = frame, .iov_len = fill_frame(source)}};
      if (writev(fd, parts, 2) >= 0) taken++;
      else if (errno == ENOBUFS || errno == EAGAIN) no_room++;
      else if (errno == ENXIO || errno == ENETDOWN || errno == ENODEV) {
        close(fd);
        fd = -1;
      } else refused++;
    }
    usleep((useconds_t)(BATCH * 1000000L / atoi(words[3])));
  }
  printf("{\"taken\":%lu,\"refused\":%lu,\"noRoom\":%lu}\n", taken, refused, no_room);
  return 0;
}
