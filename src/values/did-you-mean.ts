/**
 * Suggestions for misspelt words.
 */

/** The known word closest to `word`, or the first that begins like it; undefined if none is close enough. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const spelt = word.toLowerCase().replaceAll('-', '_');
  // In a word of two letters, any other error would match unrelated words.
  if (spelt.length < 3) return known.find((candidate) => candidate === spelt || isSwapped(candidate, spelt));
  // About one typing error in three letters.
  const limit = Math.floor(spelt.length / 3);
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - spelt.length) > limit) continue;
    const distance = editDistance(spelt, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best ?? known.find((candidate) => beginsLike(candidate, spelt));
}

function isSwapped(a: string, b: string): boolean {
  return a.length === 2 && a[0] === b[1] && a[1] === b[0];
}

/** Whether `short` is an abbreviation of `long`, with at most one typing error. */
function beginsLike(long: string, short: string): boolean {
  const ends = [short.length - 1, short.length, short.length + 1].filter((end) => end < long.length);
  return short.length >= 4 && ends.some((end) => editDistance(short, long.slice(0, end)) <= 1);
}

/** Number of insertions, deletions, replacements and swaps of adjacent letters between two words. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(replace, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
