/** The credentials endpoint of ECS and EKS (`AWS_CONTAINER_CREDENTIALS_FULL_URI`). */

import { errorAnswer } from './answer.ts';
import type { AuditLog } from './audit.ts';
import { createVend, renderContainer } from './roles.ts';
import type { ServedRole } from './roles.ts';
import { READ } from './routes.ts';
import type { Route } from './routes.ts';

// The AWS CLI and some SDKs show these texts to the user.
const NO_TOKEN = errorAnswer(
  401,
  'Unauthorized',
  'no Authorization header was sent: older clients know no AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, see serve --print-token',
);
const BAD_TOKEN = errorAnswer(
  401,
  'Unauthorized',
  'the authorization token is not valid: it is sent as it is in the file, with no scheme before it',
);

export interface ContainerOptions {
  /** The first one is `/credentials` too. */
  readonly roles: readonly ServedRole[];
  readonly audit?: AuditLog | undefined;
}

/** The routes, by path. */
export function containerRoutes({ roles, audit }: ContainerOptions): Map<string, Route> {
  const routes = new Map<string, Route>();
  for (const [index, role] of roles.entries()) {
    const vend = createVend({ role, render: renderContainer, audit });
    const route: Route = {
      label: 'container-credentials',
      methods: READ,
      handle({ head: { authorization }, socket, method }) {
        if (authorization === undefined) return NO_TOKEN;
        return role.authorization().accepts(authorization) ? vend(socket, method) : BAD_TOKEN;
      },
    };
    if (index === 0) routes.set('/credentials', route);
    routes.set(`/role/${role.name}`, route);
  }
  return routes;
}
