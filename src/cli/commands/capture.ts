/**
 * `overtap capture`: frames of a switch, or of all switches of a lab, as a capture file.
 */
import { isatty } from 'node:tty';
import { capture, type CaptureResult } from '../../sight/capture.js';
import {
  CaptureFault,
  type CaptureSink,
  FileSink,
  isPipe,
  ReaderGone,
  type RingOptions,
  StreamSink,
} from '../../sight/capture-file.js';
import type { Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { expectPorts, sourcesOf, switchesOf } from '../switches.js';
import { wholeNumber } from '../values.js';
import { filterOf } from './log.js';

const STDOUT = 1;
const MIB = 1024 * 1024;
/** Bytes of a file of a ring, unless --size says otherwise. */
const FILE_MIB = 64;
const SNAPLEN_MAX = 262_144;

export async function run({ context, words, options }: Invocation): Promise<number> {
  if (options.installExtcap !== undefined) {
    const { installExtcap } = await import('../../sight/extcap-install.js');
    const folder = (options.installExtcap as string | true) === true ? true : options.installExtcap;
    for (const line of installExtcap(context.io.env, folder)) context.line(line);
    return 0;
  }
  if (options.extcap !== undefined) {
    const { answerExtcap } = await import('../extcap.js');
    return answerExtcap(context, words);
  }
  const query = {
    filter: filterOf(words),
    interfaces: (options.interface ?? '').split(',').filter((place) => place !== ''),
    ...given('snaplen', wholeNumber('--snaplen', options.snaplen, 1, SNAPLEN_MAX)),
  };
  const count = wholeNumber('-c', options.count, 1, 1_000_000_000);
  const switches = await switchesOf(context, options.lab);
  await expectPorts(switches, query.filter);
  const sink = sinkOf(options);
  const signal = context.io.interrupted?.() ?? new AbortController().signal;
  let result: CaptureResult;
  try {
    result = await capture(sourcesOf(switches, query), sink, signal, {
      application: 'overtap capture',
      ...given('count', count),
    });
  } catch (error) {
    if (error instanceof ReaderGone) return 0;
    if (!(error instanceof CaptureFault)) throw error;
    context.warn(`overtap: ${error.message}`);
    return 1;
  }
  const lost = result.lost === 0 ? 'none lost' : `${result.lost} lost, since they came too fast`;
  context.warn(`${result.packets} packets captured, ${lost}`);
  return 0;
}

function given<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: T };
}

/** @throws UsageError, CaptureFault */
function sinkOf(options: Invocation['options']): CaptureSink {
  const { write } = options;
  const files = wholeNumber('--files', options.files, 1, 100_000);
  const size = wholeNumber('--size', options.size, 1, 1_000_000);
  if (write === undefined) throw new UsageError('a capture is binary: give -w FILE, or -w - and a pipe');
  if (write !== '-' && !isPipe(write)) return new FileSink(write, ringOf(files, size));
  if (files !== undefined || size !== undefined)
    throw new UsageError(`--files and --size belong to -w FILE${write === '-' ? '' : `, and ${write} is a pipe`}`);
  if (write !== '-') return new StreamSink(write);
  if (isatty(STDOUT))
    throw new UsageError('a capture is binary, and the output is a terminal: pipe it, or give -w FILE');
  return new StreamSink(STDOUT);
}

function ringOf(files: number | undefined, size: number | undefined): RingOptions | null {
  if (files === undefined && size === undefined) return null;
  return { files: files ?? Number.POSITIVE_INFINITY, size: (size ?? FILE_MIB) * MIB };
}
