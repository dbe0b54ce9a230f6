/**
 * The terminal as a page that is drawn again and again: the alternate screen, without a cursor, and keys as they are pressed. Whatever
 * ends the program, the terminal is as it was before.
 */

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const CTRL_C = '\x03';

export interface Page {
  readonly columns: number;
  readonly rows: number;
  draw(text: string): void;
  leave(): void;
}

/** @param pressed called for each key; Ctrl-C is told as `q` */
export function openPage(pressed: (key: string) => void): Page {
  const { stdin, stdout } = process;
  let left = false;
  const hear = (keys: Buffer): void => {
    for (const key of keys.toString()) pressed(key === CTRL_C ? 'q' : key);
  };
  const leave = (): void => {
    if (left) return;
    left = true;
    stdin.off('data', hear);
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
    stdout.write(LEAVE);
    process.off('exit', leave);
  };
  process.once('exit', leave);
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.on('data', hear);
  stdout.write(ENTER);
  return {
    get columns() {
      return stdout.columns || 80;
    },
    get rows() {
      return stdout.rows || 24;
    },
    draw(text) {
      if (!left) stdout.write(HOME + text.replaceAll('\n', `${CLEAR_LINE}\n`) + CLEAR_LINE + CLEAR_BELOW);
    },
    leave,
  };
}
