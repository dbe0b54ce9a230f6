/**
 * Medians, spreads and ratios. It knows neither measures nor variants by name.
 */

/** @param {readonly number[]} values at least one */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * @param {readonly { column: string, variant: string, measure: string, value: number }[]} samples
 * @returns {Record<string, Record<string, Record<string, { median: number, low: number, high: number, count: number }>>>}
 * by column, measure and variant
 */
export function summarise(samples) {
  const summary = {};
  for (const { column, variant, measure, value } of samples) {
    summary[column] ??= {};
    summary[column][measure] ??= {};
    summary[column][measure][variant] ??= [];
    summary[column][measure][variant].push(value);
  }
  for (const measures of Object.values(summary))
    for (const variants of Object.values(measures))
      for (const [variant, values] of Object.entries(variants))
        variants[variant] = {
          median: median(values),
          low: Math.min(...values),
          high: Math.max(...values),
          count: values.length,
        };
  return summary;
}

/** Median of one figure to that of another; null where either is not there. */
export function ratioOf(figure, to) {
  return figure && to ? figure.median / to.median : null;
}

/** The same by names. */
export function ratio(summary, column, measure, variant, to) {
  const figures = summary[column]?.[measure];
  return ratioOf(figures?.[variant], figures?.[to]);
}
