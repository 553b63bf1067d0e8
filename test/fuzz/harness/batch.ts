/** A second reader in a process of its own: asked about many inputs at once, since a question and its answer cost more than what is read. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Difference } from './target.ts';

interface Waiting<Question, Answer> {
  readonly input: Uint8Array;
  readonly question: Question;
  readonly judge: (answer: Answer) => void;
}

/** A Python program that reads lists of questions in JSON, one a line, and prints the list of answers to each. */
export class PythonBatch<Question, Answer> {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string, undefined>;
  readonly #waiting: Waiting<Question, Answer>[] = [];

  constructor(program: string, ...args: readonly string[]) {
    this.#child = spawn('/usr/bin/python3', ['-c', program, ...args]);
    this.#child.stderr.pipe(process.stderr);
    process.on('exit', () => this.#child.kill());
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Asks about an input, and has the answer judged once there is one: `judge` throws where the two differ. */
  ask(input: Uint8Array, question: Question, judge: (answer: Answer) => void): void {
    this.#waiting.push({ input, question, judge });
  }

  /** Asks all that is to be asked. */
  async settle(): Promise<readonly Difference[]> {
    const waiting = this.#waiting.splice(0);
    if (waiting.length === 0) return [];
    this.#child.stdin.write(`${JSON.stringify(waiting.map(({ question }) => question))}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error('Python ended');
    const answers = JSON.parse(value) as readonly Answer[];
    if (answers.length !== waiting.length) throw new Error('Python did not answer all');
    return waiting.flatMap(({ input, judge }, index) => {
      try {
        judge(answers[index] as Answer);
        return [];
      } catch (error) {
        return [{ input, error }];
      }
    });
  }
}
