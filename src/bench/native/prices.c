/*
 * Usage: prices ROUNDS
 *
 * What this machine asks for the primitives that switches are made of. Run it in a network namespace of its own,
 * without IPv6: it makes a TAP there. Prints one line of JSON: {"NAME": {"ns": median, "low": lowest, "high": highest},
 * ...}, of ROUNDS rounds each. CPU time of the thread; of wakeups, time by the clock.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MOST_ROUNDS 101
#define VNET_BYTES 10
#define SUPERFRAME 62000
#define COPY_BYTES 65536
/* More than the caches of any processor here. */
#define MEMORY_BYTES (128ul << 20)
#define TAP "prices0"
#define ETHERTYPE_LOCAL 0x88b5

static int rounds;
static bool printed;

static double read_clock(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Other programs on the core do not count; the kernel's work for this thread does. */
static double cpu_ns(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* @param work does its thing `count` times, and returns the nanoseconds that count */
static void price(const char *name, int count, double (*work)(int count)) {
  double values[MOST_ROUNDS];
  work(count / 8 + 1); /* so that caches and clocks are warm */
  for (int i = 0; i < rounds; i++) values[i] = work(count) / count;
  qsort(values, (size_t)rounds, sizeof *values, ascending);
  printf("%s\"%s\":{\"ns\":%.1f,\"low\":%.1f,\"high\":%.1f}", printed ? "," : "{", name, values[rounds / 2], values[0],
         values[rounds - 1]);
  printed = true;
}

/* ---- Calls ---- */

static double null_call(int count) {
  double start = cpu_ns();
  for (int i = 0; i < count; i++) syscall(SYS_getppid);
  return cpu_ns() - start;
}

static int empty_epoll;

static double epoll_nothing(int count) {
  struct epoll_event event;
  double start = cpu_ns();
  for (int i = 0; i < count; i++) epoll_wait(empty_epoll, &event, 1, 0);
  return cpu_ns() - start;
}

static void open_epoll(void) {
  struct epoll_event event = {.events = EPOLLIN};
  empty_epoll = epoll_create1(0);
  if (epoll_ctl(empty_epoll, EPOLL_CTL_ADD, eventfd(0, EFD_NONBLOCK), &event) < 0) err(1, "epoll_ctl");
}

/* ---- Wakeups: two threads that wake each other, one way ---- */

static int there, back, partner_core;

static void pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

static void pass(int from, int to, bool starts, int count) {
  uint64_t one = 1, got;
  for (int i = 0; i < count; i++) {
    if (starts && write(to, &one, 8) != 8) err(1, "eventfd");
    if (read(from, &got, 8) != 8) err(1, "eventfd");
    if (!starts && write(to, &one, 8) != 8) err(1, "eventfd");
  }
}

static void *partner(void *count) {
  pin(partner_core);
  pass(there, back, false, *(int *)count);
  return NULL;
}

static double wake(int count) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, partner, &count)) errx(1, "pthread_create");
  double start = read_clock(CLOCK_MONOTONIC);
  pass(back, there, true, count);
  double taken = read_clock(CLOCK_MONOTONIC) - start;
  pthread_join(thread, NULL);
  return taken / 2;
}

/* ---- Copies of 64 KiB ---- */

static uint8_t *memory;

static double copy_cached(int count) {
  double start = cpu_ns();
  for (int i = 0; i < count; i++) {
    memcpy(memory, memory + COPY_BYTES * 2, COPY_BYTES);
    __asm__ volatile("" ::"r"(memory) : "memory");
  }
  return cpu_ns() - start;
}

static double copy_memory(int count) {
  static size_t at;
  size_t half = MEMORY_BYTES / 2;
  double start = cpu_ns();
  for (int i = 0; i < count; i++) {
    memcpy(memory + at, memory + half + at, COPY_BYTES);
    at = (at + COPY_BYTES) & (half - 1);
  }
  return cpu_ns() - start;
}

/* ---- TAP ---- */

static int tap, packet;
static uint8_t frame[VNET_BYTES + 65536];

static void configure(int request, struct ifreq *what, const char *name) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (ioctl(fd, (unsigned long)request, what) < 0) err(1, "%s", name);
  close(fd);
}

/* A TAP that is up, with a queue that holds a round, and a packet socket that puts superframes into it. */
static void open_tap(void) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  strcpy(request.ifr_name, TAP);
  tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (tap < 0) err(1, "/dev/net/tun");
  if (ioctl(tap, TUNSETIFF, &request) < 0) err(1, "TUNSETIFF");
  if (ioctl(tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0) err(1, "TUNSETOFFLOAD");
  request.ifr_qlen = 20000;
  configure(SIOCSIFTXQLEN, &request, "SIOCSIFTXQLEN");
  request.ifr_flags = IFF_UP;
  configure(SIOCSIFFLAGS, &request, "SIOCSIFFLAGS");
  configure(SIOCGIFINDEX, &request, "SIOCGIFINDEX");
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = request.ifr_ifindex};
  int one = 1, buffer = 256 << 20;
  packet = socket(AF_PACKET, SOCK_RAW, 0);
  if (packet < 0 || bind(packet, (struct sockaddr *)&address, sizeof address) < 0) err(1, "packet socket");
  if (setsockopt(packet, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) < 0) err(1, "PACKET_VNET_HDR");
  if (setsockopt(packet, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) < 0) err(1, "SO_SNDBUFFORCE");
}

/* Virtio-net header, Ethernet, and of a superframe IPv4 and TCP. */
static void make_frame(bool superframe) {
  memset(frame, 0, sizeof frame);
  uint8_t *ethernet = frame + VNET_BYTES;
  ethernet[0] = ethernet[6] = 2;
  ethernet[12] = ETHERTYPE_LOCAL >> 8;
  ethernet[13] = ETHERTYPE_LOCAL & 0xff;
  if (!superframe) return;
  struct virtio_net_hdr vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                .hdr_len = 54,
                                .gso_size = 1398,
                                .csum_start = 34,
                                .csum_offset = 16};
  memcpy(frame, &vnet, VNET_BYTES);
  uint8_t *ip = ethernet + 14;
  ethernet[12] = 8;
  ethernet[13] = 0;
  ip[0] = 0x45;
  ip[2] = (SUPERFRAME - 14) >> 8;
  ip[3] = (SUPERFRAME - 14) & 0xff;
  ip[8] = 64;
  ip[9] = 6;
  ip[32] = 0x50;
  ip[33] = 0x10;
}

/* The namespace has no use for these frames: it drops them by their MAC or type. */
static double write_frames(int count, size_t length) {
  double start = cpu_ns();
  for (int i = 0; i < count; i++)
    if (write(tap, frame, VNET_BYTES + length) < 0) err(1, "write to the TAP");
  return cpu_ns() - start;
}

static double read_frames(int count, size_t length) {
  static uint8_t into[VNET_BYTES + 65536];
  for (int i = 0; i < count; i++)
    if (send(packet, frame, VNET_BYTES + length, 0) < 0) err(1, "send into the TAP");
  double start = cpu_ns();
  for (int i = 0; i < count; i++)
    if (read(tap, into, sizeof into) < 0) err(1, "read %d of %d from the TAP", i, count);
  return cpu_ns() - start;
}

static double write_small(int count) { return write_frames(count, 64); }
static double write_large(int count) { return write_frames(count, SUPERFRAME); }
static double read_small(int count) { return read_frames(count, 64); }
static double read_large(int count) { return read_frames(count, SUPERFRAME); }

static void price_tap(void) {
  open_tap();
  make_frame(false);
  price("tap_write_64", 5000, write_small);
  price("tap_read_64", 5000, read_small);
  make_frame(true);
  price("tap_write_62k", 400, write_large);
  price("tap_read_62k", 400, read_large);
}

/* The cores that this process may use. @return how many; the first two in `cores` */
static int allowed_cores(int cores[2]) {
  cpu_set_t set;
  int count = 0;
  if (sched_getaffinity(0, sizeof set, &set) < 0) err(1, "sched_getaffinity");
  for (int core = 0; core < CPU_SETSIZE && count < 2; core++)
    if (CPU_ISSET(core, &set)) cores[count++] = core;
  return count;
}

int main(int argc, char **argv) {
  rounds = argc == 2 ? atoi(argv[1]) : 0;
  if (rounds < 1 || rounds > MOST_ROUNDS) errx(2, "usage: prices ROUNDS (1 to %d)", MOST_ROUNDS);
  int cores[2], count = allowed_cores(cores);
  pin(cores[0]);
  price("null_call", 50000, null_call);
  open_epoll();
  price("epoll_wait_0", 30000, epoll_nothing);
  there = eventfd(0, 0);
  back = eventfd(0, 0);
  partner_core = cores[0];
  price("wake_same_cpu", 3000, wake);
  if (count > 1) {
    partner_core = cores[1];
    price("wake_other_cpu", 3000, wake);
  }
  memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) err(1, "mmap");
  memset(memory, 1, MEMORY_BYTES);
  price("copy_64k_cached", 2000, copy_cached);
  price("copy_64k_memory", 500, copy_memory);
  price_tap();
  puts("}");
  return 0;
}
