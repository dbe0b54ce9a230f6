import { describe, expect, it } from 'vitest';
import { overtap } from './harness.js';

/** The benchmark tells a wrong value before it builds anything, so these cases show what reaches it. */
describe('bench', () => {
  it('passes its options on, and the exit status back', async () => {
    const cases: [string[], string][] = [
      [['--rounds', '0'], '--rounds takes a whole number from 1 to 1000, not "0"'],
      [['--seconds', 'x'], '--seconds takes a whole number from 1 to 600, not "x"'],
      [['--senders', '65'], '--senders takes a whole number from 1 to 64, not "65"'],
      [
        ['--quick', '--only', 'tcp,udp'],
        '--only takes tcp, frames, flows, latency, load, ndr, learning, joined by commas, not "udp"',
      ],
      [['--routed', '--local'], '--local, --peer, --routed and --attached are runs of their own: give one of them'],
      [['--local', '--columns', 'A'], '--local has no columns: leave --columns out'],
      [['--underlay', 'ipx'], '--underlay takes ipv4 or ipv6, not "ipx"'],
      [['--local', '--underlay', 'ipv6'], '--local has no underlay: leave --underlay out'],
      [['--compare', 'a.json'], '--compare takes two files: OLD.json NEW.json'],
      [['--columns', 'C'], '--columns takes A, B, joined by commas, not "C"'],
      [
        ['--variants', ''],
        '--variants takes kernel, floor, overtap, ovs, ovs-tso, mixed, workers, trains, replicating, large, joined by commas, not ""',
      ],
    ];
    for (const [options, message] of cases) {
      const err = `overtap bench: ${message} (see --help)\n`;
      expect(await overtap(['bench', ...options])).toEqual({ status: 2, out: '', err });
    }
  });

  it('takes no words, but a file after --json', async () => {
    const refused = (word: string): object => ({
      status: 2,
      out: '',
      err: `overtap: "bench" takes options only, not "${word}" (see "overtap bench --help")\n`,
    });
    expect(await overtap(['bench', 'fast'])).toEqual(refused('fast'));
    expect(await overtap(['bench', '--json', 'a.json', 'b.json'])).toEqual(refused('b.json'));
    const passed = await overtap(['bench', '--json', 'a.json', '--rounds', '-1']);
    expect(passed.err).toBe('overtap bench: --rounds takes a whole number from 1 to 1000, not "-1" (see --help)\n');
  });

  it('refuses options that it does not have, as every command does', async () => {
    const { status, err } = await overtap(['bench', '--round', '1']);
    expect({ status, err }).toEqual({
      status: 2,
      err: `overtap: unknown option '--round'; did you mean --rounds? (see "overtap bench --help")\n`,
    });
  });
});
