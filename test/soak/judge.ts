/** Says of an answer with credentials whether it is right: the service is asked whose they are, once for each set. */
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { Emulator } from '../../src/emulator/emulator.ts';

/** A set as a client got it. */
export interface GivenSet {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: string;
}

export interface Judge {
  /** @returns what is wrong, or undefined */
  judge(body: string, roleArn: string): Promise<string | undefined>;
  /** When the newest set that anybody was given of a role ends, in milliseconds since 1970. */
  endOf(roleArn: string): number;
  /** The sets so far. */
  readonly sets: number;
}

export function createJudge(emulator: Emulator): Judge {
  const known = new Map<string, Promise<GivenSet & { readonly of: string }>>();
  const ends = new Map<string, number>();

  const learn = async (set: GivenSet): Promise<GivenSet & { readonly of: string }> => {
    const { accessKeyId, secretAccessKey, sessionToken } = set;
    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    const client = new STSClient({ endpoint: emulator.url, region: 'us-east-1', credentials, maxAttempts: 1 });
    try {
      const { Arn = '' } = await client.send(new GetCallerIdentityCommand({}));
      return { ...set, of: Arn };
    } finally {
      client.destroy();
    }
  };

  return {
    async judge(body, roleArn) {
      const asked = Date.now();
      const set = setIn(body);
      if (set === undefined) return `no credentials: ${body.slice(0, 300)}`;
      const end = Date.parse(set.expiration);
      if (!(end > asked)) return `${set.accessKeyId} has ended at ${set.expiration}`;
      let learnt = known.get(set.accessKeyId);
      if (learnt === undefined) known.set(set.accessKeyId, (learnt = learn(set)));
      try {
        const { of, ...first } = await learnt;
        const wanted = `${roleArn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/`;
        if (!of.startsWith(wanted)) return `${set.accessKeyId} is of ${of}`;
        const differs = (Object.keys(first) as (keyof GivenSet)[]).filter((name) => first[name] !== set[name]);
        if (differs.length > 0) return `${set.accessKeyId} had another ${differs.join(' and ')} before`;
      } catch (error) {
        return `${set.accessKeyId} is not taken by the service: ${String(error)}`;
      }
      ends.set(roleArn, Math.max(end, ends.get(roleArn) ?? 0));
      return undefined;
    },
    endOf: (roleArn) => ends.get(roleArn) ?? 0,
    get sets() {
      return known.size;
    },
  };
}

function setIn(body: string): GivenSet | undefined {
  try {
    const { AccessKeyId, SecretAccessKey, Token, Expiration } = JSON.parse(body) as Record<string, unknown>;
    const members = [AccessKeyId, SecretAccessKey, Token, Expiration];
    if (members.some((member) => typeof member !== 'string' || member === '')) return undefined;
    const [accessKeyId = '', secretAccessKey = '', sessionToken = '', expiration = ''] = members as string[];
    return { accessKeyId, secretAccessKey, sessionToken, expiration };
  } catch {
    return undefined;
  }
}
