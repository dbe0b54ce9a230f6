/* Threads that bring events of the switch to sockets that have joined a group. A thread has a copy of the socket, and
 * ends with the last descriptor that the program has of it. */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

/* Threads of a process. */
#define MAX_LISTENERS 64
/* Descriptors of threads are beyond those that a program expects to get. */
#define FIRST_FD 200
/* Milliseconds after which a thread looks for itself whether the program has its socket: it may be closed past libc. */
#define LOOK_MS 5000

struct listener {
  struct listener *next;
  struct ox_caller caller;
  uint64_t cookie; /* of the program's socket */
  uint32_t group;
  int connection;
  int fd;       /* a copy of the program's */
  bool isEnded; /* its connection is shut down, so its thread ends */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct listener *listeners;
static uint32_t count; /* read without the lock, as a hint */

static void take_lock(void) { pthread_mutex_lock(&lock); }
static void give_lock(void) { pthread_mutex_unlock(&lock); }
/* Threads stay in the parent, so their descriptors do too. */
static void begin_child(void) {
  while (listeners != NULL) {
    struct listener *next = listeners->next;
    ox_close(listeners->connection);
    ox_close(listeners->fd);
    free(listeners);
    listeners = next;
  }
  count = 0;
  give_lock();
}
__attribute__((constructor)) static void keep_over_fork(void) { pthread_atfork(take_lock, give_lock, begin_child); }

/* With the lock held. */
static void end(struct listener *listener) {
  if (!listener->isEnded) shutdown(listener->connection, SHUT_RDWR);
  listener->isEnded = true;
}

void ox_end_unused(void) {
  if (__atomic_load_n(&count, __ATOMIC_RELAXED) == 0 || !ox_is_owner()) return;
  int saved = errno;
  take_lock();
  for (struct listener *one = listeners; one != NULL; one = one->next)
    if (!ox_is_open(one->cookie)) end(one);
  give_lock();
  errno = saved;
}

bool ox_is_own(int fd) {
  if (__atomic_load_n(&count, __ATOMIC_RELAXED) == 0 || fd < 0) return false;
  bool isOwn = false;
  take_lock();
  for (struct listener *one = listeners; one != NULL && !isOwn; one = one->next)
    isOwn = one->fd == fd || one->connection == fd;
  give_lock();
  return isOwn;
}

unsigned ox_next_own(unsigned from) {
  unsigned next = ~0u;
  take_lock();
  for (struct listener *one = listeners; one != NULL; one = one->next) {
    if ((unsigned)one->fd >= from && (unsigned)one->fd < next) next = (unsigned)one->fd;
    if ((unsigned)one->connection >= from && (unsigned)one->connection < next) next = (unsigned)one->connection;
  }
  give_lock();
  return next;
}

/* Answers what overtap exec asks of the kernel about an event. */
static bool answer_question(const struct listener *listener, struct ox_bytes question) {
  struct ox_bytes answer;
  uint32_t fault = (uint32_t)ox_ask_kernel(&listener->caller, question, &answer);
  bool isSaid = ox_say(listener->connection, OX_REPLY, &fault, sizeof fault, answer.at, answer.length);
  free(answer.at);
  free(question.at);
  return isSaid;
}

/* Waits for the next event and brings it. Returns false at the end. */
static bool bring_event(const struct listener *listener) {
  struct pollfd waited = {.fd = listener->connection, .events = POLLIN};
  int ready = poll(&waited, 1, LOOK_MS);
  if (ready < 0) return errno == EINTR;
  if (ready == 0) return ox_is_open(listener->cookie);
  struct ox_bytes bytes;
  uint32_t word = ox_hear(listener->connection, &bytes);
  if (word == OX_ASK) return answer_question(listener, bytes);
  if (word == OX_ANSWER) ox_queue(listener->fd, bytes);
  else free(bytes.at);
  return word != 0;
}

static void *bring_events(void *given) {
  struct listener *listener = given;
  while (bring_event(listener)) {}
  take_lock();
  end(listener);
  struct listener **at = &listeners;
  while (*at != listener) at = &(*at)->next;
  *at = listener->next;
  count--;
  ox_close(listener->connection);
  ox_close(listener->fd);
  give_lock();
  free(listener);
  return NULL;
}

/* Takes `fd`, and gives a descriptor of the same beyond FIRST_FD, or the same one where there is none. */
static int out_of_the_way(int fd) {
  int high = fd < 0 ? -1 : ox_fcntl(fd, F_DUPFD_CLOEXEC, (void *)(intptr_t)FIRST_FD);
  if (high < 0) return fd;
  ox_close(fd);
  return high;
}

/* With the lock held. */
static bool is_known(uint64_t cookie, uint32_t group) {
  for (const struct listener *one = listeners; one != NULL; one = one->next)
    if (one->cookie == cookie && one->group == group && !one->isEnded) return true;
  return false;
}

/* With the lock held. */
static bool start(struct listener *listener) {
  const struct timeval none = {0};
  if (listener->connection < 0 || listener->fd < 0) return false;
  setsockopt(listener->connection, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  if (!ox_say(listener->connection, OX_LISTEN, &listener->caller, sizeof listener->caller, &listener->group,
              sizeof listener->group))
    return false;
  pthread_t thread;
  if (pthread_create(&thread, NULL, bring_events, listener) != 0) return false;
  pthread_detach(thread);
  listener->next = listeners;
  listeners = listener;
  count++;
  return true;
}

void ox_listen(int fd, uint32_t group) {
  bool isTold = group == OX_GROUP_LINK || group == OX_GROUP_NEIGH || group == OX_GROUP_MDB || group == OX_GROUP_VLAN ||
                group == OX_GROUP_TUNNEL;
  struct listener *listener = isTold && ox_is_route(fd) ? calloc(1, sizeof *listener) : NULL;
  if (listener == NULL) return;
  int saved = errno;
  listener->cookie = ox_cookie_of(fd);
  listener->group = group;
  bool isGood = listener->cookie != 0 && ox_caller_of(fd, &listener->caller) && ox_set_listening(fd);
  take_lock();
  if (!isGood || count >= MAX_LISTENERS || is_known(listener->cookie, group)) {
    free(listener);
  } else {
    listener->connection = out_of_the_way(ox_connect());
    listener->fd = out_of_the_way(ox_fcntl(fd, F_DUPFD_CLOEXEC, NULL));
    if (!start(listener)) {
      if (listener->connection >= 0) ox_close(listener->connection);
      if (listener->fd >= 0) ox_close(listener->fd);
      free(listener);
    }
  }
  give_lock();
  errno = saved;
}

void ox_listen_no_more(int fd, uint32_t group) {
  if (__atomic_load_n(&count, __ATOMIC_RELAXED) == 0 || !ox_is_route(fd)) return;
  uint64_t cookie = ox_cookie_of(fd);
  take_lock();
  for (struct listener *one = listeners; one != NULL; one = one->next)
    if (one->cookie == cookie && one->group == group) end(one);
  give_lock();
}
