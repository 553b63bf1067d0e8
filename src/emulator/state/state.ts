/** The emulator's memory: records by kind and ARN, changed by {@link State.apply} alone. */
import {
  KINDS,
  type Change,
  type Kind,
  type RecordSet,
  type Records,
  type Sighting,
  type SubjectRecord,
} from './records.ts';

export interface State {
  /** The record with an ARN. */
  get<K extends Kind>(kind: K, arn: string): Records[K] | undefined;
  /** All of a kind, oldest first. */
  list<K extends Kind>(kind: K): readonly Records[K][];
  /** Makes a change, and then tells the listeners of it. */
  apply(change: Change): void;
  /** Calls the listener with every change, after it was made. */
  onChange(listener: (change: Change) => void): void;
  /** The one change that turns an empty state into this one. */
  snapshot(): Change;
}

type Mutable = { [K in Kind]: Map<string, Records[K]> };

const MAX_SEEN = 50; // of a subject's certificates, and of its instance properties
const MAX_SUBJECTS = 10_000;

/** Makes an empty state. */
export function createState(): State {
  let records = toMaps({});
  let loaded: RecordSet = {};
  const listeners: ((change: Change) => void)[] = [];

  const make = (change: Change): void => {
    switch (change.op) {
      case 'put':
        put(records, change.kind, change.record);
        break;
      case 'delete':
        records[change.kind].delete(change.arn);
        break;
      case 'saw':
        see(records.subjects, change.sighting);
        break;
      case 'load':
        for (const kind of KINDS) merge(records, kind, loaded, change.world);
        loaded = change.world;
        break;
      case 'snapshot':
        records = toMaps(change.records);
        loaded = change.loaded;
        break;
    }
  };

  return {
    get: (kind, arn) => records[kind].get(arn),
    list: (kind) => [...records[kind].values()],
    apply(change) {
      make(change);
      for (const listener of listeners) listener(change);
    },
    onChange(listener) {
      listeners.push(listener);
    },
    snapshot: () => ({ op: 'snapshot', records: toLists(records), loaded }),
  };
}

function toMaps(set: RecordSet): Mutable {
  const of = <K extends Kind>(kind: K): Map<string, Records[K]> =>
    new Map((set[kind] ?? []).map((record: Records[K]) => [record.arn, record]));
  return {
    trustAnchors: of('trustAnchors'),
    profiles: of('profiles'),
    crls: of('crls'),
    subjects: of('subjects'),
    roles: of('roles'),
    users: of('users'),
    oidcProviders: of('oidcProviders'),
    mfaDevices: of('mfaDevices'),
    managedPolicies: of('managedPolicies'),
    buckets: of('buckets'),
    ownKeys: of('ownKeys'),
  };
}

function toLists(records: Mutable): RecordSet {
  return Object.fromEntries(KINDS.map((kind) => [kind, [...records[kind].values()]]));
}

function put<K extends Kind>(records: Mutable, kind: K, record: Records[K]): void {
  const map: Map<string, Records[K]> = records[kind];
  map.set(record.arn, record);
}

/** Brings in what a newly loaded world says otherwise than the one before. */
function merge(records: Mutable, kind: Kind, before: RecordSet, after: RecordSet): void {
  const old = new Map((before[kind] ?? []).map((record) => [record.arn, record]));
  for (const record of after[kind] ?? []) {
    const previous = old.get(record.arn);
    old.delete(record.arn);
    if (previous === undefined || untimed(previous) !== untimed(record))
      put(records, kind, keepCreation(record, records[kind].get(record.arn)));
  }
  for (const arn of old.keys()) records[kind].delete(arn);
}

function untimed(record: object): string {
  return JSON.stringify(record, (name, value: unknown) =>
    name === 'createdAt' || name === 'updatedAt' ? undefined : value,
  );
}

function keepCreation<T extends object>(record: T, previous: T | undefined): T {
  return previous !== undefined && 'createdAt' in previous ? { ...record, createdAt: previous.createdAt } : record;
}

function see(subjects: Map<string, SubjectRecord>, sighting: Sighting): void {
  const { subjectArn, x509Subject, at, failed, serialNumber, issuer, certificate, instanceProperties } = sighting;
  const known = subjects.get(subjectArn);
  const credential = { serialNumber, issuer, seenAt: at, enabled: true, failed, x509CertificateData: certificate };
  const properties =
    instanceProperties === undefined ? undefined : { seenAt: at, failed, properties: instanceProperties };
  // Moved to the end, so that the map's order is that of the last sighting.
  subjects.delete(subjectArn);
  subjects.set(subjectArn, {
    arn: subjectArn,
    enabled: true,
    x509Subject,
    tags: [],
    createdAt: at,
    ...known,
    updatedAt: at,
    lastSeenAt: at,
    credentials: latest(
      credential,
      known?.credentials.filter((other) => other.serialNumber !== serialNumber || other.issuer !== issuer),
    ),
    instanceProperties: latest(
      properties,
      known?.instanceProperties.filter((other) => !sameProperties(other.properties, instanceProperties)),
    ),
  });
  const [oldest] = subjects.keys();
  if (subjects.size > MAX_SUBJECTS && oldest !== undefined) subjects.delete(oldest);
}

function latest<T>(item: T | undefined, others: readonly T[] = []): readonly T[] {
  return [...(item === undefined ? [] : [item]), ...others].slice(0, MAX_SEEN);
}

function sameProperties(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>> | undefined): boolean {
  const keys = Object.keys(a);
  return b !== undefined && keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
