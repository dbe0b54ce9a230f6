import { describe, expect, it } from 'vitest';
import { plot } from '../../src/bench/path/report/plot.js';
import { ROWS } from '../../src/bench/path/report/rows.js';
import { summarise } from '../../src/bench/path/report/statistics.js';
import type { Sample } from '../../src/bench/path/types.js';

const samples = (variant: string, measure: string, ...values: number[]): Sample[] =>
  values.map((value) => ({ column: 'A', variant, measure, value }));
const MACHINE = { cpu: 'a <fast> one', cores: 2, kernel: '6.1', commit: 'abc1234' };
const draw = (goals: boolean, ...all: Sample[][]): string =>
  plot({ summary: summarise(all.flat()), machine: MACHINE, started: '2026-01-02T03:04:05Z', settings: { goals } });

describe('the plot', () => {
  const svg = draw(
    false,
    samples('kernel', 'frames64', 90, 100, 110),
    samples('overtap', 'frames64', 120, 150, 160),
    samples('floor', 'frames64', 80, 80, 80),
    samples('ovs', 'frames64', 1000),
  );

  it('has ratios, absolute values and the names of the bars', () => {
    expect(svg).toContain('>A: frames of 64 B</text>');
    for (const ratio of ['1.50', '0.80', '10.00']) expect(svg).toContain(`>${ratio}</text>`);
    expect(svg).toContain('>150, kernel 100 k/s</text>');
    expect(svg).toContain('>floor: a bare C forwarder</text>');
    expect(svg).toContain('a &#60;fast&#62; one');
  });

  it('draws the spread where there is one, and marks bars that are cut', () => {
    const left = Number(/<rect x="([\d.]+)" y="\d+" width="210.0"/.exec(svg)?.[1]); // 1.5 of 3 on 420
    const spreads = [...svg.matchAll(/class="spread" x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)"/g)];
    expect(spreads.map(([, from, to]) => [Number(from) - left, Number(to) - left])).toEqual([[168, 224]]);
    expect(svg.match(/class="cut"/g)).toHaveLength(1);
  });

  it('shows goals only where they were asked for', () => {
    expect(svg).not.toContain('to reach at least');
    const own = [samples('kernel', 'frames64', 100), samples('overtap', 'frames64', 150)];
    const marked = draw(true, ...own);
    expect(marked).toContain('>to reach at least</text>');
    expect(marked.match(/stroke-width="3"/g)).toHaveLength(2);
  });

  it('leaves room for every label and value, before and behind the bars', () => {
    const all = ROWS.flatMap(({ measure, variant }) => [
      samples('kernel', measure, 123456),
      samples(variant, measure, 123456),
    ]);
    const drawn = draw(false, ...all);
    const width = Number(/viewBox="0 0 (\d+) /.exec(drawn)?.[1]);
    for (const [, x, anchor, size, text] of drawn.matchAll(
      /<text x="([\d.]+)" y="[\d.]+" text-anchor="(\w+)" font-weight="\w+" font-size="(\d+)" fill="[^"]+">([^<]*)</g,
    )) {
      const length = text.length * Number(size) * 0.56;
      if (anchor === 'end') expect(Number(x) - length, text).toBeGreaterThanOrEqual(0);
      if (anchor === 'start') expect(Number(x) + length, text).toBeLessThanOrEqual(width);
    }
  });
});
