/** `overtap capture --extcap`: answers Wireshark (`sight/extcap.ts`). Its interfaces are the switches of this host. */
import { createClient } from '../client/client.js';
import { capture } from '../sight/capture.js';
import { ReaderGone, StreamSink } from '../sight/capture-file.js';
import { CONFIG_TEXT, DLTS_TEXT, type ExtcapRequest, interfacesText, readExtcap } from '../sight/extcap.js';
import type { Context } from './context.js';
import { UsageError } from './errors.js';
import { answeringSwitches } from './other-switches.js';

/** @returns the exit status */
export async function answerExtcap(context: Context, words: readonly string[]): Promise<number> {
  const request = readExtcap(words);
  if (request === null) throw new UsageError('--extcap is for Wireshark: see "overtap capture --install-extcap"');
  if (request.ask === 'interfaces') context.print(interfacesText('1.0', await answeringSwitches(context.io.env)));
  else if (request.ask === 'dlts') context.print(DLTS_TEXT);
  else if (request.ask === 'config') context.print(CONFIG_TEXT);
  else await captureInto(context, request);
  return 0;
}

async function captureInto(context: Context, request: Extract<ExtcapRequest, { ask: 'capture' }>): Promise<void> {
  const { socket, fifo, filter, places, snaplen } = request;
  const client = createClient(socket);
  const query = { filter, interfaces: places, ...(snaplen === undefined ? {} : { snaplen }) };
  const signal = context.io.interrupted?.() ?? new AbortController().signal;
  try {
    const source = { name: '', open: (end: AbortSignal) => client.capture(end, query) };
    await capture([source], new StreamSink(fifo), signal, { application: 'overtap capture' });
  } catch (error) {
    if (!(error instanceof ReaderGone)) throw error;
  }
}
