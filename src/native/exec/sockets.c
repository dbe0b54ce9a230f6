#include "exec.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FD 65536
/* Bytes of a carrier: an acknowledgement holds the header of what it acknowledges. */
#define CARRIER_ROOM 256
/* Answers that wait in one socket. */
#define MAX_WAITING 4096

struct waiting {
  struct waiting *next;
  uint32_t length;
  uint8_t bytes[];
};

struct socket_state {
  uint64_t cookie; /* of the kernel; 0: free */
  uint64_t netns;
  uint64_t used; /* order of use */
  struct waiting *first;
  struct waiting **end;
  uint32_t count;
  uint32_t seq; /* of the carrier under way; 0: none */
  bool overran; /* the kernel has dropped messages, perhaps the carrier */
  bool listens;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct socket_state states[OX_MAX_SOCKETS];
static uint64_t uses;
static uint32_t carriers = 0x6f760000;
/* Descriptors that may be netlink sockets: all others cost a look at one bit. */
static uint8_t marked[MAX_FD / 8];
/* The process that these descriptors are of. A child of vfork(2) has descriptors of its own and this memory. */
static pid_t owner;

static void take_lock(void) { pthread_mutex_lock(&lock); }
static void give_lock(void) { pthread_mutex_unlock(&lock); }
static void begin_child(void) {
  owner = getpid();
  give_lock();
}
/* Another thread that has the lock while this one forks would not be there to give it back in the child. */
__attribute__((constructor)) static void keep_over_fork(void) {
  owner = getpid();
  pthread_atfork(take_lock, give_lock, begin_child);
}

/* 0: no NETLINK_ROUTE socket. A number may be another socket's by now, as after close_range(2). */
uint64_t ox_cookie_of(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  int domain = 0, protocol = 0;
  socklen_t size = sizeof domain;
  int saved = errno;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_NETLINK) cookie = 0;
  else if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0 || protocol != NETLINK_ROUTE) cookie = 0;
  else if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) != 0) cookie = 0;
  errno = saved;
  return cookie;
}

static void clear(struct socket_state *state) {
  while (state->first != NULL) {
    struct waiting *next = state->first->next;
    free(state->first);
    state->first = next;
  }
  memset(state, 0, sizeof *state);
  state->end = &state->first;
}

/* With the lock held. The state of the socket, made where it has none. */
static struct socket_state *state_of(int fd) {
  uint64_t cookie = ox_cookie_of(fd);
  if (cookie == 0) return NULL;
  struct socket_state *oldest = &states[0];
  for (size_t i = 0; i < OX_MAX_SOCKETS; i++) {
    if (states[i].cookie == cookie) {
      states[i].used = ++uses;
      return &states[i];
    }
    if (states[i].used < oldest->used) oldest = &states[i];
  }
  clear(oldest);
  oldest->cookie = cookie;
  oldest->netns = ox_netns();
  oldest->used = ++uses;
  return oldest;
}

static void mark(int fd, bool on) {
  if (fd < 0 || fd >= MAX_FD) return;
  uint8_t bit = (uint8_t)(1u << (fd % 8));
  if (on) __atomic_fetch_or(&marked[fd / 8], bit, __ATOMIC_RELAXED);
  else __atomic_fetch_and(&marked[fd / 8], (uint8_t)~bit, __ATOMIC_RELAXED);
}

bool ox_is_route(int fd) {
  return fd >= 0 && fd < MAX_FD && (__atomic_load_n(&marked[fd / 8], __ATOMIC_RELAXED) & (1u << (fd % 8))) != 0;
}

void ox_note_socket(int fd) {
  if (fd < 0 || !ox_is_on()) return;
  mark(fd, true);
  pthread_mutex_lock(&lock);
  state_of(fd);
  pthread_mutex_unlock(&lock);
}

void ox_same_socket(int fd, int copy) {
  if (copy >= 0 && copy != fd) mark(copy, ox_is_route(fd));
}

bool ox_is_owner(void) { return getpid() == owner; }

void ox_forget_socket(int fd) {
  if (ox_is_owner()) mark(fd, false);
}

bool ox_is_open(uint64_t cookie) {
  for (int at = 0; at < MAX_FD / 8; at++) {
    uint8_t bits = __atomic_load_n(&marked[at], __ATOMIC_RELAXED);
    for (int bit = 0; bits >> bit != 0; bit++)
      if ((bits >> bit & 1) != 0 && ox_cookie_of(8 * at + bit) == cookie) return true;
  }
  return false;
}

bool ox_set_listening(int fd) {
  pthread_mutex_lock(&lock);
  struct socket_state *state = state_of(fd);
  if (state != NULL) state->listens = true;
  pthread_mutex_unlock(&lock);
  return state != NULL;
}

static uint32_t option(int fd, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_NETLINK, name, &value, &length) == 0 && value != 0;
}

/* The kernel gives a socket its port id with the first message; the answer must carry it before. */
static uint32_t port_id(int fd) {
  struct sockaddr_nl own = {.nl_family = AF_NETLINK};
  socklen_t length = sizeof own;
  if (getsockname(fd, (struct sockaddr *)&own, &length) == 0 && own.nl_pid != 0) return own.nl_pid;
  own = (struct sockaddr_nl){.nl_family = AF_NETLINK};
  if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0) return 0;
  length = sizeof own;
  return getsockname(fd, (struct sockaddr *)&own, &length) == 0 ? own.nl_pid : 0;
}

bool ox_caller_of(int fd, struct ox_caller *caller) {
  pthread_mutex_lock(&lock);
  const struct socket_state *state = state_of(fd);
  uint64_t netns = state == NULL ? 0 : state->netns;
  pthread_mutex_unlock(&lock);
  if (netns == 0) return false;
  *caller = (struct ox_caller){.netns = netns,
                               .pid = (uint32_t)getpid(),
                               .portid = port_id(fd),
                               .strict = option(fd, NETLINK_GET_STRICT_CHK),
                               .extack = option(fd, NETLINK_EXT_ACK)};
  return true;
}

/* With the lock held. An empty message that the kernel acknowledges: the place of the first answer that waits. */
static void send_carrier(int fd, struct socket_state *state) {
  if (state->first == NULL || state->seq != 0) return;
  struct nlmsghdr empty = {.nlmsg_len = sizeof empty,
                           .nlmsg_type = NLMSG_NOOP,
                           .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                           .nlmsg_seq = ++carriers};
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  struct iovec part = {.iov_base = &empty, .iov_len = sizeof empty};
  const struct msghdr message = {.msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = &part, .msg_iovlen = 1};
  if (ox_sendmsg(fd, &message, MSG_DONTWAIT) == (ssize_t)sizeof empty) state->seq = empty.nlmsg_seq;
}

/* With the lock held. */
static bool enqueue(struct socket_state *state, const uint8_t *bytes, uint32_t length) {
  if (state->count >= MAX_WAITING) return false;
  struct waiting *one = malloc(sizeof *one + length);
  if (one == NULL) return false;
  *one = (struct waiting){.length = length};
  memcpy(one->bytes, bytes, length);
  *state->end = one;
  state->end = &one->next;
  state->count++;
  return true;
}

bool ox_queue(int fd, struct ox_bytes datagrams) {
  pthread_mutex_lock(&lock);
  struct socket_state *state = state_of(fd);
  size_t at = 0;
  bool isGood = state != NULL;
  while (isGood && at < datagrams.length) {
    uint32_t length = 0;
    isGood = datagrams.length - at >= sizeof length;
    if (!isGood) break;
    memcpy(&length, datagrams.at + at, sizeof length);
    at += sizeof length;
    isGood = length <= datagrams.length - at && enqueue(state, datagrams.at + at, length);
    at += length;
  }
  if (state != NULL) send_carrier(fd, state);
  pthread_mutex_unlock(&lock);
  free(datagrams.at);
  return isGood;
}

/* Copies a datagram into the program's buffers. Returns what recvmsg would. */
static ssize_t deliver(const struct waiting *one, struct msghdr *message, int flags) {
  size_t at = 0;
  for (size_t i = 0; i < (size_t)message->msg_iovlen && at < one->length; i++) {
    size_t room = message->msg_iov[i].iov_len;
    size_t part = room < one->length - at ? room : one->length - at;
    if (part > 0) memcpy(message->msg_iov[i].iov_base, one->bytes + at, part);
    at += part;
  }
  if (message->msg_name != NULL) {
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    size_t room = message->msg_namelen < sizeof kernel ? message->msg_namelen : sizeof kernel;
    memcpy(message->msg_name, &kernel, room);
    message->msg_namelen = sizeof kernel;
  }
  message->msg_controllen = 0;
  message->msg_flags = at < one->length ? MSG_TRUNC : 0;
  return (ssize_t)((flags & MSG_TRUNC) ? one->length : at);
}

static bool is_carrier(const uint8_t *bytes, ssize_t length, uint32_t seq) {
  struct nlmsghdr head;
  if (length < (ssize_t)sizeof head) return false;
  memcpy(&head, bytes, sizeof head);
  return head.nlmsg_type == NLMSG_ERROR && head.nlmsg_seq == seq && seq != 0;
}

/* Sets whether a socket has overrun. An empty queue has no carrier: then it gets another one. */
static void note_overrun(int fd, bool overran) {
  int saved = errno;
  pthread_mutex_lock(&lock);
  struct socket_state *state = state_of(fd);
  if (state != NULL) {
    state->overran = overran;
    if (!overran) state->seq = 0;
    if (!overran) send_carrier(fd, state);
  }
  pthread_mutex_unlock(&lock);
  errno = saved;
}

/* The next datagram, which stays in the queue. */
static ssize_t peek(int fd, struct msghdr *seen, int flags, bool overran) {
  if (overran) {
    ssize_t got = ox_recvmsg(fd, seen, MSG_PEEK | MSG_DONTWAIT);
    if (got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) return got;
    note_overrun(fd, false);
  }
  ssize_t got = ox_recvmsg(fd, seen, MSG_PEEK | (flags & MSG_DONTWAIT));
  if (got < 0 && errno == ENOBUFS) note_overrun(fd, true);
  return got;
}

bool ox_receive(int fd, struct msghdr *message, int flags, ssize_t *result) {
  pthread_mutex_lock(&lock);
  struct socket_state *state = state_of(fd);
  bool waits = state != NULL && (state->seq != 0 || state->listens || state->first != NULL);
  bool overran = state != NULL && (state->overran || (state->seq == 0 && state->first != NULL));
  pthread_mutex_unlock(&lock);
  if (!waits) return false;
  uint8_t bytes[CARRIER_ROOM];
  struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
  struct msghdr seen = {.msg_iov = &part, .msg_iovlen = 1};
  ssize_t got = peek(fd, &seen, flags, overran);
  if (got < 0) {
    *result = -1;
    return true;
  }
  pthread_mutex_lock(&lock);
  state = state_of(fd);
  bool isOurs = state != NULL && is_carrier(bytes, got, state->seq) && state->first != NULL;
  if (isOurs) {
    struct waiting *one = state->first;
    *result = deliver(one, message, flags);
    if (!(flags & MSG_PEEK)) {
      seen = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
      ox_recvmsg(fd, &seen, MSG_DONTWAIT);
      state->seq = 0;
      state->first = one->next;
      if (state->first == NULL) state->end = &state->first;
      state->count--;
      free(one);
      send_carrier(fd, state);
    }
  }
  pthread_mutex_unlock(&lock);
  return isOurs;
}
