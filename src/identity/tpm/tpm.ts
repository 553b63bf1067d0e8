/**
 * One connection to a TPM: builds commands, reads answers strictly, sends again what the TPM asks to be sent again, and
 * knows what it has loaded there, so that all of it can be flushed (TPM 2.0 Library, part 1, section 18; part 3, section 5).
 */
// Tests: test/identity/tpm/failures.test.ts
import { setTimeout as sleep } from 'node:timers/promises';
import { processAge } from '../../platform/clock.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { Authorization, CommandParts } from './authorization.ts';
import { type CommandCode, HANDLE_TYPE, TPM_1_2_RESPONSE, TPM_CAP, TPM_CC, TPM_ST, commandName } from './constants.ts';
import { RC, TPM_RC_BAD_TAG, TpmError, isAnswer } from './return-codes.ts';
import { type Transport, answerError, isConnectionLoss } from './transport.ts';
import { Reader, TpmFormatError, concat, u16, u32 } from './wire.ts';

/** Something in the TPM that a command is about. */
export interface Entity {
  readonly handle: number;
  /** By which authorisations mean it: of objects and NV indices a hash of their public area, of the rest the handle itself. */
  readonly name: Uint8Array;
}

/** An entity whose name is its handle: hierarchies, sessions, PCRs (part 1, section 16). */
export function byHandle(handle: number): Entity {
  return { handle, name: u32(handle) };
}

export interface Command {
  readonly code: CommandCode;
  readonly handles?: readonly Entity[] | undefined;
  readonly parameters?: Uint8Array | undefined;
  /** One for each of the first handles that wants one, then those that only accompany the command. */
  readonly authorizations?: readonly Authorization[] | undefined;
  /** Whether a handle comes first in the answer: the command loads something. Default false. */
  readonly loads?: boolean | undefined;
}

export interface Answer {
  /** What was loaded; 0 when the command loads nothing. */
  readonly handle: number;
  readonly parameters: Reader;
}

/** What may still be in the TPM. */
export interface Leftovers {
  /** Loaded and not flushed: handles of objects and sessions. */
  readonly loaded: ReadonlySet<number>;
  /** What was there before this connection loaded anything. Undefined where nobody looked. */
  readonly before?: ReadonlySet<number> | undefined;
  /** Whether the answer to a command that loads something never came. */
  readonly unknown: boolean;
}

export interface TpmOptions {
  /** How errors call the TPM. */
  readonly where: string;
  /** When to give up, in milliseconds of processAge of platform/clock.ts. */
  readonly deadline: number;
  /** Whether to note what is loaded before anything else is: where nobody else cleans up. */
  readonly notes: boolean;
  /** Whether to stop before the next command. */
  readonly stop: () => boolean;
}

/** Warnings by which a TPM asks for the same command once more (part 3, section 5.9 and the return codes). */
const AGAIN: readonly number[] = [RC.retry, RC.yielded, RC.testing, RC.nvRate, RC.canceled];

/** How long a TPM may go on asking for that. Self-tests take a second or two. */
const AGAIN_MS = 6000;

/** Flushing goes on when the time for everything else is over, and is never more than this over. */
const FLUSH_GRACE_MS = 2000;

/** Handles in one answer to TPM2_GetCapability. */
const MAX_HANDLES = 64;

export class Tpm {
  readonly where: string;
  readonly #transport: Transport;
  readonly #deadline: number;
  readonly #notes: boolean;
  readonly #stop: () => boolean;
  readonly #loaded = new Set<number>();
  #before: ReadonlySet<number> | undefined;
  #unknown = false;
  #lost = false;

  constructor(transport: Transport, { where, deadline, notes, stop }: TpmOptions) {
    this.#transport = transport;
    this.where = where;
    this.#deadline = deadline;
    this.#notes = notes;
    this.#stop = stop;
  }

  /**
   * @throws TpmError when the TPM refuses
   * @throws RolesAnywhereError `ERR_TPM_TIMEOUT`, `ERR_TPM_CLOSED`, `ERR_TPM_ANSWER`: the connection is of no use any more;
   * `ERR_INTERRUPTED`
   */
  async execute(command: Command): Promise<Answer> {
    if (this.#stop()) throw new RolesAnywhereError('ERR_INTERRUPTED', 'the work at the TPM was interrupted');
    if (command.loads === true && this.#notes && this.#before === undefined) await this.#noteHandles();
    if (command.loads !== true) return await this.#execute(command, this.#deadline);
    try {
      const answer = await this.#execute(command, this.#deadline);
      this.#loaded.add(answer.handle);
      return answer;
    } catch (error) {
      // Whatever was loaded, nobody knows by what handle.
      if (!(error instanceof TpmError)) this.#unknown = true;
      throw error;
    }
  }

  /** Takes note that something is gone: a session that ended with its command. */
  forget(handle: number): void {
    this.#loaded.delete(handle);
  }

  /** TPM2_FlushContext (part 3, section 28.4). */
  async flush(handle: number): Promise<void> {
    await this.#execute(
      { code: TPM_CC.flushContext, parameters: u32(handle) },
      Math.max(this.#deadline, processAge() + FLUSH_GRACE_MS),
    );
    this.#loaded.delete(handle);
  }

  /** Flushes what is loaded, as far as that goes, and closes the connection. */
  async close(): Promise<Leftovers> {
    // A set may lose items while it is walked.
    for (const handle of this.#loaded) {
      if (this.#lost) break;
      // One that the TPM does not know any more is flushed.
      await this.flush(handle).catch((error: unknown) => {
        if (isAnswer(error, RC.handle, RC.value, RC.referenceH0)) this.#loaded.delete(handle);
      });
    }
    await this.#transport.close();
    return { loaded: this.#loaded, before: this.#before, unknown: this.#unknown };
  }

  /** Notes what is there before anything is loaded: where answers get lost, the difference is what was left. */
  async #noteHandles(): Promise<void> {
    this.#before = new Set([...(await this.handles('objects')), ...(await this.handles('sessions'))]);
  }

  /** Handles of what is loaded, whoever did it, or of the objects that stay. */
  async handles(kind: 'objects' | 'sessions' | 'persistent'): Promise<readonly number[]> {
    const { transient, hmacSession, persistent } = HANDLE_TYPE;
    const type = { objects: transient, sessions: hmacSession, persistent }[kind];
    return await this.#capability(TPM_CAP.handles, type * 2 ** 24, MAX_HANDLES, (list) => list.u32());
  }

  /** Properties of the TPM, from a first one on; what it does not have is not in the result. */
  async properties(first: number, count: number): Promise<ReadonlyMap<number, number>> {
    return new Map(
      await this.#capability(TPM_CAP.tpmProperties, first, count, (list) => [list.u32(), list.u32()] as const),
    );
  }

  /** TPM2_GetCapability (part 3, section 30.2). */
  async #capability<T>(capability: number, property: number, count: number, item: (list: Reader) => T): Promise<T[]> {
    const { parameters } = await this.execute({
      code: TPM_CC.getCapability,
      parameters: concat(u32(capability), u32(property), u32(count)),
    });
    return this.strictly(() => {
      parameters.u8(); // whether there is more
      if (parameters.u32() !== capability) throw new TpmFormatError('TPMS_CAPABILITY_DATA is of another kind');
      const items = Array.from({ length: parameters.count(count) }, () => item(parameters));
      parameters.end();
      return items;
    });
  }

  /**
   * Reads what the TPM sent.
   *
   * @throws RolesAnywhereError `ERR_TPM_ANSWER` for what is not as the specification says
   */
  strictly<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof TpmFormatError)) throw error;
      throw this.improper(error.message, error);
    }
  }

  /** The error for an answer that cannot be the TPM's. */
  improper(what: string, cause?: unknown): Error {
    return answerError(this.where, what, cause);
  }

  async #execute(command: Command, deadline: number): Promise<Answer> {
    const parts: CommandParts = {
      code: command.code,
      names: (command.handles ?? []).map(({ name }) => name),
      parameters: command.parameters ?? new Uint8Array(),
    };
    const authorizations = command.authorizations ?? [];
    const areas = authorizations.map((authorization) => authorization.command(parts));
    const message = encode(command, areas);
    try {
      const answer = await this.#persist(command, message, deadline);
      return this.strictly(() => this.#read(command, answer, authorizations));
    } finally {
      // They may hold a password.
      message.fill(0);
      for (const area of areas) area.fill(0);
    }
  }

  /** The same octets again, as long as the TPM asks for it: sessions go on as if it had never been asked. */
  async #persist(command: Command, message: Uint8Array, deadline: number): Promise<Uint8Array> {
    const giveUp = Math.min(deadline, processAge() + AGAIN_MS);
    for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 250)) {
      try {
        return this.#check(command.code, await this.#transmit(message, deadline));
      } catch (error) {
        if (!isAnswer(error, ...AGAIN) || processAge() + pauseMs > giveUp) throw error;
      }
      await sleep(pauseMs);
    }
  }

  async #transmit(message: Uint8Array, deadline: number): Promise<Uint8Array> {
    try {
      return await this.#transport.transmit(message, deadline);
    } catch (error) {
      if (isConnectionLoss(error)) this.#lost = true;
      throw error;
    }
  }

  /** The answer behind its header, when its code is success. */
  #check(code: CommandCode, answer: Uint8Array): Uint8Array {
    const header = new Reader(answer, 'the header');
    const tag = header.u16();
    header.u32(); // the length, which the transport has looked at
    const returnCode = header.u32();
    if (tag === TPM_1_2_RESPONSE && returnCode === TPM_RC_BAD_TAG) throw new TpmError(code, returnCode);
    if (tag !== TPM_ST.noSessions && tag !== TPM_ST.sessions) throw this.#garbled(`the tag 0x${tag.toString(16)}`);
    if (returnCode === 0) return answer;
    if (header.left > 0 || tag !== TPM_ST.noSessions) throw this.#garbled('an error that is longer than its header');
    throw new TpmError(code, returnCode);
  }

  /** After it nobody knows where the next answer begins. */
  #garbled(what: string): Error {
    this.#lost = true;
    return this.improper(what);
  }

  #read({ code, loads = false }: Command, answer: Uint8Array, authorizations: readonly Authorization[]): Answer {
    const reader = new Reader(answer, `the answer to ${commandName(code)}`);
    const hasSessions = reader.u16() === TPM_ST.sessions;
    reader.bytes(8);
    if (hasSessions !== authorizations.length > 0) throw new TpmFormatError('the tag does not fit the command');
    const handle = loads ? reader.u32() : 0;
    if (!hasSessions) return { handle, parameters: reader };
    const parameters = reader.bytes(reader.u32());
    for (const authorization of authorizations) authorization.answer(reader, { code, parameters });
    reader.end();
    return { handle, parameters: new Reader(parameters, `the answer to ${commandName(code)}`) };
  }
}

function encode(
  { code, handles = [], parameters = new Uint8Array() }: Command,
  areas: readonly Uint8Array[],
): Uint8Array {
  const hasSessions = areas.length > 0;
  const size = areas.reduce((sum, { length }) => sum + length, 0);
  const length = 10 + 4 * handles.length + (hasSessions ? 4 + size : 0) + parameters.length;
  return concat(
    u16(hasSessions ? TPM_ST.sessions : TPM_ST.noSessions),
    u32(length),
    u32(code),
    ...handles.map(({ handle }) => u32(handle)),
    ...(hasSessions ? [u32(size), ...areas] : []),
    parameters,
  );
}
