/*
 * Partial checksums, completed in the arena. Several commands of one call may share a frame, whose checksum must be
 * completed once: completed fields are kept as a set of arena offsets, which a new round number empties.
 */
#include <errno.h>
#include <string.h>

#include "offload.h"

static uint32_t field_of(const int32_t *tx) { return (uint32_t)tx[TX_OFFSET] + ot_csum_start(tx) + ot_csum_offset(tx); }

/* The slot of a field in the set. */
static uint32_t find(const struct ot_nic *nic, uint32_t field, bool *found) {
  uint32_t place = (field * 2654435761u) >> 7;
  for (;; place++) {
    place &= nic->done_mask;
    if (nic->done_in[place] != nic->round) *found = false;
    else if (nic->done_at[place] == field) *found = true;
    else continue;
    return place;
  }
}

void ot_finish_begin(struct ot_nic *nic) {
  nic->done_count = 0;
  if (++nic->round) return;
  memset(nic->done_in, 0, ((size_t)nic->done_mask + 1) * sizeof *nic->done_in);
  nic->round = 1;
}

bool ot_is_finished(struct ot_nic *nic, const int32_t *tx) {
  bool found;
  find(nic, field_of(tx), &found);
  return found;
}

int ot_finish(struct ot_nic *nic, const int32_t *tx) {
  size_t length = (size_t)tx[TX_LENGTH], start = ot_csum_start(tx), offset = ot_csum_offset(tx);
  if (start < OT_ETHERNET || start + offset + 2 > length) return OFFLOAD_MISFIT;
  bool found;
  uint32_t place = find(nic, field_of(tx), &found);
  if (found) return 0;
  /* More fields than a batch has frames. Only a wrong caller gets here; the set must not fill up. */
  if (++nic->done_count > nic->done_mask / 2) return EOVERFLOW;
  nic->done_at[place] = field_of(tx);
  nic->done_in[place] = nic->round;
  ot_complete(nic->arena + tx[TX_OFFSET], length, start, offset);
  return 0;
}
