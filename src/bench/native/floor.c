/*
 * Usage: floor IFNAME VNI PORT LOCAL REMOTE
 *
 * Creates the TAP, prints "ready", and forwards until it is killed. SIGUSR1 makes it print its counters as one line of
 * JSON. One thread, one TAP queue, no polling: it sleeps in epoll_wait when there is nothing to do. Plain system calls
 * only.
 */
#include "floor.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define SOCKET_BUFFER (8 << 20)

static int open_tap(const char *name) {
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), header = VNET_BYTES;
  if (fd < 0) err(1, "/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  snprintf(request.ifr_name, IFNAMSIZ, "%.15s", name);
  if (ioctl(fd, TUNSETIFF, &request) < 0) err(1, "TUNSETIFF %s", name);
  if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0) err(1, "TUNSETVNETHDRSZ");
  if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0) err(1, "TUNSETOFFLOAD");
  return fd;
}

/* An IPv4 or IPv6 address and a port. @return its length */
static socklen_t parse(const char *text, uint16_t port, struct sockaddr_storage *address) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)address;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
  memset(address, 0, sizeof *address);
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return sizeof *v4;
  }
  if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) errx(2, "not an address: %s", text);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  return sizeof *v6;
}

/* A socket bound to the local address. @param port 0: any, for sending */
static int open_socket(const char *local, uint16_t port) {
  struct sockaddr_storage address;
  socklen_t length = parse(local, port, &address);
  int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = SOCKET_BUFFER, on = 1;
  if (fd < 0) err(1, "socket");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) err(1, "SO_RCVBUFFORCE");
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0) err(1, "SO_SNDBUFFORCE");
  if (port && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) < 0) err(1, "UDP_GRO");
  if (bind(fd, (struct sockaddr *)&address, length) < 0) err(1, "bind to %s", local);
  return fd;
}

/* Connected, so that the kernel keeps the route. */
static int open_sender(const char *local, const char *remote, uint16_t port) {
  struct sockaddr_storage address;
  socklen_t length = parse(remote, port, &address);
  int fd = open_socket(local, 0);
  if (connect(fd, (struct sockaddr *)&address, length) < 0) err(1, "connect to %s", remote);
  return fd;
}

static void print_counters(const struct counters *c) {
  printf("{\"tap_frames\":%lu,\"tap_bytes\":%lu,\"tap_superframes\":%lu,\"sent_datagrams\":%lu,\"sent_bytes\":%lu,"
         "\"sends\":%lu,\"trains\":%lu,\"send_errors\":%lu,",
         c->tap_frames, c->tap_bytes, c->tap_superframes, c->sent_datagrams, c->sent_bytes, c->sends, c->trains,
         c->send_errors);
  printf("\"received_datagrams\":%lu,\"received_bytes\":%lu,\"receives\":%lu,\"coalesced\":%lu,\"foreign\":%lu,"
         "\"tap_writes\":%lu,\"merged_writes\":%lu,\"write_errors\":%lu}\n",
         c->received_datagrams, c->received_bytes, c->receives, c->coalesced, c->foreign, c->tap_writes,
         c->merged_writes, c->write_errors);
  fflush(stdout);
}

static int open_signal(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) err(1, "signalfd");
  return fd;
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) err(1, "epoll_ctl");
}

static void forward(struct floor_state *state, int signals) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) err(1, "epoll_create1");
  watch(epoll, state->tap);
  watch(epoll, state->receiver);
  watch(epoll, signals);
  for (;;) {
    struct epoll_event events[3];
    int count = epoll_wait(epoll, events, 3, -1);
    if (count < 0 && errno != EINTR) err(1, "epoll_wait");
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == state->tap) floor_send(state);
      else if (events[i].data.fd == state->receiver) floor_receive(state);
      else {
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) > 0) print_counters(&state->counters);
      }
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 6) errx(2, "usage: floor IFNAME VNI PORT LOCAL REMOTE");
  static struct floor_state state;
  uint16_t port = (uint16_t)atoi(argv[3]);
  int signals = open_signal();
  state.vni = (uint32_t)atoi(argv[2]) & 0xffffff;
  state.receiver = open_socket(argv[4], port);
  state.sender = open_sender(argv[4], argv[5], port);
  state.tap = open_tap(argv[1]);
  puts("ready");
  fflush(stdout);
  forward(&state, signals);
}
