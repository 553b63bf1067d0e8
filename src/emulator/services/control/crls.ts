/** Certificate revocation lists. */
// Tests: test/emulator/services/control/control.test.ts
import { randomUUID } from 'node:crypto';
import { readCrl } from '../../certificates/crl.ts';
import type { CrlRecord } from '../../state/records.ts';
import { MAX_ANCHOR_CRLS } from '../../certificates/anchors.ts';
import type { InputOf } from './model.ts';
import {
  type Call,
  type Outcome,
  type Resource,
  aliasDetail,
  changed,
  checkTags,
  find,
  idOf,
  newAlias,
  notFound,
  previousAlias,
  resourceArn,
} from './resources.ts';
import { invalid } from './shapes.ts';

const PEM_BEGIN = '-----BEGIN X509 CRL-----';

export const CRLS: Resource<CrlRecord> & { readonly type: 'crl' } = {
  type: 'crl',
  get: (state, arn) => state.get('crls', arn),
  list: (state) => state.list('crls'),
  put: (state, record) => state.apply({ op: 'put', kind: 'crls', record }),
  detail: (crl) => ({
    crlId: idOf(crl),
    crlArn: crl.arn,
    name: crl.name,
    enabled: crl.enabled,
    // A blob: what was imported, in base64. A list of a world may have come as DER in base64 already.
    crlData: crl.crlData.includes(PEM_BEGIN) ? Buffer.from(crl.crlData).toString('base64') : crl.crlData,
    trustAnchorArn: crl.trustAnchorArn,
    ...aliasDetail(CRLS, crl),
    createdAt: crl.createdAt,
    updatedAt: crl.updatedAt,
  }),
};

/** @throws Refusal */
export function importCrl(input: InputOf<'ImportCrl'>, call: Call): Outcome {
  const { name, crlData, enabled = false, tags = [], trustAnchorArn } = input;
  const { state } = call.context;
  checkTags(tags);
  if (trustAnchorArn.includes(':alias/')) throw notFound(trustAnchorArn);
  if (!trustAnchorArn.startsWith(resourceArn('trust-anchor', '', call)) || !state.get('trustAnchors', trustAnchorArn))
    throw invalid(`Trust anchor not found: ${trustAnchorArn}`, `there is no trust anchor ${trustAnchorArn}`);
  const others = state.list('crls').filter((crl) => crl.trustAnchorArn === trustAnchorArn);
  if (others.length >= MAX_ANCHOR_CRLS)
    throw invalid(
      `The limit of ${MAX_ANCHOR_CRLS} CRLs per trust anchor is reached`,
      `${trustAnchorArn} has ${others.length} CRLs`,
    );
  const crl: CrlRecord = {
    arn: resourceArn(CRLS.type, randomUUID(), call),
    name,
    aliasName: newAlias(CRLS, input.aliasName, call),
    enabled,
    crlData: readPem(crlData),
    trustAnchorArn,
    tags,
    createdAt: call.now,
    updatedAt: call.now,
  };
  return kept(crl, call, 'was imported');
}

/** @throws Refusal */
export function updateCrl({ crlId, name, crlData, aliasName }: InputOf<'UpdateCrl'>, call: Call): Outcome {
  const before = find(CRLS, crlId, call);
  const data = crlData === undefined ? undefined : readPem(crlData);
  const after = {
    ...changed(before, { name, crlData: data }, call),
    aliasName: newAlias(CRLS, aliasName, call, before),
  };
  return kept(after, call, 'was changed', previousAlias(before, after));
}

function kept(crl: CrlRecord, { context }: Call, what: string, more: object = {}): Outcome {
  CRLS.put(context.state, crl);
  return { body: { crl: { ...CRLS.detail(crl), ...more } }, done: `${crl.arn} ${what}` };
}

/** The service takes PEM alone: API Reference, "ImportCrl". */
function readPem(data: Buffer): string {
  const text = data.toString('latin1');
  if (!text.includes(PEM_BEGIN)) throw invalid('The CRL is not in PEM format');
  if (readCrl(text) === undefined) throw invalid('The CRL is malformed', 'the PEM text holds no CRL that can be read');
  return text;
}
