/** Cuts a stream into lines. */
import { Gathered } from '../../../gathered.js';

export class Lines {
  private readonly rest = new Gathered();

  /** Bytes of the line that has not ended yet. */
  get waiting(): number {
    return this.rest.length;
  }

  /** Lines that end in the piece, without empty ones. */
  *take(piece: Uint8Array): Generator<string> {
    let from = 0;
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, from)) {
      this.rest.add(piece.subarray(from, end));
      from = end + 1;
      const line = this.rest.take().toString('utf8');
      if (line.trim() !== '') yield line;
    }
    this.rest.add(piece.subarray(from));
  }
}
