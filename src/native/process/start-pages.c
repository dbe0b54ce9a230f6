/*
 * Memory of the start. A start touches most of Node's program file once: relocations, the snapshot, the compiler. These
 * pages are clean, but they count as resident until the host runs short of memory.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../overtap.h"

/* More mappings of the program than any Node has. */
#define OT_MAPPINGS 64
/* Entries of pagemap that are read at once. */
#define OT_PAGES 512
/* Documentation/admin-guide/mm/pagemap.rst: bit 63 "present", bit 61 "page of a file". */
#define OT_CLEAN_PAGE (UINT64_C(1) << 63 | UINT64_C(1) << 61)

struct ot_mapping {
  uintptr_t start, end;
};

/* Mappings of `program` that nobody writes to. Returns their number. */
static int find_mappings(const char *program, struct ot_mapping *found) {
  char line[PATH_MAX + 128];
  int count = 0;
  FILE *maps = fopen("/proc/self/maps", "re");
  if (!maps) return 0;
  while (count < OT_MAPPINGS && fgets(line, sizeof line, maps)) {
    unsigned long start, end;
    char rights[5];
    int path = 0;
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %n", &start, &end, rights, &path) != 3 || !path) continue;
    if (rights[1] == 'w' || rights[3] != 'p' || strcmp(line + path, program) != 0) continue;
    found[count++] = (struct ot_mapping){start, end};
  }
  fclose(maps);
  return count;
}

/* Reads the pagemap entries of at most OT_PAGES pages from `at` on. Returns their number. */
static size_t read_entries(int pagemap, uintptr_t at, size_t page, uint64_t *entries) {
  ssize_t got = pread(pagemap, entries, OT_PAGES * sizeof *entries, (off_t)(at / page * sizeof *entries));
  return got < 0 ? 0 : (size_t)got / sizeof *entries;
}

/*
 * Drops the pages of a mapping that are the file's own; the next use maps them again from the page cache. A page that
 * was relocated is a copy of this process, and dropping it would undo that: pagemap tells them apart. Returns the
 * bytes.
 */
static size_t drop_clean_pages(int pagemap, struct ot_mapping mapping) {
  uint64_t entries[OT_PAGES];
  size_t page = (size_t)sysconf(_SC_PAGESIZE), dropped = 0, count;
  for (uintptr_t at = mapping.start; at < mapping.end; at += count * page) {
    count = read_entries(pagemap, at, page, entries);
    if (count == 0) break;
    if (count > (mapping.end - at) / page) count = (mapping.end - at) / page;
    for (size_t i = 0, run; i < count; i += run + 1) {
      for (run = 0; i + run < count && (entries[i + run] & OT_CLEAN_PAGE) == OT_CLEAN_PAGE; run++) continue;
      if (run && madvise((char *)at + i * page, run * page, MADV_DONTNEED) == 0) dropped += run * page;
    }
  }
  return dropped;
}

size_t ot_release_start_pages(void) {
  char program[PATH_MAX];
  struct ot_mapping mappings[OT_MAPPINGS];
  size_t dropped = 0;
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (length > 0 && pagemap >= 0) {
    program[length] = 0;
    int count = find_mappings(program, mappings);
    for (int i = 0; i < count; i++) dropped += drop_clean_pages(pagemap, mappings[i]);
  }
  if (pagemap >= 0) close(pagemap);
  return dropped;
}
