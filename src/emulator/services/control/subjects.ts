/** Subjects: who asked for sessions. Requests make them; nobody else does. */
// Tests: test/emulator/services/control/control.test.ts
import type { SubjectRecord } from '../../state/records.ts';
import { type Resource, idOf } from './resources.ts';

export const SUBJECTS: Resource<SubjectRecord> = {
  type: 'subject',
  get: (state, arn) => state.get('subjects', arn),
  list: (state) => state.list('subjects'),
  put: (state, record) => state.apply({ op: 'put', kind: 'subjects', record }),
  detail: (subject) => ({
    ...subjectSummary(subject),
    credentials: subject.credentials,
    instanceProperties: subject.instanceProperties,
  }),
};

/** A subject as lists show it. */
export function subjectSummary(subject: SubjectRecord): object {
  return {
    subjectArn: subject.arn,
    subjectId: idOf(subject),
    enabled: subject.enabled,
    x509Subject: subject.x509Subject,
    lastSeenAt: subject.lastSeenAt,
    createdAt: subject.createdAt,
    updatedAt: subject.updatedAt,
  };
}
