import { describe, expect, it } from 'vitest';
import type {
  BucketRecord,
  Change,
  RoleRecord,
  Sighting,
  TrustAnchorRecord,
} from '../../../src/emulator/state/records.ts';
import { type State, createState } from '../../../src/emulator/state/state.ts';

const bucket = (name: string, account = '123456789012'): BucketRecord => ({
  arn: `arn:aws:s3:::${name}`,
  name,
  account,
  createdAt: '2030-01-01T00:00:00.000Z',
});
const put = (record: BucketRecord): Change => ({ op: 'put', kind: 'buckets', record });
const names = (state: State): string[] =>
  state.list('buckets').map(({ name, account }) => `${name} ${account.charAt(0)}`);

describe('the state', () => {
  it('puts, replaces in place, and deletes', () => {
    const state = createState();
    for (const change of [put(bucket('a')), put(bucket('b')), put(bucket('a', '9'))]) state.apply(change);
    expect(names(state)).toEqual(['a 9', 'b 1']);
    expect(state.get('buckets', 'arn:aws:s3:::a')).toEqual(bucket('a', '9'));
    state.apply({ op: 'delete', kind: 'buckets', arn: 'arn:aws:s3:::a' });
    expect(state.get('buckets', 'arn:aws:s3:::a')).toBeUndefined();
    expect(state.get('roles', 'arn:aws:s3:::b')).toBeUndefined();
  });

  it('tells of each change after it was made', () => {
    const state = createState();
    const told: unknown[] = [];
    state.onChange((change) => told.push([change.op, names(state)]));
    state.apply(put(bucket('a')));
    expect(told).toEqual([['put', ['a 1']]]);
  });

  it('is all in its snapshot, what was loaded included', () => {
    const state = createState();
    state.apply({ op: 'load', world: { buckets: [bucket('a'), bucket('b')] } });
    state.apply(put(bucket('c')));
    const copy = createState();
    copy.apply(structuredClone(state.snapshot()));
    expect(copy.snapshot()).toEqual(state.snapshot());
    copy.apply({ op: 'load', world: { buckets: [bucket('b')] } });
    expect(names(copy)).toEqual(['b 1', 'c 1']);
  });
});

const anchor = (name: string, at: string): TrustAnchorRecord => ({
  arn: 'arn:a',
  name,
  enabled: true,
  sourceType: 'CERTIFICATE_BUNDLE',
  certificates: '',
  notificationSettings: [],
  tags: [],
  createdAt: at,
  updatedAt: at,
});

describe('a world that is loaded again', () => {
  it('changes what it says otherwise than before, and leaves alone what was changed since', () => {
    const state = createState();
    const load = (...buckets: BucketRecord[]): void => state.apply({ op: 'load', world: { buckets } });
    load(bucket('kept'), bucket('gone'), bucket('edited'), bucket('deleted'), bucket('both'));
    state.apply(put(bucket('edited', '2')));
    state.apply(put(bucket('both', '2')));
    state.apply(put(bucket('made', '2')));
    state.apply({ op: 'delete', kind: 'buckets', arn: 'arn:aws:s3:::deleted' });
    load(bucket('kept'), bucket('edited'), bucket('deleted'), bucket('both', '3'), bucket('new', '3'));
    expect(names(state)).toEqual(['kept 1', 'edited 2', 'both 3', 'made 2', 'new 3']);
  });

  it('is not another for having been loaded later, and what it changes keeps when it was made', () => {
    const state = createState();
    for (const [name, at] of [
      ['a', '1'],
      ['a', '2'],
      ['b', '3'],
    ] as const)
      state.apply({ op: 'load', world: { trustAnchors: [anchor(name, at)] } });
    expect(state.get('trustAnchors', 'arn:a')).toMatchObject({ name: 'b', createdAt: '1', updatedAt: '3' });
  });

  it('concerns each kind for itself', () => {
    const state = createState();
    const role: RoleRecord = {
      arn: 'arn:aws:s3:::a',
      name: 'a',
      account: '123456789012',
      partition: 'aws',
      roleId: 'AROA',
      maxSessionDuration: 3600,
      tags: [],
    };
    state.apply({ op: 'load', world: { buckets: [bucket('a')], roles: [role] } });
    state.apply({ op: 'load', world: { roles: [role] } });
    expect(state.list('buckets')).toEqual([]);
    expect(state.list('roles')).toEqual([role]);
  });
});

const seen = (state: State, subject: number, serialNumber: string, at = '1', more: Partial<Sighting> = {}): void =>
  state.apply({
    op: 'saw',
    sighting: {
      subjectArn: `arn:${subject}`,
      x509Subject: `CN=${subject}`,
      at,
      serialNumber,
      issuer: 'CN=root',
      certificate: 'PEM',
      failed: false,
      ...more,
    },
  });

describe('subjects', () => {
  it('have their certificates latest first, 50 at most, each once', () => {
    const state = createState();
    for (let serial = 0; serial < 60; serial += 1) seen(state, 1, String(serial));
    seen(state, 1, '30', '2');
    const serials = state.get('subjects', 'arn:1')?.credentials.map(({ serialNumber }) => serialNumber);
    expect(serials?.slice(0, 3)).toEqual(['30', '59', '58']);
    expect(new Set(serials).size).toBe(50);
  });

  it('have their instance properties latest first, each once', () => {
    const state = createState();
    for (const host of ['a', 'b', 'a']) seen(state, 1, '1', '1', { instanceProperties: { host } });
    const properties = state.get('subjects', 'arn:1')?.instanceProperties.map((item) => item.properties);
    expect(properties).toEqual([{ host: 'a' }, { host: 'b' }]);
  });

  it('keep their tags, and are 10,000 at most: the one that was not seen the longest goes', () => {
    const state = createState();
    for (let subject = 0; subject < 10_000; subject += 1) seen(state, subject, '1');
    const [first] = state.list('subjects');
    if (first === undefined) throw new Error('there is none');
    state.apply({ op: 'put', kind: 'subjects', record: { ...first, tags: [{ key: 'a', value: 'b' }] } });
    seen(state, 0, '1');
    seen(state, 10_000, '1');
    expect(state.list('subjects')).toHaveLength(10_000);
    expect(state.get('subjects', 'arn:1')).toBeUndefined();
    expect(state.get('subjects', 'arn:0')?.tags).toEqual([{ key: 'a', value: 'b' }]);
  });
});
