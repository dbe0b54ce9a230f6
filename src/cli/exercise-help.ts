/** Help text of `exercise`. */

export const EXERCISE_HELP = `
Twelve exercises that grade themselves; docs/course.md has them in their order, with what to read before each.
  list          all exercises, their kinds, and how far you are
  start NAME    makes your files, and prints the task
  check NAME    grades what you have done, with reasons; the exit status is 1 if it is not solved yet
  hint NAME     prints one hint more each time
  report        what was started and solved, by all students of this account; --json and --csv for teachers

  find the fault     a lab that runs and is wrong: mend it while it runs, or in its file. Needs what labs need
  say what happens   frames come to a switch: say which copies leave, with ports, tags and VNIs, or why it drops them
  write the stage    a function of the data path in JavaScript or TypeScript, judged against the real one

The last two kinds need no privilege. Files and state are in $XDG_STATE_HOME/overtap/exercise/STUDENT/NAME (else in
~/.local/state), and nothing is written outside of it. STUDENT is the one given, the one who started last, or $USER;
each has cases of their own. A student can edit these files: check again before you give marks. Solutions and hidden
checks are in the package, in the folder "exercises".

Code of a student runs in a process of its own, with limits of time and memory, that cannot write files or start
programs. It can still read files and use the network: grade code of strangers as an account without secrets.

Examples:
  overtap exercise start missing-pvid
  overtap exercise check missing-pvid
  overtap exercise report --csv > class.csv`;
