/** Text form of a trace: a line a step, then the verdict and what decided; a further switch is indented below its copy. */
import type { Hop, HopCopy } from '../trace-path.js';

const MARGIN = 11;

export function formatTrace(trace: Hop, indent = ''): string {
  const lines = trace.steps.map(({ stage, text }) => line(stage, text));
  const reason = trace.reason === undefined ? '' : ` (${trace.reason})`;
  const applied = trace.applied === true ? ', and taken in' : '';
  lines.push(line('=', `${trace.verdict}${reason}${applied}${summaryOf(trace.copies)}`));
  if (trace.decided_by.length > 0) lines.push(line('by', trace.decided_by.join('; ')));
  const own = lines.map((text) => `${indent}${text}\n`).join('');
  return own + trace.copies.map((copy) => formatPeer(copy, indent)).join('');
}

function line(head: string, text: string): string {
  return `${head.padEnd(MARGIN)} ${text}`;
}

function summaryOf(copies: readonly HopCopy[]): string {
  const sent = copies.filter(({ verdict, answer }) => verdict === 'sent' && answer !== true).length;
  const dropped = copies.filter(({ verdict }) => verdict === 'dropped').length;
  const answers = copies.filter(({ answer }) => answer === true).length;
  const parts = [
    ...(sent === 0 ? [] : [`${sent} ${sent === 1 ? 'copy' : 'copies'}`]),
    ...(answers === 0 ? [] : [`${answers} ${answers === 1 ? 'answer' : 'answers'} of the switch itself`]),
    ...(dropped === 0 ? [] : [`${dropped} dropped`]),
  ];
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`;
}

function formatPeer({ remote, vni, peer }: HopCopy, indent: string): string {
  if (peer === undefined) return '';
  const head = `${indent}--> ${peer.switch} (${remote}, VNI ${vni})`;
  if (peer.trace === undefined) return `${head}: not traced: ${peer.refused}\n`;
  return `${head}\n${formatTrace(peer.trace, `${indent}    `)}`;
}
