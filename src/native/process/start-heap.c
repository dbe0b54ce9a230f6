/*
 * Garbage of the start. V8 collects an idle heap after minutes, or never, and keeps the room of its young generation;
 * with the start's parsing and compiling that is 10 to 20 MiB.
 */
#include <dlfcn.h>
#include <stddef.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "../overtap.h"

/* v8::Isolate::GetCurrent() and LowMemoryNotification(): what an embedder calls, but not part of Node-API. */
#define OT_CURRENT_ISOLATE "_ZN2v87Isolate10GetCurrentEv"
#define OT_LOW_MEMORY "_ZN2v87Isolate21LowMemoryNotificationEv"

typedef void *(*ot_current_fn)(void);
/* A method takes its object as the first argument (Itanium C++ ABI). */
typedef void (*ot_low_memory_fn)(void *);

/*
 * Bytes from which malloc() maps memory of its own. By default glibc raises its threshold to the largest mapping that
 * was freed; then tables of MiB, all zeros, come from used memory that calloc() has to clear, and are resident at once.
 */
#define OT_MAPPED_FROM (256 * 1024)
/* Heaps of malloc(). Each thread of V8's would have one for what it compiles once. */
#define OT_ARENAS 2

void ot_spare_memory(void) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, OT_MAPPED_FROM);
  mallopt(M_ARENA_MAX, OT_ARENAS);
#endif
}

int ot_collect_garbage(void) {
  ot_current_fn current = (ot_current_fn)dlsym(RTLD_DEFAULT, OT_CURRENT_ISOLATE);
  ot_low_memory_fn low_memory = (ot_low_memory_fn)dlsym(RTLD_DEFAULT, OT_LOW_MEMORY);
  void *isolate = current ? current() : NULL;
  if (!isolate || !low_memory) return 0;
  low_memory(isolate);
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return 1;
}
