/** The sessions that were vended: what CreateSession writes and STS reads. */
import { randomBytes } from 'node:crypto';
import { type Role, base32 } from './world.ts';

export interface Session {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
  readonly role: Role;
  readonly sessionName: string;
  readonly sourceIdentity: string;
}

export interface SessionStore {
  create(session: Pick<Session, 'expiration' | 'role' | 'sessionName' | 'sourceIdentity'>): Session;
  find(accessKeyId: string): Session | undefined;
}

/** An expired session is kept so long, so that its use is answered with what is wrong with it. */
const KEEP_EXPIRED_MS = 3_600_000;

/** What is kept at most, at about 1 kB each; beyond it the oldest go, expired or not. */
const MAX_SESSIONS = 20_000;

const SESSION_TOKEN_BYTES = 384; // in base64 512 characters, about what STS gives

/** @param now the emulator's clock */
export function createSessionStore(now: () => Date, limit = MAX_SESSIONS): SessionStore {
  const sessions = new Map<string, Session>(); // in the order of creation

  const evict = (): void => {
    const horizon = now().getTime() - KEEP_EXPIRED_MS;
    for (const [id, { expiration }] of sessions) {
      // Sessions expire in another order than they were made in: what is left for later is dropped then.
      if (sessions.size < limit && expiration.getTime() > horizon) return;
      sessions.delete(id);
    }
  };

  return {
    create(session) {
      evict();
      const created: Session = {
        ...session,
        accessKeyId: `ASIA${base32(randomBytes(10))}`,
        secretAccessKey: randomBytes(30).toString('base64'),
        sessionToken: randomBytes(SESSION_TOKEN_BYTES).toString('base64'),
      };
      sessions.set(created.accessKeyId, created);
      return created;
    },
    find: (accessKeyId) => sessions.get(accessKeyId),
  };
}

/** The ARN of the caller that a session stands for. A role's path is not part of it. */
export function assumedRoleArn({ role, sessionName }: Session): string {
  return `arn:${role.partition}:sts::${role.account}:assumed-role/${role.name}/${sessionName}`;
}

/** The caller's unique id. */
export function assumedRoleId({ role, sessionName }: Session): string {
  return `${role.id}:${sessionName}`;
}

/** The form in which both services write a time: `YYYY-MM-DDTHH:MM:SSZ`. */
export function isoSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
