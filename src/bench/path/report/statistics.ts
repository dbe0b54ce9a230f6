/** Medians, ranges and ratios. It knows no measure and no variant by name. */
import type { Figure, Figures, Sample, Summary } from '../types.js';

/** @param values at least one */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Computes a figure for each column, measure and variant. */
export function summarise(samples: readonly Sample[]): Summary {
  const summary: Summary = {};
  for (const { column, measure, variant } of samples) {
    summary[column] ??= {};
    summary[column][measure] ??= {};
    const figures: Figures = summary[column][measure];
    if (figures[variant] !== undefined) continue;
    const alike = samples.filter((one) => one.column === column && one.measure === measure && one.variant === variant);
    figures[variant] = figureOf(alike.map(({ value }) => value));
  }
  return summary;
}

function figureOf(values: readonly number[]): Figure {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values), count: values.length };
}

/** Ratio of the medians of two figures; null when either is missing. */
export function ratioOf(figure: Figure | undefined, to: Figure | undefined): number | null {
  return figure && to ? figure.median / to.median : null;
}

/** The same ratio of two variants by their names. */
export function ratio(summary: Summary, column: string, measure: string, variant: string, to: string): number | null {
  const figures = summary[column]?.[measure];
  return ratioOf(figures?.[variant], figures?.[to]);
}
