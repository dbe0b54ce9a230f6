/** Bounded concurrency. */

/** Runs `work` on every item, at most `limit` concurrently. @returns the results in the order of the items */
export async function limited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const lane = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await work(item, index);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  return results;
}

/** A semaphore: at most `limit` run concurrently, the others wait in order. */
export function gate(limit: number): <R>(work: () => Promise<R>) => Promise<R> {
  let inside = 0;
  const queue: (() => void)[] = [];
  return async (work) => {
    if (inside >= limit) await new Promise<void>((enter) => queue.push(enter));
    else inside++;
    try {
      return await work();
    } finally {
      // The next waiter takes over the slot.
      const next = queue.shift();
      if (next === undefined) inside--;
      else next();
    }
  };
}
